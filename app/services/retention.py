"""What is removed, and when: erased accounts at once, the rest when its time is over.

Always in small batches with a transaction each, so that nothing else waits for it; run by every
worker now and then (`app.housekeeping`) and by `flask prune`. Copies in Telegram itself cannot be
recalled.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, inspect, or_, select, tuple_

from app import clock, logs
from app.extensions import Model, db, settings, transaction
from app.models import (
    OPEN,
    Account,
    AuditEvent,
    Heartbeat,
    Hit,
    IdempotencyKey,
    LinkCode,
    LinkToken,
    Message,
    Notice,
    PoisonUpdate,
    SendToken,
    SignIn,
)
from app.services import limits, messages

log = logs.get(__name__)

BATCH = 1000
# Ended sessions, used tokens and codes: kept this long for the trail, then of no use.
AFTERLIFE = timedelta(days=30)
# Longer than the longest window of any limit.
HITS_KEPT = timedelta(days=2)
NOTICES_KEPT = timedelta(hours=1)
HEARTBEATS_KEPT = timedelta(hours=1)


def prune_old() -> int:
    """Removes what RETENTION_DAYS and the other terms say. Returns how many rows went."""
    removed = prune(clock.now() - timedelta(days=settings().retention_days))
    if removed:
        log.info("pruned", rows=removed)
    return removed


def erase_some() -> int:
    """Removes the rows of accounts whose erasure has begun. Returns how many rows went."""
    removed = 0
    erased = select(Account.id).where(Account.erased_at.is_not(None)).limit(100)
    for account_id in _ids(erased):
        removed += _remove(Message, Message.account_id == account_id)
        removed += _remove(IdempotencyKey, IdempotencyKey.account_id == account_id)
        with transaction() as session:
            subjects = [f"account {account_id}"]
            limits.forget_account(session, subjects)
            # Few rows are left; the foreign keys take them along.
            session.execute(delete(Account).where(Account.id == account_id))
        removed += 1
    return removed


def prune(before: datetime) -> int:
    """Removes finished messages accepted before `before`, and what has expired of everything else.

    Returns how many rows went.
    """
    return sum(_remove(model, condition) for model, condition in _outdated(before))


def _outdated(before: datetime) -> Iterator[tuple[type[Model], ColumnElement[bool]]]:
    now = clock.now()
    old = now - AFTERLIFE
    yield Message, and_(Message.created_at < before, Message.status.not_in(OPEN))
    yield IdempotencyKey, IdempotencyKey.created_at < now - messages.KEY_LIFETIME
    yield SignIn, or_(SignIn.expires_at < now, SignIn.ended_at < old)
    yield SendToken, or_(SendToken.revoked_at < old, SendToken.expires_at < old)
    yield LinkToken, LinkToken.expires_at < old
    yield LinkCode, LinkCode.expires_at < now - timedelta(days=1)
    yield Hit, Hit.at < now - HITS_KEPT
    yield Notice, Notice.created_at < now - NOTICES_KEPT
    yield Heartbeat, Heartbeat.at < now - HEARTBEATS_KEPT
    yield PoisonUpdate, PoisonUpdate.at < old
    yield AuditEvent, AuditEvent.at < before


def _remove(model: type[Model], condition: ColumnElement[bool]) -> int:
    """Deletes what fits `condition`, a batch a transaction."""
    key = list(inspect(model).primary_key)
    removed = 0
    while True:
        batch = select(*key).where(condition).limit(BATCH)
        with transaction() as session:
            rows = session.execute(batch).all()
            if rows:
                session.execute(delete(model).where(tuple_(*key).in_([tuple(r) for r in rows])))
        removed += len(rows)
        if len(rows) < BATCH:
            return removed


def _ids(query: Any) -> list[int]:
    ids = list(db.session.scalars(query))
    db.session.rollback()
    return ids
