"""A worker's crew and sweep in this process: what is due is found, fairly and in pace."""

from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine

from app.delivery import brakes, outbox
from app.delivery.station import Station
from app.extensions import transaction
from sandbox.client import Sandbox, wait_for
from sandbox.limits import Rates
from tests.conftest import MakeApp
from tests.delivery.conftest import Correspondent, NewCorrespondent

StartStation = Callable[..., Station]


@pytest.fixture
def start_station(app: Flask) -> Iterator[StartStation]:
    """Starts the delivery of a worker; ends it after the test."""
    started: list[Station] = []

    def start(app: Flask = app, crew: int = 12) -> Station:
        station = Station(app, crew)
        station.start()
        started.append(station)
        return station

    yield start
    for station in started:
        station.stop()
    for station in started:
        station.join()


def test_the_sweep_alone_delivers(
    start_station: StartStation, anna: Correspondent, sandbox: Sandbox
) -> None:
    ids = [anna.posts(f"{n}") for n in range(5)]
    start_station()
    anna.wait_for(ids[-1], "sent")
    assert [line.text for line in sandbox.journal()] == [f"{n}" for n in range(5)]


def test_what_comes_later_is_found_as_well(
    start_station: StartStation, anna: Correspondent
) -> None:
    start_station()
    anna.wait_for(anna.posts(), "sent")
    anna.wait_for(anna.posts(), "sent")


