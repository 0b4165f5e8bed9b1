"""Replies and notices on their way out: order, limits, failures; over the real sandbox."""

import threading
from collections.abc import Callable
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.bot import notices, sender
from app.bot.notices import Notices
from app.bot.replies import Acknowledge, Manner, Say
from app.bot.sender import Sender
from app.config import Settings
from app.services import chats
from app.services.people import TelegramPerson
from app.telegram import ChatGone, Outcome, Sent, Wait, bot_api
from sandbox.client import Sandbox, User, wait_for
from sandbox.limits import Rates
from tests.bot.conftest import Held, LinkToken
from tests.conftest import MakeApp, Member

pytestmark = pytest.mark.usefixtures("no_poller")


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


MakeSender = Callable[..., Sender]


@pytest.fixture
def make_sender(make_app: MakeApp, stop: threading.Event) -> MakeSender:
    def make(**settings: str) -> Sender:
        app = make_app(**settings)
        configured: Settings = app.config["SETTINGS"]
        return Sender(app, bot_api(configured), stop)

    return make


@pytest.fixture
def anna(sandbox: Sandbox) -> User:
    return sandbox.user("Anna", wrote_first=True)


def test_replies_to_a_chat_arrive_in_order(
    make_sender: MakeSender, sandbox: Sandbox, anna: User
) -> None:
    sending = make_sender()
    for number in range(20):
        sending.reply(Say(anna.id, f"reply {number}"))
    sandbox.wait_for_messages(20)
    assert anna.received() == [f"reply {number}" for number in range(20)]


def test_a_burst_of_replies_breaks_no_limit_of_telegrams(
    make_sender: MakeSender, sandbox: Sandbox, anna: User
) -> None:
    sandbox.limits(Rates(chat_rate=5.0))
    try:
        sending = make_sender(TELEGRAM_CHAT_RATE="5", TELEGRAM_BOT_RATE="30")
        for number in range(8):
            sending.reply(Say(anna.id, f"reply {number}"))
        sandbox.wait_for_messages(8)
        assert sandbox.violations() == {}
    finally:
        sandbox.limits(Rates(enforced=False))


def test_a_chat_whose_calls_hang_delays_no_other(
    make_sender: MakeSender, sandbox: Sandbox, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "CALL_SECONDS", 2.0)
    bob = sandbox.user("Bob", wrote_first=True)
    sending = make_sender()
    with sandbox.fault("hang", chat=anna):
        for number in range(5):
            sending.reply(Say(anna.id, f"reply {number}"))
        sending.reply(Say(bob.id, "hello"))
        bob.hears("hello", within=1.5)
        monkeypatch.setattr(sender, "STALE_SECONDS", -1.0)
        sending.drain(5)


def test_a_short_wait_that_telegram_asks_for_is_kept_and_the_reply_sent(
    make_sender: MakeSender, sandbox: Sandbox, anna: User
) -> None:
    with sandbox.fault("flood", retry_after=1, times=1):
        make_sender().reply(Say(anna.id, "hello"))
        anna.hears("hello", within=3)
    first, second = sandbox.calls("sendMessage")[-2:]
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize(
    ("kind", "retry_after", "calls"),
    [("flood", 60, 1), ("blocked", None, 1), ("cut", None, 1), ("server_error", None, 2)],
)
def test_a_reply_that_cannot_be_sent_soon_is_dropped(
    make_sender: MakeSender,
    sandbox: Sandbox,
    anna: User,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    retry_after: int | None,
    calls: int,
) -> None:
    monkeypatch.setattr(sender, "PAUSE_SECONDS", 0.05)
    before, over = sandbox.last(), threading.Event()
    sending = make_sender()
    with sandbox.fault(kind, chat=anna, contains="lost", retry_after=retry_after):
        sending.send(Say(anna.id, "lost"), lambda _: over.set())
        assert over.wait(5)
        sending.reply(Say(anna.id, "next"))
        anna.hears("next")
    assert len(sandbox.calls("sendMessage", since=before)) == calls + 1


