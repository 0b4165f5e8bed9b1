"""Flood limits: the buckets by themselves, and over HTTP."""

from collections.abc import Iterator

import pytest
import requests

from sandbox.client import Sandbox
from sandbox.limits import Limits, Rates
from tests.sandbox.conftest import Bot


def test_a_chat_takes_a_burst_of_three_and_then_one_a_second() -> None:
    limits = Limits()
    answers = [limits.take(t, 1, group=False) for t in (0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.5, 2.0)]
    refused = ("chat", 1)
    assert answers == [None, None, None, refused, refused, None, refused, None]
    assert limits.violations == {"chat": 3}


def test_all_chats_together_take_thirty_and_a_refused_message_costs_nobody() -> None:
    limits = Limits()
    assert [limits.take(0.0, chat, group=False) for chat in range(30)] == [None] * 30
    assert limits.take(0.0, 30, group=False) == ("all", 1)
    assert limits.take(0.04, 30, group=False) is None
    assert limits.take(0.04, 31, group=False) == ("all", 1)
    assert limits.take(5.0, 31, group=False) is None


def test_a_group_takes_twenty_a_minute_and_says_how_long_to_wait() -> None:
    limits = Limits()
    assert [limits.take(0.0, -5, group=True) for _ in range(20)] == [None] * 20
    assert limits.take(0.0, -5, group=True) == ("group", 3)
    assert limits.take(2.9, -5, group=True) == ("group", 1)
    assert limits.take(3.0, -5, group=True) is None


def test_who_waits_as_told_is_never_refused_twice() -> None:
    limits = Limits(Rates(chat_rate=0.3, chat_burst=1))
    now = 0.0
    for _ in range(20):
        refused = limits.take(now, 1, group=False)
        if refused is not None:
            now += refused[1]
            assert limits.take(now, 1, group=False) is None


def test_limits_switched_off_refuse_nothing_but_a_hold_still_does() -> None:
    limits = Limits(Rates(enforced=False))
    assert {limits.take(0.0, 1, group=False) for _ in range(100)} == {None}
    limits.hold(0.0, 7.5)
    assert limits.take(0.0, 1, group=False) == ("held", 8)
    assert limits.take(8.0, 1, group=False) is None


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with Telegram's flood limits."""
    with Sandbox.start(limits=True) as running:
        yield running


def test_the_fourth_message_in_a_row_gets_a_429_that_is_written_down(
    sandbox: Sandbox, bot: Bot
) -> None:
    anna = sandbox.user(wrote_first=True)
    for i in range(3):
        bot.ask("sendMessage", chat_id=anna.id, text=str(i))
    answer = bot.call("sendMessage", chat_id=anna.id, text="3")
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "1"
    assert answer.json() == {
        "ok": False,
        "error_code": 429,
        "description": "Too Many Requests: retry after 1",
        "parameters": {"retry_after": 1},
    }
    assert len(sandbox.journal()) == 3
    [call] = sandbox.refused(429)
    assert call.limit == "chat" and call.chat_id == anna.id
    assert sandbox.violations() == {"chat": 1}


def test_limits_can_be_changed_while_it_runs(sandbox: Sandbox, bot: Bot) -> None:
    anna = sandbox.user(wrote_first=True)
    sandbox.limits(Rates(chat_burst=1))
    bot.ask("sendMessage", chat_id=anna.id, text="x")
    assert bot.refusal("sendMessage", chat_id=anna.id, text="x")[0] == 429
    sandbox.limits(Rates(enforced=False))
    for _ in range(50):
        bot.ask("sendMessage", chat_id=anna.id, text="x")
    sandbox.holds_bot(60)
    words = bot.refusal("sendMessage", chat_id=anna.id, text="x")[1]
    assert words == "Too Many Requests: retry after 60"


def test_bad_messages_and_blocked_chats_take_no_tokens(sandbox: Sandbox, bot: Bot) -> None:
    anna = sandbox.user(wrote_first=True)
    for _ in range(10):
        assert bot.refusal("sendMessage", chat_id=anna.id, text="")[0] == 400
    assert requests.get(f"{sandbox.url}/healthz", timeout=5).ok
    assert bot.ask("sendMessage", chat_id=anna.id, text="x")
