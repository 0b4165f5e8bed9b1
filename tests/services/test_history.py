"""History: pages, cursors, filters, search, numbered pages, waiting until a message is settled."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from app import clock
from app.errors import Invalid, NoSuchPage, NotFound
from app.services import history, messages
from app.services.history import Filter, MessageEntry
from app.services.messages import Draft
from tests.conftest import Member, Settle
from tests.services.conftest import send


def test_a_send_token_sees_what_it_sent_and_nothing_else(ctx: Flask, alice: Member) -> None:
    other = send(alice)
    own = messages.send(alice.person, Draft("x"), send_token_id=7).message
    assert history.find(alice.person, own.id, send_token_id=7).id == own.id
    with pytest.raises(NotFound):
        history.find(alice.person, other.id, send_token_id=7)
    page = history.page(alice.person, Filter(), send_token_id=7)
    assert [entry.id for entry in page.entries] == [own.id]


def walk(member: Member, wanted: Filter, limit: int) -> Iterator[MessageEntry]:
    cursor = None
    while True:
        page = history.page(member.person, wanted, limit=limit, cursor=cursor)
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
    assert history.page(alice.person, Filter(), limit=1).next_cursor is not None


def test_a_cursor_is_good_for_its_account_and_its_filter_only(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    for member in (alice, bob):
        for n in range(3):
            send(member, f"text {n}")
    cursor = history.page(alice.person, Filter(), limit=1).next_cursor
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
            history.page(member.person, wanted, cursor=given_cursor)
        assert list(refused.value.fields) == ["cursor"]


def other(letter: str) -> str:
    return "B" if letter == "A" else "A"


def test_filters_are_kept(ctx: Flask, alice: Member, settle: Settle) -> None:
    held, failed = send(alice, "disk full"), send(alice, "all well")
    settle(failed.id, status="failed")
    messages.receive(alice.person.id, 1, 5, "hello bot")

    def found(**wanted: Any) -> list[str]:
        return [e.text for e in history.page(alice.person, Filter(**wanted)).entries]

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
    page = history.page(alice.person, Filter(q=q))
    assert len(page.entries) == finds


@pytest.mark.parametrize("q", ["\x00", "\ud800"])
def test_what_cannot_be_searched_for_is_said_so(ctx: Flask, alice: Member, q: str) -> None:
    with pytest.raises(Invalid) as refused:
        history.page(alice.person, Filter(q=q))
    assert list(refused.value.fields) == ["q"]


def test_numbered_pages_end(ctx: Flask, alice: Member) -> None:
    for n in range(5):
        send(alice, f"text {n}")
    page = history.numbered_page(alice.person, 3, 2, "out")
    assert ([e.text for e in page.entries], page.total) == (["text 0"], 5)
    for number in (4, 10**9):
        with pytest.raises(NoSuchPage):
            history.numbered_page(alice.person, number, 2, "out")
    assert history.numbered_page(alice.person, 1, 2, "in").entries == []


def test_waiting_ends_when_the_message_is_settled_and_holds_no_transaction(
    app: Flask, alice: Member, settle: Settle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "WAIT_STEP", 0.02)
    with app.app_context():
        message = send(alice)
    found: list[MessageEntry] = []

    def wait() -> None:
        with app.app_context():
            found.append(history.find(alice.person, message.id, wait=20))

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 10
    while history._waiters._value == history.WAITERS:
        assert time.monotonic() < deadline
    settle(message.id, status="sent")
    waiting.join(10)
    assert found[0].status == "sent"


def test_when_too_many_wait_the_answer_comes_at_once(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_waiters", threading.BoundedSemaphore(1))
    assert history._waiters.acquire()
    message = send(alice)
    began = time.monotonic()
    assert history.find(alice.person, message.id, wait=20).status == "held"
    assert time.monotonic() - began < 2
