"""What was sent and received, as its owner reads it: pages of it, all of it, or one message, also
waiting until that is settled.

It changes nothing; what is done with messages is in `messages`. Everything is asked by account:
another's message does not exist.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from app.errors import Invalid, NoSuchPage, NotFound
from app.extensions import db
from app.models import OPEN, Attempt, Message
from app.services import cursors, names, search
from app.services.people import Person

# A waiting GET holds a thread of the web process: few may, the others are answered at once.
WAIT_MAX = 20
WAITERS = 4
WAIT_STEP = 0.2

_waiters = threading.BoundedSemaphore(WAITERS)


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


_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    getattr(Message, name) for name in MessageEntry.__dataclass_fields__ if name != "attempts"
)


def page(
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
        query = query.where(Message.id < cursors.place_of(cursor, of=_list(person, wanted)))
    rows = _newest(person, wanted, query, limit + 1)
    entries = [MessageEntry(*row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(entries, cursor_after(person, wanted, entries[-1].id) if more else None)


def cursor_after(person: Person, wanted: Filter, message_id: int) -> str:
    """What gives, as `cursor`, the page that begins with the first message older than this one."""
    return cursors.at(message_id, of=_list(person, wanted))


def numbered_page(person: Person, number: int, size: int, direction: str | None) -> NumberedPage:
    """Page `number` (from 1) of `size` messages, newest first. Raises `NoSuchPage` past the end."""
    query = _filtered(person, Filter(direction=direction), None)
    total = db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if number > 1 and (number - 1) * size >= total:
        raise NoSuchPage
    numbered = query.order_by(Message.id.desc()).limit(size).offset((number - 1) * size)
    rows = db.session.execute(numbered).all()
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


def _list(person: Person, wanted: Filter) -> str:
    return f"{person.id}/{wanted!r}/"


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


def _attempts(message_ids: Iterable[int]) -> dict[int, tuple[AttemptEntry, ...]]:
    result: dict[int, tuple[AttemptEntry, ...]] = {}
    for row in db.session.scalars(
        select(Attempt).where(Attempt.message_id.in_(list(message_ids))).order_by(Attempt.id)
    ):
        entry = AttemptEntry(
            row.part, row.at, row.outcome, row.code, row.description, row.latency_ms
        )
        result[row.message_id] = (*result.get(row.message_id, ()), entry)
    return result
