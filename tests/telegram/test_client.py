"""The methods of the Bot API, over HTTP to the sandbox."""

from time import monotonic

import pytest
from telebot import apihelper

from app.telegram import Ambiguous, BotApi, BotBroken, NotSent, Ok, OtherPoller, Sent, WebhookActive
from sandbox.client import Sandbox


@pytest.fixture
def api(sandbox: Sandbox) -> BotApi:
    return BotApi(sandbox.token, sandbox.url)


@pytest.mark.parametrize("body", ["a+b=1 & 100% <b>\"'", "😀" * 4096, " spaced ", "\u202ertl"])
def test_a_text_arrives_as_it_is(api: BotApi, sandbox: Sandbox, body: str) -> None:
    sandbox.remote.post("/sandbox/settings", count_utf16=False)
    anna = sandbox.user(wrote_first=True)
    outcome = api.send(anna.id, body)
    [line] = sandbox.journal()
    assert outcome == Sent(200, None, line.message_id)
    assert line.text == body


def test_silence_and_buttons_arrive(api: BotApi, sandbox: Sandbox) -> None:
    anna = sandbox.user(wrote_first=True)
    api.send(anna.id, "hello", silent=True, keyboard=[[{"text": "Undo", "callback_data": "u:1"}]])
    assert sandbox.journal()[0].silent
    assert anna.hears("hello").buttons[0].data == "u:1"


def test_a_message_is_edited_once_and_again(api: BotApi, sandbox: Sandbox) -> None:
    anna = sandbox.user(wrote_first=True)
    sent = api.send(anna.id, "before")
    assert isinstance(sent, Sent)
    for _ in range(2):  # the second time Telegram says that nothing is modified
        assert isinstance(api.edit_message(anna.id, sent.message_id, "after"), Ok)
    assert anna.received() == ["after"]


def test_a_press_is_answered(api: BotApi, sandbox: Sandbox) -> None:
    anna = sandbox.user(wrote_first=True)
    api.send(anna.id, "hello", keyboard=[[{"text": "Undo", "callback_data": "u:1"}]])
    press = anna.presses("Undo")
    updates = api.get_updates(None, 1)
    assert isinstance(updates, Ok)
    callback = next(u["callback_query"] for u in updates.result if "callback_query" in u)
    assert isinstance(api.answer_callback(callback["id"], "done"), Ok)
    assert press.answer() == "done"


def test_updates_come_raw_and_are_confirmed_by_the_next_offset(
    api: BotApi, sandbox: Sandbox
) -> None:
    anna = sandbox.user()
    anna.says("one")
    anna.says("two")
    updates = api.get_updates(None, 1)
    assert isinstance(updates, Ok)
    assert [u["message"]["text"] for u in updates.result] == ["one", "two"]
    last = updates.result[-1]["update_id"]
    sandbox.inject({"message": "not even an object"})
    strange = api.get_updates(last + 1, 1)
    assert isinstance(strange, Ok)
    assert [u["message"] for u in strange.result] == ["not even an object"]


def test_who_the_bot_is(api: BotApi, sandbox: Sandbox) -> None:
    me = api.get_me()
    assert isinstance(me, Ok)
    assert me.result["is_bot"]


def test_a_webhook_is_told_from_another_poller_and_can_be_deleted(
    api: BotApi, sandbox: Sandbox
) -> None:
    with sandbox.fault("conflict", method="getUpdates", times=1):
        assert isinstance(api.get_updates(None, 1), OtherPoller)
    api._call(apihelper.set_webhook, monotonic() + 5, url="https://example.org/hook")
    assert isinstance(api.get_updates(None, 1), WebhookActive)
    assert isinstance(api.delete_webhook(), Ok)
    assert isinstance(api.get_updates(None, 1), Ok)


def test_commands_are_set(api: BotApi, sandbox: Sandbox) -> None:
    assert isinstance(api.set_commands({"help": "What I can do"}), Ok)
    assert isinstance(api.set_commands({"help": "Что я умею"}, "ru"), Ok)


def test_a_wrong_token_is_the_bots_fault(sandbox: Sandbox) -> None:
    outcome = BotApi("1:wrong", sandbox.url).send(1, "text")
    assert isinstance(outcome, BotBroken)


def test_two_clients_in_one_process_do_not_mix_their_servers(sandbox: Sandbox) -> None:
    here, nowhere = BotApi(sandbox.token, sandbox.url), BotApi("1:x", "http://127.0.0.1:1")
    assert isinstance(nowhere.get_me(), NotSent)
    assert isinstance(here.get_me(), Ok)
    assert isinstance(nowhere.get_me(), NotSent)


@pytest.mark.parametrize(
    "kind", ["garbage", "truncated", "null", "no_ok", "empty_result", "cut_body"]
)
def test_a_success_that_cannot_be_read_is_ambiguous(
    api: BotApi, sandbox: Sandbox, kind: str
) -> None:
    anna = sandbox.user(wrote_first=True)
    with sandbox.fault(kind, accepted=True):
        assert isinstance(api.send(anna.id, "text"), Ambiguous)


def test_a_success_with_nothing_but_its_id_is_a_success(api: BotApi, sandbox: Sandbox) -> None:
    anna = sandbox.user(wrote_first=True)
    with sandbox.fault("bare_message"):
        assert isinstance(api.send(anna.id, "text"), Sent)
