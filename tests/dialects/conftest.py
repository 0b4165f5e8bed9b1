"""Somebody with Telegram, for tests without a bot process: what the bot would do, done at once."""

from dataclasses import dataclass

import pytest
from flask import Flask

from app.services import chats, messages
from app.services.people import TelegramPerson


@dataclass(frozen=True)
class Telegram:
    """One person's private chat with the bot, as the bot hands it to the services."""

    app: Flask
    id: int = 7001

    def sends_token(self, token: str) -> str:
        """Sends a link token to the bot; tells whose account it linked."""
        with self.app.app_context():
            link = chats.link_by_token(token, TelegramPerson(self.id, "Anna"))
        assert link is not None, "the bot knows no such token"
        return link.username

    def asks_for_code(self) -> str:
        """Writes anything to the bot; gets a code."""
        with self.app.app_context():
            return chats.link_code(TelegramPerson(self.id, "Anna"))

    def writes(self, text: str) -> None:
        """Writes a text to the bot in the linked chat."""
        with self.app.app_context():
            owner = chats.owner_of(self.id)
            assert owner is not None
            messages.receive(owner.account_id, self.id, 1, text)


@pytest.fixture
def telegram(app: Flask) -> Telegram:
    return Telegram(app)
