"""Somebody with everything an account can have, somebody else, and those who must stay outside."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import accounts, chats, messages, sessions, tokens
from app.services.messages import Draft
from app.services.people import TelegramPerson, Visitor
from tests.conftest import Member, NewMember

HERE = Visitor("192.0.2.1")


@dataclass
class Belongings:
    """A member's own things, by their ids."""

    member: Member
    message: int
    failed: int
    session: int
    send_token: int
    secret: str


def settle(app: Flask, member: Member, telegram_id: int) -> Belongings:
    """Gives a member a linked chat, a waiting and a failed message, a session, a send token."""
    person = member.person
    with app.app_context():
        token = tokens.link_invitation(person).token
        chats.link_by_token(token, TelegramPerson(telegram_id, f"Chat of {person.username}"))
        issued = tokens.issue_send_token(person, f"token of {person.username}", HERE)
        failed = messages.send(person, Draft(f"failed text of {person.username}")).message.id
        waiting = messages.send(person, Draft(f"text of {person.username}")).message.id
        other = sessions.begin(person, HERE).session_id
    return Belongings(member, waiting, failed, other, issued.id, issued.token or "")


@dataclass
class World:
    """An owner, a stranger, an account that is shut, an admin; and what belongs to whom."""

    owner: Belongings
    stranger: Belongings
    disabled: Belongings
    admin: Belongings


@pytest.fixture
def world(app: Flask, new_member: NewMember, database: Engine) -> World:
    made = World(
        settle(app, new_member("olga"), 7001),
        settle(app, new_member("stranger"), 7002),
        settle(app, new_member("disabled"), 7003),
        settle(app, new_member("boss", is_admin=True), 7004),
    )
    failed = text("UPDATE message SET status = 'failed' WHERE text LIKE 'failed%'")
    with database.connect() as connection:
        connection.execute(failed)
    with app.app_context():
        accounts.disable(made.admin.member.person, made.disabled.member.person.id, HERE)
        # Once, so that the page with the bot's name is whole.
        from app.services import polling

        polling.introduce("a_bot")
    return made


CodeOf = Callable[[int], str]


@pytest.fixture
def code_of(app: Flask) -> CodeOf:
    """The link code that the bot gives to a chat."""

    def code(telegram_id: int) -> str:
        with app.app_context():
            return chats.link_code(TelegramPerson(telegram_id, "Somebody"))

    return code
