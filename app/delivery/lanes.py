"""The lanes: who holds which, what is next in it, when it is due. One SQL statement each; the claim
is one for as many lanes as there are threads that want one.

A lane is the FIFO of one account's messages, and a row. `wake_at` says when it is due; null means
never, until something happens. A worker that takes a due lane leases it for 30 seconds, during
which `wake_at` is the end of the lease: a lane whose worker died is due again by itself. Every
lease has a number, drawn by its worker (one for the lanes of one claim), and what is written at a
turn's end names it: a worker that was frozen and comes back late (a zombie) finds another number
and writes nothing.

A message at the head that has to wait keeps the whole lane waiting, and no other lane. The clock
is PostgreSQL's, everywhere: workers need not agree on the time.

A statement sees the messages as they were when it began, but the lane it locks as it is now. So
what decides stands in the lane's own row (`chat_id`, `hold_reason`, `next_seq`), and where the
messages themselves must be asked whether one is left (`tidy`), the lane is locked first.

How a turn ends stands in `ledger`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from app.prepared import Prepared

LEASE_SECONDS = 30
EXPIRY_BATCH = 500

# No operator and no fault of the whole bot keeps messages back; see `brakes`.
_OPEN_BOT = """
    SELECT failures FROM bot
    WHERE paused_at IS NULL
      AND (hold_reason IS NULL OR hold_reason = 'flood' AND held_until <= now())
"""


# Outcome, description and latency of a call whose worker did not live to tell.
_DIED = "'ambiguous', 'the worker that was sending it died', 0"


@dataclass(frozen=True, slots=True)
class Message:
    """What is on its way in a turn: the head of the lane, marked `sending`."""

    id: int
    seq: int
    text: str
    greeting: str
    silent: bool
    parts_sent: int
    halved_from: int | None
    failures: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A lane that this worker holds. `message` is None when there is nothing to send after all."""

    lane_id: int
    lease_no: int
    # By the database's clock, and by this process's (monotonic, just before the claim).
    claimed_at: datetime
    began: float
    chat_id: int
    message: Message | None
    expired_id: int | None
    # When the lease of the worker that died in this lane began, if one did.
    left_at: datetime | None
    # Failures in a row of the whole bot, and whether other lanes are due now.
    bot_failures: int
    more: bool

    @property
    def lease(self) -> tuple[int, int]:
        """What no other turn has: the lane, and the number of its lease."""
        return self.lane_id, self.lease_no


