"""What services may do with outgoing messages: accept, hold, release, cancel, retry, forget.

Every function works in the caller's transaction and never commits, so a message is accepted, or a
chat linked, together with whatever else the use case does. Each takes the lock of the account's
lane first: that lock orders everything that happens to a lane, the turns of the workers included,
so none of these can race with a delivery. After the commit the caller rings the bell, `ring()`.

Nothing is sent from here, and nothing here knows Telegram.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, PoolProxiedConnection, text
from sqlalchemy.orm import Session

from app import clock
from app.delivery import splitting
from app.delivery.bell import ring
from app.errors import NotCancellable, NotFound, NotRetriable, QuotaUsedUp
from app.models import Status
from app.prepared import Prepared

__all__ = [
    "Accepted",
    "Parcel",
    "accept",
    "cancel",
    "forget",
    "hold",
    "lock",
    "pause",
    "release",
    "resume",
    "retry",
    "ring",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A message to be accepted. `greeting` is the rendered line above the text, or empty."""

    text: str
    greeting: str
    silent: bool
    expires_at: datetime
    send_token_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An accepted message, as its row stands.

    `quota_used` is of the day's quota, this message included; `ring`: a bell is due once this is
    committed.
    """

    id: int
    status: Status
    text: str
    greeting: str
    silent: bool
    parts: int
    reason: str | None
    created_at: datetime
    expires_at: datetime
    quota_used: int
    ring: bool


# The lane's next place, one more of its day's quota, and, when the lane was idle, its waking:
# a lane that waits (for Telegram, for its pace, under a lease) goes on waiting.
_PLACE = """
    UPDATE lane SET
      next_seq = next_seq + 1,
      quota_day = date_trunc('day', now(), 'UTC'),
      quota_used = 1 + CASE WHEN quota_day = date_trunc('day', now(), 'UTC')
                            THEN quota_used ELSE 0 END,
      wake_at = CASE WHEN hold_reason IS NULL
                     THEN coalesce(wake_at, greatest(now(), paced_until)) ELSE wake_at END
    WHERE account_id = :account_id
      AND (quota_day IS DISTINCT FROM date_trunc('day', now(), 'UTC') OR quota_used < :day_quota)
    RETURNING id AS lane_id, old.next_seq AS seq, hold_reason, quota_used,
              hold_reason IS NULL AND old.wake_at IS NULL AS ring
"""

_ACCEPT = Prepared(
    "gonets_accept",
    f"""
  WITH place AS ({_PLACE})
  , stored AS (
    INSERT INTO message (account_id, lane_id, seq, direction, text, greeting, silent, status,
                         reason, parts, send_token_id, created_at, expires_at)
    SELECT :account_id, lane_id, seq, 'out', :text, :greeting, :silent,
           CASE WHEN hold_reason IS NULL THEN 'queued' ELSE 'held' END,
           hold_reason, :parts, :send_token_id, now(), :expires_at
    FROM place
    RETURNING id, status, reason, created_at
  )
  SELECT stored.*, place.quota_used, place.ring FROM stored, place
""",
    account_id="bigint",
    day_quota="int",
    text="text",
    greeting="text",
    silent="boolean",
    parts="int",
    send_token_id="bigint",
    expires_at="timestamptz",
)

_RETRY = text(f"""
  WITH place AS ({_PLACE}
  )
  UPDATE message SET
    seq = place.seq, expires_at = :expires_at, failures = 0, sent_at = NULL,
    status = CASE WHEN place.hold_reason IS NULL THEN 'queued' ELSE 'held' END,
    reason = place.hold_reason
  FROM place
  WHERE message.id = :message_id
  RETURNING message.id
""")


def accept(
    at: PoolProxiedConnection | Connection, account_id: int, parcel: Parcel, day_quota: int
) -> Accepted:
    """Stores a message at the end of the account's lane: queued, or held while the lane is.

    `day_quota` is the number of messages that the account may send in a day (UTC). One statement,
    so where nothing else belongs to it, it may be a transaction by itself. Raises `QuotaUsedUp`.
    """
    parts = splitting.count(parcel.text, parcel.greeting)
    row = _ACCEPT(
        at,
        account_id=account_id,
        day_quota=day_quota,
        text=parcel.text,
        greeting=parcel.greeting,
        silent=parcel.silent,
        parts=parts,
        send_token_id=parcel.send_token_id,
        expires_at=parcel.expires_at,
    )
    if row is None:
        raise _no_place()
    return Accepted(
        id=row.id,
        status=Status(row.status),
        text=parcel.text,
        greeting=parcel.greeting,
        silent=parcel.silent,
        parts=parts,
        reason=row.reason,
        created_at=row.created_at,
        expires_at=parcel.expires_at,
        quota_used=row.quota_used,
        ring=row.ring,
    )


def lock(session: Session, account_id: int) -> None:
    """Takes the lock of the account's lane for the rest of the transaction."""
    session.flush()
    session.execute(
        text("SELECT FROM lane WHERE account_id = :account_id FOR UPDATE"),
        {"account_id": account_id},
    )


