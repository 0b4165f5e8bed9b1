"""Link codes: short secrets that the bot gives a chat and a person posts to the API.

Derived from a key and their row, so that the same one can be told again; stored as a keyed hash.
What a right code does stands in `chats`, how many wrong ones there may be in `limits`.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.errors import WrongLinkCode
from app.extensions import settings
from app.models import LinkCode
from app.services import limits
from app.services.people import TelegramPerson

ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH = 8
LIFETIME = timedelta(minutes=10)

_HYPHENS = "-\u2010\u2011\u2012\u2013\u2014"


def present_or_new(session: Session, telegram: TelegramPerson) -> str:
    """The living code of this chat, or a new one. Within the caller's transaction."""
    now = clock.now()
    limits.lock(session, f"link code {telegram.telegram_id}")
    row = _living(session, telegram.telegram_id)
    # One that is about to expire would be of no use to who reads it now.
    if row is not None and row.expires_at - now >= LIFETIME / 2:
        return _code_of(row)
    if row is not None:
        row.voided_at = now
        session.flush()
    row = LinkCode(
        telegram_id=telegram.telegram_id,
        title=telegram.title,
        username=telegram.username,
        language=telegram.language,
        nonce=secrets.token_bytes(32),
        expires_at=now + LIFETIME,
    )
    row.code_hash = digest(_code_of(row))
    session.add(row)
    return _code_of(row)


def claimed(session: Session, code: str) -> LinkCode:
    """The row of a code that can be used now, locked until the caller's transaction ends.

    Any case, spaces and hyphens do not matter. Raises `WrongLinkCode`.
    """
    row = session.scalar(
        select(LinkCode)
        .where(LinkCode.code_hash == digest(_normalised(code)))
        .where(LinkCode.used_at.is_(None), LinkCode.voided_at.is_(None))
        .where(LinkCode.expires_at > clock.now())
        .with_for_update()
    )
    if row is None:
        raise WrongLinkCode(fields={"code": [str(WrongLinkCode.__doc__)]})
    return row


def digest(code: str) -> bytes:
    """What is stored of a code: 40 bits could be guessed against a bare hash, so a key goes in."""
    key = settings().key("link-code-hash")
    return hmac.digest(key, code.encode("utf-8", "replace"), hashlib.sha256)


def _living(session: Session, telegram_id: int) -> LinkCode | None:
    return session.scalar(
        select(LinkCode).where(
            LinkCode.telegram_id == telegram_id,
            LinkCode.used_at.is_(None),
            LinkCode.voided_at.is_(None),
        )
    )


def _normalised(code: str) -> str:
    return "".join(c for c in code.upper() if not c.isspace() and c not in _HYPHENS)


def _code_of(row: LinkCode) -> str:
    """Eight characters drawn from the row's nonce; the alphabet's bias is below 2^-200."""
    number = int.from_bytes(hmac.digest(settings().key("link-code"), row.nonce, hashlib.sha256))
    letters = []
    for _ in range(LENGTH):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)
