"""Accounts: registering, proving a password, changing, disabling, listing, erasing.

What a signed-in session is stands in `sessions`; what is removed when, in `retention`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.delivery import outbox
from app.errors import (
    Conflict,
    Forbidden,
    NotFound,
    RegistrationClosed,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from app.extensions import db, settings, transaction
from app.models import Account, Chat, KnownNetwork, Lane, SendToken
from app.services import audit, chats, limits, names, passwords, sessions
from app.services.people import PERSON_COLUMNS, Person, Visitor, person_of

UNCHANGED: Final = object()
DIRECTORY_PAGE = 100


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody who registers gives. Without a name the username is the name."""

    username: str
    password: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """An account as the other members may see it."""

    id: int
    public_id: Any
    username: str


@dataclass(frozen=True, slots=True)
class DirectoryPage:
    """Some accounts in order of their ids; `next_after` is null at the end."""

    entries: list[DirectoryEntry]
    next_after: int | None


def register(registration: Registration, visitor: Visitor, *, is_admin: bool = False) -> Person:
    """Makes an account with its lane.

    Raises `RegistrationClosed`, `Invalid` (which field and why), `UsernameTaken`, and
    `TooManyRequests` when too many were made from this network within the hour.
    """
    name = registration.username if registration.name is None else registration.name
    if settings().registration == "closed" and not is_admin:
        raise RegistrationClosed
    names.check_username(registration.username)
    names.check_name(name)
    passwords.check_new(
        registration.password, registration.username, settings().password_min_length
    )
    with transaction() as session:
        if _find(session, names.lookalike(registration.username)):
            raise _taken()  # before a password is hashed; the unique index decides in the end
    password_hash = passwords.hash(registration.password)
    with transaction() as session:
        if not is_admin:
            limits.take(session, limits.registration(), visitor.network)
        account = Account(
            username=registration.username,
            username_key=names.lookalike(registration.username),
            name=name,
            password_hash=password_hash,
            is_admin=is_admin,
        )
        session.add(account)
        _flush_unique(session)
        session.add(Lane(account_id=account.id))
        audit.record(session, "registered", account.id, visitor)
        return _reread(session, account.id)


def authenticate(username: str, password: str, visitor: Visitor) -> Person:
    """Who has this username and password.

    The one way in for every face that takes a password. Raises `WrongCredentials` - the same, and
    as slowly, for an unknown username, a disabled account and a wrong password - and
    `TooManyFailures`, during which not even the right password is tried.
    """
    key = names.lookalike(username)
    with transaction() as session:
        hits = limits.take_password_attempt(session, key, visitor.network)
        account = _find(session, key) if names.is_storable(key) else None
    possible = passwords.is_possible(password)
    stored = account.password_hash if account and possible else None
    right = passwords.verify(stored, password if possible else "")
    if not (account and right and account.active):
        _refuse_sign_in(account, visitor)
        raise WrongCredentials
    with transaction() as session:
        limits.give_back(session, hits)
        _remember_network(session, account.id, visitor.network)
        if passwords.is_outdated(account.password_hash):
            _store(session, account.id, {"password_hash": passwords.hash(password)})
        return _reread(session, account.id)


def change(
    person: Person,
    *,
    name: Any = UNCHANGED,
    greeting: Any = UNCHANGED,
    language: Any = UNCHANGED,
) -> Person:
    """Changes what was given of a person's name, greeting line (null: the default), language.

    Raises `Invalid`.
    """
    values = _checked(name=name, greeting=greeting, language=language)
    with transaction() as session:
        _store(session, person.id, values)
        return _reread(session, person.id)


def change_password(
    person: Person,
    current: str,
    new: str,
    visitor: Visitor,
    *,
    keep_session: int | None,
    field: str = "new_password",
    **profile: Any,
) -> Person:
    """Sets a new password after the current one was given, and ends the other sessions.

    `keep_session` is the id of the session that asks, `field` what the face calls the new
    password; `profile` is what else is to change, as in `change`. Raises `WrongPassword`,
    `TooManyFailures`, `Invalid`; then nothing is changed.
    """
    values = _checked(**profile)
    passwords.check_new(new, person.username, settings().password_min_length, field)
    confirm_password(person, current, visitor)
    return _set_password(person, new, visitor, keep_session, values)


def set_password(
    person: Person, new: str, visitor: Visitor, *, keep_session: int | None = None
) -> None:
    """Sets a password without asking for the old one: the command line, admins.

    Ends all sessions but `keep_session`. Raises `Invalid`.
    """
    passwords.check_new(new, person.username, settings().password_min_length)
    _set_password(person, new, visitor, keep_session, {})


def overwrite(
    person: Person, name: str, password: str, visitor: Visitor, *, keep_session: int | None
) -> None:
    """Sets name and password at once without asking for the old ones (dialect 2's PUT).

    Ends all sessions but `keep_session`. Raises `Invalid`; then neither is changed.
    """
    values = _checked(name=name)
    passwords.check_new(password, person.username, settings().password_min_length)
    _set_password(person, password, visitor, keep_session, values)


def confirm_password(person: Person, password: str, visitor: Visitor) -> None:
    """Raises `WrongPassword` unless it is this person's; counted as sign-ins are."""
    try:
        confirmed = authenticate(person.username, password, visitor)
    except WrongCredentials:
        raise WrongPassword from None
    if confirmed.id != person.id:
        raise WrongPassword


def is_called(person: Person, username: str) -> bool:
    """Whether `username` is this person's, as far as signing in is concerned."""
    return names.lookalike(username) == names.lookalike(person.username)


