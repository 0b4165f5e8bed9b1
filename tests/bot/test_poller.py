"""The polling loop, step by step in this process, over the real sandbox and database."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.bot import handlers, poller, words
from app.bot.poller import Poller
from app.bot.replies import Reply
from app.config import Settings
from app.errors import Unavailable
from app.services import chats, polling
from app.telegram import BotApi, NotSent, Ok, Outcome, bot_api
from sandbox.client import Sandbox, User
from tests.bot.conftest import LinkToken, owner_of
from tests.conftest import Member

pytestmark = pytest.mark.usefixtures("no_poller")


@dataclass
class Held:
    """A lease that is what the test says."""

    held: bool = True


@dataclass
class Heard:
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
    stop: threading.Event

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
        lease, heard, stop = Held(), Heard(), threading.Event()
        made = Poller(app, api or bot_api(settings), lease, heard, stop)
        made._introduced = True
        return Here(made, lease, heard, stop)

    return make


@pytest.fixture
def here(make_poller: MakePoller) -> Here:
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


def hold_reason(database: Engine) -> str | None:
    with database.connect() as connection:
        reason: str | None = connection.scalar(text("SELECT hold_reason FROM bot"))
        return reason


def poisoned(database: Engine) -> list[tuple[int, str]]:
    with database.connect() as connection:
        rows = connection.execute(text("SELECT update_id, error FROM poison_update ORDER BY 1"))
        return [(row.update_id, row.error) for row in rows]


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the updates that the handlers were given, in their order."""
    texts: list[str] = []
    monkeypatch.setattr(handlers, "handle", lambda event: texts.append(event.text) or [])
    return texts


# Beginning


def test_the_poller_first_keeps_its_name_and_offers_its_commands_in_both_languages(
    app: Flask, sandbox: Sandbox, here: Here, database: Engine
) -> None:
    here.poller._introduced = False
    before = sandbox.last()
    here.steps(2)
    with database.connect() as connection:
        assert connection.scalar(text("SELECT username FROM bot")) == "gonets_sandbox_bot"
    here.poller._offer_commands()
    calls = sandbox.calls("setMyCommands", since=before)
    offered = {call.parameters.get("language_code", ""): call.parameters for call in calls}
    assert set(offered) == {"", "ru", "be", "uk", "kk"}
    assert "Unlink" in str(offered[""]["commands"])


def test_every_poll_says_which_updates_it_wants(sandbox: Sandbox, here: Here) -> None:
    before = sandbox.last()
    here.steps(2)
    for call in sandbox.calls("getUpdates", since=before):
        wanted = str(call.parameters["allowed_updates"])
        assert all(kind in wanted for kind in ("message", "my_chat_member", "callback_query"))


# Order, offsets, ids


def test_updates_are_handled_by_id_and_confirmed_by_the_next_call(
    make_poller: MakePoller, handled: list[str]
) -> None:
    api = ScriptedApi([[said(9, "third"), said(7, "first"), said(8, "second")], []])
    make_poller(api).steps(2)
    assert handled == ["first", "second", "third"]
    assert api.offsets == [None, 10]


def test_nothing_is_confirmed_before_it_is_done(sandbox: Sandbox, here: Here) -> None:
    sandbox.user("Anna").says("/status")
    here.steps(1)
    assert len(here.heard.replies) == 1
    assert len(sandbox.pending_updates()) == 1
    here.steps(1)
    assert sandbox.pending_updates() == []
    assert len(here.heard.replies) == 1


def test_ids_that_jump_up_and_down_lose_nothing_and_repeat_nothing(
    sandbox: Sandbox, here: Here, handled: list[str]
) -> None:
    anna = sandbox.user("Anna")
    for jump in (None, 5_000_000_000, 17, 900_000_000):
        if jump is not None:
            sandbox.updates_jump_to(jump)
        anna.says(f"after {jump}")
        here.steps(3)
    assert handled == ["after None", "after 5000000000", "after 17", "after 900000000"]
    assert sandbox.pending_updates() == []


