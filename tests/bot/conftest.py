"""People who talk to the bot, and its pollers: a real process, shared by the tests that only talk,
and one in this process, which goes step by step."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.bot import handlers, poller
from app.bot.lease import Lease
from app.bot.poller import Poller
from app.bot.replies import Reply
from app.bot.sender import Sender
from app.bot.updates import Event, Wrote
from app.config import Settings
from app.services import chats, history, tokens
from app.services.history import Filter
from app.services.link_codes import ALPHABET
from app.stopping import Stopping
from app.telegram import BotApi, Ok, Outcome, bot_api
from sandbox.client import Sandbox, User, wait_for
from tests.conftest import Member
from tests.running import Part, Running

CODE_LINE = re.compile(rf"^([{ALPHABET}]{{8}})$", re.MULTILINE)


# Looks like a link token and is none.
NOBODY = "0" * 64


class SharedPoller:
    """One poller process for many tests; `stop` makes room for a test that starts its own."""

    def __init__(self, processes: Running, migrated: Engine) -> None:
        self._processes = processes
        self._database = migrated
        self._part: Part | None = None

    def running(self) -> Part:
        if self._part is None:
            with self._database.connect() as connection:
                connection.execute(text("UPDATE bot SET poller = NULL, polling_until = NULL"))
            self._part = self._processes.bot()
            self._part.says("polling_begins")
        return self._part

    def stop(self) -> None:
        if self._part is not None:
            self._part.terminate()
            self._part = None


# Not for the session: a poller that lived on would tell the notices of everybody else's tests.
@pytest.fixture(scope="package")
def shared_poller(
    environment: dict[str, str], migrated: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPoller]:
    folder = tmp_path_factory.mktemp("bot")
    with Running(environment | {"DATA_DIR": str(folder)}, folder) as processes:
        yield SharedPoller(processes, migrated)


@pytest.fixture
def bot(shared_poller: SharedPoller, database: Engine, sandbox: Sandbox) -> Iterator[Part]:
    """The shared poller, on empty tables and an empty sandbox; idle again after the test."""
    yield shared_poller.running()
    wait_for(lambda: not sandbox.pending_updates(), what="the poller to be idle")


@pytest.fixture
def no_poller(shared_poller: SharedPoller) -> None:
    """The shared poller is out of the way."""
    shared_poller.stop()


LinkToken = Callable[[Member], str]


@pytest.fixture
def link_token() -> LinkToken:
    """The present link token of somebody."""

    def of(member: Member) -> str:
        with member.client.application.app_context():
            return tokens.link_invitation(member.person).token

    return of


LinkedChat = Callable[..., User]


@pytest.fixture
def linked_chat(sandbox: Sandbox, link_token: LinkToken) -> LinkedChat:
    """Somebody's Telegram user, who has just linked their chat: `linked_chat(alice)`."""

    def of(member: Member) -> User:
        user = sandbox.user(member.person.name)
        user.says(f"/start {link_token(member)}")
        user.hears("is linked to the account")
        return user

    return of


def code_heard(user: User) -> str:
    """The link code in the bot's next message."""
    found = CODE_LINE.search(user.hears().text)
    assert found, user.received()
    return found[1]


def received_by(app: Flask, member: Member) -> list[str]:
    """The texts that the account has received, oldest first."""
    with app.app_context():
        page = history.page(member.person, Filter(direction="in"), limit=100)
    return [entry.text for entry in reversed(page.entries)]


def owner_of(app: Flask, user: User) -> str | None:
    """The username of the account that this person's chat is linked to."""
    with app.app_context():
        owner = chats.owner_of(user.id)
    return owner.username if owner else None


@dataclass
class Held(Lease):
    """A lease that is what the test says."""

    held: bool = True


@dataclass
class Heard(Sender):
    """Takes the replies instead of sending them."""

    replies: list[Reply] = field(default_factory=list)

    def reply(self, reply: Reply) -> None:
        self.replies.append(reply)


@dataclass
class Here:
    """A poller of this process with all that belongs to it."""

    poller: Poller
    lease: Held
    heard: Heard
    stop: Stopping

    def steps(self, count: int = 1) -> None:
        for _ in range(count):
            self.poller.step()


MakePoller = Callable[..., Here]


@pytest.fixture
def make_poller(app: Flask, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> MakePoller:
    """A poller that does not wait, introduced already."""
    monkeypatch.setattr(poller, "POLL_SECONDS", 0)
    monkeypatch.setattr(poller, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(poller, "OTHER_POLLER_PAUSE", (0.0, 0.0))
    settings: Settings = app.config["SETTINGS"]

    def make(api: BotApi | None = None) -> Here:
        lease, heard, stop = Held(), Heard(), Stopping()
        made = Poller(app, api or bot_api(settings), lease, heard, stop)
        made._introduced = True
        return Here(made, lease, heard, stop)

    return make


@pytest.fixture
def here(make_poller: MakePoller) -> Here:
    """A poller of this process, at the sandbox."""
    return make_poller()


@dataclass
class ScriptedApi:
    """Answers of getUpdates as the test says; notes the offsets."""

    batches: list[Any]
    offsets: list[int | None] = field(default_factory=list)

    def get_updates(self, offset: int | None, seconds: int) -> Outcome:
        self.offsets.append(offset)
        batch = self.batches.pop(0) if self.batches else []
        return batch if isinstance(batch, Outcome) else Ok(200, None, batch)


def said(number: int, words: str = "/status", user_id: int = 5) -> dict[str, Any]:
    """An update: somebody wrote."""
    person = {"id": user_id, "is_bot": False, "first_name": "Anna"}
    chat = {"id": user_id, "type": "private"}
    message = {"message_id": number % 1000 + 1, "from": person, "chat": chat, "text": words}
    return {"update_id": number, "message": message}


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the updates that the handlers were given, in their order."""
    texts: list[str] = []

    def handle(event: Event) -> list[Reply]:
        assert isinstance(event, Wrote) and event.text is not None
        texts.append(event.text)
        return []

    monkeypatch.setattr(handlers, "handle", handle)
    return texts
