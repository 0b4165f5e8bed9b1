"""The bot's small parts by themselves: words, throttle, lines, reading of updates, the lease."""

import string
import threading
from time import monotonic
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.bot import lease as lease_module
from app.bot import updates, words
from app.bot.lease import Lease
from app.bot.lines import BURST as LINE_BURST
from app.bot.lines import Lines
from app.bot.replies import Manner, Say
from app.bot.throttle import BURST, PAUSES, Throttle
from app.bot.words import Words
from app.services import polling
from sandbox.client import wait_for

TEXTS = {name: value for name, value in vars(words).items() if isinstance(value, Words)}
TEXTS |= {f"/{name}": meaning for name, meaning in words.COMMANDS.items()}


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_text_says_the_same_in_both_languages_and_fits_a_message(name: str) -> None:
    both = TEXTS[name]
    assert both.ru != both.en
    assert places(both.ru) == places(both.en)
    assert max(len(both.ru), len(both.en)) < 1000


def test_notes_under_a_button_fit_telegrams_200_characters() -> None:
    for note in (words.UNDONE_BRIEFLY, words.NOTHING_TO_UNDO):
        assert max(len(note.ru), len(note.en)) <= 200


# The throttle


def test_a_chat_hears_a_burst_and_then_one_answer_a_second() -> None:
    throttle, answer = Throttle(), Say(1, "x")
    assert [throttle.allows(answer, 100.0) for _ in range(BURST + 5)].count(True) == BURST
    assert [throttle.allows(answer, 101.0) for _ in range(3)] == [True, False, False]
    assert throttle.allows(Say(2, "x"), 101.0)


@pytest.mark.parametrize("manner", [Manner.NEUTRAL, Manner.RECEIPT])
def test_what_need_not_be_said_is_said_once_in_a_while(manner: Manner) -> None:
    throttle, word = Throttle(), Say(1, "x", manner=manner)
    assert [throttle.allows(word, 0.0), throttle.allows(word, PAUSES[manner] - 0.1)] == [
        True,
        False,
    ]
    assert throttle.allows(word, PAUSES[manner])


def test_the_throttle_forgets_chats_that_were_quiet_for_long() -> None:
    throttle = Throttle()
    for chat in range(30_000):
        throttle.allows(Say(chat, "x", manner=Manner.NEUTRAL), chat * 0.01)
    assert len(throttle._answered) + len(throttle._said) < 11_000


# Lines


def test_a_chat_has_one_task_at_a_time_and_others_do_not_wait_for_it() -> None:
    lines = Lines[str](spacing=0.0, most=10)
    for chat, task in ((1, "a"), (1, "b"), (2, "c")):
        assert lines.put(chat, task)
    assert [lines.take(), lines.take()] == [(1, "a"), (2, "c")]
    lines.again(1, 0.0)
    assert lines.take() == (1, "a")
    lines.done(1)
    assert lines.take() == (1, "b")
    assert lines.waiting == 2


def test_tasks_of_a_chat_are_spaced_after_a_short_burst() -> None:
    lines = Lines[int](spacing=0.05, most=10)
    for number in range(LINE_BURST + 2):
        lines.put(1, number)
    began, times = monotonic(), []
    for number in range(LINE_BURST + 2):
        assert lines.take() == (1, number)
        times.append(monotonic() - began)
        lines.done(1)
    assert times[LINE_BURST - 1] < 0.05
    assert times[LINE_BURST] >= 0.045 and times[LINE_BURST + 1] >= 0.095


def test_lines_take_no_more_than_they_have_room_for_and_forget_idle_chats() -> None:
    lines = Lines[int](spacing=0.0, most=3)
    assert [lines.put(chat, 0) for chat in range(4)] == [True, True, True, False]
    for chat in range(100):
        chat_id, _ = lines.take()
        lines.done(chat_id)
        assert lines.put(1000 + chat, 0)
    assert len(lines._lines) <= 4


def test_a_waiting_thread_hears_of_a_new_task() -> None:
    lines, taken = Lines[str](spacing=0.0, most=3), []
    thread = threading.Thread(target=lambda: taken.append(lines.take()))
    thread.start()
    lines.put(1, "a")
    thread.join(2)
    assert taken == [(1, "a")]


# Updates


def test_a_shape_has_keys_and_types_and_no_contents() -> None:
    message = {"text": "secret", "ok": True, "x": None, "l": [{"a": 1}], "secret key!": 1}
    update = {"update_id": 1, "message": message}
    assert updates.shape(update) == {
        "update_id": "int",
        "message": {"text": "str", "ok": "bool", "x": "NoneType", "l": [{"a": "int"}]},
    }


def test_a_shape_is_bounded_however_deep_and_wide_the_update_is() -> None:
    deep: Any = "x"
    for _ in range(500):
        deep = {"message": [deep]}
    assert len(repr(updates.shape(deep))) < 200
    assert len(updates.shape({f"k{n}": n for n in range(1000)})) <= 60


@pytest.mark.parametrize("update", [{}, {"edited_message": {"text": "x"}}, {"poll": 1}])
def test_kinds_of_updates_that_were_not_asked_for_are_nothing(update: dict[str, Any]) -> None:
    assert updates.read(update) == updates.NOTHING


# The lease


def test_the_lease_has_one_holder_until_it_ends_or_is_given_back(
    ctx: Flask, database: Engine
) -> None:
    assert polling.claim("one", 20) == "one"
    assert polling.claim("two", 20) == "one"
    with database.connect() as connection:
        left = text("SELECT extract(epoch FROM polling_until - now()) FROM bot")
        assert 19 < connection.scalar(left) <= 20
        connection.execute(text("UPDATE bot SET polling_until = now() - interval '1 second'"))
    assert polling.claim("two", 20) == "two"
    assert polling.claim("one", 20) == "two"
    polling.leave("one")
    assert polling.claim("one", 20) == "two"
    polling.leave("two")
    assert polling.claim("one", 20) == "one"


def test_a_poller_that_lost_the_database_believes_in_its_lease_no_longer_than_it_lasts(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", 0.05)
    lease = Lease(app)
    wait_for(lambda: lease.held)

    def away(*_: Any) -> str:
        raise OperationalError("", {}, psycopg2.OperationalError("gone"))

    monkeypatch.setattr(polling, "claim", away)
    wait_for(lambda: not lease.held, within=2)
    monkeypatch.undo()
    wait_for(lambda: lease.held)
    lease.give_back(2)
    assert not lease.held
