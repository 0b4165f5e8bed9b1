"""What the bot's poller keeps in the database: who polls, who the bot is, what is yet to be told.

One poller is active: it holds a lease and renews it; a second one waits until the lease ends. Times
are compared by PostgreSQL's clock, which all pollers share. What an update leads to is not here but
in `chats` and `messages`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from app.delivery import brakes, budget
from app.extensions import db, settings, transaction
from app.models import Account, Bot, Heartbeat, Notice, PoisonUpdate

HEARTBEAT_KIND = "bot"


@dataclass(frozen=True, slots=True)
class NoticeEntry:
    """Something to tell a chat: `linked`, `unlinked` or `replaced`, and of which account.

    `chat_id` is the link that the button under it undoes.
    """

    id: int
    telegram_id: int
    kind: str
    language: str | None
    username: str
    chat_id: int | None


def claim(poller: str, seconds: float) -> str:
    """Takes or renews the lease for so many seconds, if it is free or this poller's already.

    Returns the name of the poller that holds it now.
    """
    free = or_(Bot.poller.is_(None), Bot.poller == poller, Bot.polling_until < func.now())
    lease = {"poller": poller, "polling_until": func.now() + timedelta(seconds=seconds)}
    with transaction() as session:
        taken = session.scalar(update(Bot).where(free).values(lease).returning(Bot.poller))
        return taken or session.scalar(select(Bot.poller)) or ""


def beat(poller: str, *, active: bool) -> None:
    """Says that this poller lives, and whether it is the one that polls."""
    alive = insert(Heartbeat).values(
        name=poller,
        kind=HEARTBEAT_KIND,
        started_at=func.now(),
        at=func.now(),
        detail={"active": active},
    )
    again = {"at": func.now(), "detail": alive.excluded.detail}
    with transaction() as session:
        session.execute(alive.on_conflict_do_update(index_elements=["name"], set_=again))


def leave(poller: str) -> None:
    """Takes the poller's sign of life away and gives its lease back, for another to begin."""
    with transaction() as session:
        session.execute(delete(Heartbeat).where(Heartbeat.name == poller))
        session.execute(
            update(Bot).where(Bot.poller == poller).values(poller=None, polling_until=None)
        )


def reply_slot(telegram_id: int) -> float:
    """Takes a slot of the bot's pace for a reply to this chat; the seconds to wait before it."""
    rates = settings()
    with transaction() as session:
        return budget.reply_slot(
            session.connection(),
            telegram_id,
            bot_rate=rates.telegram_bot_rate,
            chat_rate=rates.telegram_chat_rate,
        )


def rejected() -> None:
    """Telegram refuses the bot's token: nothing is sent until it is accepted."""
    with transaction() as session:
        brakes.rejected(session.connection())


def accepted() -> None:
    """Telegram accepts the bot's token again."""
    with transaction() as session:
        brakes.release(session.connection())


def introduce(username: str) -> None:
    """Keeps the bot's username, of which deep links are built."""
    with transaction() as session:
        session.execute(
            update(Bot).where(Bot.username.is_distinct_from(username)).values(username=username)
        )


def set_aside(update_id: int, error: str, shape: Mapping[str, Any]) -> None:
    """Keeps the shape of an update that could not be handled: keys and types, no contents."""
    with transaction() as session:
        poison = insert(PoisonUpdate).values(update_id=update_id, error=error, shape=shape)
        again = {"error": error, "shape": shape, "at": func.now()}
        session.execute(poison.on_conflict_do_update(index_elements=["update_id"], set_=again))


def notices(limit: int, but: Collection[int] = ()) -> list[NoticeEntry]:
    """What is yet to be told, oldest first, without the ids in `but`."""
    rows = db.session.execute(
        select(
            Notice.id,
            Notice.telegram_id,
            Notice.kind,
            Notice.language,
            Account.username,
            Notice.chat_id,
        )
        .join(Account, Account.id == Notice.account_id)
        .where(Notice.id.not_in(but))
        .order_by(Notice.id)
        .limit(limit)
    ).all()
    db.session.rollback()
    return [NoticeEntry(*row) for row in rows]


def told(notice_id: int) -> None:
    """A notice was delivered, or never can be."""
    with transaction() as session:
        session.execute(delete(Notice).where(Notice.id == notice_id))