def directory(
    person: Person, *, after: int = 0, skip: int = 0, limit: int = DIRECTORY_PAGE
) -> DirectoryPage:
    """Accounts with ids above `after`, but for the first `skip` of them: id and username only.

    Raises `Forbidden` where USER_DIRECTORY keeps the list for admins.
    """
    if settings().user_directory == "admins" and not person.is_admin:
        raise Forbidden
    rows = db.session.execute(
        select(Account.id, Account.public_id, Account.username)
        .where(Account.id > after, Account.disabled_at.is_(None), Account.erased_at.is_(None))
        .order_by(Account.id)
        .offset(skip)
        .limit(limit + 1)
    ).all()
    entries = [DirectoryEntry(r.id, r.public_id, r.username) for r in rows[:limit]]
    return DirectoryPage(entries, entries[-1].id if len(rows) > limit else None)


def erase(person: Person, visitor: Visitor) -> None:
    """Begins the erasure of everything: every credential and all sending are dead at once.

    The rows go in batches (`retention.erase_some`). What stands in Telegram cannot be recalled.
    """
    now = clock.now()
    with transaction() as session:
        account = session.get_one(Account, person.id, with_for_update=True)
        account.erased_at = now
        # The username is free again at once.
        account.username_key = f"erased/{account.id}"
        sessions.end_all(session, person.id)
        _end_all_of(session, SendToken, SendToken.revoked_at, person.id, now)
        _end_all_of(session, Chat, Chat.unlinked_at, person.id, now)
        outbox.forget(session, person.id)
        audit.record(session, "erased", None, visitor)


def find(username: str) -> Person:
    """The living account with this username, or one that looks like it. Raises `NotFound`."""
    with transaction() as session:
        account = _find(session, names.lookalike(username))
    if account is None or account.erased_at is not None:
        raise NotFound
    return person_of(account)


def make_admin(person: Person, visitor: Visitor) -> None:
    """Lets a person into the admin zone."""
    with transaction() as session:
        session.execute(update(Account).where(Account.id == person.id).values(is_admin=True))
        audit.record(session, "made_admin", person.id, visitor)


def disable(admin: Person, account_id: int, visitor: Visitor) -> None:
    """Shuts an account: its sessions end, its tokens do not work, its messages are held.

    Raises `NotFound`, `Conflict`.
    """
    if admin.id == account_id:
        raise Conflict("You cannot disable your own account.")
    with transaction() as session:
        _set_disabled(session, account_id, clock.now())
        sessions.end_all(session, account_id)
        chats.settle(session, account_id)
        audit.record(session, "disabled", account_id, visitor, actor_id=admin.id)


def enable(admin: Person, account_id: int, visitor: Visitor) -> None:
    """Opens a disabled account again. Raises `NotFound`."""
    with transaction() as session:
        _set_disabled(session, account_id, None)
        chats.settle(session, account_id)
        audit.record(session, "enabled", account_id, visitor, actor_id=admin.id)


def _set_disabled(session: Session, account_id: int, at: datetime | None) -> None:
    outbox.lock(session, account_id)
    changed = session.scalar(
        update(Account)
        .where(Account.id == account_id, Account.erased_at.is_(None))
        .values(disabled_at=at)
        .returning(Account.id)
    )
    if changed is None:
        raise NotFound


def _end_all_of(session: Session, model: Any, column: Any, account_id: int, at: datetime) -> None:
    living = update(model).where(model.account_id == account_id, column.is_(None))
    session.execute(living.values({column.key: at}))


def _find(session: Session, username_key: str) -> Account | None:
    return session.scalar(select(Account).where(Account.username_key == username_key))


def _taken() -> UsernameTaken:
    return UsernameTaken(fields={"username": [str(UsernameTaken.__doc__)]})


def _flush_unique(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise _taken() from None


def _refuse_sign_in(account: Account | None, visitor: Visitor) -> None:
    with transaction() as session:
        audit.record(session, "sign_in_refused", account.id if account else None, visitor)


def _remember_network(session: Session, account_id: int, network: str) -> None:
    seen = insert(KnownNetwork).values(account_id=account_id, network=network, last_at=clock.now())
    session.execute(
        seen.on_conflict_do_update(
            index_elements=["account_id", "network"], set_={"last_at": seen.excluded.last_at}
        )
    )


def _checked(**profile: Any) -> dict[str, Any]:
    """The columns to set of what was given of a profile. Raises `Invalid`."""
    values = {name: value for name, value in profile.items() if value is not UNCHANGED}
    if "name" in values:
        names.check_name(values["name"])
    if values.get("greeting") is not None:
        names.check_greeting(values["greeting"])
    return values


def _set_password(
    person: Person,
    password: str,
    visitor: Visitor,
    keep_session: int | None,
    values: dict[str, Any],
) -> Person:
    password_hash = passwords.hash(password)
    with transaction() as session:
        _store(session, person.id, {**values, "password_hash": password_hash})
        sessions.end_all(session, person.id, keep=keep_session)
        audit.record(session, "password_changed", person.id, visitor)
        return _reread(session, person.id)


def _store(session: Session, account_id: int, values: dict[str, Any]) -> None:
    if values:
        session.execute(update(Account).where(Account.id == account_id).values(**values))


def _reread(session: Session, account_id: int) -> Person:
    columns = select(*PERSON_COLUMNS).where(Account.id == account_id)
    return person_of(session.execute(columns).one())
