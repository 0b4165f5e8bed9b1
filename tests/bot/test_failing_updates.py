"""Updates that cannot be handled, or not now: set aside, answered, or left to come again."""

from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.bot import handlers, words
from app.bot.replies import Reply
from app.errors import Unavailable
from app.services import chats, polling
from sandbox.client import Sandbox
from tests.bot.conftest import Here, MakePoller, ScriptedApi, said

pytestmark = pytest.mark.usefixtures("no_poller")

GONE = OperationalError("", {}, psycopg2.OperationalError("gone"))


def poisoned(database: Engine) -> list[tuple[int, str]]:
    with database.connect() as connection:
        rows = connection.execute(text("SELECT update_id, error FROM poison_update ORDER BY 1"))
        return [(row.update_id, row.error) for row in rows]


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
    real, failures = handlers.handle, [GONE] * 3

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
        raise GONE

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