def test_a_bell_does_not_wait_for_the_sweep(
    start_station: StartStation,
    anna: Correspondent,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.delivery.sweep.TICK_SECONDS", 60)
    station = start_station()
    wait_for(lambda: _heartbeats(database) == 1)
    message_id = anna.posts()
    station.crew.drain()
    assert anna.message(message_id).status == "sent"


def test_one_bell_wakes_as_much_as_there_is_to_do(
    start_station: StartStation,
    correspondent: NewCorrespondent,
    database: Engine,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.delivery.sweep.TICK_SECONDS", 60)
    people = [correspondent() for _ in range(8)]
    station = start_station()
    wait_for(lambda: _heartbeats(database) == 1)
    for person in people:
        person.posts()
    with sandbox.fault("delay", seconds=0.5):
        began = monotonic()
        station.crew.drain()
        sandbox.wait_for_messages(8)
    assert monotonic() - began < 2.0  # one after the other would take four seconds


def test_many_bells_start_no_more_drains_than_there_is_crew(
    start_station: StartStation, correspondent: NewCorrespondent, sandbox: Sandbox
) -> None:
    people = [correspondent() for _ in range(8)]
    for person in people:
        person.posts()
    with sandbox.fault("delay", seconds=0.2):
        station = start_station(crew=3)
        for _ in range(20):
            station.crew.call()
        sandbox.wait_for_messages(8)
        wait_for(lambda: all(call.answered_at for call in sandbox.calls("sendMessage")))
    calls = sandbox.calls("sendMessage")
    at_once = [
        sum(other.at <= call.at < (other.answered_at or 0.0) for other in calls) for call in calls
    ]
    assert max(at_once) == 3


def test_a_chat_that_hangs_delays_no_other(
    start_station: StartStation,
    anna: Correspondent,
    boris: Correspondent,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.delivery.engine.CALL_SECONDS", 3.0)
    with sandbox.fault("hang", chat=anna.chat):
        anna.posts()
        start_station()
        wait_for(lambda: sandbox.calls("sendMessage"))
        began = monotonic()
        boris.wait_for(boris.posts(), "sent", within=2.5)
        assert monotonic() - began < 2.5


def test_a_flood_of_messages_to_one_chat_delays_no_other(
    make_app: MakeApp,
    start_station: StartStation,
    anna: Correspondent,
    boris: Correspondent,
    sandbox: Sandbox,
) -> None:
    for n in range(100):
        anna.posts(f"{n}")
    start_station(make_app(TELEGRAM_CHAT_RATE="20"))
    sandbox.wait_for_messages(3)
    began = monotonic()
    boris.wait_for(boris.posts(), "sent")
    assert monotonic() - began < 2.0
    assert len(sandbox.journal()) < 60


def test_a_chat_is_not_written_to_faster_than_its_rate(
    make_app: MakeApp, start_station: StartStation, anna: Correspondent, sandbox: Sandbox
) -> None:
    for n in range(6):
        anna.posts(f"{n}")
    start_station(make_app(TELEGRAM_CHAT_RATE="5"))
    lines = sandbox.wait_for_messages(6)
    # Single calls may be late, but nothing is ever sent early.
    since_the_first = [line.at - lines[0].at for line in lines]
    assert all(at > 0.2 * n - 0.1 for n, at in enumerate(since_the_first))
    assert since_the_first[-1] < 2.5


def test_at_telegrams_own_rates_nothing_is_answered_with_a_429(
    make_app: MakeApp,
    start_station: StartStation,
    correspondent: NewCorrespondent,
    sandbox: Sandbox,
) -> None:
    people = [correspondent() for _ in range(45)]
    for n in range(2):
        for person in people:
            person.posts(f"{n}")
    sandbox.limits(Rates(enforced=True))
    paced = make_app(TELEGRAM_CHAT_RATE="1", TELEGRAM_BOT_RATE="30")
    start_station(paced)
    start_station(paced)
    lines = sandbox.wait_for_messages(90)
    assert sandbox.refused(429) == []
    assert sandbox.violations() == {}
    assert 89 / (lines[-1].at - lines[0].at) > 0.9 * 30


def test_what_has_expired_is_ended_by_the_sweep(
    start_station: StartStation, correspondent: NewCorrespondent
) -> None:
    nobody = correspondent(linked=False)
    message_id = nobody.posts(ttl=-1)
    start_station()
    nobody.wait_for(message_id, "expired")


def test_delivery_goes_on_when_telegram_takes_the_token_again(
    start_station: StartStation,
    anna: Correspondent,
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(brakes, "REJECTED_PROBE_EVERY", 0.5)
    message_id = anna.posts()
    with sandbox.fault("unauthorized", method="*"):
        start_station()
        wait_for(lambda: len(sandbox.calls("getMe")) >= 2)
        assert len(sandbox.calls("sendMessage")) == 1
    row = anna.wait_for(message_id, "sent")
    assert not row.possible_duplicate


def test_a_worker_that_starts_with_a_better_token_does_not_wait(
    start_station: StartStation, anna: Correspondent, database: Engine
) -> None:
    with database.connect() as connection:
        brakes.rejected(connection)
    message_id = anna.posts()
    start_station()
    anna.wait_for(message_id, "sent", within=5)


def test_delivery_goes_on_when_telegram_can_be_reached_again(
    start_station: StartStation,
    correspondent: NewCorrespondent,
    sandbox: Sandbox,
    database: Engine,
) -> None:
    people = [correspondent() for _ in range(6)]
    ids = [person.posts() for person in people]
    sandbox.goes_down(2.0)
    start_station()
    wait_for(lambda: _hold_reason(database) == "unreachable")
    for person, message_id in zip(people, ids, strict=True):
        row = person.wait_for(message_id, "sent")
        assert not row.possible_duplicate
        assert row.attempts_made <= 4  # nothing is tried in vain once it is known


def test_a_pause_stops_the_crew_and_its_end_starts_it(
    start_station: StartStation, app: Flask, anna: Correspondent, sandbox: Sandbox
) -> None:
    with app.app_context(), transaction() as session:
        outbox.pause(session)
    start_station()
    message_id = anna.posts()
    with pytest.raises(AssertionError):
        anna.wait_for(message_id, "sent", within=1.5)
    with app.app_context(), transaction() as session:
        outbox.resume(session)
    anna.wait_for(message_id, "sent")


def test_a_process_that_stops_finishes_its_calls_and_begins_no_others(
    start_station: StartStation, anna: Correspondent, sandbox: Sandbox, database: Engine
) -> None:
    first, second = anna.posts("first"), anna.posts("second")
    with sandbox.fault("delay", seconds=0.5):
        station = start_station()
        wait_for(lambda: sandbox.calls("sendMessage"))
        station.stop()
        station.join()
    assert anna.message(first).status == "sent"
    assert anna.message(second).status == "queued"
    assert anna.lane().leased_until is None
    wait_for(lambda: _heartbeats(database) == 0)


def test_a_drain_ends_in_time_and_another_takes_its_place(
    start_station: StartStation,
    anna: Correspondent,
    database: Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.delivery.crew.DRAIN_SECONDS", 0.05)
    monkeypatch.setattr("app.delivery.sweep.TICK_SECONDS", 60)
    station = start_station()
    wait_for(lambda: _heartbeats(database) == 1)
    ids = [anna.posts() for _ in range(40)]
    station.crew.drain()
    anna.wait_for(ids[-1], "sent")


def test_a_sweep_survives_what_it_did_not_expect(
    start_station: StartStation, anna: Correspondent, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = brakes.claim_probe, []

    def fail_once(connection: Connection) -> bool:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError
        return real(connection)

    monkeypatch.setattr(brakes, "claim_probe", fail_once)
    start_station()
    anna.wait_for(anna.posts(), "sent")


def _heartbeats(database: Engine) -> int:
    with database.connect() as connection:
        query = "SELECT count(*) FROM heartbeat WHERE kind = 'worker'"
        return int(connection.exec_driver_sql(query).scalar_one())


def _hold_reason(database: Engine) -> str | None:
    with database.connect() as connection:
        reason: str | None = connection.exec_driver_sql("SELECT hold_reason FROM bot").scalar()
        return reason
