"""A fresh sandbox for each test (it starts in milliseconds) and a bare client of its Bot API."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sandbox.client import Sandbox, User


@dataclass
class Bot:
    """A bot that speaks HTTP and nothing more."""

    url: str
    session: requests.Session

    def call(self, method: str, **parameters: Any) -> requests.Response:
        """Any method, parameters as a form."""
        return self.session.post(f"{self.url}/{method}", data=parameters, timeout=30)

    def ask(self, method: str, **parameters: Any) -> Any:
        """Any method that must succeed; its result."""
        answer = self.session.post(f"{self.url}/{method}", json=parameters, timeout=30).json()
        assert answer["ok"], answer
        return answer["result"]

    def refusal(self, method: str, **parameters: Any) -> tuple[int, str]:
        """Any method that must be refused; code and description, checked against the status."""
        answer = self.session.post(f"{self.url}/{method}", json=parameters, timeout=30)
        body = answer.json()
        assert body["ok"] is False and body["error_code"] == answer.status_code
        return body["error_code"], body["description"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without flood limits."""
    with Sandbox.start() as running:
        yield running


@pytest.fixture
def bot(sandbox: Sandbox) -> Iterator[Bot]:
    """The bot of that sandbox."""
    with requests.Session() as session:
        yield Bot(f"{sandbox.url}/bot{sandbox.token}", session)


@pytest.fixture
def anna(sandbox: Sandbox) -> User:
    """Somebody the bot may write to."""
    return sandbox.user("Anna", language_code="ru", wrote_first=True)
