"""Send tokens and link tokens: making, showing, checking, revoking. Stored as hashes only.

A link token is derived from a key and its row, so that it can be shown again; a send token is
random and shown once. What a link token does when the bot gets it stands in `chats`. The lane's
lock orders what must not be done twice at once for one account.
"""

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from app import clock
from app.delivery import outbox
from app.errors import Conflict, Invalid, InvalidToken, NotFound, Sentence
from app.extensions import db, settings, single, transaction
from app.models import Account, Bot, LinkToken, SendToken
from app.prepared import Prepared
from app.services import audit, limits, names
from app.services.people import PERSON_COLUMNS, Person, Visitor, person_of

LINK_LIFETIME = timedelta(minutes=60)
SEND_PREFIX = "gz_"
SEND_TOKENS_MAX = 100
SEND_LIFETIME_MAX = 10 * 365 * 86400
SHOWN_PREFIX = 8
SANDBOX_BOT = "gonets_sandbox_bot"
# How often `last_used_at` is rewritten, at most.
TOUCH = timedelta(minutes=1)

_PROVE = Prepared.select(
    "gonets_prove_send_token",
    select(SendToken.id.label("token_id"), SendToken.last_used_at, *PERSON_COLUMNS)
    .join(Account, Account.id == SendToken.account_id)
    .where(SendToken.token_hash == bindparam("digest"), SendToken.revoked_at.is_(None))
    .where((SendToken.expires_at.is_(None)) | (SendToken.expires_at > bindparam("now")))
    .where(Account.disabled_at.is_(None), Account.erased_at.is_(None)),
)


@dataclass(frozen=True, slots=True)
class LinkInvitation:
    """A link token and the ways to hand it to the bot; the bot's name is null until it has run."""

    token: str
    expires_at: datetime
    bot: str | None
    url: str | None
    command: str


@dataclass(frozen=True, slots=True)
class SendTokenEntry:
    """A send token as its owner sees it; `token` only when it was just made."""

    id: int
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    token: str | None = None


@dataclass(frozen=True, slots=True)
class SendProof:
    """Who a send token sends for."""

    person: Person
    send_token_id: int


def link_invitation(person: Person) -> LinkInvitation:
    """The person's present link token, or a new one if there is none that works."""
    with transaction() as session:
        outbox.lock(session, person.id)
        row = _live_link_token(session, person.id)
        if row is None or row.expires_at <= clock.now():
            row = _new_link_token(session, person.id)
        return _invitation(session, row)


def fresh_link_invitation(person: Person, visitor: Visitor) -> LinkInvitation:
    """A new link token; the one before it is dead from now on. Raises `TooManyRequests`."""
    with transaction() as session:
        outbox.lock(session, person.id)
        limits.take(session, limits.LINK_TOKEN_ISSUE, limits.of_account(person.id))
        row = _new_link_token(session, person.id)
        audit.record(session, "link_token_made", person.id, visitor)
        return _invitation(session, row)


def issue_send_token(
    person: Person, name: str, visitor: Visitor, *, expires_in: int | None = None
) -> SendTokenEntry:
    """A new send token, shown this once. `expires_in` is seconds, ten years at most, or null for
    ever.

    Raises `Invalid`, `TooManyRequests`, and `Conflict` when there are a hundred already.
    """
    names.check_label(name)
    expires_at = None if expires_in is None else clock.now() + _lifetime(expires_in)
    with transaction() as session:
        outbox.lock(session, person.id)
        limits.take(session, limits.SEND_TOKEN_ISSUE, limits.of_account(person.id))
        if len(_living(session, person.id)) >= SEND_TOKENS_MAX:
            raise Conflict(
                Sentence("There are {most} send tokens; revoke one first.", most=SEND_TOKENS_MAX)
            )
        secret = SEND_PREFIX + secrets.token_urlsafe(32)
        return _add_send_token(session, person.id, name, secret, visitor, expires_at=expires_at)


