"""People with a linked chat."""

import itertools
from collections.abc import Callable

import pytest
from flask import Flask

from app.services import chats
from app.services.people import TelegramPerson
from tests.conftest import Member

_telegram_ids = itertools.count(7_000_000)


@pytest.fixture
def code_of_a_chat(app: Flask) -> Callable[..., str]:
    """The code that the bot answers in a chat: a new one, or that with `telegram_id`."""

    def code(telegram_id: int | None = None, title: str = "Anna") -> str:
        person = TelegramPerson(telegram_id or next(_telegram_ids), title, "anna_t", "ru")
        with app.app_context():
            return chats.link_code(person)

    return code


@pytest.fixture
def linked_alice(alice: Member, code_of_a_chat: Callable[..., str]) -> Member:
    """Alice, with a Telegram chat."""
    assert alice.post("/v1/chat", {"code": code_of_a_chat()}).status_code == 201
    return alice
