"""Sessions: one sign-in of an account, its access tokens and its rotating refresh token.

Tokens are derived from the session's row and a key: nothing secret is stored, and the same state
gives the same pair. That a session lives is asked of PostgreSQL with every request, so that its end
is felt at once everywhere and a wiped Redis revives nothing.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_jwt_extended import create_access_token, create_refresh_token
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app import clock
from app.errors import InvalidToken, NotFound
from app.extensions import db, settings, single, transaction
from app.models import Account, SignIn
from app.prepared import Prepared
from app.services import audit, claims
from app.services.claims import Claims
from app.services.people import PERSON_COLUMNS, Person, Visitor, person_of

LIFETIME = timedelta(days=30)
ACCESS_SECONDS = 3600
# How long the predecessor of a refresh token answers the same pair: a client that lost the answer
# asks again (RFC 9700, 4.14, wants reuse detected; a lost answer is not reuse).
GRACE = timedelta(seconds=10)
# How often `last_used_at` is rewritten, at most.
TOUCH = timedelta(minutes=1)
# Who signs in anew for every request keeps so many; the one unused for longest ends.
LIVING_MAX = 1000


# What makes the session of a token a living one; `_asked` has the values.
_LIVES = (
    SignIn.id == bindparam("session_id"),
    SignIn.ended_at.is_(None),
    SignIn.expires_at > bindparam("now"),
    Account.public_id == bindparam("subject"),
    Account.disabled_at.is_(None),
    Account.erased_at.is_(None),
)
_LIVING = select(SignIn).join(Account).where(*_LIVES)
_PROVE = Prepared.select(
    "gonets_prove_session",
    select(SignIn.last_used_at, *PERSON_COLUMNS).join(Account).where(*_LIVES),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets of a session. `expires_in` is seconds of the access token's life."""

    session_id: int
    access: str
    refresh: str
    csrf: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Who an access token speaks for, and the CSRF value that belongs to it."""

    person: Person
    session_id: int
    csrf: str


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session as its owner sees it."""

    id: int
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    user_agent: str
    network: str
    current: bool


def begin(
    person: Person,
    visitor: Visitor,
    *,
    access_seconds: int = ACCESS_SECONDS,
    rotates: bool = True,
    renewable: bool = True,
) -> Tokens:
    """Opens a session for somebody who has just proved who they are.

    `access_seconds` is how long its access tokens live; with `rotates` false its refresh token
    stays the same for the session's life (dialects whose answers have no place for a new one).
    One that is not `renewable` has no use for a refresh token and ends with its access token.
    """
    now = clock.now()
    lifetime = LIFETIME if renewable else timedelta(seconds=access_seconds)
    with transaction() as session:
        _end_unused(session, person.id, now)
        row = SignIn(
            account_id=person.id,
            rotates=rotates,
            access_lifetime=access_seconds,
            user_agent=visitor.user_agent[:200],
            network=visitor.network,
            rotated_at=now,
            expires_at=now + lifetime,
            generation=0,
        )
        session.add(row)
        session.flush()
        audit.record(session, "signed_in", person.id, visitor, session_id=row.id)
        return _tokens(row, person)


def prove(access: str) -> Proof:
    """Who this access token speaks for. Raises `InvalidToken`."""
    said = claims.read(access, "access")
    with single() as connection:
        row = _PROVE(connection, **_asked(said))
    if row is None:
        raise InvalidToken
    if clock.now() - row.last_used_at > TOUCH:
        _touch(said.session_id)
    return Proof(person_of(row), said.session_id, said.csrf)


def verify(token: str) -> None:
    """Raises `InvalidToken` unless this access or refresh token would be accepted now."""
    said = claims.read(token, "access", "refresh")
    row = db.session.scalar(_LIVING, _asked(said))
    if row is None:
        raise InvalidToken
    if said.kind == "access" or not row.rotates or said.generation == row.generation:
        return
    if not _in_grace(row, said.generation, clock.now()):
        raise InvalidToken


def csrf_of(token: str) -> str:
    """The CSRF value that belongs to this refresh token. Raises `InvalidToken`."""
    return claims.read(token, "refresh").csrf


def refresh(token: str, visitor: Visitor) -> Tokens:
    """A new pair for this refresh token; the token is used up, except for a few seconds' grace.

    Raises `InvalidToken`. A token that was used up longer ago ends the session: somebody else
    may have it.
    """
    said = claims.read(token, "refresh")
    now = clock.now()
    with transaction() as session:
        row = _locked(session, said)
        if said.generation == row.generation and row.rotates:
            row.generation += 1
            row.rotated_at = now
        elif row.rotates and not _in_grace(row, said.generation, now):
            row.ended_at = now
            audit.record(session, "refresh_reused", row.account_id, visitor, session_id=row.id)
        row.last_used_at = now
        issued = None if row.ended_at else _tokens(row, _person(session, row), now)
    if issued is None:
        raise InvalidToken
    return issued


