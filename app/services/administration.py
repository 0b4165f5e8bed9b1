"""What admins may see and do: accounts, chats, messages without their text, the trail.

Every action stands in the trail with who did it. A message's text is never read here.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.errors import NotFound
from app.extensions import db, transaction
from app.models import (
    Account,
    AuditEvent,
    Chat,
    Message,
    SendToken,
    SignIn,
)
from app.services import audit, names, passwords, sessions
from app.services.accounts import replace_password
from app.services.people import Person, Visitor

# A query of some columns.
Rows = Select[*tuple[Any, ...]]

PAGE = 50
# A status can be rare and no index has it for all accounts: only so many of the newest messages
# are looked through.
LOOKED_THROUGH = 100_000
PASSWORD_BYTES = 15


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, newest first; `next_before` is null at the end."""

    entries: list[Any]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account in the list."""

    id: int
    username: str
    name: str
    is_admin: bool
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChatEntry:
    """A linked chat and whose it is."""

    id: int
    account_id: int
    account: str
    title: str
    username: str | None
    linked_at: datetime
    blocked_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """One account: what it has, and how many messages in which status."""

    account: AccountEntry
    chat: ChatEntry | None
    sessions: int
    send_tokens: int
    messages: dict[str, int]


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """A message as an admin may see it: everything but what it says."""

    id: int
    account_id: int
    account: str
    direction: str
    status: str
    reason: str | None
    parts: int
    parts_sent: int
    attempts_made: int
    possible_duplicate: bool
    created_at: datetime
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """A security event: what happened to which account, by whom, from where."""

    id: int
    at: datetime
    kind: str
    account_id: int | None
    account: str | None
    actor: str | None
    network: str


def accounts(q: str | None, before: int | None) -> Page:
    """Accounts whose username contains `q`, whatever look-alike letters it is written with."""
    query = select(*_columns(AccountEntry, Account)).where(Account.erased_at.is_(None))
    if q:
        query = query.where(func.strpos(Account.username_key, names.lookalike(q)) > 0)
    return _page(query, AccountEntry, Account.id, before)


def account(account_id: int) -> AccountDetail:
    """One account. Raises `NotFound`."""
    living = select(*_columns(AccountEntry, Account)).where(Account.erased_at.is_(None))
    row = db.session.execute(living.where(Account.id == account_id)).one_or_none()
    if row is None:
        raise NotFound
    chat = db.session.execute(_chats().where(Chat.account_id == account_id)).one_or_none()
    counts = select(Message.status, func.count()).where(Message.account_id == account_id)
    return AccountDetail(
        account=AccountEntry(*row),
        chat=ChatEntry(*chat) if chat else None,
        sessions=_count(SignIn, account_id, SignIn.ended_at.is_(None)),
        send_tokens=_count(SendToken, account_id, SendToken.revoked_at.is_(None)),
        messages={r[0]: r[1] for r in db.session.execute(counts.group_by(Message.status))},
    )


def chats(before: int | None) -> Page:
    """The linked chats."""
    return _page(_chats(), ChatEntry, Chat.id, before)


def messages(status: str | None, account_id: int | None, before: int | None) -> Page:
    """Messages of everybody or of one account; a status is looked for among the newest ones."""
    own = [name for name in MessageEntry.__dataclass_fields__ if name != "account"]
    columns = [getattr(Message, name) for name in own]
    columns.insert(2, Account.username)
    query = select(*columns).join(Account, Account.id == Message.account_id)
    if account_id is not None:
        query = query.where(Message.account_id == account_id)
    if status is not None:
        newest = select(func.max(Message.id) - LOOKED_THROUGH).scalar_subquery()
        query = query.where(Message.status == status, Message.id > newest)
    return _page(query, MessageEntry, Message.id, before)


def trail(account_id: int | None, before: int | None) -> Page:
    """Security events, of everybody or of one account."""
    actor = aliased(Account)
    query = (
        select(
            AuditEvent.id,
            AuditEvent.at,
            AuditEvent.kind,
            AuditEvent.account_id,
            Account.username,
            actor.username,
            AuditEvent.network,
        )
        .outerjoin(Account, Account.id == AuditEvent.account_id)
        .outerjoin(actor, actor.id == AuditEvent.actor_id)
    )
    if account_id is not None:
        query = query.where(AuditEvent.account_id == account_id)
    return _page(query, Event, AuditEvent.id, before)


def end_sessions(admin: Person, account_id: int, visitor: Visitor) -> None:
    """Ends all sessions of an account. Raises `NotFound`."""
    with transaction() as session:
        _require(session, account_id)
        sessions.end_all(session, account_id)
        audit.record(session, "sessions_ended", account_id, visitor, actor_id=admin.id)


def reset_password(admin: Person, account_id: int, visitor: Visitor) -> str:
    """Gives an account a random password, which nobody but the caller learns; its sessions end.

    Raises `NotFound`.
    """
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    password_hash = passwords.hash(password)
    with transaction() as session:
        _require(session, account_id)
        replace_password(session, account_id, password_hash)
        audit.record(session, "password_reset", account_id, visitor, actor_id=admin.id)
    return password


def _page(query: Rows, entry: Any, key: Any, before: int | None) -> Page:
    if before is not None:
        query = query.where(key < before)
    rows = db.session.execute(query.order_by(key.desc()).limit(PAGE + 1)).all()
    entries = [entry(*row) for row in rows[:PAGE]]
    return Page(entries, entries[-1].id if len(rows) > PAGE else None)


def _columns(entry: Any, model: Any) -> list[Any]:
    return [getattr(model, name) for name in entry.__dataclass_fields__]


def _chats() -> Rows:
    return (
        select(
            Chat.id,
            Chat.account_id,
            Account.username,
            Chat.title,
            Chat.username,
            Chat.linked_at,
            Chat.blocked_at,
        )
        .join(Account, Account.id == Chat.account_id)
        .where(Chat.unlinked_at.is_(None))
    )


def _count(model: Any, account_id: int, living: Any) -> int:
    now = clock.now()
    unexpired = model.expires_at.is_(None) | (model.expires_at > now)
    mine = select(func.count()).where(model.account_id == account_id, living, unexpired)
    return db.session.scalar(mine) or 0


def _require(session: Session, account_id: int) -> None:
    living = select(Account.id).where(Account.id == account_id, Account.erased_at.is_(None))
    if session.scalar(living) is None:
        raise NotFound
