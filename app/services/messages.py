"""Messages: accepting them, showing their history and state, retrying, cancelling, receiving.

A message is accepted here and handed to `delivery.outbox` in the same transaction; what becomes of
it is the engine's. Everything is asked by account: another's message does not exist.
"""

import hashlib
import hmac
import json
import struct
import threading
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, metrics
from app.delivery import outbox, splitting
from app.errors import IdempotencyKeyReused, Invalid, NoSuchPage, NotFound, TooManyRequests
from app.extensions import db, settings, single, transaction
from app.models import OPEN, Account, Attempt, Direction, IdempotencyKey, Message, Status
from app.services import limits, names, search
from app.services.people import Person

GREETING = "{name}, я получил от тебя сообщение:"
PAGE_MAX = 100
KEY_LIFETIME = timedelta(hours=24)
# A waiting GET holds a thread of the web process: few may, the others are answered at once.
WAIT_MAX = 20
WAITERS = 4
WAIT_STEP = 0.2

_waiters = threading.BoundedSemaphore(WAITERS)


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants sent. `expires_in` is seconds, or null for MESSAGE_TTL."""

    text: str
    silent: bool = False
    greeting: bool = True
    expires_in: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptEntry:
    """One call to the Bot API, as the owner of the message sees it."""

    part: int
    at: datetime
    outcome: str
    code: int | None
    description: str | None
    latency_ms: int


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """A message as its owner sees it; `attempts` only when it was asked for alone."""

    id: int
    direction: str
    text: str
    greeting: str
    status: str
    silent: bool
    parts: int
    parts_sent: int
    attempts_made: int
    reason: str | None
    possible_duplicate: bool
    created_at: datetime
    sent_at: datetime | None
    expires_at: datetime | None
    telegram_message_ids: list[int]
    attempts: tuple[AttemptEntry, ...] | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted message as it was at acceptance; `replayed` when its key had come before.

    `quota_used` counts the day's messages with this one; null when it is replayed.
    """

    message: MessageEntry
    replayed: bool
    quota_used: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages of a history: all that are not null must hold. `q`: words of the text."""

    status: str | None = None
    direction: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, newest first; `next_cursor` is null at the end."""

    entries: list[MessageEntry]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """One page of a history that is counted, for the faces that number their pages."""

    entries: list[MessageEntry]
    total: int
    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What Telegram would get of a draft, part by part; `length` is of its text, of `most`."""

    parts: list[str]
    length: int
    most: int


_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    getattr(Message, name) for name in MessageEntry.__dataclass_fields__ if name != "attempts"
)


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


def history(
    person: Person,
    wanted: Filter,
    *,
    limit: int = 50,
    cursor: str | None = None,
    send_token_id: int | None = None,
) -> Page:
    """A page of the person's messages, newest first.

    Raises `Invalid` for a cursor not of ours, and for what cannot be searched for.
    """
    query = _filtered(person, wanted, send_token_id)
    if cursor is not None:
        query = query.where(Message.id < _read_cursor(person, wanted, cursor))
    rows = _newest(person, wanted, query, limit + 1)
    entries = [MessageEntry(*row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(entries, _cursor(person, wanted, entries[-1].id) if more else None)


def numbered_page(person: Person, number: int, size: int, direction: str | None) -> NumberedPage:
    """Page `number` (from 1) of `size` messages, newest first. Raises `NoSuchPage` past the end."""
    query = _filtered(person, Filter(direction=direction), None)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if number > 1 and (number - 1) * size >= total:
        raise NoSuchPage
    page = query.order_by(Message.id.desc()).limit(size).offset((number - 1) * size)
    rows = db.session.execute(page).all()
    return NumberedPage([MessageEntry(*row) for row in rows], total, number, size)


def every(person: Person) -> Iterator[MessageEntry]:
    """All messages of a person with their attempts, oldest first, read in batches."""
    last = 0
    while rows := db.session.execute(
        select(*_COLUMNS)
        .where(Message.account_id == person.id, Message.id > last)
        .order_by(Message.id)
        .limit(500)
    ).all():
        attempts = _attempts(row.id for row in rows)
        db.session.rollback()  # nothing is held while somebody reads
        for row in rows:
            yield replace(MessageEntry(*row), attempts=attempts.get(row.id, ()))
        last = rows[-1].id


def find(
    person: Person, message_id: int, *, wait: float = 0, send_token_id: int | None = None
) -> MessageEntry:
    """One message with its attempts. Raises `NotFound`.

    `wait` is seconds (20 at most) to hold on until it is settled; when too many wait already, the
    answer comes at once.
    """
    entry = _find(person, message_id, send_token_id)
    if wait > 0 and entry.status in OPEN and _waiters.acquire(blocking=False):
        try:
            entry = _wait(person, entry, min(wait, WAIT_MAX), send_token_id)
        finally:
            _waiters.release()
    return replace(entry, attempts=_attempts([entry.id]).get(entry.id, ()))


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
    return find(person, message_id)


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
        accepted = outbox.accept(session, person.id, parcel, settings().messages_per_day)
        _fill_key(session, person, key, accepted)
    return _committed(accepted)


def _committed(accepted: outbox.Accepted) -> Accepted:
    """What follows once a message is committed: it is counted, and the bell is rung."""
    metrics.accepted.inc()
    if accepted.ring:
        outbox.ring()
    return Accepted(_as_accepted(accepted), replayed=False, quota_used=accepted.quota_used)


def _is_open(session: Session, account_id: int) -> bool:
    """Whether the account is neither disabled nor erased, and will not be while this lasts."""
    open_account = select(Account.id).where(
        Account.id == account_id, Account.disabled_at.is_(None), Account.erased_at.is_(None)
    )
    kept = open_account.with_for_update(read=True, key_share=True)
    return session.scalar(kept) is not None


def _as_accepted(message: Any, status: str | None = None) -> MessageEntry:
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
        reason=None,
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
        .values(message_id=accepted.id, accepted_status=accepted.status)
    )


def _replayed(session: Session, person: Person, earlier: IdempotencyKey) -> MessageEntry:
    message = session.get_one(Message, earlier.message_id)
    return _as_accepted(message, earlier.accepted_status)


def _fingerprint(draft: Draft) -> bytes:
    fields = [draft.text, draft.silent, draft.greeting, draft.expires_in]
    return hashlib.sha256(json.dumps(fields).encode()).digest()


def _filtered(person: Person, wanted: Filter, send_token_id: int | None) -> Select[Any]:
    query = select(*_COLUMNS).where(Message.account_id == person.id)
    if wanted.status is not None:
        query = query.where(Message.status == wanted.status)
    if wanted.direction is not None:
        query = query.where(Message.direction == wanted.direction)
    if wanted.since is not None:
        query = query.where(Message.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(Message.created_at < wanted.until)
    if send_token_id is not None:
        query = query.where(Message.send_token_id == send_token_id)
    return query


def _newest(person: Person, wanted: Filter, query: Select[Any], count: int) -> Sequence[Any]:
    if wanted.q is None:
        return db.session.execute(query.order_by(Message.id.desc()).limit(count)).all()
    if not names.is_storable(wanted.q):
        raise Invalid(fields={"q": ["No NUL and no lone surrogate can be searched for."]})
    return search.newest(query, _COLUMNS, person.id, wanted.q, count)


def _find(person: Person, message_id: int, send_token_id: int | None) -> MessageEntry:
    query = _filtered(person, Filter(), send_token_id).where(Message.id == message_id)
    row = db.session.execute(query).one_or_none()
    if row is None:
        raise NotFound
    return MessageEntry(*row)


def _wait(
    person: Person, entry: MessageEntry, seconds: float, send_token_id: int | None
) -> MessageEntry:
    deadline = time.monotonic() + seconds
    while entry.status in OPEN and time.monotonic() < deadline:
        db.session.rollback()  # no transaction is held while nothing happens
        time.sleep(WAIT_STEP)
        entry = _find(person, entry.id, send_token_id)
    return entry


def _attempts(message_ids: Any) -> dict[int, tuple[AttemptEntry, ...]]:
    result: dict[int, tuple[AttemptEntry, ...]] = {}
    for row in db.session.scalars(
        select(Attempt).where(Attempt.message_id.in_(list(message_ids))).order_by(Attempt.id)
    ):
        entry = AttemptEntry(
            row.part, row.at, row.outcome, row.code, row.description, row.latency_ms
        )
        result[row.message_id] = (*result.get(row.message_id, ()), entry)
    return result


def _cursor(person: Person, wanted: Filter, last_id: int) -> str:
    packed = struct.pack(">q", last_id)
    return urlsafe_b64encode(packed + _cursor_seal(person, wanted, packed)).decode()


def _read_cursor(person: Person, wanted: Filter, cursor: str) -> int:
    """The id in a cursor; it is sealed, for this account and this filter only."""
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        raw = b""
    packed, seal = raw[:8], raw[8:]
    # Decoding passes over characters that are none of base64's.
    whole = urlsafe_b64encode(raw).decode() == cursor
    if not whole or not hmac.compare_digest(seal, _cursor_seal(person, wanted, packed)):
        raise Invalid(fields={"cursor": ["This cursor is not one of this list's."]})
    return int(struct.unpack(">q", packed)[0])


def _cursor_seal(person: Person, wanted: Filter, packed: bytes) -> bytes:
    bound = f"{person.id}/{wanted!r}/".encode("utf-8", "replace") + packed
    return hmac.digest(settings().key("cursor"), bound, hashlib.sha256)[:12]