def hold(session: Session, account_id: int, reason: str) -> None:
    """Holds everything that waits, and whatever is accepted from now on, for `reason`.

    A message that is being sent is left to its turn, which will find the hold when it records.
    """
    lock(session, account_id)
    session.execute(
        text("""
          WITH held AS (
            UPDATE lane SET hold_reason = :reason,
              wake_at = CASE WHEN leased_until IS NULL THEN NULL ELSE wake_at END
            WHERE account_id = :account_id
            RETURNING id
          )
          UPDATE message SET status = 'held', reason = :reason
          FROM held WHERE lane_id = held.id AND status IN ('held', 'queued')
        """),
        {"account_id": account_id, "reason": reason},
    )


def release(session: Session, account_id: int) -> None:
    """Ends a hold: everything held is queued, in its order, for the chat now linked.

    Without a linked chat nothing happens; a lane that is not held only learns of its chat.
    """
    lock(session, account_id)
    session.execute(
        text("""
          WITH released AS (
            UPDATE lane SET
              hold_reason = NULL,
              chat_id = chat.telegram_id,
              paced_until = CASE WHEN lane.chat_id = chat.telegram_id THEN paced_until END,
              wake_at = CASE WHEN wake_at IS NULL AND EXISTS (
                SELECT FROM message
                WHERE lane_id = lane.id AND status IN ('held', 'queued', 'sending')
              ) THEN greatest(
                now(), CASE WHEN lane.chat_id = chat.telegram_id THEN paced_until END
              ) ELSE wake_at END
            FROM chat
            WHERE lane.account_id = :account_id
              AND chat.account_id = lane.account_id AND chat.unlinked_at IS NULL
            RETURNING lane.id
          )
          UPDATE message SET status = 'queued', reason = NULL
          FROM released WHERE lane_id = released.id AND status = 'held'
        """),
        {"account_id": account_id},
    )


def cancel(session: Session, account_id: int, message_id: int) -> None:
    """Cancels a waiting message of which nothing was sent. Raises `NotFound`, `NotCancellable`."""
    lock(session, account_id)
    cancelled = session.execute(
        text("""
          UPDATE message SET status = 'cancelled', reason = NULL
          WHERE id = :message_id AND account_id = :account_id
            AND status IN ('held', 'queued') AND parts_sent = 0 AND NOT possible_duplicate
          RETURNING id
        """),
        {"account_id": account_id, "message_id": message_id},
    ).one_or_none()
    if cancelled is None:
        _status(session, account_id, message_id)
        raise NotCancellable


def retry(
    session: Session, account_id: int, message_id: int, *, expires_at: datetime, day_quota: int
) -> None:
    """Puts a failed, expired or cancelled message at the end of the lane once more.

    What was sent of it is not sent again; its attempts stay. Raises `NotFound`, `NotRetriable`,
    `QuotaUsedUp`.
    """
    lock(session, account_id)
    if _status(session, account_id, message_id) not in _RETRIABLE:
        raise NotRetriable
    retried = session.execute(
        _RETRY,
        {
            "account_id": account_id,
            "message_id": message_id,
            "expires_at": expires_at,
            "day_quota": day_quota,
        },
    )
    if retried.one_or_none() is None:
        raise _no_place()


def forget(session: Session, account_id: int) -> None:
    """Cancels whatever waits and closes the lane for good: the account is being erased."""
    hold(session, account_id, "erased")
    session.execute(
        text("""
          UPDATE message SET status = 'cancelled'
          WHERE account_id = :account_id AND status = 'held'
        """),
        {"account_id": account_id},
    )


def pause(session: Session) -> None:
    """Stops all sending, in every worker, until `resume`; what is under way is finished."""
    session.execute(text("UPDATE bot SET paused_at = coalesce(paused_at, now())"))


def resume(session: Session) -> None:
    """Ends a `pause`."""
    session.execute(text("UPDATE bot SET paused_at = NULL"))


_RETRIABLE = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


def _status(session: Session, account_id: int, message_id: int) -> str:
    status: str | None = session.scalar(
        text("SELECT status FROM message WHERE id = :message_id AND account_id = :account_id"),
        {"account_id": account_id, "message_id": message_id},
    )
    if status is None:
        raise NotFound
    return status


def _no_place() -> QuotaUsedUp:
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return QuotaUsedUp(retry_after=(midnight - now).total_seconds())
