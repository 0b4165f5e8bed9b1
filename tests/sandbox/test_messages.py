"""sendMessage and its relatives: what is accepted, what is refused, with Telegram's own words."""

from typing import Any

import pytest

from sandbox.client import Sandbox, User
from tests.sandbox.conftest import Bot

KEYBOARD = {"inline_keyboard": [[{"text": "Undo", "callback_data": "undo:1"}]]}


def test_a_message_appears_in_the_chat_and_in_the_journal(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    message = bot.ask("sendMessage", chat_id=anna.id, text="hello", disable_notification=True)
    assert message["from"]["is_bot"] and message["chat"]["first_name"] == "Anna"
    [line] = sandbox.journal()
    assert (line.chat_id, line.message_id, line.text) == (anna.id, message["message_id"], "hello")
    assert line.silent is True
    assert anna.received() == ["hello"]
    assert sandbox.calls("sendmessage")[0].accepted == line.n


def test_message_ids_grow_in_each_chat_by_itself(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    boris = sandbox.user("Boris", wrote_first=True)
    ids = [bot.ask("sendMessage", chat_id=who.id, text="x")["message_id"] for who in (anna, boris)]
    assert ids == [1, 1]
    assert anna.says("hi").message_id == 2
    assert bot.ask("sendMessage", chat_id=anna.id, text="x")["message_id"] == 3


def test_a_bot_can_not_write_first(sandbox: Sandbox, bot: Bot) -> None:
    stranger = sandbox.user("Stranger")
    refusal = (400, "Bad Request: chat not found")
    assert bot.refusal("sendMessage", chat_id=stranger.id, text="x") == refusal
    assert bot.refusal("sendMessage", chat_id=1, text="x") == refusal
    assert bot.refusal("sendMessage", chat_id=10**30, text="x") == refusal
    assert bot.refusal("sendMessage", chat_id="@nobody", text="x") == refusal
    stranger.says("hello")
    assert bot.ask("sendMessage", chat_id=stranger.id, text="x")


@pytest.mark.parametrize(
    ("parameters", "description"),
    [
        ({"text": ""}, "message text is empty"),
        ({}, "message text is empty"),
        ({"text": " \n\t "}, "message text is empty"),
        ({"text": "x" * 4097}, "message is too long"),
        ({"text": "😀" * 4097}, "message is too long"),
        ({"text": "x" * 32769}, "text is too long"),
        ({"text": "\ud800"}, "strings must be encoded in UTF-8"),
        ({"text": "x", "chat_id": ""}, "chat_id is empty"),
        ({"text": "x", "reply_markup": "{"}, "can't parse reply markup JSON object"),
        ({"text": "x", "reply_markup": "[]"}, "object expected as reply markup"),
        ({"text": "<b>x", "parse_mode": "HTML"}, "can't parse entities: Can't find end tag"),
        ({"text": "<x>y</x>", "parse_mode": "HTML"}, "can't parse entities: Unsupported start"),
    ],
)
def test_a_bad_message_is_refused_with_telegrams_words(
    bot: Bot, anna: User, sandbox: Sandbox, parameters: dict[str, Any], description: str
) -> None:
    code, words = bot.refusal("sendMessage", **{"chat_id": anna.id, **parameters})
    assert code == 400 and words.startswith(f"Bad Request: {description}")
    assert sandbox.journal() == []


def test_length_counts_characters_or_on_demand_utf16_units(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    assert bot.ask("sendMessage", chat_id=anna.id, text="😀" * 4096)
    sandbox.remote.post("/sandbox/settings", count_utf16=True)
    assert bot.ask("sendMessage", chat_id=anna.id, text="😀" * 2048)
    refused = bot.refusal("sendMessage", chat_id=anna.id, text="😀" * 2049)
    assert refused == (400, "Bad Request: message is too long")


def test_a_text_is_no_markup_unless_it_says_so(bot: Bot, anna: User) -> None:
    text = '<b>1 < 2 & "_x_" </i>'
    message = bot.ask("sendMessage", chat_id=anna.id, text=text)
    assert message["text"] == text and "entities" not in message


def test_html_becomes_entities_in_utf16_units(bot: Bot, anna: User) -> None:
    text = "😀 <b>bold <code>7K</code></b> &lt;"
    message = bot.ask("sendMessage", chat_id=anna.id, text=text, parse_mode="HTML")
    assert message["text"] == "😀 bold 7K <"
    assert message["entities"] == [
        {"type": "bold", "offset": 3, "length": 7},
        {"type": "code", "offset": 8, "length": 2},
    ]


def test_white_space_around_a_text_is_dropped_as_telegram_does(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    assert bot.ask("sendMessage", chat_id=anna.id, text="\n  hi  ")["text"] == "hi"
    assert sandbox.journal()[0].text == "\n  hi  "


def test_a_blocked_bot_gets_a_403_until_it_is_unblocked(bot: Bot, anna: User) -> None:
    anna.blocks()
    refused = bot.refusal("sendMessage", chat_id=anna.id, text="x")
    assert refused == (403, "Forbidden: bot was blocked by the user")
    anna.unblocks()
    assert bot.ask("sendMessage", chat_id=anna.id, text="x")


def test_a_deleted_account_is_a_403(bot: Bot, anna: User) -> None:
    anna.deletes_account()
    refused = bot.refusal("sendMessage", chat_id=anna.id, text="x")
    assert refused == (403, "Forbidden: user is deactivated")


def test_groups_and_channels_refuse_in_their_own_words(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    group, bigger = sandbox.group(), sandbox.group("Bigger", type="supergroup")
    assert bot.ask("sendMessage", chat_id=group.id, text="x")["chat"]["title"] == "Family"
    group.upgrades_to(bigger)
    answer = bot.call("sendMessage", chat_id=group.id, text="x").json()
    assert answer["parameters"] == {"migrate_to_chat_id": bigger.id}
    assert "upgraded to a supergroup" in answer["description"]
    bigger.throws_bot_out(by=anna)
    refused = bot.refusal("sendMessage", chat_id=bigger.id, text="x")
    assert refused == (403, "Forbidden: bot was kicked from the supergroup chat")
    channel = sandbox.channel()
    assert bot.ask("sendMessage", chat_id=channel.id, text="post")["chat"]["type"] == "channel"
    assert channel.received() == ["post"]


def test_a_message_can_be_edited_and_loses_its_buttons(bot: Bot, anna: User) -> None:
    sent = bot.ask("sendMessage", chat_id=anna.id, text="one", reply_markup=KEYBOARD)
    assert anna.messages()[0].buttons[0].data == "undo:1"
    where = {"chat_id": anna.id, "message_id": sent["message_id"]}
    edited = bot.ask("editMessageText", **where, text="two")
    assert edited["text"] == "two" and "reply_markup" not in edited and edited["edit_date"]
    code, words = bot.refusal("editMessageText", **where, text="two")
    assert code == 400 and words.startswith("Bad Request: message is not modified: specified new")
    with_keys = bot.ask("editMessageReplyMarkup", **where, reply_markup=KEYBOARD)
    assert with_keys["reply_markup"] == KEYBOARD and with_keys["text"] == "two"
    assert anna.received() == ["two"]


def test_a_bot_edits_only_its_own_messages(bot: Bot, anna: User) -> None:
    mine = anna.says("mine")
    where = {"chat_id": anna.id, "message_id": mine.message_id}
    refused = bot.refusal("editMessageText", **where, text="x")
    assert refused == (400, "Bad Request: message can't be edited")
    gone = bot.refusal("editMessageText", chat_id=anna.id, message_id=99, text="x")
    assert gone == (400, "Bad Request: message to edit not found")


def test_a_deleted_message_is_gone(bot: Bot, anna: User) -> None:
    sent = bot.ask("sendMessage", chat_id=anna.id, text="x")
    where = {"chat_id": anna.id, "message_id": sent["message_id"]}
    assert bot.ask("deleteMessage", **where) is True
    assert anna.received() == []
    assert bot.refusal("deleteMessage", **where) == (
        400,
        "Bad Request: message to delete not found",
    )


@pytest.mark.parametrize(
    "button",
    [
        {},
        {"text": "x"},
        {"text": "", "callback_data": "x"},
        {"text": "x", "callback_data": "я" * 33},
    ],
)
def test_a_bad_button_is_refused(bot: Bot, anna: User, button: dict[str, str]) -> None:
    keyboard = {"inline_keyboard": [[button]]}
    code, _ = bot.refusal("sendMessage", chat_id=anna.id, text="x", reply_markup=keyboard)
    assert code == 400


def test_a_reply_quotes_what_it_answers(bot: Bot, anna: User) -> None:
    question = anna.says("?")
    reply = {"message_id": question.message_id}
    sent = bot.ask("sendMessage", chat_id=anna.id, text="!", reply_parameters=reply)
    assert sent["reply_to_message"]["text"] == "?"
    lost = bot.refusal("sendMessage", chat_id=anna.id, text="!", reply_parameters={"message_id": 9})
    assert lost == (400, "Bad Request: message to be replied not found")


def test_commands_are_kept_by_language(bot: Bot) -> None:
    english, russian = (
        [{"command": "help", "description": "Help"}],
        [{"command": "help", "description": "Помощь"}],
    )
    bot.ask("setMyCommands", commands=english)
    bot.ask("setMyCommands", commands=russian, language_code="ru")
    assert bot.ask("getMyCommands") == english
    assert bot.ask("getMyCommands", language_code="ru") == russian
    assert bot.ask("getMyCommands", language_code="de") == []


def test_chat_actions_need_an_open_chat(bot: Bot, anna: User) -> None:
    assert bot.ask("sendChatAction", chat_id=anna.id, action="typing") is True
    assert bot.refusal("sendChatAction", chat_id=1, action="typing")[0] == 400
