"""Leases, fences and races: several workers on the same lanes, some of them dead or too late."""

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app import clock
from app.delivery import engine as engine_module
from app.delivery import lanes, ledger, outbox
from app.extensions import transaction
from sandbox.client import Sandbox, wait_for
from tests import statements
from tests.delivery.conftest import Correspondent, NewCorrespondent, Worker, execute, workers


def test_a_leased_lane_is_not_claimed_by_another_worker(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    anna.posts()
    worker.claims()
    assert other_worker.turns() == 0


def test_the_mark_is_committed_before_the_call(anna: Correspondent, worker: Worker) -> None:
    message_id = anna.posts()
    worker.claims()
    assert anna.message(message_id).status == "sending"


def test_what_a_dead_worker_left_is_sent_once_more_and_says_so(
    anna: Correspondent, worker: Worker, other_worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    worker.claims()  # and dies
    anna.lease_ends()
    other_worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate, row.attempts_made) == ("sent", True, 2)
    assert [attempt.outcome for attempt in anna.attempts(message_id)] == ["ambiguous", "sent"]


def test_the_attempt_of_a_dead_worker_has_the_time_of_its_call_not_of_its_discovery(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts()
    worker.claims()  # and dies
    anna.lease_ends()
    with anna.database.connect() as rows:
        began = rows.scalar(text("SELECT leased_until - interval '30 s' FROM lane"))
    other_worker.turns()
    died, sent = anna.attempts(message_id)
    assert died.at == began
    assert (sent.at - died.at).total_seconds() > 29


def test_the_lane_of_a_dead_worker_goes_before_what_became_due_since(
    anna: Correspondent, boris: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts()
    worker.claims()  # and dies
    boris.posts()
    anna.lease_ends()
    lanes.rescue(other_worker.connection)
    turn = other_worker.claims()
    assert turn.message is not None
    assert turn.message.id == message_id


def test_a_lane_that_is_held_by_a_worker_is_not_rescued(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    anna.posts()
    worker.claims()
    before = anna.lane()
    lanes.rescue(other_worker.connection)
    assert anna.lane() == before


def test_a_worker_that_died_between_two_parts_leaves_nothing_open(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts("a" * 5000)
    worker.turns(1)
    anna.wakes()
    other_worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("sent", False)


def test_a_zombie_writes_nothing(
    anna: Correspondent, worker: Worker, other_worker: Worker, sandbox: Sandbox
) -> None:
    first, second = anna.posts("first"), anna.posts("second")
    turn = worker.claims()
    anna.lease_ends()
    other_worker.turns(1)
    before = (anna.message(first), anna.message(second), anna.lane())
    with sandbox.fault("error", description="Bad Request: no"):
        worker.finishes(turn)
    assert (anna.message(first), anna.message(second), anna.lane()) == before
    assert [attempt.outcome for attempt in anna.attempts(first)] == ["ambiguous", "sent"]


def test_a_zombie_does_not_end_the_turn_of_its_successor(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    anna.lease_ends()
    successor = other_worker.claims()
    lane = anna.lane()
    worker.finishes(turn)
    assert anna.lane() == lane
    assert anna.message(message_id).status == "sending"
    other_worker.finishes(successor)
    row = anna.message(message_id)
    assert (row.status, len(row.telegram_message_ids)) == ("sent", 1)


def test_a_zombie_moves_no_chat_and_blocks_none(
    anna: Correspondent, worker: Worker, other_worker: Worker, sandbox: Sandbox
) -> None:
    anna.posts("first")
    anna.posts("second")
    moving = worker.claims()
    anna.lease_ends()
    blocking = other_worker.claims()
    anna.lease_ends()
    for last in workers(anna.app):
        last.turns(1)
    before = anna.lane()
    with sandbox.fault("migrate", migrate_to_chat_id=-1, times=1):
        worker.finishes(moving)
    with sandbox.fault("blocked", times=1):
        other_worker.finishes(blocking)
    assert anna.lane() == before
    with anna.database.connect() as connection:
        chat = connection.exec_driver_sql("SELECT telegram_id, blocked_at FROM chat").one()
    assert tuple(chat) == (anna.chat.id, None)


def test_a_zombie_of_an_idle_lane_writes_nothing(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    anna.lease_ends()
    other_worker.turns()
    assert anna.lane().leased_until is None
    worker.finishes(turn)
    assert len(anna.message(message_id).telegram_message_ids) == 1


def test_a_worker_that_was_frozen_before_its_call_does_not_make_it(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    monkeypatch.setattr(engine_module, "CALL_SECONDS", -1.0)
    worker.finishes(turn)
    assert sandbox.calls("sendMessage") == []
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("queued", False)


def test_a_message_accepted_while_the_last_one_is_recorded_is_not_forgotten(
    anna: Correspondent, worker: Worker, database: Engine
) -> None:
    """The acceptance holds the lane's lock when the record begins: the record must see it."""
    anna.posts("first")
    turn = worker.claims()
    recording = threading.Event()

    def finish() -> None:
        recording.set()
        worker.finishes(turn)

    thread = threading.Thread(target=finish)
    with anna.app.app_context(), transaction() as session:
        later = clock.now().replace(year=2100)
        parcel = outbox.Parcel(text="second", greeting="", silent=False, expires_at=later)
        outbox.accept(session.connection(), anna.account_id, parcel, 100)
        thread.start()
        recording.wait(5)
        wait_for(lambda: _blocked(database), what="the record waits for the lane's lock")
    thread.join(10)
    assert anna.lane().wake_at is not None
    anna.wakes()
    assert worker.turns() == 1


def _blocked(database: Engine) -> bool:
    with database.connect() as connection:
        return bool(
            connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ).scalar()
        )


def test_a_lane_whose_messages_all_went_away_sleeps_and_wakes_again(
    anna: Correspondent, worker: Worker
) -> None:
    anna.does(outbox.cancel, anna.posts())
    assert anna.lane().wake_at is not None
    worker.turns()
    lane = anna.lane()
    assert (lane.wake_at, lane.leased_until) == (None, None)
    message_id = anna.posts()
    worker.turns()
    assert anna.message(message_id).status == "sent"


def test_a_hold_during_the_turn_of_a_worker_that_dies_ends_in_a_held_message(
    anna: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts()
    worker.claims()
    anna.does(outbox.hold, "blocked")
    anna.lease_ends()
    other_worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.reason, row.possible_duplicate) == ("held", "blocked", True)
    (died,) = anna.attempts(message_id)
    assert (died.outcome, row.attempts_made) == ("ambiguous", 1)
    assert (clock.now() - died.at).total_seconds() > 29
    assert anna.lane().wake_at is None
    anna.does(outbox.release)
    other_worker.turns()
    assert anna.message(message_id).status == "sent"


def test_an_abandoned_message_that_has_expired_is_ended(
    anna: Correspondent, worker: Worker, other_worker: Worker, sandbox: Sandbox
) -> None:
    late, good = anna.posts("late"), anna.posts("good")
    worker.claims()
    execute(anna.database, f"UPDATE message SET expires_at = now() WHERE id = {late}")
    anna.lease_ends()
    other_worker.turns()
    row = anna.message(late)
    assert (row.status, row.possible_duplicate, row.attempts_made) == ("expired", True, 1)
    assert [attempt.outcome for attempt in anna.attempts(late)] == ["ambiguous"]
    assert anna.message(good).status == "sent"


def test_leases_under_way_are_renewed_and_others_are_not(
    anna: Correspondent, boris: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    anna.posts()
    turn = worker.claims()
    assert worker.courier.leases() == [(turn.lane_id, turn.lease_no)]
    execute(anna.database, "UPDATE lane SET leased_until = now(), wake_at = now()")
    with other_worker.courier.connect() as connection:
        lanes.renew(connection, [(turn.lane_id, turn.lease_no - 1)])
        assert anna.lane().leased_until <= clock.now()
        lanes.renew(connection, worker.courier.leases())
    assert anna.lane().leased_until > clock.now()
    assert anna.lane().wake_at == anna.lane().leased_until
    worker.finishes(turn)
    assert worker.courier.leases() == []


def test_a_lease_is_not_renewed_beyond_a_minute(
    anna: Correspondent, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna.posts()
    turn = worker.claims()
    began = turn.began
    monkeypatch.setattr(engine_module, "monotonic", lambda: began + 31)
    assert worker.courier.leases() == []


def test_expiry_ends_what_waits_but_not_what_is_being_sent(
    correspondent: NewCorrespondent, anna: Correspondent, worker: Worker
) -> None:
    sending = anna.posts(ttl=0.2)
    worker.claims()
    waiting = anna.posts(ttl=-1)
    nobody = correspondent(linked=False)
    held = nobody.posts(ttl=-1)
    wait_for(lambda: anna.message(sending).expires_at < clock.now())
    assert sorted(lanes.expire(worker.connection)) == [waiting, held]
    assert anna.message(sending).status == "sending"
    assert nobody.message(held).reason == "no_chat"


def test_many_workers_deliver_everything_once_and_in_order(
    correspondent: NewCorrespondent, sandbox: Sandbox, app: Any
) -> None:
    people = [correspondent() for _ in range(8)]
    for n in range(10):
        for person in people:
            person.posts(f"{n}")
    done = threading.Event()

    def work() -> None:
        for worker in workers(app):
            while not done.is_set():
                worker.turns()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    sandbox.wait_for_messages(len(people) * 10, within=30)
    done.set()
    for thread in threads:
        thread.join(30)
    for person in people:
        sent = [line.text for line in sandbox.journal() if line.chat_id == person.chat.id]
        assert sent == [f"{n}" for n in range(10)]


def test_a_turn_is_two_round_trips_to_the_database(
    anna: Correspondent, boris: Correspondent, worker: Worker
) -> None:
    boris.posts()
    worker.turns()
    anna.posts()
    with statements.noted() as sent:
        worker.finishes(worker.claims())
    assert [statement.split()[1] for statement in sent] == ["gonets_claim", "gonets_record_free"]


def test_a_flood_that_the_planner_has_not_counted_makes_no_claim_read_all_of_it(
    anna: Correspondent, worker: Worker
) -> None:
    """It has seen a long history in which nothing waits, and takes that for the rule."""
    anna.posts()
    worker.turns()
    execute(
        anna.database,
        """
        INSERT INTO message (account_id, lane_id, seq, direction, text, status, created_at)
        SELECT account_id, lane_id, seq - n, direction, text, status, created_at
        FROM message, generate_series(1, 3000) AS n
        """,
    )
    execute(anna.database, "ANALYZE message")
    anna.posts()
    worker.turns()
    nulls = ", ".join("NULL" for _ in ledger._COLUMNS)
    with worker.courier.connect() as connection:  # the one that was used last, plans and all
        claim = str(connection.exec_driver_sql("EXPLAIN EXECUTE gonets_claim (1, 30, 1)").all())
        execute_it = f"EXPLAIN EXECUTE gonets_record_free ({nulls})"
        record = str(connection.exec_driver_sql(execute_it).all())
    assert "ix_message_open" in claim
    assert "pk_message" in claim
    assert "ix_message_expiry" not in claim
    assert "pk_message" in record
