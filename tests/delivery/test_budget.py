"""The bot's pace, shared by processes through one row."""

import threading
from collections.abc import Callable
from time import monotonic

import pytest
from sqlalchemy import Engine

from app.delivery.budget import Budget, reply_slot
from tests import statements
from tests.delivery.conftest import Correspondent

GO_ON = threading.Event()


NewBudget = Callable[[float], Budget]


@pytest.fixture
def budget_of(database: Engine) -> NewBudget:
    """The budget of one process, for a rate."""
    return lambda rate: Budget(rate, database.connect)


def test_slots_of_several_processes_are_evenly_spaced(budget_of: NewBudget) -> None:
    budgets = [budget_of(20) for _ in range(3)]
    times: list[float] = []

    def work(budget: Budget) -> None:
        for _ in range(6):
            budget.wait(GO_ON)
            times.append(monotonic())

    threads = [threading.Thread(target=work, args=(budget,)) for budget in budgets]
    began = monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    assert 17 / 20 - 0.05 < times[-1] - began < 17 / 20 + 1
    for earlier, later in zip(times, times[5:], strict=False):
        assert later - earlier > 4 / 20  # six calls never come within four intervals


def test_an_idle_bot_sends_at_once(budget_of: NewBudget) -> None:
    began = monotonic()
    budget_of(1).wait(GO_ON)
    assert monotonic() - began < 0.2


def test_a_slot_given_back_is_used_by_the_next(budget_of: NewBudget) -> None:
    budget = budget_of(0.01)
    slot = budget.wait(GO_ON)
    assert slot is not None
    budget.give_back(slot)
    assert budget.wait(GO_ON) == slot


def test_a_slot_given_back_long_ago_is_not_used(budget_of: NewBudget) -> None:
    budget = budget_of(30)
    budget.give_back(monotonic() - 10)
    slot = budget.wait(GO_ON)
    assert slot is not None
    assert slot > monotonic() - 1


def test_a_lifted_rate_asks_the_database_rarely(budget_of: NewBudget) -> None:
    budget = budget_of(100_000)
    with statements.noted() as sent:
        for _ in range(1000):
            budget.wait(GO_ON)
    assert len(sent) == 1


def test_waiting_ends_when_the_process_stops(budget_of: NewBudget) -> None:
    stopping = threading.Event()
    budget = budget_of(0.1)
    budget.wait(stopping)
    threading.Timer(0.1, stopping.set).start()
    assert budget.wait(stopping) is None


def test_messages_do_not_take_slots_far_ahead(budget_of: NewBudget) -> None:
    budget = budget_of(10)
    taken = [budget._take(GO_ON) for _ in range(20)]
    assert taken.count(None) == 20 - 9


def test_a_reply_goes_ahead_of_the_line_and_pushes_it_back(
    budget_of: NewBudget, database: Engine
) -> None:
    budget = budget_of(10)
    for _ in range(8):
        budget._take(GO_ON)
    with database.connect() as connection:
        assert reply_slot(connection, 1, bot_rate=10, chat_rate=1) == 0.0
        line = connection.exec_driver_sql("SELECT extract(epoch FROM paced_until - now()) FROM bot")
        assert float(line.scalar_one()) == pytest.approx(0.9, abs=0.05)


def test_replies_wait_when_they_would_break_the_limit_themselves(database: Engine) -> None:
    with database.connect() as connection:
        waits = [reply_slot(connection, 1, bot_rate=10, chat_rate=1) for _ in range(15)]
    assert waits[:10] == [0.0] * 10
    assert waits[14] == pytest.approx(0.4, abs=0.1)


def test_a_reply_counts_for_the_pace_of_its_chat(anna: Correspondent, database: Engine) -> None:
    with database.connect() as connection:
        reply_slot(connection, anna.chat.id, bot_rate=10, chat_rate=1)
    anna.posts()
    lane = anna.lane()
    assert lane.wake_at == lane.paced_until
