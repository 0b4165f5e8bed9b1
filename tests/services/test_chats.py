"""Linking and unlinking: whose chat is whose, under replay, theft, races and shut accounts."""

import random
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.errors import (
    ChatTaken,
    InvalidToken,
    NoChat,
    ServiceError,
    TooManyFailures,
    WrongLinkCode,
)
from app.services import accounts, chats, history, link_codes, messages, sessions, tokens
from app.services.chats import Link
from app.services.messages import Draft
from app.services.people import TelegramPerson, Visitor
from tests.conftest import PASSWORD, Clock, Member
from tests.together import at_once

HERE = Visitor("203.0.113.1")


def person(number: int) -> TelegramPerson:
    return TelegramPerson(number, f"Person {number}", f"person{number}", "ru")


def link(member: Member, telegram_id: int) -> None:
    token = tokens.fresh_link_invitation(member.person, HERE).token
    assert chats.link_by_token(token, person(telegram_id)) is not None


def chat_of(member: Member) -> int | None:
    try:
        return chats.of(member.person).telegram_id
    except NoChat:
        return None


def lane(database: Engine, member: Member) -> tuple[int | None, str | None]:
    """Which chat the engine sends to, and why it does not."""
    query = text("SELECT chat_id, hold_reason FROM lane WHERE account_id = :id")
    with database.connect() as connection:
        row = connection.execute(query, {"id": member.person.id}).one()
    return row.chat_id, row.hold_reason


def notices(database: Engine) -> list[tuple[int, str]]:
    with database.connect() as connection:
        rows = connection.execute(text("SELECT telegram_id, kind FROM notice ORDER BY id"))
        return [(row.telegram_id, row.kind) for row in rows]


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