_CLAIM = Prepared(
    "gonets_claim",
    f"""
  WITH open_bot AS ({_OPEN_BOT})
  , due AS MATERIALIZED (
    SELECT id, leased_until FROM lane
    WHERE wake_at <= now() AND EXISTS (SELECT FROM open_bot)
    ORDER BY wake_at LIMIT :most
    FOR UPDATE SKIP LOCKED
  )
  , leased AS (
    UPDATE lane SET lease_no = :lease_no,
      leased_until = now() + make_interval(secs => :lease),
      wake_at = now() + make_interval(secs => :lease)
    FROM due WHERE lane.id = due.id
    RETURNING lane.id, lane.lease_no, lane.chat_id, lane.hold_reason,
      due.leased_until - make_interval(secs => :lease) AS left_at
  )
  , head AS MATERIALIZED (
    SELECT oldest.*, leased.chat_id, left_at FROM leased CROSS JOIN LATERAL (
      SELECT id, lane_id, status, expires_at FROM message
      WHERE lane_id = leased.id AND status IN ('held', 'queued', 'sending')
      ORDER BY seq LIMIT 1
    ) AS oldest
    WHERE leased.hold_reason IS NULL
  )
  , overdue AS (
    UPDATE message SET status = 'expired',
      possible_duplicate = possible_duplicate OR head.status = 'sending',
      attempts_made = attempts_made + (head.status = 'sending')::int
    FROM head
    WHERE message.id = head.id AND head.expires_at <= now()
      AND message.status = head.status
    RETURNING message.id, message.lane_id, parts_sent, head.status = 'sending' AS abandoned, left_at
  )
  , marked AS (
    UPDATE message SET status = 'sending', reason = NULL,
      possible_duplicate = possible_duplicate OR head.status = 'sending',
      attempts_made = attempts_made + (head.status = 'sending')::int,
      chat_id = head.chat_id,
      parts_sent = CASE WHEN message.chat_id = head.chat_id THEN parts_sent ELSE 0 END,
      telegram_message_ids = CASE WHEN message.chat_id = head.chat_id
                                  THEN telegram_message_ids ELSE '{{}}' END
    FROM head
    WHERE message.id = head.id AND head.expires_at > now()
      AND message.status = head.status
    RETURNING message.*, old.parts_sent AS sent_before, head.status = 'sending' AS abandoned,
      left_at
  )
  , lost AS (
    INSERT INTO attempt (message_id, part, at, outcome, description, latency_ms)
    SELECT id, sent_before + 1, coalesce(left_at, now()), {_DIED}
    FROM (SELECT id, sent_before, abandoned, left_at FROM marked
          UNION ALL SELECT id, parts_sent, abandoned, left_at FROM overdue) AS left_behind
    WHERE abandoned
  )
  SELECT leased.id AS lane_id, leased.lease_no, leased.chat_id, now() AS claimed_at,
         marked.id, marked.seq, marked.text, marked.greeting, marked.silent, marked.parts_sent,
         marked.halved_from, marked.failures,
         overdue.id AS expired_id, leased.left_at,
         (SELECT failures FROM open_bot) AS bot_failures,
         (SELECT id FROM lane WHERE wake_at <= now() AND id NOT IN (SELECT id FROM leased)
          ORDER BY wake_at LIMIT 1) IS NOT NULL AS more
  FROM leased LEFT JOIN marked ON marked.lane_id = leased.id
              LEFT JOIN overdue ON overdue.lane_id = leased.id
""",
    lease_no="bigint",
    lease="float8",
    most="int",
)


def claim(connection: Connection, lease_no: int, *, most: int, began: float) -> list[Turn]:
    """Leases the lanes that have been due longest, `most` of them, and marks the head of each as
    `sending`. No more than can be sent at once: what a dying worker has marked was perhaps sent.

    `lease_no` is a number that no other claim has; `began` is the monotonic time of this one.

    The mark is committed before anything is sent. A head that is found marked already was left by
    a worker that died: it may have been sent, so it is `possible_duplicate` from now on, and that
    call's attempt has the time from which the dead worker's lease ran, that of its claim or last
    renewal. One that was half sent to another chat begins again; one that has expired is ended
    here.
    """
    rows = _CLAIM.rows(connection, lease_no=lease_no, lease=LEASE_SECONDS, most=most)
    return [_turn(row, began) for row in rows]


def _turn(row: Any, began: float) -> Turn:
    message = None
    if row.id is not None:
        message = Message(
            row.id,
            row.seq,
            row.text,
            row.greeting,
            row.silent,
            row.parts_sent,
            row.halved_from,
            row.failures,
        )
    return Turn(
        row.lane_id,
        row.lease_no,
        row.claimed_at,
        began,
        row.chat_id,
        message,
        row.expired_id,
        row.left_at,
        row.bot_failures,
        row.more,
    )


def unclaim(connection: Connection, lease_no: int) -> None:
    """Undoes a claim that may have succeeded unheard, its connection having been lost: nothing was
    sent under its leases, and only its worker knows it."""
    connection.execute(
        text("""
          WITH freed AS (
            UPDATE lane SET leased_until = NULL,
              wake_at = CASE WHEN hold_reason IS NULL THEN now() END
            WHERE lease_no = :lease_no AND leased_until IS NOT NULL
            RETURNING id, hold_reason
          )
          UPDATE message SET reason = hold_reason,
            status = CASE WHEN hold_reason IS NULL THEN 'queued' ELSE 'held' END
          FROM freed WHERE lane_id = freed.id AND status = 'sending'
        """),
        {"lease_no": lease_no},
    )


