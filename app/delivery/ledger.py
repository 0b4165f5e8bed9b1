"""What is written at the end of a turn: the outcome, what follows from it, and the lane given back.

Every statement here names the lease of its turn, and does nothing when the lane has another one by
now. What is to be written comes from `retries` and `engine`; nothing is decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from app.delivery.lanes import Message, Turn
from app.delivery.retries import Decision
from app.models import Status
from app.prepared import Prepared

# A record's columns: the statement gets an array of each.
_COLUMNS = {
    "lane_id": "bigint",
    "lease_no": "bigint",
    "claimed_at": "timestamptz",
    "used_chat_id": "bigint",
    "spacing": "float8",
    "delay": "float8",
    "ended": "boolean",
    "message_id": "bigint",
    "seq": "bigint",
    "decided": "text",
    "because": "text",
    "all_parts": "int",
    "sent_id": "bigint",
    "new_halved_from": "int",
    "counted": "int",
    "new_failures": "int",
    "ambiguous": "boolean",
    "part": "int",
    "at": "timestamptz",
    "outcome": "text",
    "code": "int",
    "description": "text",
    "latency_ms": "int",
}


def _statement(name: str, locked: str) -> Prepared:
    """Writes them all; `locked`: what becomes of a lane that somebody else has locked."""
    return Prepared(
        name,
        f"""
  WITH made AS (
    SELECT * FROM unnest({", ".join(f":{column}" for column in _COLUMNS)})
    AS made ({", ".join(_COLUMNS)})
  )
  , held AS MATERIALIZED (
    SELECT id AS held_id FROM lane, made
    WHERE id = made.lane_id AND lane.lease_no = made.lease_no AND leased_until IS NOT NULL
    FOR NO KEY UPDATE OF lane {locked}
  )
  , freed AS (
    UPDATE lane SET
      leased_until = NULL,
      paced_until = CASE WHEN chat_id = used_chat_id THEN greatest(paced_until, pace.until)
                         ELSE paced_until END,
      wake_at = CASE WHEN hold_reason IS NOT NULL THEN NULL
                     WHEN ended AND next_seq = seq + 1 THEN NULL
                     WHEN chat_id = used_chat_id THEN greatest(paced_until, pace.until)
                     ELSE now() END
    FROM held JOIN made ON made.lane_id = held_id CROSS JOIN LATERAL (
      SELECT greatest(claimed_at + make_interval(secs => spacing),
                      now() + make_interval(secs => delay)) AS until
    ) AS pace
    WHERE id = held_id AND lane.lease_no = made.lease_no AND leased_until IS NOT NULL
    RETURNING made.*, hold_reason
  )
  , written AS (
    UPDATE message SET
      status = CASE WHEN decided = 'queued' AND hold_reason IS NOT NULL THEN 'held'
                    ELSE decided END,
      reason = CASE WHEN decided = 'queued' THEN hold_reason ELSE because END,
      parts = all_parts,
      parts_sent = parts_sent + num_nonnulls(sent_id),
      telegram_message_ids = CASE WHEN sent_id IS NULL THEN telegram_message_ids
                                  ELSE telegram_message_ids || sent_id END,
      halved_from = new_halved_from,
      attempts_made = attempts_made + counted,
      failures = new_failures,
      possible_duplicate = possible_duplicate OR ambiguous,
      sent_at = CASE WHEN decided = 'sent' THEN now() END
    FROM freed
    WHERE id = freed.message_id
    RETURNING freed.*, status, extract(epoch FROM now() - created_at) AS age
  )
  , noted AS (
    INSERT INTO attempt (message_id, part, at, outcome, code, description, latency_ms)
    SELECT message_id, part, at, outcome, code, description, latency_ms FROM written
  )
  SELECT lane_id, lease_no, status, age FROM written
