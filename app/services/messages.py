"""Messages: accepting them, previewing, retrying, cancelling, and receiving what the bot was told.

A message is accepted here and handed to `delivery.outbox` in the same transaction; what becomes of
it is the engine's, and reading it is `history`'s. Everything is asked by account: another's message
does not exist.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, metrics
from app.delivery import outbox, splitting
from app.errors import IdempotencyKeyReused, Invalid, TooManyRequests
from app.extensions import settings, single, transaction
from app.models import Account, Direction, IdempotencyKey, Message, Status
from app.services import history, limits, names
from app.services.history import MessageEntry
from app.services.people import Person

GREETING = "{name}, я получил от тебя сообщение:"
KEY_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants sent. `expires_in` is seconds, or null for MESSAGE_TTL."""

    text: str
    silent: bool = False
    greeting: bool = True
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted message as it was at acceptance; `replayed` when its key had come before.

    `quota_used` counts the day's messages with this one; null when it is replayed.
    """

    message: MessageEntry
    replayed: bool
    quota_used: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What Telegram would get of a draft, part by part; `length` is of its text, of `most`."""

    parts: list[str]
    length: int
    most: int


def send(
    person: Person,
    draft: Draft,
    *,
    key: str | None = None,
    send_token_id: int | None = None,
) -> Accepted:
    """Accepts a message for delivery to the person's own chat: held when there is none yet.

    `key` is an Idempotency-Key: the same key within 24 hours is the same message. Raises `Invalid`,
    `IdempotencyKeyReused`, `QuotaUsedUp`.
    """
    names.check_text(draft.text, settings().message_max_length)
    parcel = _parcel(person, draft, send_token_id)
    if key is not None:
        return _send_once(person, draft, parcel, key)
    with single() as connection:
        accepted = outbox.accept(connection, person.id, parcel, settings().messages_per_day)
    return _committed(accepted)


def retry(person: Person, message_id: int) -> MessageEntry:
    """Sends a failed, expired or cancelled message again, at the end of the lane.

    Raises `NotFound`, `NotRetriable`, `QuotaUsedUp`.
    """
    with transaction() as session:
        outbox.retry(
            session,
            person.id,
            message_id,
            expires_at=clock.now() + timedelta(seconds=settings().message_ttl),
            day_quota=settings().messages_per_day,
        )
    outbox.ring()
    return history.find(person, message_id)


def cancel(person: Person, message_id: int) -> None:
    """Cancels a message of which nothing was sent. Raises `NotFound`, `NotCancellable`."""
    with transaction() as session:
        outbox.cancel(session, person.id, message_id)


def receive(account_id: int, chat_id: int, telegram_message_id: int, text: str) -> bool:
    """Keeps what the person wrote to the bot, once per Telegram message.

    Says whether it is kept: a text over the length or the quota of a day is not, nor is anything
    for an account that is shut.
    """
    if len(text) > settings().message_max_length or not names.is_storable(text):
        return False
    with transaction() as session:
        if not _is_open(session, account_id):
            return False
        try:
            limits.take(session, limits.RECEIVED, limits.of_account(account_id))
        except TooManyRequests:
            return False
        kept = insert(Message).values(
            account_id=account_id,
            direction=Direction.IN,
            status=Status.RECEIVED,
            text=text,
            chat_id=chat_id,
            telegram_message_ids=[telegram_message_id],
            created_at=clock.now(),
        )
        session.execute(kept.on_conflict_do_nothing())
    metrics.received.inc()
    return True


def preview(person: Person, draft: Draft) -> Preview:
    """What Telegram would get of `draft`, which need not be acceptable yet; nothing is stored."""
    greeting = greeting_of(person) if draft.greeting else ""
    parts = splitting.parts(draft.text, greeting) if names.is_visible(draft.text) else []
    return Preview(parts, len(draft.text), settings().message_max_length)


def greeting_of(person: Person) -> str:
    """The line that stands above this person's messages: their own, or the usual one."""
    return (person.greeting or GREETING).replace("{name}", person.name)