def tidy(connection: Connection, turn: Turn) -> None:
    """Gives back a lane in which nothing was to be sent: due again if a message waits in it, else
    asleep. A message that a dead worker left in a lane that is held by now is held as well, and its
    last call an attempt of unknown outcome.

    In the caller's transaction: the lane is locked by one statement, so that the next ones see
    every message of those that held the lock before.
    """
    lane = {"lane_id": turn.lane_id, "lease_no": turn.lease_no}
    locked = connection.execute(
        text("""
          SELECT hold_reason FROM lane
          WHERE id = :lane_id AND lease_no = :lease_no AND leased_until IS NOT NULL
          FOR UPDATE
        """),
        lane,
    ).one_or_none()
    if locked is None:
        return
    if locked.hold_reason is not None:
        _hold_what_was_left(connection, turn, locked.hold_reason)
    connection.execute(
        text("""
          UPDATE lane SET leased_until = NULL, wake_at = CASE
            WHEN hold_reason IS NULL AND EXISTS (
              SELECT FROM message
              WHERE lane_id = lane.id AND status IN ('held', 'queued', 'sending')
            ) THEN now() END
          WHERE id = :lane_id
        """),
        lane,
    )


def _hold_what_was_left(connection: Connection, turn: Turn, reason: str) -> None:
    connection.execute(
        text(f"""
          WITH kept AS (
            UPDATE message SET status = 'held', reason = :reason,
              possible_duplicate = true, attempts_made = attempts_made + 1
            WHERE lane_id = :lane_id AND status = 'sending'
            RETURNING id, parts_sent
          )
          INSERT INTO attempt (message_id, part, at, outcome, description, latency_ms)
          SELECT id, parts_sent + 1, coalesce(:left_at, now()),
                 {_DIED}
          FROM kept
        """),
        {"lane_id": turn.lane_id, "reason": reason, "left_at": turn.left_at},
    )


def renew(connection: Connection, leases: Sequence[tuple[int, int]]) -> None:
    """Prolongs the leases of turns under way, given as pairs of lane and lease number."""
    connection.execute(
        text("""
          UPDATE lane SET
            leased_until = now() + make_interval(secs => :lease),
            wake_at = now() + make_interval(secs => :lease)
          FROM unnest(CAST(:lanes AS bigint[]), CAST(:numbers AS bigint[])) AS held(id, number)
          WHERE lane.id = held.id AND lane.lease_no = held.number AND leased_until IS NOT NULL
        """),
        {
            "lease": LEASE_SECONDS,
            "lanes": [lane for lane, _ in leases],
            "numbers": [number for _, number in leases],
        },
    )


def rescue(connection: Connection) -> None:
    """Gives the lanes of dead workers, whose leases have just ended, the place in the line that
    they had when they were claimed: before everything that became due since."""
    connection.execute(
        text("""
          UPDATE lane SET wake_at = wake_at - make_interval(secs => :lease)
          WHERE wake_at BETWEEN now() - interval '10 seconds' AND now() AND leased_until = wake_at
        """),
        {"lease": LEASE_SECONDS},
    )


_NEXT_DUE = text(f"""
  SELECT extract(epoch FROM min(wake_at) - now()) AS seconds
  FROM lane WHERE EXISTS ({_OPEN_BOT})
""")


def next_due(connection: Connection) -> float | None:
    """Seconds until a lane is due, negative when one is; None: none will be by itself."""
    seconds = connection.scalar(_NEXT_DUE)
    return None if seconds is None else float(seconds)


_EXPIRE = text("""
  WITH overdue AS (
    SELECT id FROM message
    WHERE status IN ('held', 'queued') AND expires_at <= now()
    ORDER BY expires_at LIMIT :batch
    FOR UPDATE SKIP LOCKED
  )
  UPDATE message SET status = 'expired' FROM overdue WHERE message.id = overdue.id
  RETURNING message.id
""")


def expire(connection: Connection) -> list[int]:
    """Ends waiting messages whose time is over, a batch at a time; returns their ids."""
    return list(connection.scalars(_EXPIRE, {"batch": EXPIRY_BATCH}))
