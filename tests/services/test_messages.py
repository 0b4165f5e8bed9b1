"""Messages: accepting, idempotency, quota, retrying, cancelling, receiving."""

from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app import clock
from app.errors import (
    IdempotencyKeyReused,
    Invalid,
    NotCancellable,
    NotFound,
    NotRetriable,
    QuotaUsedUp,
)
from app.services import accounts, history, limits, messages
from app.services.messages import Accepted, Draft
from tests.conftest import Clock, MakeApp, Member, Settle
from tests.profiles import examples
from tests.services.conftest import HERE, send
from tests.together import at_once


def rows(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM message")) or 0)


def test_without_a_chat_a_message_is_held(ctx: Flask, alice: Member) -> None:
    message = send(alice)
    assert (message.status, message.parts, message.direction) == ("held", 1, "out")


def test_the_greeting_is_rendered_once_at_acceptance(ctx: Flask, alice: Member) -> None:
    assert send(alice).greeting == "Алиса, я получил от тебя сообщение:"
    assert send(alice, greeting=False).greeting == ""
    renamed = accounts.change(alice.person, name="{name}", greeting="{name}! {text} {0} %s")
    assert messages.send(renamed, Draft("x")).message.greeting == "{name}! {text} {0} %s"


def test_a_message_lives_as_long_as_it_says_but_no_longer_than_the_server_lets_it(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    def lifetime(expires_in: int | None) -> timedelta:
        expires_at = send(alice, expires_in=expires_in).expires_at
        assert expires_at is not None
        return expires_at - clock.now()

    assert lifetime(60) == timedelta(seconds=60)
    assert lifetime(None) == timedelta(days=1)
    assert lifetime(10**12) == timedelta(days=1)
    for wrong in (0, -1):
        with pytest.raises(Invalid):
            send(alice, expires_in=wrong)


def test_what_cannot_be_sent_leaves_no_row(ctx: Flask, alice: Member, database: Engine) -> None:
    for wrong in ("", " ", "\x00", "\ud800", "x" * 20001):
        with pytest.raises(Invalid):
            send(alice, wrong)
    assert rows(database) == 0


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
@examples(60)
def test_every_text_that_is_accepted_is_kept_to_the_letter(
    ctx: Flask, alice: Member, body: str
) -> None:
    try:
        message = send(alice, body)
    except Invalid:
        return
    assert history.find(alice.person, message.id).text == body


def test_one_key_is_one_message(ctx: Flask, alice: Member, database: Engine) -> None:
    first = messages.send(alice.person, Draft("hello"), key="k")
    again = messages.send(alice.person, Draft("hello"), key="k")
    assert (first.replayed, again.replayed) == (False, True)
    assert again.message == first.message
    assert rows(database) == 1


@pytest.mark.parametrize(
    "draft", [Draft("other"), Draft("hello", silent=True), Draft("hello", expires_in=60)]
)
def test_a_key_with_another_request_is_refused(ctx: Flask, alice: Member, draft: Draft) -> None:
    messages.send(alice.person, Draft("hello"), key="k")
    with pytest.raises(IdempotencyKeyReused):
        messages.send(alice.person, draft, key="k")


def test_a_key_is_its_accounts_own(ctx: Flask, alice: Member, bob: Member) -> None:
    mine = messages.send(alice.person, Draft("hello"), key="k")
    theirs = messages.send(bob.person, Draft("hello"), key="k")
    assert mine.message.id != theirs.message.id
    assert not theirs.replayed


def test_a_key_is_free_again_after_a_day(
    ctx: Flask, alice: Member, stopped_clock: Clock, database: Engine
) -> None:
    messages.send(alice.person, Draft("hello"), key="k")
    stopped_clock.advance(hours=24, seconds=1)
    assert not messages.send(alice.person, Draft("other"), key="k").replayed
    assert messages.send(alice.person, Draft("other"), key="k").replayed
    assert rows(database) == 2


def test_a_repeated_key_answers_the_message_as_it_was_accepted(
    ctx: Flask, alice: Member, settle: Settle
) -> None:
    first = messages.send(alice.person, Draft("hello"), key="k").message
    settle(first.id, status="failed")
    assert messages.send(alice.person, Draft("hello"), key="k").message == first


def test_fifty_at_once_with_one_key_are_one_message(
    app: Flask, alice: Member, database: Engine
) -> None:
    results = at_once(app, 50, lambda _: messages.send(alice.person, Draft("hello"), key="k"))
    accepted = [result for result in results if isinstance(result, Accepted)]
    assert len(accepted) == 50
    assert len({result.message.id for result in accepted}) == 1
    assert sum(not result.replayed for result in accepted) == 1
    assert rows(database) == 1


def test_a_refused_message_does_not_use_its_key_up(make_app: MakeApp, database: Engine) -> None:
    with make_app(MESSAGES_PER_DAY="1").app_context():
        person = accounts.register(accounts.Registration("anna", "correct horse"), HERE)
        messages.send(person, Draft("first"))
        with pytest.raises(QuotaUsedUp):
            messages.send(person, Draft("second"), key="k")
        with database.connect() as connection:
            connection.execute(text("UPDATE lane SET quota_day = quota_day - interval '1 day'"))
        assert not messages.send(person, Draft("second"), key="k").replayed


def test_the_days_quota_is_exact_however_many_come_at_once(
    make_app: MakeApp, database: Engine
) -> None:
    app = make_app(MESSAGES_PER_DAY="5")
    with app.app_context():
        person = accounts.register(accounts.Registration("anna", "correct horse"), HERE)
    results = at_once(app, 20, lambda n: messages.send(person, Draft(f"text {n}")))
    assert sum(isinstance(result, Accepted) for result in results) == 5
    refused = [result for result in results if isinstance(result, QuotaUsedUp)]
    assert len(refused) == 15
    assert 0 < (refused[0].retry_after or 0) <= 86400
    assert rows(database) == 5


def test_another_accounts_message_does_not_exist(ctx: Flask, alice: Member, bob: Member) -> None:
    message = send(alice)
    for missing in (message.id, message.id + 1000, 2**62, 10**30):
        for deed in (history.find, messages.retry, messages.cancel):
            with pytest.raises(NotFound) as refused:
                deed(bob.person, missing)
            assert refused.value.detail == NotFound.__doc__
    assert history.find(alice.person, message.id).status == "held"


def test_only_what_ended_unsent_is_retried_and_only_what_waits_is_cancelled(
    ctx: Flask, alice: Member, settle: Settle
) -> None:
    message = send(alice)
    for status in ("held", "queued", "sending", "sent"):
        settle(message.id, status=status)
        with pytest.raises(NotRetriable):
            messages.retry(alice.person, message.id)
    for status in ("sending", "sent", "failed", "expired"):
        settle(message.id, status=status)
        with pytest.raises(NotCancellable):
            messages.cancel(alice.person, message.id)
    for status in ("failed", "expired", "cancelled"):
        settle(message.id, status=status)
        assert messages.retry(alice.person, message.id).status == "held"
    messages.cancel(alice.person, message.id)
    assert history.find(alice.person, message.id).status == "cancelled"


def test_a_text_from_telegram_is_kept_once(ctx: Flask, alice: Member, database: Engine) -> None:
    for _ in range(3):
        assert messages.receive(alice.person.id, 1, 5, "hello")
    assert messages.receive(alice.person.id, 1, 6, "hello")
    assert messages.receive(alice.person.id, 2, 5, "hello")
    assert rows(database) == 3


def test_what_is_received_is_limited_in_length_and_number(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not messages.receive(alice.person.id, 1, 1, "x" * 20001)
    assert not messages.receive(alice.person.id, 1, 1, "\x00")
    monkeypatch.setattr(limits, "RECEIVED", limits.Limit("received", 2, 86400))
    assert [messages.receive(alice.person.id, 1, n, "x") for n in range(3)] == [True, True, False]


@pytest.mark.parametrize("shut", ["disabled", "erased"])
def test_nothing_is_received_for_an_account_that_is_shut(
    ctx: Flask, alice: Member, bob: Member, shut: str, database: Engine
) -> None:
    if shut == "disabled":
        accounts.disable(bob.person, alice.person.id, HERE)
    else:
        accounts.erase(alice.person, HERE)
    assert not messages.receive(alice.person.id, 1, 1, "hello")
    assert not messages.receive(10**9, 1, 1, "for nobody")
    assert rows(database) == 0
