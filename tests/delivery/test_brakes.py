"""What stops the whole bot, and what lets it go on."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from app.delivery import brakes, lanes
from tests.delivery.conftest import Correspondent, NewCorrespondent, Worker, execute


@pytest.fixture
def line(worker: Worker) -> Connection:
    return worker.connection


def bot(database: Engine) -> Any:
    with database.connect() as connection:
        return connection.exec_driver_sql(
            "SELECT *, extract(epoch FROM held_until - now())::float8 AS held_for FROM bot"
        ).one()


def is_open(anna: Correspondent, line: Connection) -> bool:
    """Whether a lane that is due can be claimed."""
    execute(anna.database, "UPDATE lane SET wake_at = now(), leased_until = NULL")
    return lanes.claim(line, 1, most=1, began=0.0) != []


def test_one_flooded_chat_stops_nobody_else(
    line: Connection, anna: Correspondent, database: Engine
) -> None:
    assert not brakes.flooded(line, 1, 5)
    assert not brakes.flooded(line, 1, 5)
    assert is_open(anna, line)


def test_two_flooded_chats_within_ten_seconds_stop_the_bot_for_as_long_as_telegram_says(
    line: Connection, anna: Correspondent, database: Engine
) -> None:
    brakes.flooded(line, 1, 5)
    assert brakes.flooded(line, 2, 7)
    assert bot(database).held_for == pytest.approx(7, abs=0.5)
    assert not is_open(anna, line)


def test_two_floods_far_apart_do_not_stop_the_bot(
    line: Connection, anna: Correspondent, database: Engine
) -> None:
    brakes.flooded(line, 1, 5)
    execute(database, "UPDATE bot SET flooded_at = flooded_at - interval '11 seconds'")
    assert not brakes.flooded(line, 2, 5)
    assert is_open(anna, line)


@pytest.mark.parametrize(("seconds", "held"), [(31, 31), (10072, 60)])
def test_a_long_flood_stops_the_bot_but_a_minute_at_most(
    line: Connection, database: Engine, seconds: float, held: float
) -> None:
    assert brakes.flooded(line, 1, seconds)
    assert bot(database).held_for == pytest.approx(held, abs=0.5)


def test_a_shorter_flood_does_not_shorten_a_longer_one(line: Connection, database: Engine) -> None:
    brakes.flooded(line, 1, 50)
    brakes.flooded(line, 2, 2)
    assert bot(database).held_for == pytest.approx(50, abs=0.5)


def test_a_flood_is_over_when_its_time_is(
    line: Connection, anna: Correspondent, database: Engine
) -> None:
    brakes.flooded(line, 1, 50)
    execute(database, "UPDATE bot SET held_until = now()")
    assert is_open(anna, line)
    assert not brakes.claim_probe(line)
    assert bot(database).hold_reason is None


def test_five_failures_in_a_row_stop_the_bot_and_four_do_not(
    line: Connection, anna: Correspondent
) -> None:
    assert [brakes.unreached(line) for _ in range(4)] == [False] * 4
    assert is_open(anna, line)
    assert brakes.unreached(line)
    assert not is_open(anna, line)


def test_an_answer_ends_the_row_of_failures(line: Connection, anna: Correspondent) -> None:
    for _ in range(4):
        brakes.unreached(line)
    brakes.reached(line)
    assert not brakes.unreached(line)
    assert is_open(anna, line)


def test_what_is_out_of_reach_stays_so_until_a_probe_succeeds(
    line: Connection, anna: Correspondent, database: Engine
) -> None:
    for _ in range(5):
        brakes.unreached(line)
    execute(database, "UPDATE bot SET held_until = now()")
    assert not is_open(anna, line)
    assert brakes.claim_probe(line)
    assert not brakes.claim_probe(line)  # one probe at a time, whoever asks
    brakes.unreached_still(line)
    assert not is_open(anna, line)
    brakes.release(line)
    assert is_open(anna, line)
    assert bot(database).failures == 0


def test_a_refused_token_is_not_mistaken_for_an_unreachable_telegram(
    line: Connection, database: Engine
) -> None:
    brakes.rejected(line)
    for _ in range(9):
        assert not brakes.unreached(line)
    brakes.flooded(line, 1, 60)
    assert bot(database).hold_reason == "bot_rejected"
    assert bot(database).held_for == pytest.approx(brakes.REJECTED_PROBE_EVERY, abs=0.5)


def test_a_worker_that_starts_has_a_refused_token_tried_at_once(
    line: Connection, database: Engine
) -> None:
    brakes.rejected(line)
    assert not brakes.claim_probe(line)
    brakes.probe_soon(line)
    assert brakes.claim_probe(line)


def test_a_success_resets_the_failures_that_came_before(
    correspondent: NewCorrespondent, worker: Worker, database: Engine
) -> None:
    for _ in range(4):
        brakes.unreached(worker.connection)
    correspondent().posts()
    worker.turns()
    assert bot(database).failures == 0
