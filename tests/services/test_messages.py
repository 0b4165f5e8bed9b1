"""Messages: accepting, idempotency, quota, history, search, waiting, retrying, receiving."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app import clock
from app.errors import (
    IdempotencyKeyReused,
    Invalid,
    NoSuchPage,
    NotCancellable,
    NotFound,
    NotRetriable,
    QuotaUsedUp,
)
from app.services import accounts, limits, messages
from app.services.messages import Accepted, Draft, Filter, MessageEntry
from app.services.people import Visitor
from tests.conftest import Clock, MakeApp, Member
from tests.profiles import examples
from tests.together import at_once

HERE = Visitor("203.0.113.1")


def send(member: Member, body: str = "hello", **more: Any) -> MessageEntry:
    return messages.send(member.person, Draft(body, **more)).message


def rows(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM message")) or 0)


def mark(database: Engine, message: MessageEntry, status: str) -> None:
    with database.connect() as connection:
        connection.execute(
            text("UPDATE message SET status = :status WHERE id = :id"),
            {"status": status, "id": message.id},
        )


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
    assert messages.find(alice.person, message.id).text == body


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
    ctx: Flask, alice: Member, database: Engine
) -> None:
    first = messages.send(alice.person, Draft("hello"), key="k").message
    mark(database, first, "failed")
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
        for deed in (messages.find, messages.retry, messages.cancel):
            with pytest.raises(NotFound) as refused:
                deed(bob.person, missing)
            assert refused.value.detail == NotFound.__doc__
    assert messages.find(alice.person, message.id).status == "held"


def test_a_send_token_sees_what_it_sent_and_nothing_else(ctx: Flask, alice: Member) -> None:
    other = send(alice)
    own = messages.send(alice.person, Draft("x"), send_token_id=7).message
    assert messages.find(alice.person, own.id, send_token_id=7).id == own.id
    with pytest.raises(NotFound):
        messages.find(alice.person, other.id, send_token_id=7)
    page = messages.history(alice.person, Filter(), send_token_id=7)
    assert [entry.id for entry in page.entries] == [own.id]


def walk(member: Member, wanted: Filter, limit: int) -> Iterator[MessageEntry]:
    cursor = None
    while True:
        page = messages.history(member.person, wanted, limit=limit, cursor=cursor)
        yield from page.entries
        cursor = page.next_cursor
        if cursor is None:
            return


def test_pages_are_newest_first_and_whole_while_more_comes_in(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    sent = [send(alice, f"text {n}").id for n in range(7)]
    send(bob)
    seen = []
    for entry in walk(alice, Filter(), limit=3):
        seen.append(entry.id)
        if len(seen) < 5:
            send(alice, "while reading")
    assert seen == sent[::-1]
    assert messages.history(alice.person, Filter(), limit=1).next_cursor is not None


def test_a_cursor_is_good_for_its_account_and_its_filter_only(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    for member in (alice, bob):
        for n in range(3):
            send(member, f"text {n}")
    cursor = messages.history(alice.person, Filter(), limit=1).next_cursor
    assert cursor is not None
    wrong = [
        (bob, Filter(), cursor),
        (alice, Filter(status="held"), cursor),
        (alice, Filter(), cursor + "!"),
        (alice, Filter(), "!" + cursor),
        (alice, Filter(), cursor[:-1]),
        (alice, Filter(), cursor.swapcase()),
        (alice, Filter(), cursor.rstrip("=")),
        (alice, Filter(), ""),
        (alice, Filter(), "A" * 10_000),
        (alice, Filter(), "é"),
        (alice, Filter(), "\ud800"),
        (alice, Filter(), "\x00"),
    ]
    wrong += [(alice, Filter(), cursor[:n] + other(cursor[n]) + cursor[n + 1 :]) for n in range(27)]
    for member, wanted, given_cursor in wrong:
        with pytest.raises(Invalid) as refused:
            messages.history(member.person, wanted, cursor=given_cursor)
        assert list(refused.value.fields) == ["cursor"]


def other(letter: str) -> str:
    return "B" if letter == "A" else "A"


def test_filters_are_kept(ctx: Flask, alice: Member, database: Engine) -> None:
    held, failed = send(alice, "disk full"), send(alice, "all well")
    mark(database, failed, "failed")
    messages.receive(alice.person.id, 1, 5, "hello bot")

    def found(**wanted: Any) -> list[str]:
        return [e.text for e in messages.history(alice.person, Filter(**wanted)).entries]

    assert found(status="failed") == ["all well"]
    assert found(direction="in") == ["hello bot"]
    assert found(since=clock.now()) == []
    assert found(until=held.created_at) == []
    assert len(found(since=held.created_at, until=clock.now())) == 3


@pytest.mark.parametrize(
    ("q", "finds"),
    [
        ("disk", True),
        ("DISK", True),
        ("dis", True),
        ("full disk", True),
        ("full tape", False),
        ("isk", False),
        ("!!!", False),
        ("'", False),
        ("disk'", True),
        ("disk & !full | (", True),
        (":*", False),
        ("\\", False),
        ("x" * 5000, False),
    ],
)
def test_words_are_searched_by_their_beginnings(
    ctx: Flask, alice: Member, bob: Member, q: str, finds: bool
) -> None:
    send(alice, "The disk of web-1 is full")
    send(bob, "The disk is full")
    page = messages.history(alice.person, Filter(q=q))
    assert len(page.entries) == finds


@pytest.mark.parametrize("q", ["\x00", "\ud800"])
def test_what_cannot_be_searched_for_is_said_so(ctx: Flask, alice: Member, q: str) -> None:
    with pytest.raises(Invalid) as refused:
        messages.history(alice.person, Filter(q=q))
    assert list(refused.value.fields) == ["q"]


def test_numbered_pages_end(ctx: Flask, alice: Member) -> None:
    for n in range(5):
        send(alice, f"text {n}")
    page = messages.numbered_page(alice.person, 3, 2, "out")
    assert ([e.text for e in page.entries], page.total) == (["text 0"], 5)
    for number in (4, 10**9):
        with pytest.raises(NoSuchPage):
            messages.numbered_page(alice.person, number, 2, "out")
    assert messages.numbered_page(alice.person, 1, 2, "in").entries == []


def test_waiting_ends_when_the_message_is_settled_and_holds_no_transaction(
    app: Flask, alice: Member, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "WAIT_STEP", 0.02)
    with app.app_context():
        message = send(alice)
    found: list[MessageEntry] = []

    def wait() -> None:
        with app.app_context():
            found.append(messages.find(alice.person, message.id, wait=20))

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 10
    while messages._waiters._value == messages.WAITERS:
        assert time.monotonic() < deadline
    mark(database, message, "sent")
    waiting.join(10)
    assert found[0].status == "sent"


def test_when_too_many_wait_the_answer_comes_at_once(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_waiters", threading.BoundedSemaphore(1))
    assert messages._waiters.acquire()
    message = send(alice)
    began = time.monotonic()
    assert messages.find(alice.person, message.id, wait=20).status == "held"
    assert time.monotonic() - began < 2


def test_only_what_ended_unsent_is_retried_and_only_what_waits_is_cancelled(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    message = send(alice)
    for status in ("held", "queued", "sending", "sent"):
        mark(database, message, status)
        with pytest.raises(NotRetriable):
            messages.retry(alice.person, message.id)
    for status in ("sending", "sent", "failed", "expired"):
        mark(database, message, status)
        with pytest.raises(NotCancellable):
            messages.cancel(alice.person, message.id)
    for status in ("failed", "expired", "cancelled"):
        mark(database, message, status)
        assert messages.retry(alice.person, message.id).status == "held"
    messages.cancel(alice.person, message.id)
    assert messages.find(alice.person, message.id).status == "cancelled"


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
