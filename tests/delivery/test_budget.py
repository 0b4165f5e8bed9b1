"""The bot's pace, shared by processes through one row."""

import threading
from collections.abc import Callable
from time import monotonic

import pytest
from sqlalchemy import Engine

from app.delivery.budget import Budget, reply_slot
from tests.delivery.conftest import Correspondent

GO_ON = threading.Event()


@pytest.fixture
def wait(database: Engine) -> Callable[[Budget], float | None]:
    """Waits for a slot as a drain does."""

    def wait(budget: Budget) -> float | None:
        with database.connect() as connection:
            return budget.wait(connection, GO_ON)

    return wait


def test_slots_of_several_processes_are_evenly_spaced(
    database: Engine, wait: Callable[[Budget], float | None]
) -> None:
    budgets = [Budget(20) for _ in range(3)]
    times: list[float] = []

    def work(budget: Budget) -> None:
        for _ in range(6):
            wait(budget)
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


def test_an_idle_bot_sends_at_once(wait: Callable[[Budget], float | None]) -> None:
    began = monotonic()
    wait(Budget(1))
    assert monotonic() - began < 0.2


def test_a_slot_given_back_is_used_by_the_next(wait: Callable[[Budget], float | None]) -> None:
    budget = Budget(0.01)
    slot = wait(budget)
    assert slot is not None
    budget.give_back(slot)
    assert wait(budget) == slot


def test_a_slot_given_back_long_ago_is_not_used(database: Engine) -> None:
    budget = Budget(30)
    budget.give_back(monotonic() - 10)
    with database.connect() as connection:
        slot = budget.wait(connection, GO_ON)
    assert slot is not None
    assert slot > monotonic() - 1


def test_a_lifted_rate_asks_the_database_rarely(database: Engine) -> None:
    budget = Budget(100_000)
    with database.connect() as connection:
        for _ in range(1000):
            budget.wait(connection, GO_ON)
            assert len(budget._taken) == 1  # still the first batch


def test_waiting_ends_when_the_process_stops(database: Engine) -> None:
    stopping = threading.Event()
    budget = Budget(0.1)
    with database.connect() as connection:
        budget.wait(connection, stopping)
        threading.Timer(0.1, stopping.set).start()
        assert budget.wait(connection, stopping) is None


def test_messages_do_not_take_slots_far_ahead(database: Engine) -> None:
    budget = Budget(10)
    with database.connect() as connection:
        taken = [budget._take(connection) for _ in range(20)]
    assert taken.count(None) == 20 - 9


def test_a_reply_goes_ahead_of_the_line_and_pushes_it_back(database: Engine) -> None:
    budget = Budget(10)
    with database.connect() as connection:
        for _ in range(8):
            budget._take(connection)
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
