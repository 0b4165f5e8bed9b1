"""What people write to the bot in their chats and what it answers."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.bot import words
from app.services import chats
from sandbox.client import Sandbox, wait_for
from tests.bot.conftest import NOBODY, LinkedChat, LinkToken, code_heard, received_by
from tests.conftest import Member
from tests.running import Part

# Commands


def test_status_and_start_tell_to_which_account_a_chat_is_linked(
    bot: Part, sandbox: Sandbox, alice: Member, linked_chat: LinkedChat
) -> None:
    stranger = sandbox.user("Eve")
    stranger.says("/status")
    assert "linked to no account" in stranger.hears().text
    user = linked_chat(alice)
    for said in ("/status", "/start", "/STATUS@gonets_sandbox_bot"):
        user.says(said)
        assert "linked to the account alice" in user.hears().text


def test_help_names_every_command(bot: Part, sandbox: Sandbox) -> None:
    user = sandbox.user("Anna")
    user.says("/help")
    answer = user.hears().text
    assert all(f"/{name}" in answer for name in words.COMMANDS)


# Received texts


def test_a_text_in_a_linked_chat_is_kept_as_a_received_message(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    user.says("привет, сервер 🙂")
    assert "alice" in user.hears("Kept").text
    user.says("/not a command of ours")
    wait_for(lambda: len(received_by(app, alice)) == 2)
    assert received_by(app, alice) == ["привет, сервер 🙂", "/not a command of ours"]


def test_the_receipt_is_not_repeated_with_each_text(
    bot: Part, app: Flask, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    for number in range(5):
        user.says(f"text {number}")
    wait_for(lambda: len(received_by(app, alice)) == 5)
    user.says("/status")
    user.hears("linked")
    assert sum("Kept" in said for said in user.received()) == 1


def test_commands_edits_and_what_looks_like_a_token_are_never_kept(
    bot: Part,
    app: Flask,
    alice: Member,
    bob: Member,
    linked_chat: LinkedChat,
    link_token: LinkToken,
) -> None:
    user = linked_chat(alice)
    message = user.says("kept once")
    user.hears("Kept")
    user.edits(message, "changed later")
    for said in ("/status", "/code", link_token(bob), f"see {link_token(bob)}", NOBODY[:61]):
        user.says(said)
        user.hears()
    user.says(link_token(bob), extra={"forward_date": 1})
    user.hears("forwarded")
    assert received_by(app, alice) == ["kept once"]


def test_a_text_over_the_quota_or_the_length_is_refused_and_said_so(
    bot: Part, app: Flask, database: Engine, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    user.says("x" * 20001)
    user.hears("Not kept")
    user.says("the first of a thousand")
    wait_for(lambda: received_by(app, alice))
    with database.connect() as connection:
        columns = '"limit", subject, at'
        many = f"INSERT INTO hit ({columns}) SELECT {columns} FROM hit, generate_series(2, 1000)"
        connection.execute(text(many))
    user.says("one more")
    user.says("/status")
    user.hears("linked")
    assert received_by(app, alice) == ["the first of a thousand"]


# Blocking


def test_blocking_holds_and_unblocking_releases(
    bot: Part, database: Engine, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)

    def hold_reason() -> str | None:
        with database.connect() as connection:
            reason: str | None = connection.scalar(text("SELECT hold_reason FROM lane"))
            return reason

    assert hold_reason() is None
    user.blocks()
    wait_for(lambda: hold_reason() == "blocked")
    user.unblocks()
    wait_for(lambda: hold_reason() is None)


def test_whoever_writes_has_unblocked_the_bot(
    bot: Part, app: Flask, database: Engine, alice: Member, linked_chat: LinkedChat
) -> None:
    user = linked_chat(alice)
    with app.app_context():
        chats.blocked(user.id)
    user.says("/start")
    user.hears("linked")
    with app.app_context():
        owner = chats.owner_of(user.id)
    assert owner is not None and not owner.blocked


# Languages


@pytest.mark.parametrize(
    ("code", "russian"),
    [("ru", True), ("be", True), ("uk", True), ("kk", True), ("ru-RU", True)]
    + [("en", False), ("de", False), ("", False), ("rus", False), ("xx-ru", False)],
)
def test_the_bot_speaks_russian_to_those_who_read_it_and_english_to_the_rest(
    bot: Part, sandbox: Sandbox, code: str, russian: bool
) -> None:
    user = sandbox.user("Anna", language_code=code)
    user.says("/status")
    assert ("не привязан" in user.hears().text) is russian


# Secrets


def test_no_log_line_has_a_token_a_code_or_a_text(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, link_token: LinkToken
) -> None:
    token, user = link_token(alice), sandbox.user("Anna")
    user.says("/code")
    code = code_heard(user)
    user.says(token)
    user.hears("linked")
    user.says("a text that is nobody's business")
    user.hears("Kept")
    log = bot.log()
    for secret in (token, token[:16], code, "nobody's business", sandbox.token):
        assert secret not in log