""",
        **{column: f"{kind}[]" for column, kind in _COLUMNS.items()},
    )


_RECORD = _statement("gonets_record", "")
_RECORD_FREE = _statement("gonets_record_free", "SKIP LOCKED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call and what follows from it, as it is written at the end of its turn."""

    turn: Turn
    message: Message
    decision: Decision
    outcome: str
    code: int | None
    description: str | None
    part: int
    parts: int
    halved_from: int | None
    at: datetime
    latency_ms: int
    # Seconds from one call to this chat to the next, at least.
    spacing: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the message is now, and its age in seconds."""

    status: Status
    age: float


def record(connection: Connection, made: Record) -> Recorded | None:
    """Writes a turn's outcome and gives the lane back; None: it was no longer this turn's.

    Waits for whoever has locked the lane. May be repeated when a lost connection leaves open
    whether it was done: once the lane is given back, it does nothing.
    """
    return _write(_RECORD, connection, [made])[0]


def record_free(connection: Connection, records: Sequence[Record]) -> list[Recorded | None]:
    """As `record`, for many turns, but waits for nobody: None also for a lane that somebody else
    has locked, which would keep all others, locked by then, waiting. In the order of the records.
    """
    return _write(_RECORD_FREE, connection, records)


def _write(
    statement: Prepared, connection: Connection, records: Sequence[Record]
) -> list[Recorded | None]:
    rows = [_row(each) for each in records]
    columns = {column: [row[column] for row in rows] for column in _COLUMNS}
    written = {
        (row.lane_id, row.lease_no): Recorded(Status(row.status), float(row.age))
        for row in statement.rows(connection, **columns)
    }
    return [written.get(each.turn.lease) for each in records]


def _row(made: Record) -> dict[str, object]:
    decision = made.decision
    return {
        "lane_id": made.turn.lane_id,
        "lease_no": made.turn.lease_no,
        "claimed_at": made.turn.claimed_at,
        "used_chat_id": made.turn.chat_id,
        "spacing": made.spacing,
        "delay": decision.delay,
        "ended": decision.status != Status.QUEUED,
        "message_id": made.message.id,
        "seq": made.message.seq,
        "decided": decision.status.value,
        "because": decision.reason,
        "all_parts": made.parts,
        "sent_id": decision.sent_id,
        "new_halved_from": made.halved_from,
        "counted": int(decision.counted),
        "new_failures": decision.failures,
        "ambiguous": decision.ambiguous,
        "part": made.part,
        "at": made.at,
        "outcome": made.outcome,
        "code": made.code,
        "description": made.description,
        "latency_ms": made.latency_ms,
    }


def block(connection: Connection, turn: Turn) -> None:
    """Holds the lane of a chat that cannot be written to, and marks the chat; after `record`, in
    its transaction. A chat that was replaced or held in the meantime is left alone."""
    chat = {"lane_id": turn.lane_id, "chat_id": turn.chat_id}
    blocked = connection.execute(
        text("""
          UPDATE lane SET hold_reason = 'blocked', wake_at = NULL
          WHERE id = :lane_id AND chat_id = :chat_id AND hold_reason IS NULL
          RETURNING id
        """),
        chat,
    ).one_or_none()
    if blocked is None:
        return
    connection.execute(
        text("""
          UPDATE message SET status = 'held', reason = 'blocked'
          WHERE lane_id = :lane_id AND status IN ('held', 'queued')
        """),
        chat,
    )
    connection.execute(
        text("""
          UPDATE chat SET blocked_at = now() WHERE telegram_id = :chat_id AND unlinked_at IS NULL
        """),
        chat,
    )


def move(connection: Connection, turn: Turn, message: Message, chat_id: int) -> None:
    """Follows a chat to its new id, message and all; after `record`, in its transaction.

    Raises `IntegrityError` when another account has linked the new id.
    """
    ids = {"lane": turn.lane_id, "message": message.id, "old": turn.chat_id, "new": chat_id}
    for statement in (
        "UPDATE lane SET chat_id = :new WHERE id = :lane AND chat_id = :old",
        "UPDATE message SET chat_id = :new WHERE id = :message AND chat_id = :old",
        "UPDATE chat SET telegram_id = :new WHERE telegram_id = :old AND unlinked_at IS NULL",
    ):
        connection.execute(text(statement), ids)