def end(person: Person, session_id: int, visitor: Visitor) -> None:
    """Ends one of a person's sessions at once. Raises `NotFound`."""
    with transaction() as session:
        ended = session.scalar(
            update(SignIn)
            .where(SignIn.id == session_id, SignIn.account_id == person.id)
            .where(SignIn.ended_at.is_(None), SignIn.expires_at > clock.now())
            .values(ended_at=clock.now())
            .returning(SignIn.id)
        )
        if ended is None:
            raise NotFound
        audit.record(session, "signed_out", person.id, visitor, session_id=session_id)


def end_all(session: Session, account_id: int, *, keep: int | None = None) -> None:
    """Ends all sessions of an account, or all but one, within the caller's transaction."""
    others = update(SignIn).where(SignIn.account_id == account_id, SignIn.ended_at.is_(None))
    if keep is not None:
        others = others.where(SignIn.id != keep)
    session.execute(others.values(ended_at=clock.now()))


def list_of(person: Person, current: int | None) -> list[SessionEntry]:
    """A person's living sessions, newest first; `current` is the id of the one that asks."""
    living = (
        select(SignIn)
        .where(SignIn.account_id == person.id, SignIn.ended_at.is_(None))
        .where(SignIn.expires_at > clock.now())
        .order_by(SignIn.id.desc())
    )
    return [
        SessionEntry(
            id=row.id,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
            expires_at=row.expires_at,
            user_agent=row.user_agent,
            network=row.network,
            current=row.id == current,
        )
        for row in db.session.scalars(living)
    ]


def _asked(said: Claims) -> dict[str, Any]:
    return {"session_id": said.session_id, "subject": said.subject, "now": clock.now()}


def _end_unused(session: Session, account_id: int, now: datetime) -> None:
    """Ends those of the account's sessions that are too many once there is one more."""
    used_last_first = (
        select(SignIn.id)
        .where(SignIn.account_id == account_id, SignIn.ended_at.is_(None))
        .where(SignIn.expires_at > now)
        .order_by(SignIn.last_used_at.desc(), SignIn.id.desc())
    )
    too_many = used_last_first.offset(LIVING_MAX - 1)
    session.execute(update(SignIn).where(SignIn.id.in_(too_many)).values(ended_at=now))


def _locked(session: Session, said: Claims) -> SignIn:
    living = _LIVING.with_for_update(of=SignIn).execution_options(populate_existing=True)
    row = session.scalar(living, _asked(said))
    if row is None:
        raise InvalidToken
    return row


def _in_grace(row: SignIn, generation: int, now: datetime) -> bool:
    return generation == row.generation - 1 and now - row.rotated_at <= GRACE


def _person(session: Session, row: SignIn) -> Person:
    columns = select(*PERSON_COLUMNS).where(Account.id == row.account_id)
    return person_of(session.execute(columns).one())


def _touch(session_id: int) -> None:
    with transaction() as session:
        session.execute(
            update(SignIn).where(SignIn.id == session_id).values(last_used_at=clock.now())
        )


def _tokens(row: SignIn, person: Person, now: datetime | None = None) -> Tokens:
    """The pair of the session's present state; for a session that does not rotate, a new access."""
    issued = row.rotated_at if row.rotates else (now or row.rotated_at)
    access_end = min(issued + timedelta(seconds=row.access_lifetime), row.expires_at)
    access = _derived(row, "access", issued, access_end)
    refresh = _derived(row, "refresh", row.rotated_at, row.expires_at)
    subject = str(person.public_id)
    return Tokens(
        session_id=row.id,
        access=create_access_token(subject, expires_delta=False, additional_claims=access),
        refresh=create_refresh_token(subject, expires_delta=False, additional_claims=refresh),
        csrf=access["csrf"],
        expires_in=access["exp"] - access["iat"],
    )


def _derived(row: SignIn, kind: str, issued: datetime, expires: datetime) -> dict[str, Any]:
    """Claims that depend on nothing but the row and the time of issue: no chance in them."""
    iat = int(issued.timestamp())

    def secret(purpose: str) -> str:
        seed = f"{purpose}/{row.id}/{row.generation}/{iat}".encode()
        return hmac.new(settings().key("session"), seed, hashlib.sha256).hexdigest()[:32]

    return {
        "sid": row.id,
        "gen": row.generation,
        "iat": iat,
        "nbf": iat,
        "exp": int(expires.timestamp()),
        "jti": secret(kind),
        "csrf": secret("csrf"),
    }
