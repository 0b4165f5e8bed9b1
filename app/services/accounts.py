"""Accounts: registering, changing, disabling, listing, erasing.

How somebody proves to be an account's owner stands in `signing_in`, what a signed-in session is in
`sessions`, what is removed when in `retention`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.delivery import outbox
from app.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RegistrationClosed,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from app.extensions import db, settings, transaction
from app.models import Account, Chat, Lane, LinkToken, SendToken
from app.services import audit, chats, limits, names, passwords, sessions, signing_in
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
    _check_all(registration, name)
    key = names.lookalike(registration.username)
    _require_free(key, visitor, is_admin)
    password_hash = passwords.hash(registration.password)
    with transaction() as session:
        account = Account(
            username=registration.username,
            username_key=key,
            name=name,
            password_hash=password_hash,
            is_admin=is_admin,
        )
        session.add(account)
        _flush_unique(session)
        session.add(Lane(account_id=account.id))
        audit.record(session, "registered", account.id, visitor)
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


def replace_password(
    session: Session, account_id: int, password_hash: str, *, keep_session: int | None = None
) -> None:
    """Stores another password's hash and ends what the old one may have led to: all sessions but
    `keep_session`, and the link token. Within the caller's transaction."""
    outbox.lock(session, account_id)
    sessions.end_all(session, account_id, keep=keep_session)
    _end_all_of(session, LinkToken, LinkToken.voided_at, account_id, clock.now())
    _store(session, account_id, {"password_hash": password_hash})


def confirm_password(person: Person, password: str, visitor: Visitor) -> None:
    """Raises `WrongPassword` unless it is this person's; counted as sign-ins are."""
    try:
        confirmed = signing_in.authenticate(person.username, password, visitor)
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
    Raises `NotFound` when it has begun already.
    """
    now = clock.now()
    with transaction() as session:
        # Locks: the lane's first, the account's last, as everywhere.
        outbox.forget(session, person.id)
        sessions.end_all(session, person.id)
        _end_all_of(session, SendToken, SendToken.revoked_at, person.id, now)
        _end_all_of(session, Chat, Chat.unlinked_at, person.id, now)
        account = session.get(Account, person.id, with_for_update=True)
        if account is None or account.erased_at is not None:
            raise NotFound
        account.erased_at = now
        # The username is free again at once.
        account.username_key = f"erased/{account.id}"
        audit.record(session, "erased", None, visitor)


def find(username: str) -> Person:
    """The living account with this username, or one that looks like it. Raises `NotFound`."""
    with transaction() as session:
        account = signing_in.find(session, names.lookalike(username))
    if account is None or account.erased_at is not None:
        raise NotFound
    return person_of(account)


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


def _require_free(username_key: str, visitor: Visitor, is_admin: bool) -> None:
    """Raises `UsernameTaken`, and `TooManyRequests`: before a password is hashed. Two who come at
    once may both pass; the unique index decides in the end."""
    with transaction() as session:
        taken = signing_in.find(session, username_key) is not None
        if not is_admin:
            limit = limits.username_taken() if taken else limits.registration()
            limits.take(session, limit, visitor.network)
    if taken:
        raise _taken()


def _taken() -> UsernameTaken:
    return UsernameTaken(fields={"username": [str(UsernameTaken.__doc__)]})


def _check_all(registration: Registration, name: str) -> None:
    """Raises one `Invalid` with everything that is wrong, so that nobody learns of it by and by."""
    wrong: dict[str, list[str]] = {}
    username, password = registration.username, registration.password
    checks: list[Callable[[], None]] = [
        lambda: names.check_username(username),
        lambda: names.check_name(name),
        lambda: passwords.check_new(password, username, settings().password_min_length),
    ]
    for check in checks:
        try:
            check()
        except Invalid as refused:
            wrong |= refused.fields
    if wrong:
        raise Invalid(fields=wrong)


def _flush_unique(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError:
        raise _taken() from None


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
    db.session.rollback()  # no transaction is held while the password is hashed
    password_hash = passwords.hash(password)
    with transaction() as session:
        replace_password(session, person.id, password_hash, keep_session=keep_session)
        _store(session, person.id, values)
        audit.record(session, "password_changed", person.id, visitor)
        return _reread(session, person.id)


def _store(session: Session, account_id: int, values: dict[str, Any]) -> None:
    if values:
        session.execute(update(Account).where(Account.id == account_id).values(**values))


def _reread(session: Session, account_id: int) -> Person:
    columns = select(*PERSON_COLUMNS).where(Account.id == account_id)
    return person_of(session.execute(columns).one())
