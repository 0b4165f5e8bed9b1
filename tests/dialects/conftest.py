"""For the tests of the dialects: a client that holds every answer against the dialect's document,
somebody with Telegram, for whom is done at once what the bot would do, and Anna at each dialect.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from app.dialects import DIALECTS, openapi
from app.services import chats, messages
from app.services.people import TelegramPerson
from tests.client import Answer, Client, client_of
from tests.conftest import MakeApp
from tests.dialects.drivers import DRIVERS, Driver

DOCUMENTS = {dialect.name: openapi.document(dialect) for dialect in DIALECTS}


class ReadingClient(Client):
    """A client that has read the documents: an answer that none of them shows is a failure."""

    def open(self, *args: Any, **kwargs: Any) -> Answer:
        answer = super().open(*args, **kwargs)
        for name, document in DOCUMENTS.items():
            if name not in self.application.blueprints:
                continue
            if operation := _operation(document, answer):
                _check(answer, operation, document)
        return answer


def _operation(document: dict[str, Any], answer: Answer) -> dict[str, Any] | None:
    """What a document says of the request that got this answer, if it is one of its own."""
    for path, item in document["paths"].items():
        if path.rstrip("/") == answer.request.path.rstrip("/"):
            found: dict[str, Any] | None = item.get(answer.request.method.lower())
            return found
    return None


def _check(answer: Answer, operation: dict[str, Any], document: dict[str, Any]) -> None:
    responses = operation["responses"]
    status = answer.status_code
    told = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    assert told is not None, f"{answer.request.path}: {status} is not in the document"
    schema = told["content"]["application/json"]["schema"] | {"components": document["components"]}
    Draft202012Validator(schema).validate(answer.json)


@pytest.fixture
def make_app(make_app: MakeApp) -> Iterator[MakeApp]:
    """Applications whose test clients have read the documents, for as long as the test goes on."""
    made: list[Flask] = []

    def make(**settings: str) -> Flask:
        app = make_app(**settings)
        app.test_client_class = ReadingClient
        made.append(app)
        return app

    yield make
    for app in made:
        app.test_client_class = Client


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


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest, app: Flask) -> Driver:
    """Anna, who is nobody yet, at each dialect in turn."""
    made: Driver = request.param(client_of(app, use_cookies=False))
    return made


@pytest.fixture
def anna(driver: Driver, telegram: Telegram) -> Driver:
    """Anna at each dialect in turn: registered, signed in, with her chat linked."""
    assert driver.register().status_code == 201
    assert driver.sign_in().status_code == 200
    driver.link(telegram)
    return driver
