"""Updates that are none of the bot's business, or broken: nothing crashes, nothing is linked."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import chats
from sandbox.client import Sandbox, wait_for
from tests.bot.conftest import LinkToken
from tests.conftest import Member
from tests.running import Part


def test_groups_and_channels_link_nothing_and_hear_at_most_one_neutral_word(
    bot: Part, sandbox: Sandbox, database: Engine, alice: Member, link_token: LinkToken
) -> None:
    token = link_token(alice)
    anna = sandbox.user("Anna")
    group, channel = sandbox.group(), sandbox.channel()
    big = sandbox.group("Many", type="supergroup")
    for place in (group, big):
        for said in (f"/start {token}", token, "/code", "/stop", "hello"):
            place.writes(said, by=anna)
    channel.posts(token)
    group.throws_bot_out(by=anna)
    anna.says("/status")
    anna.hears("no account")
    assert len(group.received()) <= 1 and len(big.received()) <= 1
    assert all("private chats only" in said for said in group.received() + big.received())
    assert channel.received() == []
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM chat")) == 0
        assert connection.scalar(text("SELECT count(*) FROM link_code")) == 0


def test_stickers_get_one_neutral_word_in_a_few_seconds(bot: Part, sandbox: Sandbox) -> None:
    user = sandbox.user("Anna")
    for _ in range(10):
        user.sends_sticker()
    user.says("/status")
    user.hears("no account")
    assert sum("text only" in said for said in user.received()) == 1


def test_a_flood_from_one_chat_is_answered_sparingly_and_delays_nobody(
    bot: Part, sandbox: Sandbox
) -> None:
    eve, anna = sandbox.user("Eve"), sandbox.user("Anna")
    for number in range(200):
        eve.says(f"spam {number}")
    anna.says("/status")
    anna.hears("no account", within=10)
    assert len(eve.received()) <= 30


MESSAGE = {"message_id": 7, "date": 0, "text": "/start"}
EVE = {"id": 4242, "is_bot": False, "first_name": "Eve"}
PRIVATE = {"id": 4242, "type": "private", "first_name": "Eve"}


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE | {"chat": PRIVATE},
        MESSAGE | {"chat": PRIVATE, "from": EVE | {"is_bot": True}},
        MESSAGE | {"chat": PRIVATE, "from": EVE | {"id": 4243}},
        MESSAGE | {"chat": PRIVATE, "from": EVE, "sender_chat": {"id": -5, "type": "channel"}},
        MESSAGE | {"chat": PRIVATE, "from": EVE, "message_id": 0},
        MESSAGE | {"chat": {"id": -4242, "type": "channel"}},
        MESSAGE | {"chat": {"id": 4242, "type": "sender"}, "from": EVE},
    ],
)
def test_what_no_person_wrote_in_their_own_chat_changes_nothing(
    bot: Part, sandbox: Sandbox, database: Engine, message: dict[str, object]
) -> None:
    before = sandbox.last()
    sandbox.inject({"message": message})
    wait_for(lambda: not sandbox.pending_updates())
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM link_code")) == 0
        assert connection.scalar(text("SELECT count(*) FROM poison_update")) == 0
    assert sandbox.calls("sendMessage", since=before) == []


@pytest.mark.parametrize(
    "update",
    [
        {"message": [1, 2]},
        {"message": {"chat": "x"}},
        {"message": MESSAGE | {"chat": PRIVATE, "from": EVE, "text": 5}},
        {"message": MESSAGE | {"chat": PRIVATE | {"id": 2**70}, "from": EVE | {"id": 2**70}}},
        {"message": MESSAGE | {"chat": PRIVATE | {"id": -5}, "from": EVE | {"id": -5}}},
        {"message": MESSAGE | {"chat": PRIVATE, "from": EVE, "message_id": "secret-7"}},
        {"callback_query": "secret-7"},
        {"my_chat_member": {"chat": PRIVATE, "from": EVE, "new_chat_member": "secret-7"}},
    ],
)
def test_a_poison_update_is_set_aside_by_its_shape_and_the_rest_goes_on(
    bot: Part, sandbox: Sandbox, database: Engine, update: dict[str, object]
) -> None:
    identifier = sandbox.inject(update)
    user = sandbox.user("Anna")
    user.says("/status")
    user.hears("no account")
    with database.connect() as connection:
        row = connection.execute(text("SELECT * FROM poison_update")).one()
    assert row.update_id == identifier
    assert row.error.startswith("Unreadable at ")
    kept = repr(row.shape)
    assert next(iter(update)) in kept
    assert "secret-7" not in kept and "Eve" not in kept and "4242" not in kept


def test_names_are_cleaned_before_they_are_kept(
    bot: Part, sandbox: Sandbox, app: Flask, alice: Member, link_token: LinkToken
) -> None:
    sender = EVE | {"first_name": "E\u202ev\u0000e\n" + "x" * 500, "username": "bad name"}
    user = sandbox.user("Eve", id=4242, wrote_first=True)
    message = MESSAGE | {"chat": PRIVATE, "from": sender, "text": link_token(alice)}
    sandbox.inject({"message": message})
    user.hears("linked")
    with app.app_context():
        chat = chats.of(alice.person)
    assert chat.title == ("Eve" + "x" * 500)[:128]
    assert chat.username is None
