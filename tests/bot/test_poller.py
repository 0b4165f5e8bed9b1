"""The polling loop, step by step in this process, over the real sandbox and database."""

from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine, text

from app.bot import poller
from app.telegram import NotSent
from sandbox.client import Sandbox, User
from tests.bot.conftest import Here, LinkToken, MakePoller, ScriptedApi, owner_of, said
from tests.conftest import Logged, Member

pytestmark = pytest.mark.usefixtures("no_poller")


def hold_reason(database: Engine) -> str | None:
    with database.connect() as connection:
        reason: str | None = connection.scalar(text("SELECT hold_reason FROM bot"))
        return reason


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
    logged: Logged,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(here.stop, "wait", lambda _: False)
    sandbox.user("Anna").says("/status")
    with sandbox.fault(kind, method="getUpdates", times=3):
        here.steps(3)
        assert here.heard.replies == []
        here.steps(1)
    assert len(here.heard.replies) == 1
    assert len([entry for entry in logged if entry["log_level"] == "warning"]) == 1
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
