"""What people can do, and the updates it makes."""

import pytest

from sandbox.client import Sandbox, SandboxError, User
from sandbox.limits import Rates
from tests.sandbox.conftest import Bot

KEYBOARD = {"inline_keyboard": [[{"text": "Undo", "callback_data": "undo:1"}]]}


def test_the_first_words_open_the_chat_and_carry_the_language(sandbox: Sandbox, bot: Bot) -> None:
    boris = sandbox.user("Boris", language_code="ru", username="boris")
    boris.says("/start abc")
    [update] = bot.ask("getUpdates")
    message = update["message"]
    assert message["text"] == "/start abc"
    assert message["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]
    assert message["from"]["language_code"] == "ru" and message["from"]["username"] == "boris"
    assert message["chat"] == {
        "id": boris.id,
        "type": "private",
        "first_name": "Boris",
        "username": "boris",
    }


def test_a_press_reaches_the_bot_and_its_notice_comes_back(bot: Bot, anna: User) -> None:
    bot.ask("sendMessage", chat_id=anna.id, text="linked", reply_markup=KEYBOARD)
    press = anna.presses("Undo")
    query = bot.ask("getUpdates")[-1]["callback_query"]
    assert query["data"] == "undo:1" and query["message"]["text"] == "linked"
    assert query["from"]["id"] == anna.id
    bot.ask("answerCallbackQuery", callback_query_id=query["id"], text="Undone")
    assert press.answer() == "Undone"
    code, words = bot.refusal("answerCallbackQuery", callback_query_id="1")
    assert (code, words[:36]) == (400, "Bad Request: query is too old and re")


def test_a_button_is_found_by_its_data_too_and_a_missing_one_is_an_error(
    bot: Bot, anna: User
) -> None:
    bot.ask("sendMessage", chat_id=anna.id, text="linked", reply_markup=KEYBOARD)
    anna.presses("undo:1")
    with pytest.raises(SandboxError, match="no button 'Redo'"):
        anna.presses("Redo")


def test_a_press_nobody_answers_runs_out_of_patience(bot: Bot, anna: User) -> None:
    bot.ask("sendMessage", chat_id=anna.id, text="linked", reply_markup=KEYBOARD)
    with pytest.raises(TimeoutError):
        anna.presses("Undo").answer(within=0.1)


def test_strange_messages_can_be_sent(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    boris = sandbox.user("Boris")
    robot = sandbox.user("Robot", is_bot=True)
    group, channel = sandbox.group(), sandbox.channel()
    anna.sends_sticker("🦊")
    anna.says("not mine", forwarded_from=boris)
    anna.edits(anna.says("frist"), "first")
    anna.says("x", extra={"message_thread_id": 5}, entities=[])
    robot.says("beep")
    group.writes("/start@gonets_sandbox_bot abc", by=boris)
    channel.posts("news")
    updates = bot.ask("getUpdates")
    assert updates[0]["message"]["sticker"]["emoji"] == "🦊" and "text" not in updates[0]["message"]
    assert updates[1]["message"]["forward_origin"]["sender_user"]["id"] == boris.id
    assert updates[3]["edited_message"]["text"] == "first"
    assert updates[4]["message"]["message_thread_id"] == 5
    assert updates[5]["message"]["from"]["is_bot"] is True
    assert updates[6]["message"]["chat"]["type"] == "group"
    assert updates[7]["channel_post"]["sender_chat"]["title"] == "News"
    assert "from" not in updates[7]["channel_post"]


def test_hearing_takes_one_message_after_another_and_skips_what_was_before(
    bot: Bot, anna: User
) -> None:
    bot.ask("sendMessage", chat_id=anna.id, text="old")
    anna.says("new question")
    for text in ("one", "two", "three"):
        bot.ask("sendMessage", chat_id=anna.id, text=text)
    assert anna.hears().text == "one"
    assert anna.hears("three").text == "three"
    with pytest.raises(TimeoutError, match="received"):
        anna.hears(within=0.1)


def test_who_blocked_the_bot_can_not_write_to_it(anna: User) -> None:
    anna.blocks()
    with pytest.raises(SandboxError, match="unblock"):
        anna.says("hello?")


def test_a_typo_in_a_control_call_is_an_error(sandbox: Sandbox) -> None:
    for path, fields in (
        ("/sandbox/people", {"first_name": "X", "langauge": "ru"}),
        ("/sandbox/people", {"first_name": 5}),
        ("/sandbox/people", {}),
        ("/sandbox/faults", {"kind": "flod"}),
        ("/sandbox/faults", {"kind": "flood", "retry": 5}),
        ("/sandbox/limits", {"chat_rate": "fast"}),
        ("/sandbox/chats", {"type": "private", "title": "X"}),
        ("/sandbox/nothing", {}),
        ("/sandbox/chats/1/messages", {"text": "x"}),
    ):
        with pytest.raises(SandboxError):
            sandbox.remote.send(path, fields)


def test_a_reset_is_a_new_start_in_which_numbers_go_on(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    bot.ask("sendMessage", chat_id=anna.id, text="x")
    sandbox.fault("cut")
    sandbox.limits(Rates(enforced=True, chat_burst=1))
    last = sandbox.last()
    sandbox.reset()
    assert sandbox.journal() == [] and sandbox.pending_updates() == []
    assert bot.refusal("sendMessage", chat_id=anna.id, text="x")[0] == 400
    assert sandbox.calls()[0].n > last
    again = sandbox.user("Anna", wrote_first=True)
    assert again.id != anna.id
    for _ in range(5):
        assert bot.ask("sendMessage", chat_id=again.id, text="x")
