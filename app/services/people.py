"""The plain values that services and faces speak of: who someone is, where a request came from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from app.models import Account


@dataclass(frozen=True, slots=True)
class Person:
    """An account as the rest of the program sees it: no password, no row, nothing to load."""

    id: int
    public_id: UUID
    username: str
    name: str
    greeting: str | None
    language: str | None
    is_admin: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request came from: its network (an IPv4 address or an IPv6 /64), client, id."""

    network: str = ""
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class TelegramPerson:
    """The person behind a private Telegram chat, as an update tells of them."""

    telegram_id: int
    title: str = ""
    username: str | None = None
    language: str | None = None


PERSON_COLUMNS: tuple[ColumnElement[Any], ...] = tuple(
    getattr(Account, name)
    for name in (
        "id",
        "public_id",
        "username",
        "name",
        "greeting",
        "language",
        "is_admin",
        "created_at",
    )
)


def person_of(row: Any) -> Person:
    """The person of a row that has `PERSON_COLUMNS`, or of an account."""
    return Person(
        id=row.id,
        public_id=row.public_id,
        username=row.username,
        name=row.name,
        greeting=row.greeting,
        language=row.language,
        is_admin=row.is_admin,
        created_at=row.created_at,
    )
