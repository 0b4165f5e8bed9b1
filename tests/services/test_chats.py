"""Linking and unlinking: whose chat is whose, under replay, theft, races and shut accounts."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.errors import ChatTaken, InvalidToken, NoChat, TooManyFailures
from app.services import accounts, chats, history, messages, tokens
from app.services.chats import Link
from app.services.messages import Draft
from tests.conftest import PASSWORD, Clock, Member
from tests.services.conftest import HERE, chat_of, lane, link, notices, person
from tests.together import at_once


def test_a_link_token_binds_the_chat_that_sent_it(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    token = tokens.link_invitation(alice.person).token
    linked = chats.link_by_token(token, person(1))
    assert linked is not None
    assert linked.username == "alice"
    assert chat_of(alice) == 1
    assert lane(database, alice) == (1, None)


def test_the_same_token_from_the_same_chat_gets_the_same_answer(ctx: Flask, alice: Member) -> None:
    token = tokens.link_invitation(alice.person).token
    first = chats.link_by_token(token, person(1))
    for _ in range(10):
        assert chats.link_by_token(token, person(1)) == first


def test_wrong_used_voided_and_expired_tokens_are_one_and_the_same_nothing(
    ctx: Flask, alice: Member, bob: Member, stopped_clock: Clock
) -> None:
    used = tokens.link_invitation(alice.person).token
    chats.link_by_token(used, person(1))
    voided = tokens.link_invitation(bob.person).token
    expired = tokens.fresh_link_invitation(bob.person, HERE).token
    stopped_clock.advance(minutes=60)
    for number, token in enumerate((used, voided, expired, "0" * 64, "", "\ud800", "x" * 10_000)):
        assert chats.link_by_token(token, person(100 + number)) is None
    assert chat_of(bob) is None


def test_a_token_used_before_an_unlinking_links_nothing_again(ctx: Flask, alice: Member) -> None:
    token = tokens.link_invitation(alice.person).token
    chats.link_by_token(token, person(1))
    chats.unlink(alice.person, HERE)
    assert chats.link_by_token(token, person(1)) is None
    assert chat_of(alice) is None


def test_after_five_wrong_tokens_a_chat_waits_even_with_a_right_one(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    token = tokens.link_invitation(alice.person).token
    for _ in range(5):
        assert chats.link_by_token("0" * 64, person(1)) is None
    with pytest.raises(TooManyFailures):
        chats.link_by_token(token, person(1))
    assert chat_of(alice) is None
    assert chats.link_by_token(token, person(2)) is not None, "another chat may"
    stopped_clock.advance(minutes=10, seconds=1)
    assert chats.link_by_token("0" * 64, person(1)) is None


def test_of_fifty_redemptions_of_one_token_from_two_chats_one_chat_wins(
    app: Flask, alice: Member, database: Engine
) -> None:
    with app.app_context():
        token = tokens.link_invitation(alice.person).token
    results = at_once(app, 50, lambda n: chats.link_by_token(token, person(1 + n % 2)))
    links = {result for result in results if isinstance(result, Link)}
    assert len(links) == 1
    assert not [r for r in results if isinstance(r, Exception) and type(r) is not TooManyFailures]
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM chat")) == 1


def test_a_linked_chat_is_never_taken_over(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    link(alice, 1)
    token = tokens.link_invitation(bob.person).token
    with pytest.raises(ChatTaken) as refused:
        chats.link_by_token(token, person(1))
    assert "alice" not in refused.value.detail
    assert (chat_of(alice), chat_of(bob)) == (1, None)
    assert chats.link_by_token(token, person(2)) is not None, "the refusal did not use it up"


def test_linking_another_chat_replaces_the_former_one_and_tells_it(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    link(alice, 1)
    link(alice, 2)
    assert chat_of(alice) == 2
    assert lane(database, alice) == (2, None)
    assert notices(database) == [(1, "replaced")]


def test_linking_for_a_purpose_gives_its_token_or_changes_nothing(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    code = chats.link_code(person(1))
    issued = chats.link_by_code_for("djangobot", alice.person, code, HERE)
    assert issued.token is not None
    assert tokens.prove(issued.token).person == alice.person
    with pytest.raises(ChatTaken):
        chats.link_by_code_for("djangobot", bob.person, chats.link_code(person(1)), HERE)
    assert tokens.send_tokens_of(bob.person) == []
    again = chats.link_by_code_for("djangobot", alice.person, chats.link_code(person(1)), HERE)
    assert again.token != issued.token
    with pytest.raises(InvalidToken):
        tokens.prove(issued.token)


def test_unlinking_holds_what_waits_and_tells_the_chat(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    link(alice, 1)
    sent = messages.send(alice.person, Draft("hello")).message
    chats.unlink(alice.person, HERE)
    assert history.find(alice.person, sent.id).status == "held"
    assert history.find(alice.person, sent.id).reason == "no_chat"
    assert notices(database) == [(1, "unlinked")]
    with pytest.raises(NoChat):
        chats.unlink(alice.person, HERE)


def test_nothing_that_waits_follows_a_chat_to_its_next_owner(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    link(alice, 1)
    sent = messages.send(alice.person, Draft("for Alice")).message
    chats.unlink(alice.person, HERE)
    link(bob, 1)
    assert lane(database, alice)[1] == "no_chat"
    assert lane(database, bob) == (1, None)
    assert history.find(alice.person, sent.id).status == "held"
    link(alice, 2)
    assert history.find(alice.person, sent.id).status == "queued"
    assert lane(database, alice) == (2, None)


def test_a_button_undoes_the_link_it_stands_under_and_no_later_one(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    link(alice, 1)
    first = chats.of(alice.person).id
    assert not chats.leave(2, first)
    assert chats.leave(1, first)
    assert chat_of(alice) is None
    link(bob, 1)
    assert not chats.leave(1, first)
    assert chat_of(bob) == 1
    assert chats.leave(1)
    assert not chats.leave(1)


def test_a_blocked_chat_holds_and_an_unblocked_one_releases(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    link(alice, 1)
    sent = messages.send(alice.person, Draft("hello")).message
    chats.blocked(1)
    assert history.find(alice.person, sent.id).reason == "blocked"
    assert lane(database, alice) == (1, "blocked")
    chats.unblocked(1)
    assert history.find(alice.person, sent.id).status == "queued"
    chats.blocked(99)
    chats.unblocked(99)


def test_a_disabled_account_sends_nothing_until_it_is_open_again(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    link(alice, 1)
    sent = messages.send(alice.person, Draft("hello")).message
    accounts.disable(bob.person, alice.person.id, HERE)
    assert lane(database, alice) == (1, "disabled")
    chats.blocked(1)
    chats.unblocked(1)
    assert lane(database, alice) == (1, "disabled")
    assert history.find(alice.person, sent.id).status == "held"
    accounts.enable(bob.person, alice.person.id, HERE)
    assert history.find(alice.person, sent.id).status == "queued"


@pytest.mark.parametrize("shut", ["disabled", "erased"])
def test_an_account_that_is_shut_links_nothing(
    ctx: Flask, alice: Member, bob: Member, shut: str
) -> None:
    token = tokens.link_invitation(alice.person).token
    if shut == "disabled":
        accounts.disable(bob.person, alice.person.id, HERE)
    else:
        accounts.erase(alice.person, HERE)
    assert chats.link_by_token(token, person(1)) is None
    with pytest.raises(InvalidToken):  # a request that was under way when it happened
        chats.link_by_code(alice.person, chats.link_code(person(1)), HERE)
    assert chats.owner_of(1) is None


def test_a_new_password_voids_the_link_token_that_others_may_have_seen(
    ctx: Flask, alice: Member
) -> None:
    token = tokens.link_invitation(alice.person).token
    accounts.change_password(alice.person, PASSWORD, "another horse", HERE, keep_session=None)
    assert chats.link_by_token(token, person(1)) is None


def test_erasing_frees_the_chat_for_another_account(ctx: Flask, alice: Member, bob: Member) -> None:
    link(alice, 1)
    accounts.erase(alice.person, HERE)
    assert chats.owner_of(1) is None
    link(bob, 1)
    assert chat_of(bob) == 1
