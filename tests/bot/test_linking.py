"""Linking, undoing and unlinking chats by talking to the bot."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.bot import words
from app.services import chats
from app.services.people import TelegramPerson, Visitor
from sandbox.client import Sandbox, wait_for
from tests.bot.conftest import CODE_LINE, NOBODY, LinkedChat, LinkToken, code_heard, owner_of
from tests.conftest import Member
from tests.running import Part

# Linking by token


@pytest.mark.parametrize("form", ["/start {}", "/start@gonets_sandbox_bot {}", "{}", "  {} \n"])
def test_a_link_token_links_the_chat_and_the_answer_names_the_account(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, link_token: LinkToken, form: str
) -> None:
    user = sandbox.user("Anna")
    user.says(form.format(link_token(alice)))
    answer = user.hears("linked")
    assert "alice" in answer.text
    assert [button.text for button in answer.buttons] == [words.NOT_ME.en]
    assert owner_of(app, user) == "alice"


def test_the_same_token_from_the_same_chat_gets_the_same_answer(
    bot: Part, linked_chat: LinkedChat, alice: Member, link_token: LinkToken, sandbox: Sandbox
) -> None:
    token = link_token(alice)
    user = sandbox.user("Anna")
    user.says(f"/start {token}")
    first = user.hears()
    user.says(f"/start {token}")
    assert user.hears().text == first.text


def test_wrong_used_voided_and_expired_tokens_get_one_and_the_same_answer(
    bot: Part,
    sandbox: Sandbox,
    database: Engine,
    alice: Member,
    bob: Member,
    linked_chat: LinkedChat,
    link_token: LinkToken,
) -> None:
    used, expired = link_token(alice), link_token(bob)
    linked_chat(alice)
    with database.connect() as connection:
        connection.execute(text("UPDATE link_token SET expires_at = now() WHERE used_at IS NULL"))
    answers = set()
    for token in (NOBODY, used, expired):
        stranger = sandbox.user("Eve")
        stranger.says(f"/start {token}")
        answers.add(stranger.hears().text)
    assert len(answers) == 1
    assert "does not work" in answers.pop()


def test_a_chat_that_guesses_is_told_to_wait_and_even_the_right_token_is_not_tried(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, link_token: LinkToken
) -> None:
    eve = sandbox.user("Eve")
    for guess in range(5):
        eve.says(f"{guess:064x}")
        eve.hears("does not work")
    eve.says(link_token(alice))
    assert "Try again in 10 min" in eve.hears().text
    assert owner_of(app, eve) is None
    anna = sandbox.user("Anna")
    anna.says(link_token(alice))
    anna.hears("linked")


def test_a_taken_chat_is_refused_without_naming_whose_it_is(
    bot: Part,
    app: Flask,
    alice: Member,
    bob: Member,
    linked_chat: LinkedChat,
    link_token: LinkToken,
) -> None:
    user = linked_chat(alice)
    user.says(link_token(bob))
    refusal = user.hears()
    assert "another account" in refusal.text
    assert "alice" not in refusal.text and "bob" not in refusal.text
    user.says("/stop")
    user.hears("unlinked")
    user.says(link_token(bob))
    user.hears("bob")


def test_of_fifty_chats_that_send_one_token_exactly_one_is_linked(
    bot: Part, sandbox: Sandbox, database: Engine, alice: Member, link_token: LinkToken
) -> None:
    token = link_token(alice)
    users = [sandbox.user(f"User {number}") for number in range(50)]
    for user in users:
        user.says(token)
    answers = [user.hears().text for user in users]
    assert sum("is linked to the account alice" in answer for answer in answers) == 1
    assert sum("does not work" in answer for answer in answers) == 49
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM chat")) == 1


def test_of_fifty_chats_that_redeem_one_token_at_the_same_moment_exactly_one_is_linked(
    app: Flask, database: Engine, alice: Member, link_token: LinkToken
) -> None:
    token, barrier = link_token(alice), threading.Barrier(50)

    def redeem(chat_id: int) -> bool:
        with app.app_context():
            barrier.wait()
            return chats.link_by_token(token, TelegramPerson(chat_id)) is not None

    with ThreadPoolExecutor(50) as threads:
        linked = list(threads.map(redeem, range(1, 51)))
    assert sum(linked) == 1
    with database.connect() as connection:
        rows = connection.scalars(text("SELECT telegram_id FROM chat")).all()
    assert rows == [linked.index(True) + 1]


@pytest.mark.parametrize(
    "extra",
    [
        {"forward_origin": {"type": "hidden_user", "sender_user_name": "Eve", "date": 1}},
        {"forward_date": 1},
        {"via_bot": {"id": 5, "is_bot": True, "first_name": "Other"}},
        {"quote": {"text": "x", "position": 0}},
        {"external_reply": {"origin": {"type": "hidden_user"}}},
        {"entities": [{"type": "blockquote", "offset": 0, "length": 64}]},
    ],
    ids=lambda extra: next(iter(extra)),
)
def test_a_forwarded_or_quoted_token_is_refused_with_a_clear_word(
    bot: Part,
    sandbox: Sandbox,
    app: Flask,
    alice: Member,
    link_token: LinkToken,
    extra: dict[str, object],
) -> None:
    user = sandbox.user("Anna")
    user.says(link_token(alice), extra=extra)
    assert "forwarded or quoted" in user.hears().text
    assert owner_of(app, user) is None


def test_a_token_among_words_or_with_a_character_too_many_is_asked_for_alone(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, link_token: LinkToken
) -> None:
    user = sandbox.user("Anna")
    token = link_token(alice)
    for almost in (f"token: {token}", token.upper(), f"{token}0", token[:-1], f"/start {token}0"):
        user.says(almost)
        assert "Send the token itself" in user.hears().text
    assert owner_of(app, user) is None


# Linking by code


def test_the_first_answer_has_the_code_alone_on_a_line_and_a_button_that_copies_it(
    bot: Part, sandbox: Sandbox
) -> None:
    user = sandbox.user("Anna")
    user.says("/start")
    answer = user.hears()
    found = CODE_LINE.findall(answer.text)
    assert len(found) == 1
    assert [button.copy_text for button in answer.buttons] == found


@pytest.mark.parametrize("said", ["/start", "/start hello", "/code", "hi", "ты кто?", "/unknown"])
def test_anything_written_in_an_unlinked_chat_is_answered_with_its_code(
    bot: Part, sandbox: Sandbox, alice: Member, app: Flask, said: str
) -> None:
    user = sandbox.user("Anna")
    user.says(said)
    code = code_heard(user)
    user.says("/code")
    assert code_heard(user) == code
    with app.app_context():
        chats.link_by_code(alice.person, code.lower(), Visitor())
    assert "alice" in user.hears("linked").text


def test_linking_by_code_tells_the_chat_within_two_seconds_and_its_button_undoes_it(
    bot: Part, sandbox: Sandbox, app: Flask, database: Engine, alice: Member
) -> None:
    user = sandbox.user("Anna")
    user.says("/start")
    code = code_heard(user)
    with app.app_context():
        chats.link_by_code(alice.person, code, Visitor())
    told = user.hears("linked to the account alice", within=2)
    press = user.presses(words.NOT_ME.en, under=told)
    assert press.answer() == words.UNDONE_BRIEFLY.en
    assert owner_of(app, user) is None
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM notice")) == 0


# The button


def test_the_button_undoes_the_link_and_the_message_says_so(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    press = user.presses(words.NOT_ME.en)
    assert press.answer() == words.UNDONE_BRIEFLY.en
    wait_for(lambda: "Undone" in user.messages()[-1].text)
    assert user.messages()[-1].buttons == []
    assert owner_of(app, user) is None


def test_the_button_of_an_earlier_link_does_not_undo_a_later_one(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat, link_token: LinkToken
) -> None:
    user = linked_chat(alice)
    first = user.messages()[-1]
    user.says("/stop")
    user.hears("unlinked")
    with app.app_context():
        user.says(link_token(alice))
    user.hears("linked")
    assert user.presses(words.NOT_ME.en, under=first).answer() == words.NOTHING_TO_UNDO.en
    assert owner_of(app, user) == "alice"


@pytest.mark.parametrize("data", ["undo:", "undo:999999999999999999", "undo:x", "", "other:1"])
def test_every_press_is_answered_whatever_its_data(
    bot: Part, sandbox: Sandbox, alice: Member, linked_chat: LinkedChat, app: Flask, data: str
) -> None:
    user = linked_chat(alice)
    message = user.messages()[-1]
    person = {"id": user.id, "is_bot": False, "first_name": "Anna", "language_code": "en"}
    press = {"id": "77", "from": person, "message": message.raw, "data": data}
    before = sandbox.last()
    sandbox.inject({"callback_query": press})
    answers = wait_for(lambda: sandbox.calls("answerCallbackQuery", since=before))
    assert answers[0].parameters["text"] == words.NOTHING_TO_UNDO.en
    assert owner_of(app, user) == "alice"


def test_somebody_else_cannot_press_the_button_of_a_chat(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    message = user.messages()[-1]
    eve = {"id": sandbox.user("Eve").id, "is_bot": False, "first_name": "Eve"}
    data = message.buttons[0].data
    sandbox.inject(
        {"callback_query": {"id": "78", "from": eve, "message": message.raw, "data": data}}
    )
    wait_for(lambda: not sandbox.pending_updates())
    assert owner_of(app, user) == "alice"


# Relinking and unlinking


def test_relinking_tells_the_former_chat(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    former = linked_chat(alice)
    latter = linked_chat(alice)
    told = former.hears("another chat", within=2)
    assert "alice" in told.text and "password" in told.text
    assert owner_of(app, former) is None
    assert owner_of(app, latter) == "alice"


def test_unlinking_in_the_cabinet_tells_the_chat(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    with app.app_context():
        chats.unlink(alice.person, Visitor())
    assert "alice" in user.hears("unlinked", within=2).text


def test_stop_unlinks_and_says_from_which_account(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    user.says("/stop")
    assert "alice" in user.hears("unlinked").text
    assert owner_of(app, user) is None
    user.says("/stop")
    assert "linked to no account" in user.hears().text
