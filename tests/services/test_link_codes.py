"""Link codes: what the bot gives out and the account posts, under guesses, replays and races."""

import hashlib
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.errors import ChatTaken, TooManyFailures, WrongLinkCode
from app.services import chats, link_codes
from tests import rows
from tests.conftest import Clock, Member
from tests.services.conftest import HERE, chat_of, link, notices, person
from tests.together import at_once


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
    code = chats.link_code(person(1))
    assert code not in str(rows.as_text(database, "link_code"))
    with database.connect() as connection:
        stored = connection.execute(text("SELECT code_hash FROM link_code")).scalar_one()
    assert bytes(stored) != hashlib.sha256(code.encode()).digest()


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