def test_a_server_that_takes_no_confirmation_is_not_asked_as_fast_as_it_answers(
    make_poller: MakePoller, handled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_poller(ScriptedApi([[said(7, "once")]] * 4))
    waits: list[float] = []
    monkeypatch.setattr(here.stop, "wait", waits.append)
    here.steps(4)
    assert handled == ["once"]
    assert waits == [0.001, 0.002, 0.004]


@pytest.mark.parametrize(
    "batch", [[5], ["x"], [{}], [{"update_id": "7"}], [{"update_id": 2**70}], {"a": 1}, None, 7]
)
def test_what_is_no_update_at_all_stops_nothing(
    make_poller: MakePoller, handled: list[str], batch: Any
) -> None:
    make_poller(ScriptedApi([batch, [said(8, "next")]])).steps(2)
    assert handled == ["next"]


def test_the_same_update_twice_in_a_batch_is_done_once(
    make_poller: MakePoller, handled: list[str]
) -> None:
    make_poller(ScriptedApi([[said(7, "once"), said(7, "once")]])).steps(1)
    assert handled == ["once"]


# What goes wrong with an update


def test_an_update_that_breaks_its_handler_is_set_aside_without_its_contents(
    sandbox: Sandbox, here: Here, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = handlers.handle

    def handle(event: Any) -> list[Reply]:
        if event.text == "poison":
            raise ValueError("poison and other secrets")
        return real(event)

    monkeypatch.setattr(handlers, "handle", handle)
    anna = sandbox.user("Anna")
    anna.says("/status")
    anna.says("poison")
    anna.says("/status")
    here.steps(2)
    assert len(here.heard.replies) == 2
    assert sandbox.pending_updates() == []
    [(_, error)] = poisoned(database)
    assert error.startswith("ValueError at poller._attempt:")
    assert "secret" not in error


@pytest.mark.parametrize("update", ["message", "press"])
def test_whatever_services_refuse_becomes_an_answer(
    sandbox: Sandbox,
    here: Here,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
    update: str,
) -> None:
    def refuse(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(chats, "owner_of", refuse)
    person = {"id": 5, "is_bot": False, "first_name": "Anna"}
    message = {"message_id": 1, "chat": {"id": 5, "type": "private"}, "from": person, "text": "x"}
    press = {"id": "1", "from": person, "message": message, "data": "undo:1"}
    sandbox.inject({"message": message} if update == "message" else {"callback_query": press})
    here.steps(1)
    [reply] = here.heard.replies
    assert reply.text == words.TROUBLE.en
    assert poisoned(database) == []


def test_an_update_is_no_poison_while_the_database_is_away(
    sandbox: Sandbox, here: Here, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = handlers.handle, [OperationalError("", {}, Exception())] * 3

    def handle(event: Any) -> list[Reply]:
        if failures:
            raise failures.pop()
        return real(event)

    monkeypatch.setattr(handlers, "handle", handle)
    sandbox.user("Anna").says("/status")
    here.steps(1)
    assert len(here.heard.replies) == 1
    assert poisoned(database) == []


def test_an_update_that_cannot_even_be_set_aside_comes_again(
    sandbox: Sandbox, here: Here, monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    def away(*_: Any) -> Any:
        calls.append(1)
        here.lease.held = len(calls) < 20
        if len(calls) > 100:
            pytest.fail("the lease is lost and the update is still being tried")
        raise OperationalError("", {}, Exception())

    calls: list[int] = []
    monkeypatch.setattr(handlers, "handle", away)
    monkeypatch.setattr(polling, "set_aside", away)
    sandbox.user("Anna").says("/status")
    here.steps(1)
    monkeypatch.undo()
    assert len(sandbox.pending_updates()) == 1
    here.lease.held = True
    here.steps(1)
    assert len(here.heard.replies) == 1


def test_a_poller_that_lost_its_lease_leaves_the_rest_of_a_batch_to_the_next(
    make_poller: MakePoller, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = make_poller(ScriptedApi([[said(7), said(8)]]))
    events: list[Any] = []

    def handle(event: Any) -> list[Reply]:
        events.append(event)
        here.lease.held = False
        return []

    monkeypatch.setattr(handlers, "handle", handle)
    here.steps(1)
    assert len(events) == 1


def test_a_stopping_poller_confirms_what_it_did_and_leaves_the_rest(
    sandbox: Sandbox, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Any] = []

    def handle(event: Any) -> list[Reply]:
        events.append(event)
        here.stop.set()
        return []

    monkeypatch.setattr(handlers, "handle", handle)
    anna = sandbox.user("Anna")
    anna.says("first")
    anna.says("second")
    here.poller.run()
    assert [event.text for event in events] == ["first"]
    [left] = sandbox.pending_updates()
    assert left["message"]["text"] == "second"


# What goes wrong with Telegram


@pytest.mark.parametrize(
    "kind",
    ["server_error", "bad_gateway", "gateway_timeout", "garbage", "truncated", "cut_body", "no_ok"]
    + ["null", "cut", "reset", "flood", "conflict", "error"],
)
def test_polling_goes_on_after_whatever_telegram_answers(
    sandbox: Sandbox,
    here: Here,
    database: Engine,
    kind: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(here.stop, "wait", lambda _: False)
    sandbox.user("Anna").says("/status")
    with sandbox.fault(kind, method="getUpdates", times=3):
        here.steps(3)
        assert here.heard.replies == []
        here.steps(1)
    assert len(here.heard.replies) == 1
    assert len([r for r in caplog.records if r.levelname == "WARNING"]) == 1
    assert hold_reason(database) is None


def test_pauses_grow_to_half_a_minute_and_end_with_the_trouble(
    make_poller: MakePoller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poller, "FIRST_PAUSE", 0.5)
    here = make_poller(ScriptedApi([NotSent(None, "refused")] * 8 + [[], NotSent()]))
    waits: list[float] = []
    monkeypatch.setattr(here.stop, "wait", waits.append)
    here.steps(10)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 0.5]


def test_a_webhook_is_removed_and_what_was_pending_is_handled(sandbox: Sandbox, here: Here) -> None:
    sandbox.user("Anna").says("/status")
    answer = requests.post(
        f"{sandbox.url}/bot{sandbox.token}/setWebhook", json={"url": "https://example.org/hook"}
    )
    assert answer.json()["ok"]
    here.steps(2)
    assert len(here.heard.replies) == 1


@pytest.mark.parametrize("kind", ["unauthorized", "not_found"])
def test_a_refused_token_holds_all_sending_until_it_is_accepted(
    sandbox: Sandbox, here: Here, database: Engine, kind: str
) -> None:
    with sandbox.fault(kind, method="getUpdates", times=2):
        here.steps(1)
        assert hold_reason(database) == "bot_rejected"
        here.steps(1)
        assert hold_reason(database) == "bot_rejected"
    with sandbox.fault("cut", method="getUpdates", times=1):
        here.steps(1)
    here.steps(1)
    assert hold_reason(database) is None


def test_linking_works_while_polling_fails_again_and_again(
    sandbox: Sandbox, app: Flask, here: Here, alice: Member, link_token: LinkToken
) -> None:
    anna: User = sandbox.user("Anna")
    anna.says(link_token(alice))
    with sandbox.fault("cut", method="getUpdates", probability=0.5, seed=3):
        for _ in range(20):
            here.steps(1)
    here.steps(2)
    assert owner_of(app, anna) == "alice"
    assert sandbox.pending_updates() == []