def _parcel(person: Person, draft: Draft, send_token_id: int | None) -> outbox.Parcel:
    lifetime = settings().message_ttl
    if draft.expires_in is not None:
        if draft.expires_in < 1:
            raise Invalid(fields={"expires_in": ["At least one second."]})
        lifetime = min(draft.expires_in, lifetime)
    return outbox.Parcel(
        text=draft.text,
        greeting=greeting_of(person) if draft.greeting else "",
        silent=draft.silent,
        expires_at=clock.now() + timedelta(seconds=lifetime),
        send_token_id=send_token_id,
    )


def _send_once(person: Person, draft: Draft, parcel: outbox.Parcel, key: str) -> Accepted:
    with transaction() as session:
        outbox.lock(session, person.id)
        if earlier := _claim_key(session, person, key, draft):
            return Accepted(_replayed(session, person, earlier), replayed=True)
        accepted = outbox.accept(
            session.connection(), person.id, parcel, settings().messages_per_day
        )
        _fill_key(session, person, key, accepted)
    return _committed(accepted)


def _committed(accepted: outbox.Accepted) -> Accepted:
    """What follows once a message is committed: it is counted, and the bell is rung."""
    metrics.accepted.inc()
    if accepted.ring:
        outbox.ring()
    message = _as_accepted(accepted, accepted.status, accepted.reason)
    return Accepted(message, replayed=False, quota_used=accepted.quota_used)


def _is_open(session: Session, account_id: int) -> bool:
    """Whether the account is neither disabled nor erased, and will not be while this lasts."""
    open_account = select(Account.id).where(
        Account.id == account_id, Account.disabled_at.is_(None), Account.erased_at.is_(None)
    )
    kept = open_account.with_for_update(read=True, key_share=True)
    return session.scalar(kept) is not None


def _as_accepted(message: Any, status: str | None, reason: str | None) -> MessageEntry:
    """The message as it was when it was accepted, whatever has become of it since."""
    return MessageEntry(
        id=message.id,
        direction=Direction.OUT,
        text=message.text,
        greeting=message.greeting,
        status=status or message.status,
        silent=message.silent,
        parts=message.parts,
        parts_sent=0,
        attempts_made=0,
        reason=reason,
        possible_duplicate=False,
        created_at=message.created_at,
        sent_at=None,
        expires_at=message.expires_at,
        telegram_message_ids=[],
    )


def _claim_key(session: Session, person: Person, key: str, draft: Draft) -> IdempotencyKey | None:
    """Takes the key for this request, or gives the row of the one that has it.

    Whoever comes second has waited for the lane until the first had committed or rolled back.
    """
    now = clock.now()
    fingerprint = _fingerprint(draft)
    fresh = insert(IdempotencyKey).values(
        account_id=person.id, key=key, fingerprint=fingerprint, created_at=now
    )
    again = fresh.on_conflict_do_update(
        index_elements=["account_id", "key"],
        set_={"fingerprint": fingerprint, "created_at": now, "message_id": None},
        where=IdempotencyKey.created_at <= now - KEY_LIFETIME,
    ).returning(IdempotencyKey.key)
    if session.scalar(again) is not None:
        return None
    earlier = session.get_one(IdempotencyKey, (person.id, key))
    if not hmac.compare_digest(earlier.fingerprint, fingerprint):
        raise IdempotencyKeyReused
    return earlier


def _fill_key(session: Session, person: Person, key: str, accepted: outbox.Accepted) -> None:
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.account_id == person.id, IdempotencyKey.key == key)
        .values(
            message_id=accepted.id,
            accepted_status=accepted.status,
            accepted_reason=accepted.reason,
        )
    )


def _replayed(session: Session, person: Person, earlier: IdempotencyKey) -> MessageEntry:
    message = session.get_one(Message, earlier.message_id)
    return _as_accepted(message, earlier.accepted_status, earlier.accepted_reason)


def _fingerprint(draft: Draft) -> bytes:
    fields = [draft.text, draft.silent, draft.greeting, draft.expires_in]
    return hashlib.sha256(json.dumps(fields).encode()).digest()