def test_a_code_links_the_chat_that_it_was_given_to_and_tells_it(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    code = chats.link_code(person(1))
    assert len(code) == 8
    assert set(code) <= set(link_codes.ALPHABET)
    assert chats.link_by_code(alice.person, code, HERE).telegram_id == 1
    assert notices(database) == [(1, "linked")]


@pytest.mark.parametrize(
    "typed", [str.lower, lambda c: f" {c[:4]}-{c[4:]} ", lambda c: "\u2013".join(c), str]
)
def test_a_code_may_be_typed_in_any_case_with_spaces_and_hyphens(
    ctx: Flask, alice: Member, typed: Callable[[str], str]
) -> None:
    code = chats.link_code(person(1))
    assert chats.link_by_code(alice.person, typed(code), HERE).telegram_id == 1


def test_a_code_is_stored_as_a_keyed_hash(ctx: Flask, database: Engine) -> None:
    import hashlib

    code = chats.link_code(person(1))
    with database.connect() as connection:
        row = connection.execute(text("SELECT * FROM link_code")).one()
    assert code not in str(row)
    assert bytes(row.code_hash) != hashlib.sha256(code.encode()).digest()


def test_a_code_works_once_and_ten_minutes(
    ctx: Flask, alice: Member, bob: Member, stopped_clock: Clock
) -> None:
    used = chats.link_code(person(1))
    chats.link_by_code(alice.person, used, HERE)
    with pytest.raises(WrongLinkCode) as refused:
        chats.link_by_code(bob.person, used, HERE)
    code = chats.link_code(person(2))
    stopped_clock.advance(minutes=10)
    with pytest.raises(WrongLinkCode) as expired:
        chats.link_by_code(bob.person, code, HERE)
    assert expired.value.fields == refused.value.fields
    assert chat_of(bob) is None


def test_a_chat_keeps_its_code_for_five_minutes_then_gets_a_new_one(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    code = chats.link_code(person(1))
    stopped_clock.advance(minutes=5)
    assert chats.link_code(person(1)) == code
    stopped_clock.advance(seconds=1)
    another = chats.link_code(person(1))
    assert another != code
    with pytest.raises(WrongLinkCode):
        chats.link_by_code(alice.person, code, HERE)
    chats.link_by_code(alice.person, another, HERE)


def test_after_five_wrong_codes_an_account_waits_even_with_the_right_one(
    ctx: Flask, alice: Member, bob: Member, stopped_clock: Clock
) -> None:
    code = chats.link_code(person(1))
    for _ in range(5):
        with pytest.raises(WrongLinkCode):
            chats.link_by_code(alice.person, "22222222", HERE)
    with pytest.raises(TooManyFailures) as refused:
        chats.link_by_code(alice.person, code, HERE)
    assert refused.value.retry_after == pytest.approx(600)
    stopped_clock.advance(minutes=9)
    chats.link_by_code(bob.person, chats.link_code(person(1)), HERE)
    stopped_clock.advance(minutes=1, seconds=1)
    chats.link_by_code(alice.person, chats.link_code(person(2)), HERE)


def test_a_thousand_guesses_get_five_tries(
    app: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    real = link_codes.digest

    def count(code: str) -> bytes:
        looked_at.append(code)
        return real(code)

    monkeypatch.setattr(link_codes, "digest", count)
    for _ in range(5):
        at_once(app, 20, lambda n: chats.link_by_code(alice.person, f"2222222{n % 8 + 2}", HERE))
    assert len(looked_at) == 5


def test_of_fifty_redemptions_of_one_code_by_two_accounts_one_account_wins(
    app: Flask, alice: Member, bob: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.services import limits

    monkeypatch.setattr(limits, "LINK_CODE", limits.Limit("link_code", 99, 600))
    with app.app_context():
        code = chats.link_code(person(1))
    both = (alice.person, bob.person)
    results = at_once(app, 50, lambda n: chats.link_by_code(both[n % 2], code, HERE))
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert {type(r) for r in results if isinstance(r, Exception)} <= {WrongLinkCode, ChatTaken}
    with app.app_context():
        assert sorted([chat_of(alice) or 0, chat_of(bob) or 0]) == [0, 1]


def test_a_code_of_a_taken_chat_is_refused(ctx: Flask, alice: Member, bob: Member) -> None:
    link(alice, 1)
    with pytest.raises(ChatTaken):
        chats.link_by_code(bob.person, chats.link_code(person(1)), HERE)
    assert (chat_of(alice), chat_of(bob)) == (1, None)


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


def is_surprising(result: object) -> bool:
    """Whether it is an error, and neither a refusal nor the patience of a machine that is busy; a
    deadlock is noticed long before that ends."""
    if isinstance(result, OperationalError):
        return bool(result.orig and getattr(result.orig, "pgcode", "") == "40P01")
    return isinstance(result, Exception) and not isinstance(result, ServiceError)


def test_whatever_happens_to_an_account_at_once_nothing_waits_in_a_circle(
    app: Flask, alice: Member, bob: Member
) -> None:
    """Everything that changes several rows of an account, thrown together; deadlocks are errors."""
    with app.app_context():
        session_id = sessions.begin(alice.person, HERE).session_id
        refresh = sessions.begin(alice.person, HERE).refresh

    def send(n: int) -> object:
        return messages.send(alice.person, Draft(f"text {n}"), key=f"key {n % 3}-{n}")

    def link_by_code(n: int) -> object:
        return chats.link_by_code(alice.person, chats.link_code(person(n % 4)), HERE)

    def link_by_token(n: int) -> object:
        return chats.link_by_token(tokens.link_invitation(alice.person).token, person(n % 4))

    deeds: list[Callable[[int], object]] = [
        send,
        send,
        link_by_code,
        link_by_token,
        lambda n: chats.unlink(alice.person, HERE),
        lambda n: chats.leave(n % 4),
        lambda n: chats.blocked(n % 4),
        lambda n: chats.unblocked(n % 4),
        lambda n: tokens.fresh_link_invitation(alice.person, HERE),
        lambda n: tokens.issue_send_token(alice.person, "name", HERE),
        lambda n: accounts.set_password(alice.person, f"another horse {n}", HERE),
        lambda n: sessions.refresh(refresh, HERE),
        lambda n: sessions.end(alice.person, session_id, HERE),
        lambda n: sessions.begin(alice.person, HERE),
        lambda n: messages.receive(alice.person.id, n % 4, n, "text"),
        lambda n: accounts.register(accounts.Registration("alice", PASSWORD), HERE),
        lambda n: accounts.disable(bob.person, alice.person.id, HERE),
        lambda n: accounts.enable(bob.person, alice.person.id, HERE),
    ]
    chance = random.Random(5)
    for turn in range(4):
        last = [lambda n: accounts.erase(alice.person, HERE)] * (turn == 3)
        chosen = [*chance.sample(deeds, len(deeds)), *last, *chance.sample(deeds, 6)]
        results = at_once(app, len(chosen), lambda n, chosen=chosen: chosen[n](n))
        assert not [result for result in results if is_surprising(result)]


def test_an_erasure_among_messages_with_keys_waits_for_none_in_a_circle(
    app: Flask, alice: Member
) -> None:
    def deed(n: int) -> object:
        if n == 5:
            return accounts.erase(alice.person, HERE)
        return messages.send(alice.person, Draft(f"text {n}"), key=f"key {n}")

    assert not [result for result in at_once(app, 12, deed) if is_surprising(result)]
