"""What is written at the end of a turn: the outcome, what follows from it, and the lane given back.

Every statement here names the lease of its turn, and does nothing when the lane has another one by
now. What is to be written comes from `retries` and `engine`; nothing is decided here.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from app.delivery.lanes import Message, Turn
from app.delivery.retries import Decision
from app.models import Status
from app.prepared import Prepared

_RECORD = Prepared(
    "gonets_record",
    """
  WITH freed AS (
    UPDATE lane SET
      leased_until = NULL,
      paced_until = CASE WHEN chat_id = :chat_id THEN greatest(paced_until, pace.until)
                         ELSE paced_until END,
      wake_at = CASE WHEN hold_reason IS NOT NULL THEN NULL
                     WHEN :ended AND next_seq = :seq + 1 THEN NULL
                     WHEN chat_id = :chat_id THEN greatest(paced_until, pace.until)
                     ELSE now() END
    FROM (
      SELECT greatest(:claimed_at + make_interval(secs => :spacing),
                      now() + make_interval(secs => :delay)) AS until
    ) AS pace
    WHERE id = :lane_id AND lease_no = :lease_no AND leased_until IS NOT NULL
    RETURNING hold_reason
  )
  , written AS (
    UPDATE message SET
      status = CASE WHEN :status = 'queued' AND hold_reason IS NOT NULL THEN 'held'
                    ELSE :status END,
      reason = CASE WHEN :status = 'queued' THEN hold_reason ELSE :reason END,
      parts = :parts,
      parts_sent = parts_sent + cardinality(:sent_ids),
      telegram_message_ids = telegram_message_ids || :sent_ids,
      halved_from = :halved_from,
      attempts_made = attempts_made + :counted,
      failures = :failures,
      possible_duplicate = possible_duplicate OR :ambiguous,
      sent_at = CASE WHEN :status = 'sent' THEN now() END
    FROM freed
    WHERE id = :message_id
    RETURNING id, status, extract(epoch FROM now() - created_at) AS age
  )
  , noted AS (
    INSERT INTO attempt (message_id, part, at, outcome, code, description, latency_ms)
    SELECT id, :part, :at, :outcome, :code, :description, :latency_ms FROM written
  )
  SELECT status, age FROM written
""",
    lane_id="bigint",
    lease_no="bigint",
    claimed_at="timestamptz",
    chat_id="bigint",
    spacing="float8",
    delay="float8",
    ended="boolean",
    message_id="bigint",
    seq="bigint",
    status="text",
    reason="text",
    parts="int",
    sent_ids="bigint[]",
    halved_from="int",
    counted="int",
    failures="int",
    ambiguous="boolean",
    part="int",
    at="timestamptz",
    outcome="text",
    code="int",
    description="text",
    latency_ms="int",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One call and what follows from it, as it is written at the end of a turn."""

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


def record(connection: Connection, turn: Turn, message: Message, made: Record) -> Recorded | None:
    """Writes a turn's outcome and gives the lane back; None: it was no longer this turn's.

    May be repeated when a lost connection leaves open whether it was done: once the lane is given
    back, it does nothing.
    """
    decision = made.decision
    row = _RECORD(
        connection,
        lane_id=turn.lane_id,
        lease_no=turn.lease_no,
        claimed_at=turn.claimed_at,
        chat_id=turn.chat_id,
        spacing=made.spacing,
        delay=decision.delay,
        ended=decision.status != Status.QUEUED,
        message_id=message.id,
        seq=message.seq,
        status=decision.status.value,
        reason=decision.reason,
        parts=made.parts,
        sent_ids=[] if decision.sent_id is None else [decision.sent_id],
        halved_from=made.halved_from,
        counted=int(decision.counted),
        failures=decision.failures,
        ambiguous=decision.ambiguous,
        part=made.part,
        at=made.at,
        outcome=made.outcome,
        code=made.code,
        description=made.description,
        latency_ms=made.latency_ms,
    )
    return None if row is None else Recorded(Status(row.status), float(row.age))


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
