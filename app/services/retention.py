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
from app.delivery import outbox
from app.extensions import Model, db, settings, transaction
from app.models import (
    OPEN,
    Account,
    AuditEvent,
    Chat,
    Heartbeat,
    Hit,
    IdempotencyKey,
    KnownNetwork,
    Lane,
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
# Ended sessions, dead tokens and codes: nobody asks for them any more, the audit trail has them.
AFTERLIFE = timedelta(days=1)
POISON_KEPT = timedelta(days=30)
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
        removed += sum(_remove(model, model.account_id == account_id) for model in _of_accounts())
        with transaction() as session:
            # The lane's lock comes before the account's, as everywhere.
            outbox.lock(session, account_id)
            limits.forget_account(session, account_id)
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
    yield LinkCode, LinkCode.expires_at < old
    yield Chat, Chat.unlinked_at < before
    yield KnownNetwork, KnownNetwork.last_at < before
    yield Hit, limits.outdated()
    yield Notice, Notice.created_at < now - NOTICES_KEPT
    yield Heartbeat, Heartbeat.at < now - HEARTBEATS_KEPT
    yield PoisonUpdate, PoisonUpdate.at < now - POISON_KEPT
    yield AuditEvent, AuditEvent.at < before
    # Sign-ins under a username that nobody has: anybody may cause any number of them.
    refused = and_(AuditEvent.account_id.is_(None), AuditEvent.kind == "sign_in_refused")
    yield AuditEvent, and_(refused, AuditEvent.at < old)


def _of_accounts() -> Iterator[Any]:
    """The tables whose rows belong to an account, but for the lane: it goes with the account."""
    for mapper in Model.registry.mappers:
        if "account_id" in mapper.columns and mapper.class_ is not Lane:
            yield mapper.class_


def _remove(model: type[Model], condition: ColumnElement[bool]) -> int:
    """Deletes what fits `condition`, a batch a transaction."""
    key = list(inspect(model).primary_key)
    removed = 0
    while True:
        batch = select(*key).where(condition).limit(BATCH)
        with transaction() as session:
            rows = session.execute(batch).all()
            if rows:
                # The condition once more: a message may be on its way again by now.
                found = tuple_(*key).in_([tuple(row) for row in rows])
                session.execute(delete(model).where(found, condition))
        removed += len(rows)
        if len(rows) < BATCH:
            return removed


def _ids(query: Any) -> list[int]:
    ids = list(db.session.scalars(query))
    db.session.rollback()
    return ids
