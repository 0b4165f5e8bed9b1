"""telebot, unchanged, as the client."""

from collections.abc import Iterator

import pytest
import telebot
from telebot import apihelper, types
from telebot.apihelper import ApiTelegramException

from sandbox.client import Sandbox, User


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[telebot.TeleBot]:
    """A TeleBot that speaks to the sandbox the way telebot does: everything in the URL."""
    monkeypatch.setattr(apihelper, "API_URL", sandbox.url + "/bot{0}/{1}")
    # The application, when it is in the same process, has put its own sender there.
    monkeypatch.setattr(apihelper, "CUSTOM_REQUEST_SENDER", None)
    yield telebot.TeleBot(sandbox.token, threaded=False)
    apihelper._get_req_session(reset=True)


def test_telebot_reads_what_it_gets(client: telebot.TeleBot, anna: User) -> None:
    assert client.get_me().is_bot
    anna.says("/start abc")
    [update] = client.get_updates(timeout=1)
    assert update.message.text == "/start abc"
    keyboard = types.InlineKeyboardMarkup()
    keyboard.add(types.InlineKeyboardButton("Undo", callback_data="undo:1"))
    sent = client.send_message(anna.id, "😀" * 4096, reply_markup=keyboard)
    assert sent.text == "😀" * 4096 and sent.chat.id == anna.id
    press = anna.presses("Undo")
    [query] = [u.callback_query for u in client.get_updates(offset=update.update_id + 1)]
    client.answer_callback_query(query.id, "Undone")
    assert press.answer() == "Undone"
    assert client.edit_message_text("edited", anna.id, sent.message_id).text == "edited"
    assert client.delete_message(anna.id, sent.message_id)
    anna.blocks()
    [told] = [u.my_chat_member for u in client.get_updates(offset=update.update_id + 2)]
    assert told.new_chat_member.status == "kicked"


def test_telebot_polls_and_answers(client: telebot.TeleBot, sandbox: Sandbox, anna: User) -> None:
    def echo(message: types.Message) -> None:
        client.reply_to(message, f"echo {message.text}")
        client.stop_polling()

    client.message_handler(func=lambda message: True)(echo)
    anna.says("hello")
    client.polling(timeout=1, long_polling_timeout=1)
    assert anna.hears().text == "echo hello"


def test_telebot_reads_refusals(client: telebot.TeleBot, sandbox: Sandbox, anna: User) -> None:
    sandbox.fault("flood", retry_after=7, times=1)
    with pytest.raises(ApiTelegramException) as caught:
        client.send_message(anna.id, "x")
    assert caught.value.error_code == 429
    assert caught.value.result_json["parameters"]["retry_after"] == 7


def test_telebot_cannot_parse_a_bare_message_though_it_arrived(
    client: telebot.TeleBot, sandbox: Sandbox, anna: User
) -> None:
    sandbox.fault("bare_message", times=1)
    with pytest.raises((KeyError, TypeError)):
        client.send_message(anna.id, "x")
    assert anna.received() == ["x"]
