"""Pollers as real processes: stopped, killed, frozen, two at once, without Telegram or database.

A process takes a second or two to start, so some tests tell a longer story.
"""

import signal
from collections.abc import Callable
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import chats
from app.services.people import Visitor
from embedded import Servers
from sandbox.client import Sandbox, User, wait_for
from tests.bot.conftest import LinkToken, owner_of, received_by
from tests.conftest import Member
from tests.running import Part, Running

# Two seconds on a quiet machine; far below the 25 of a long poll on a busy one.
PROMPTLY = 6.0
ACTIVE, WAITING = "polling_begins", "another poller is active"


@pytest.fixture
def start(no_poller: None, running: Running, sandbox: Sandbox) -> Callable[[], Part]:
    """Starts a poller and waits until it polls."""

    def starting() -> Part:
        bot, since = running.bot(), sandbox.last()
        bot.says(ACTIVE)
        wait_for(lambda: sandbox.calls("getUpdates", since=since))
        return bot

    return starting


Two = tuple[Part, Part]


@pytest.fixture
def two(no_poller: None, running: Running, sandbox: Sandbox) -> Two:
    """Two pollers: the one that polls, and the one that waits."""
    bots = [running.bot(), running.bot()]
    wait_for(lambda: all(ACTIVE in bot.log() or WAITING in bot.log() for bot in bots), within=20)
    active, waiting = sorted(bots, key=lambda bot: WAITING in bot.log())
    assert ACTIVE in active.log() and ACTIVE not in waiting.log()
    wait_for(lambda: sandbox.calls("getUpdates"))
    return active, waiting


def lease_ends(database: Engine) -> None:
    """As if the lease's seconds had passed."""
    with database.connect() as connection:
        connection.execute(text("UPDATE bot SET polling_until = now()"))


def asks(user: User) -> None:
    """Asks the bot something that it answers once."""
    before = len(user.received())
    user.says("/status")
    user.hears("no account")
    assert len(user.received()) == before + 1


# Two at once


def test_a_stopped_poller_ends_its_long_poll_at_once_and_the_waiting_one_begins(
    two: Two, sandbox: Sandbox, database: Engine
) -> None:
    first, second = two
    anna = sandbox.user("Anna")
    asks(anna)
    began = monotonic()
    assert first.terminate(10) == 0
    assert monotonic() - began < PROMPTLY
    second.says(ACTIVE, within=5)
    asks(anna)
    assert sandbox.refused(409) == []
    with sandbox.fault("hang", method="*") as hanging:
        anna.says("/status")
        wait_for(hanging.fired)
        began = monotonic()
        second.signal(signal.SIGINT)
        assert second.process.wait(10) == 0
        assert monotonic() - began < PROMPTLY
    assert "Traceback" not in first.log() + second.log()
    with database.connect() as connection:
        assert connection.scalar(text("SELECT poller FROM bot")) is None
        assert connection.scalar(text("SELECT count(*) FROM heartbeat")) == 0


def test_a_frozen_poller_does_not_fight_its_successor_and_takes_over_when_that_is_killed(
    two: Two, sandbox: Sandbox, database: Engine
) -> None:
    first, second = two
    first.freeze()
    with database.connect() as connection:
        left = connection.scalar(text("SELECT extract(epoch FROM polling_until - now()) FROM bot"))
    assert 0 < left <= 20
    lease_ends(database)
    second.says(ACTIVE, within=5)
    first.thaw()
    first.says(WAITING)
    anna = sandbox.user("Anna")
    for _ in range(3):
        asks(anna)
    second.kill()
    lease_ends(database)
    asks(anna)
    assert first.log().count(ACTIVE) == 2


# Killed at the worst moment


def dies_before_its_commit(bot: Part, database: Engine, act: Callable[[], object]) -> None:
    """Kills the poller while its handling of what `act` does waits for a lock."""
    holding = database.execution_options(isolation_level="READ COMMITTED")
    with database.connect() as watcher, holding.begin() as holder:
        holder.execute(text("SELECT FROM lane FOR UPDATE"))
        act()
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        wait_for(lambda: watcher.scalar(waits))
        bot.kill()


def test_a_killed_poller_loses_nothing_and_repeats_no_effect(
    start: Callable[[], Part],
    sandbox: Sandbox,
    app: Flask,
    database: Engine,
    alice: Member,
    bob: Member,
    link_token: LinkToken,
) -> None:
    anna, boris = sandbox.user("Anna"), sandbox.user("Boris")
    first_token, second_token = link_token(alice), link_token(bob)

    dies_before_its_commit(start(), database, lambda: anna.says(first_token))
    assert owner_of(app, anna) is None

    # After the commit, before Telegram hears of it: only the next poller's first call succeeds.
    anna.says("only once")
    boris.says(second_token)
    lease_ends(database)
    with sandbox.fault("cut", method="getUpdates", nth=list(range(2, 99))) as unconfirmed:
        bot = start()
        first = boris.hears("is linked to the account bob")
        wait_for(unconfirmed.fired)
        bot.kill()
    assert received_by(app, alice) == ["only once"]
    assert len(sandbox.pending_updates()) == 3

    # What happened while nobody polled is told by the next one.
    with app.app_context():
        chats.unlink(alice.person, Visitor())
    lease_ends(database)
    start()
    assert boris.hears("is linked").text == first.text
    anna.hears("unlinked from the account alice")
    wait_for(lambda: not sandbox.pending_updates())
    assert received_by(app, alice) == ["only once"]
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM chat")) == 2


# Settings


def test_a_missing_token_ends_the_start_with_one_line_that_names_it(
    no_poller: None, running: Running
) -> None:
    bot = running.bot(TELEGRAM_BOT_TOKEN="")
    assert bot.process.wait(20) == 1
    [line] = bot.log().splitlines()
    assert line.startswith("gonets: TELEGRAM_BOT_TOKEN: is not set")


def test_a_poller_with_a_refused_token_stays_alive_and_says_what_is_wrong(
    no_poller: None, running: Running, database: Engine
) -> None:
    bot = running.bot(TELEGRAM_BOT_TOKEN="111111:wrongwrongwrongwrongwrongwrong")
    bot.says("Telegram rejects TELEGRAM_BOT_TOKEN")
    with database.connect() as connection:
        reason = text("SELECT hold_reason FROM bot")
        wait_for(lambda: connection.scalar(reason) == "bot_rejected")
    began = monotonic()
    assert bot.terminate(10) == 0
    assert monotonic() - began < PROMPTLY
    assert "wrongwrong" not in bot.log()


# Without Telegram, without the database


def test_a_poller_outlives_a_telegram_that_is_away_and_says_so_once(
    bot: Part, sandbox: Sandbox
) -> None:
    anna = sandbox.user("Anna")
    asks(anna)
    before = bot.log()
    sandbox.goes_down(1.5)
    wait_for(lambda: "polling again" in bot.log()[len(before) :])
    asks(anna)
    assert bot.log()[len(before) :].count("Telegram is away") == 1


def test_a_poller_outlives_a_crash_of_the_database(
    bot: Part, sandbox: Sandbox, database: Engine, servers: Servers
) -> None:
    anna = sandbox.user("Anna")
    asks(anna)
    servers.postgres.stop(immediate=True)
    anna.says("/status")
    servers.postgres.start()
    database.dispose()
    anna.hears("no account", within=15)
    with database.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM poison_update")) == 0
