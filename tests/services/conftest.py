"""What services are asked for again and again, in a word each."""

import json
from base64 import urlsafe_b64decode
from typing import Any

from sqlalchemy import Engine, text

from app.errors import InvalidToken, NoChat
from app.services import chats, messages, sessions, tokens
from app.services.history import MessageEntry
from app.services.messages import Draft
from app.services.people import TelegramPerson, Visitor
from tests.conftest import Member

HERE = Visitor("203.0.113.1")


def send(member: Member, body: str = "hello", **more: Any) -> MessageEntry:
    """Sends from a member; `more` is a draft's."""
    return messages.send(member.person, Draft(body, **more)).message


def person(number: int) -> TelegramPerson:
    """Somebody in Telegram, whose private chat has this number."""
    return TelegramPerson(number, f"Person {number}", f"person{number}", "ru")


def link(member: Member, telegram_id: int) -> None:
    """Links a chat to a member's account, as the bot would."""
    token = tokens.fresh_link_invitation(member.person, HERE).token
    assert chats.link_by_token(token, person(telegram_id)) is not None


def chat_of(member: Member) -> int | None:
    """The number of the linked chat, if there is one."""
    try:
        return chats.of(member.person).telegram_id
    except NoChat:
        return None


def lane(database: Engine, member: Member) -> tuple[int | None, str | None]:
    """Which chat the engine sends to, and why it does not."""
    query = text("SELECT chat_id, hold_reason FROM lane WHERE account_id = :id")
    with database.connect() as connection:
        row = connection.execute(query, {"id": member.person.id}).one()
    return row.chat_id, row.hold_reason


def notices(database: Engine) -> list[tuple[int, str]]:
    """What the bot has to tell, and in which chat."""
    with database.connect() as connection:
        rows = connection.execute(text("SELECT telegram_id, kind FROM notice ORDER BY id"))
        return [(row.telegram_id, row.kind) for row in rows]


def payload(token: str) -> dict[str, Any]:
    """What a token of a session says."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def refused(token: str) -> bool:
    """Whether an access token proves nothing."""
    try:
        sessions.prove(token)
    except InvalidToken:
        return True
    return False
