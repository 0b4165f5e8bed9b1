"""Everything that is kept of a person, as lines for them to take away. Secrets are not in it:
they are stored as hashes."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import inspect, select

from app.extensions import Model, db, transaction
from app.models import (
    AuditEvent,
    Chat,
    IdempotencyKey,
    KnownNetwork,
    LinkCode,
    LinkToken,
    SendToken,
    SignIn,
)
from app.services import history, limits
from app.services.people import Person

# What of each table is the person's to read; hashes and nonces are nobody's.
_TABLES: tuple[tuple[str, type[Model], tuple[str, ...]], ...] = (
    (
        "session",
        SignIn,
        ("id", "created_at", "last_used_at", "expires_at", "ended_at", "user_agent", "network"),
    ),
    ("network", KnownNetwork, ("network", "last_at")),
    (
        "send_token",
        SendToken,
        ("id", "name", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at"),
    ),
    ("link_token", LinkToken, ("id", "created_at", "expires_at", "used_at", "voided_at")),
    (
        "chat",
        Chat,
        (
            "id",
            "telegram_id",
            "title",
            "username",
            "language",
            "linked_at",
            "unlinked_at",
            "blocked_at",
        ),
    ),
    (
        "link_code",
        LinkCode,
        ("id", "telegram_id", "title", "username", "language", "created_at", "used_at"),
    ),
    ("idempotency_key", IdempotencyKey, ("key", "message_id", "created_at")),
    ("audit_event", AuditEvent, ("id", "at", "kind", "network", "detail")),
)


def lines(person: Person) -> Iterator[dict[str, Any]]:
    """One dictionary a line, the first the account itself; `line` says what each is.

    Counted when it is called, read when it is iterated; no transaction is open while a line is on
    its way, however slow its reader. Raises `TooManyRequests`.
    """
    with transaction() as session:
        limits.take(session, limits.EXPORT, limits.of_account(person.id))
    return _lines(person)


def _lines(person: Person) -> Iterator[dict[str, Any]]:
    yield {"line": "account", **asdict(person)}
    for kind, model, names in _TABLES:
        table: Any = model
        columns = [getattr(table, name) for name in names]
        mine = select(*columns).where(table.account_id == person.id)
        rows = db.session.execute(mine.order_by(*inspect(model).primary_key)).all()
        db.session.rollback()
        for row in rows:
            yield {"line": kind, **dict(zip(names, row, strict=True))}
    for message in history.every(person):
        yield {"line": "message", **asdict(message)}