def test_when_too_many_wait_the_newest_is_dropped_at_once(
    make_sender: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "WAITING_MOST", 0)
    heard: list[Outcome | None] = []
    make_sender().send(Say(1, "x"), heard.append)
    assert heard == [None]


def test_an_answer_that_comes_too_late_is_not_sent(
    make_sender: MakeSender, sandbox: Sandbox, anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "STALE_SECONDS", -1.0)
    before, over = sandbox.last(), threading.Event()
    make_sender().send(Say(anna.id, "x"), lambda _: over.set())
    assert over.wait(5)
    assert sandbox.calls("sendMessage", since=before) == []


def test_neutral_words_are_throttled_and_ends_of_presses_are_not(
    make_sender: MakeSender, sandbox: Sandbox, anna: User
) -> None:
    before, sending = sandbox.last(), make_sender()
    for _ in range(5):
        sending.reply(Say(anna.id, "neutral", manner=Manner.NEUTRAL))
        sending.reply(Acknowledge(anna.id, "1"))
    wait_for(lambda: len(sandbox.calls("answerCallbackQuery", since=before)) == 5)
    assert anna.received() == ["neutral"]


# Notices


@pytest.fixture
def noticing(
    app: Flask,
    make_sender: MakeSender,
    stop: threading.Event,
    alice: Member,
    anna: User,
    link_token: LinkToken,
    monkeypatch: pytest.MonkeyPatch,
) -> Sender:
    """The thread runs, and there is one notice for Anna: her chat was replaced by another."""
    monkeypatch.setattr(notices, "INTERVAL", 0.02)
    monkeypatch.setattr(notices, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(sender, "PAUSE_SECONDS", 0.02)
    with app.app_context():
        chats.link_by_token(link_token(alice), TelegramPerson(anna.id, language="en"))
        chats.link_by_token(link_token(alice), TelegramPerson(77))
    sending = make_sender()
    Notices(app, sending, Held(), stop)
    return sending


def left(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM notice")) or 0)


def test_a_notice_is_sent_once_and_removed_however_long_it_takes(
    sandbox: Sandbox, anna: User, database: Engine, request: pytest.FixtureRequest
) -> None:
    with sandbox.fault("delay", seconds=0.3, accepted=True, times=1):
        sending: Sender = request.getfixturevalue("noticing")
        anna.hears("another chat")
        wait_for(lambda: left(database) == 0)
    request.getfixturevalue("stop").set()
    sending.drain(5)
    assert len(anna.received()) == 1


def test_a_notice_survives_a_telegram_that_is_away(
    sandbox: Sandbox, database: Engine, anna: User, request: pytest.FixtureRequest
) -> None:
    with sandbox.fault("server_error", chat=anna, times=5) as fault:
        request.getfixturevalue("noticing")
        wait_for(lambda: fault.fired() == 5)
        anna.hears("another chat")
    wait_for(lambda: left(database) == 0)
    request.getfixturevalue("stop").set()


@pytest.mark.parametrize(("kind", "tries"), [("blocked", 1), ("chat_not_found", 1), ("cut", 5)])
def test_a_notice_that_can_never_be_told_is_given_up(
    sandbox: Sandbox,
    database: Engine,
    anna: User,
    request: pytest.FixtureRequest,
    kind: str,
    tries: int,
) -> None:
    with sandbox.fault(kind, chat=anna) as fault:
        request.getfixturevalue("noticing")
        wait_for(lambda: fault.fired() >= 1 and left(database) == 0)
        assert fault.fired() == tries
    request.getfixturevalue("stop").set()


def test_a_notice_waits_as_long_as_telegram_says(app: Flask, database: Engine) -> None:
    waiting = notices._Attempt(count=1)
    assert not notices._is_final(Wait(429, None, 30.0))
    assert notices._is_final(Sent(200, None, 1)) and notices._is_final(ChatGone(403, None))
    Notices._done(Notices.__new__(Notices), 1, waiting, Wait(429, None, 30.0))
    assert 29 < waiting.due - monotonic() <= 30
