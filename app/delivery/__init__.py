"""From a stored row to Telegram's answer.

The database is the truth and the broker only a bell. A message is a row in its account's lane
(`outbox`), committed together with whatever else the request did; then a bell is rung (`bell`), and
a worker's crew (`crew`) takes turns: it leases the lane that has been due longest, marks its oldest
message, sends one part of it, and records the outcome (`engine`, on the statements of `lanes` and
`ledger`; turns that come together share them, `grouping`). Once a second every worker sweeps
(`sweep`), and finds whatever a bell has missed; with the broker away for good the sweeps alone
deliver everything.

What it promises. No accepted message is lost: its row ends `sent`, `failed`, `expired` or
`cancelled`, however often workers, database, broker or Telegram go away. Messages of an account go
out in the order of their acceptance, one at a time. A part is sent twice only when nobody can know
whether it was sent once: the connection, or the process, died after the request may have reached
Telegram; then the message says `possible_duplicate`.

What it costs. A message that has to wait keeps those behind it in its lane waiting, and no other
lane. One that Telegram took without our hearing of it arrives twice rather than not at all.

What it is not. It decides nothing about who may send what to whom (`services`), and it is not for
work other than messages: whatever must happen once and at once belongs in a transaction.

Pure, with no clock and no database in them: `retries` (what follows from an outcome), `pacing`
(slots on a line), `splitting` (a long text as parts). `budget` shares the bot's pace among all
processes, `brakes` stops them all when Telegram floods, rejects or is away. `station` puts a
worker's parts together, `tasks` is Celery's side of it.
"""