def replace_send_token(
    session: Session, account_id: int, purpose: str, visitor: Visitor
) -> SendTokenEntry:
    """The one send token for `purpose` (a dialect's), in that dialect's form; the one before it is
    dead. Within the caller's transaction."""
    outbox.lock(session, account_id)
    session.execute(
        update(SendToken)
        .where(SendToken.account_id == account_id, SendToken.purpose == purpose)
        .where(SendToken.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
    # 25 letters and digits, as dialect 2's document shows: 148 bits.
    secret = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(25))
    return _add_send_token(session, account_id, purpose, secret, visitor, purpose=purpose)


def send_tokens_of(person: Person) -> list[SendTokenEntry]:
    """A person's living send tokens, newest first; without the secret."""
    return [_entry(row) for row in _living(db.session(), person.id)]


def revoke_send_token(person: Person, token_id: int, visitor: Visitor) -> None:
    """Ends a send token at once. Raises `NotFound`."""
    with transaction() as session:
        revoked = session.scalar(
            update(SendToken)
            .where(SendToken.id == token_id, SendToken.account_id == person.id)
            .where(SendToken.revoked_at.is_(None))
            .values(revoked_at=clock.now())
            .returning(SendToken.id)
        )
        if revoked is None:
            raise NotFound
        audit.record(session, "send_token_revoked", person.id, visitor, send_token_id=token_id)


def prove(secret: str) -> SendProof:
    """Who this send token sends for. Raises `InvalidToken`."""
    now = clock.now()
    with single() as connection:
        row = _PROVE(connection, digest=digest(secret), now=now)
    if row is None:
        raise InvalidToken
    if row.last_used_at is None or now - row.last_used_at > TOUCH:
        _touch(row.token_id)
    return SendProof(person_of(row), row.token_id)


def digest(secret: str) -> bytes:
    """What is stored of a secret of 128 bits or more: guessing does not help against SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def link_token_of(row: LinkToken) -> str:
    """The link token of a row: 64 characters of `[0-9a-f]`, which fits Telegram's deep links."""
    return hmac.new(settings().key("link-token"), row.nonce, hashlib.sha256).hexdigest()


def _lifetime(seconds: int) -> timedelta:
    if not 0 < seconds <= SEND_LIFETIME_MAX:
        raise Invalid(fields={"expires_in": ["From one second to ten years."]})
    return timedelta(seconds=seconds)


def _live_link_token(session: Session, account_id: int) -> LinkToken | None:
    return session.scalar(
        select(LinkToken).where(
            LinkToken.account_id == account_id,
            LinkToken.used_at.is_(None),
            LinkToken.voided_at.is_(None),
        )
    )


def _new_link_token(session: Session, account_id: int) -> LinkToken:
    now = clock.now()
    if former := _live_link_token(session, account_id):
        former.voided_at = now
        session.flush()
    row = LinkToken(
        account_id=account_id, nonce=secrets.token_bytes(32), expires_at=now + LINK_LIFETIME
    )
    row.token_hash = digest(link_token_of(row))
    session.add(row)
    session.flush()
    return row


def _invitation(session: Session, row: LinkToken) -> LinkInvitation:
    token = link_token_of(row)
    bot = session.scalar(select(Bot.username))
    return LinkInvitation(
        token=token,
        expires_at=row.expires_at,
        bot=f"@{bot}" if bot else None,
        url=deep_link(bot, token) if bot else None,
        command=f"/start {token}",
    )


def deep_link(bot: str, token: str) -> str:
    """Where a tap on `/start <token>` is waiting: Telegram's, or the sandbox's own chat page."""
    page = f"{settings().telegram_api_url}/" if bot == SANDBOX_BOT else f"https://t.me/{bot}"
    return f"{page}?start={token}"


def _living(session: Session, account_id: int) -> list[SendToken]:
    living = (
        select(SendToken)
        .where(SendToken.account_id == account_id, SendToken.revoked_at.is_(None))
        .where((SendToken.expires_at.is_(None)) | (SendToken.expires_at > clock.now()))
        .order_by(SendToken.id.desc())
    )
    return list(session.scalars(living))


def _add_send_token(
    session: Session,
    account_id: int,
    name: str,
    secret: str,
    visitor: Visitor,
    *,
    purpose: str | None = None,
    expires_at: datetime | None = None,
) -> SendTokenEntry:
    row = SendToken(
        account_id=account_id,
        name=name,
        purpose=purpose,
        prefix=secret[:SHOWN_PREFIX],
        token_hash=digest(secret),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    audit.record(session, "send_token_made", account_id, visitor, send_token_id=row.id)
    return _entry(row, secret)


def _entry(row: SendToken, secret: str | None = None) -> SendTokenEntry:
    return SendTokenEntry(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        token=secret,
    )


def _touch(token_id: int) -> None:
    with transaction() as session:
        session.execute(
            update(SendToken).where(SendToken.id == token_id).values(last_used_at=clock.now())
        )
