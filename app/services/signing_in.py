"""Signing in: whose username and password these are. The one way for every face that takes both.

It answers the same, and as slowly, whatever is wrong; attempts are counted before they are tried
(`limits`), and no transaction is open while a password is hashed.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock
from app.errors import Unavailable, WrongCredentials
from app.extensions import transaction
from app.models import Account, KnownNetwork
from app.services import audit, limits, names, passwords
from app.services.people import PERSON_COLUMNS, Person, Visitor, person_of

# No username is longer, however it is composed; so much of what was typed is looked at.
LONGEST_TRIED = 4 * names.USERNAME_MAX
# How often `last_at` of a known network is rewritten, at most.
TOUCH = timedelta(days=1)

_turns = tuple(threading.Lock() for _ in range(64))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt under way: what was counted for it, and the hash to compare with, if any."""

    hits: list[int]
    account_id: int | None
    stored: str | None


def authenticate(username: str, password: str, visitor: Visitor) -> Person:
    """Who has this username and password.

    Raises `WrongCredentials` - the same for an unknown username, a disabled account and a wrong
    password - and `TooManyFailures`, during which not even the right password is tried.
    """
    key = names.lookalike(username[:LONGEST_TRIED])
    with _in_turn(f"{key} {visitor.network}"):
        attempt = _count(key, visitor)
        try:
            right = passwords.verify(attempt.stored, password)
        except Unavailable:
            _uncount(attempt)
            raise
        person = _let_in(attempt, password, visitor) if right else None
    if person is None:
        _note_refusal(attempt, visitor)
        raise WrongCredentials
    return person


def find(session: Session, username_key: str) -> Account | None:
    """The account whose username has this look-alike form, erased and disabled ones included."""
    return session.scalar(select(Account).where(Account.username_key == _storable(username_key)))


def _storable(username_key: str) -> str:
    """The key, or one that nobody has for what PostgreSQL could not even compare."""
    return username_key if names.is_storable(username_key) else ""


@contextmanager
def _in_turn(whose: str) -> Iterator[None]:
    """Attempts at one account from one network take turns within a process: right ones that come
    together would else count as failures while they are tried."""
    turn = _turns[hash(whose) % len(_turns)]
    if not turn.acquire(timeout=passwords.PATIENCE):
        raise Unavailable("Too many sign-ins at once; try again in a moment.")
    try:
        yield
    finally:
        turn.release()


def _count(username_key: str, visitor: Visitor) -> _Attempt:
    with transaction() as session:
        hits = limits.take_password_attempt(session, username_key, visitor.network)
        account = _find_unless_sprayed(session, username_key, visitor.network)
    if account is None:
        return _Attempt(hits, None, None)
    return _Attempt(hits, account.id, account.password_hash if account.active else None)


def _find_unless_sprayed(session: Session, username_key: str, network: str) -> Account | None:
    """As `find`, but a network from which many usernames are tried is heard only on accounts that
    have signed in from it before: whoever shares it with a guesser still gets in.

    Raises `TooManyFailures`. Failures are counted when they are known, not before, so that right
    passwords cost nothing: those under way at the same moment may exceed the limit.
    """
    one_row = select(literal(1)).subquery()
    known = (KnownNetwork.account_id == Account.id) & (KnownNetwork.network == network)
    account, knows, oldest = session.execute(
        select(Account, KnownNetwork.account_id, limits.making_room(network).scalar_subquery())
        .select_from(one_row)
        .outerjoin(Account, Account.username_key == _storable(username_key))
        .outerjoin(KnownNetwork, known)
    ).one()
    if oldest is not None and knows is None:
        limits.refuse_network(oldest)
    return account


def _uncount(attempt: _Attempt) -> None:
    with transaction() as session:
        limits.give_back(session, attempt.hits)


def _let_in(attempt: _Attempt, password: str, visitor: Visitor) -> Person | None:
    """The person whose password was right, unless account or password have changed meanwhile."""
    renewed = None
    if attempt.stored is not None and passwords.is_outdated(attempt.stored):
        renewed = passwords.hash(password)
    unchanged = (
        Account.id == attempt.account_id,
        Account.password_hash == attempt.stored,
        Account.disabled_at.is_(None),
        Account.erased_at.is_(None),
    )
    with transaction() as session:
        row = session.execute(select(*PERSON_COLUMNS).where(*unchanged)).one_or_none()
        if row is None:
            return None
        limits.give_back(session, attempt.hits)
        _remember_network(session, row.id, visitor.network)
        if renewed is not None:
            session.execute(update(Account).where(*unchanged).values(password_hash=renewed))
    return person_of(row)


def _note_refusal(attempt: _Attempt, visitor: Visitor) -> None:
    with transaction() as session:
        limits.count_failure(session, visitor.network)
        audit.record(session, "sign_in_refused", attempt.account_id, visitor)


def _remember_network(session: Session, account_id: int, network: str) -> None:
    now = clock.now()
    seen = insert(KnownNetwork).values(account_id=account_id, network=network, last_at=now)
    session.execute(
        seen.on_conflict_do_update(
            index_elements=["account_id", "network"],
            set_={"last_at": now},
            where=KnownNetwork.last_at < now - TOUCH,
        )
    )
