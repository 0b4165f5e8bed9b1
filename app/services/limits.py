"""Named limits, counted in PostgreSQL so that a wiped Redis resets none of them.

A limit counts hits of one subject in a sliding window. Attempts are counted before they are tried
and given back when they were right: a burst of parallel guesses cannot slip through. (Failures of a
network over all usernames are counted after: a generous limit needs no exactness.) This is not the
pacing of Telegram (delivery.pacing) nor the day's quota (it is part of the lane).
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.errors import TooManyFailures, TooManyRequests
from app.extensions import settings
from app.models import Account, Hit, KnownNetwork


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` hits of one subject in `window` seconds."""

    name: str
    most: int
    window: int
    error: type[TooManyRequests] = TooManyRequests


# A person mistypes a few times; ten in a quarter of an hour is somebody trying.
PASSWORD_FROM_NETWORK = Limit("password_network", 10, 900, TooManyFailures)
# NIST SP 800-63B: at most 100 failures; from then on only networks with an earlier sign-in count.
PASSWORD_FROM_ANYWHERE = Limit("password_anywhere", 100, 3600, TooManyFailures)
# One password tried on many usernames: each of them has few failures, their network has many. So
# generous, since a school or an office may be one network.
FAILURES_OF_NETWORK = Limit("failures_network", 100, 900, TooManyFailures)
# 5 tries at 31^8 codes in 10 minutes.
LINK_CODE = Limit("link_code", 5, 600, TooManyFailures)
# Wrong link tokens that one chat sends to the bot.
LINK_TOKEN = Limit("link_token", 5, 600, TooManyFailures)
# Texts that one linked chat sends to the bot and that are kept.
RECEIVED = Limit("received", 1000, 86400)
# Each export reads everything of an account.
EXPORT = Limit("export", 5, 3600)
# Fresh link tokens: each voids the one before.
LINK_TOKEN_ISSUE = Limit("link_token_issue", 60, 3600)
# Send tokens made and revoked again leave rows behind for a while.
SEND_TOKEN_ISSUE = Limit("send_token_issue", 300, 3600)


def registration() -> Limit:
    """Accounts created from one network, as REGISTRATIONS_PER_HOUR says."""
    return Limit("registration", settings().registrations_per_hour, 3600)


def username_taken() -> Limit:
    """Registrations from one network under a name that was taken: they tell who is here."""
    return Limit("username_taken", settings().registrations_per_hour, 3600)


_WINDOWS = {
    limit.name: limit.window
    for limit in (
        PASSWORD_FROM_NETWORK,
        PASSWORD_FROM_ANYWHERE,
        FAILURES_OF_NETWORK,
        LINK_CODE,
        LINK_TOKEN,
        RECEIVED,
        EXPORT,
        LINK_TOKEN_ISSUE,
        SEND_TOKEN_ISSUE,
    )
} | {"registration": 3600, "username_taken": 3600}


def take(session: Session, limit: Limit, subject: str) -> int:
    """Counts a hit of `subject` and returns its id, for `give_back`.

    Raises the limit's error, with the seconds to wait, when it is full; then nothing is counted.
    """
    subject = _hidden(subject)
    lock(session, f"{limit.name} {subject}")
    oldest = session.scalar(_making_room(limit, subject))
    if oldest is not None:
        raise _full(limit, oldest)
    hit = Hit(limit=limit.name, subject=subject)
    session.add(hit)
    session.flush()
    return hit.id


def lock(session: Session, what: str) -> None:
    """Orders transactions that name the same thing, until they end; there need be no row of it."""
    number = int.from_bytes(hashlib.blake2b(what.encode(), digest_size=8).digest(), signed=True)
    session.execute(select(func.pg_advisory_xact_lock(number)))


def give_back(session: Session, hits: list[int]) -> None:
    """Uncounts hits that turned out to be right."""
    session.execute(delete(Hit).where(Hit.id.in_(hits)))


def take_password_attempt(session: Session, username_key: str, network: str) -> list[int]:
    """Counts one attempt at a password before it is tried.

    One counter for every way of signing in. Raises `TooManyFailures`: from a network with 10 in 15
    minutes; and, once there were 100 in an hour from anywhere, from every network without an
    earlier sign-in, so that nobody elsewhere can lock the owner out.
    """
    hits = [take(session, PASSWORD_FROM_NETWORK, f"{username_key} {network}")]
    try:
        hits.append(take(session, PASSWORD_FROM_ANYWHERE, username_key))
    except TooManyFailures:
        if not _is_known(session, username_key, network):
            raise
    return hits


def making_room(network: str) -> Select[datetime]:
    """The failure of this network that makes room when it leaves the window; none while there is
    room. For a part of another statement."""
    return _making_room(FAILURES_OF_NETWORK, _hidden(network))


def refuse_network(oldest: datetime) -> NoReturn:
    """Raises `TooManyFailures` until `oldest` has left the window."""
    raise _full(FAILURES_OF_NETWORK, oldest)


def count_failure(session: Session, network: str) -> None:
    """Counts a refused sign-in of this network, whatever the username."""
    session.add(Hit(limit=FAILURES_OF_NETWORK.name, subject=_hidden(network)))


def forget_account(session: Session, account_id: int) -> None:
    """Removes what was counted for an account (erasure). What was counted by its former username
    says nothing of it, and goes when its window is over."""
    session.execute(delete(Hit).where(Hit.subject == _hidden(of_account(account_id))))


def of_account(account_id: int) -> str:
    """The subject of limits that count an account."""
    return f"account {account_id}"


def outdated() -> ColumnElement[bool]:
    """Which hits no window reaches back to any more."""
    now = clock.now()
    return or_(
        *(
            and_(Hit.limit == name, Hit.at < now - timedelta(seconds=window))
            for name, window in _WINDOWS.items()
        )
    )


def _is_known(session: Session, username_key: str, network: str) -> bool:
    known = (
        select(KnownNetwork.account_id)
        .join(Account, Account.id == KnownNetwork.account_id)
        .where(Account.username_key == username_key, KnownNetwork.network == network)
    )
    return session.scalar(known) is not None


def _making_room(limit: Limit, subject: str) -> Select[datetime]:
    recent = (Hit.limit == limit.name, Hit.subject == subject, Hit.at > _since(limit))
    newest_first = select(Hit.at).where(*recent).order_by(Hit.at.desc())
    return newest_first.offset(limit.most - 1).limit(1)


def _full(limit: Limit, oldest: datetime) -> TooManyRequests:
    return limit.error(retry_after=max(1.0, (oldest - _since(limit)).total_seconds()))


def _since(limit: Limit) -> datetime:
    return clock.now() - timedelta(seconds=limit.window)


def _hidden(subject: str) -> str:
    """Subjects are stored as digests: a mistyped username may be a password."""
    key = settings().key("limits")
    return hashlib.blake2b(subject.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()
