"""A stand-in for Telegram: the Bot API with its refusals, limits and accidents, and a chat page.

`./dev run` uses it when no bot token is set; the tests run against it over real HTTP
(`sandbox.client`). It imports nothing of the product. Nothing in it is secret and nothing asks for
a password, so it serves this machine only.

The control API, JSON in and out; an error is `{"error": "..."}` with 400, 404 or 409:

GET    /sandbox/                   the bot, counters
POST   /sandbox/reset              nobody and nothing, as after a start
POST   /sandbox/settings           {count_utf16}: how "message is too long" counts
POST   /sandbox/outage             {seconds}: connections are refused
GET    /sandbox/people             all people
POST   /sandbox/people             {first_name, last_name, username, language_code, is_bot, id,
                                    started}
POST   /sandbox/people/ID          {deactivated, language_code}
GET    /sandbox/chats              all chats; a private chat has the id of its person
POST   /sandbox/chats              {type: group | supergroup | channel, title, username, id,
                                    bot_status}
POST   /sandbox/chats/ID           {bot_status: member | left | kicked, by, removed, upgraded_to}
GET    /sandbox/chats/ID/messages  ?since=REVISION&wait=SECONDS: what changed, the next `since`
POST   /sandbox/chats/ID/messages  {text, by, sticker, forwarded_from, entities, extra} or
                                   {edit, text}
POST   /sandbox/chats/ID/presses   {button: text or data, by, message_id}
GET    /sandbox/presses/ID         ?wait=SECONDS: what the bot answered to the press
GET    /sandbox/updates            what the bot has not confirmed
POST   /sandbox/updates            {update}: a raw one, however strange
POST   /sandbox/updates/jump       {to}: id of the next update (more than 10 from the last)
GET    /sandbox/calls              ?since=N&limit=N&method=NAME: calls (`journal.Call`)
GET    /sandbox/accepted           ?since=N&limit=N&wait=SECONDS: messages (`journal.Accepted`)
DELETE /sandbox/journal            forgets both; the running number goes on
GET    /sandbox/faults             the rules in force, and how often each kind has hit
POST   /sandbox/faults             a rule (`faults.Fault`, kinds in `faults.KINDS`)
GET    /sandbox/faults/ID          one rule with its counters
DELETE /sandbox/faults[/ID]        takes rules away
GET    /sandbox/limits             flood limits in force, violations
POST   /sandbox/limits             {enforced, chat_rate, chat_burst, ..., hold: seconds of
                                    bot-wide 429}
"""
