"""Real worker processes that are killed, frozen and ended; a broker and a database that go away."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from embedded import Servers
from sandbox.client import Sandbox, wait_for
from tests.delivery.conftest import Correspondent, NewCorrespondent, execute
from tests.running import Part, Running

AWAY = {"REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.fixture
def valkey(servers: Servers) -> Iterator[Servers]:
    """The servers, with a broker that is well again after the test."""
    yield servers
    servers.valkey.restart()


def under_way(sandbox: Sandbox, count: int = 1) -> None:
    wait_for(lambda: len(sandbox.calls("sendMessage")) >= count, 20, "a call under way")


@contextmanager
def durable(database: Engine) -> Iterator[None]:
    """The tests' PostgreSQL takes its ease with commits; here it keeps them."""
    execute(database, "ALTER DATABASE gonets SET synchronous_commit = on")
    yield
    execute(database, "ALTER DATABASE gonets RESET synchronous_commit")


def ready(worker: Part) -> Part:
    worker.says("sweeping")
    return worker


def test_a_message_is_delivered_by_a_bell(
    running: Running, anna: Correspondent, sandbox: Sandbox
) -> None:
    worker = running.worker()
    worker.says("ready.")
    message_id = anna.posts("привет", greeting="Анна, я получил от тебя сообщение:")
    sent = anna.wait_for(message_id, "sent")
    [line] = sandbox.journal()
    assert line.text == "Анна, я получил от тебя сообщение:\nпривет"
    assert sent.telegram_message_ids == [line.message_id]
    worker.says(f"message_id={message_id}")
    assert "привет" not in worker.log()
    assert sandbox.token not in worker.log()
    assert worker.terminate() == 0


def test_a_worker_that_never_sees_a_broker_delivers_and_ends(
    running: Running, anna: Correspondent
) -> None:
    worker = ready(running.worker(**AWAY))
    anna.wait_for(anna.posts(), "sent")
    assert worker.terminate() == 0


def test_delivery_goes_on_while_the_broker_is_frozen_killed_and_back(
    running: Running, anna: Correspondent, valkey: Servers
) -> None:
    worker = running.worker()
    worker.says("ready.")
    valkey.valkey.freeze()
    anna.wait_for(anna.posts("frozen"), "sent")
    valkey.valkey.thaw()
    valkey.valkey.kill()
    anna.wait_for(anna.posts("killed"), "sent")
    valkey.valkey.start()
    anna.wait_for(anna.posts("back"), "sent")
    assert worker.alive


def test_what_a_killed_worker_was_sending_is_sent_by_another(
    running: Running, anna: Correspondent, sandbox: Sandbox
) -> None:
    first, second = anna.posts("first"), anna.posts("second")
    with sandbox.fault("delay", seconds=5, accepted=True, times=1):
        doomed = running.worker(**AWAY)
        under_way(sandbox)
        doomed.kill()
    anna.lease_ends()
    running.worker(**AWAY)
    anna.wait_for(second, "sent", within=20)
    assert [line.text for line in sandbox.journal()] == ["first", "first", "second"]
    assert anna.message(first).possible_duplicate
    assert not anna.message(second).possible_duplicate


def test_a_worker_frozen_during_its_call_comes_back_as_a_zombie_and_writes_nothing(
    running: Running, anna: Correspondent, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    with sandbox.fault("delay", seconds=1, times=1):
        zombie = running.worker(**AWAY)
        under_way(sandbox)
        zombie.freeze()
    anna.lease_ends()
    other = running.worker(**AWAY)
    row = anna.wait_for(message_id, "sent", within=20)
    assert other.terminate() == 0
    assert row.possible_duplicate
    zombie.thaw()
    zombie.says("no longer ours")
    assert anna.message(message_id) == row
    assert [attempt.outcome for attempt in anna.attempts(message_id)] == ["ambiguous", "sent"]


def test_a_worker_that_is_told_to_end_finishes_what_it_sends(
    running: Running, correspondent: NewCorrespondent, sandbox: Sandbox
) -> None:
    people = [correspondent() for _ in range(5)]
    ids = [person.posts() for person in people]
    with sandbox.fault("delay", seconds=2, accepted=True):
        worker = running.worker(**AWAY)
        under_way(sandbox, 5)
        behind = people[0].posts("behind")
        assert worker.terminate() == 0
    for person, message_id in zip(people, ids, strict=True):
        row = person.message(message_id)
        assert (row.status, row.possible_duplicate) == ("sent", False)
        assert person.lane().leased_until is None
    assert people[0].message(behind).status == "queued"
    assert len(sandbox.journal()) == 5


def test_a_second_signal_to_end_changes_nothing_for_what_is_being_sent(
    running: Running, anna: Correspondent, sandbox: Sandbox
) -> None:
    """Supervisors repeat themselves; the call is either finished or marked, never forgotten."""
    message_id = anna.posts()
    with sandbox.fault("delay", seconds=1, accepted=True, times=1):
        worker = running.worker(**AWAY)
        under_way(sandbox)
        worker.signal(signal.SIGTERM)
        worker.terminate()
    assert anna.message(message_id).status in ("sent", "sending")


def test_a_worker_that_cannot_end_by_itself_is_ended_and_its_call_is_marked(
    running: Running, anna: Correspondent, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    impatient = "import worker; worker.GONE_SECONDS = 0.5; worker.main()"
    with sandbox.fault("delay", seconds=5, times=1):
        worker = running.start("worker", [sys.executable, "-c", impatient], AWAY)
        under_way(sandbox)
        assert worker.terminate(within=4) == 1
    assert anna.message(message_id).status == "sending"


def test_an_immediate_restart_of_the_database_loses_and_repeats_nothing(
    running: Running,
    correspondent: NewCorrespondent,
    database: Engine,
    servers: Servers,
    sandbox: Sandbox,
) -> None:
    people = [correspondent() for _ in range(6)]
    ids = [(person, person.posts(f"{n}")) for n in range(20) for person in people]
    with durable(database), sandbox.fault("delay", seconds=0.05, accepted=True):
        worker = running.worker(**AWAY)
        sandbox.wait_for_messages(30, within=20)
        servers.postgres.stop(immediate=True)
        threading.Event().wait(0.5)
        servers.postgres.start()
        database.dispose()
        for person, message_id in ids:
            person.wait_for(message_id, "sent", within=30)
    assert worker.alive
    assert not any(person.message(message_id).possible_duplicate for person, message_id in ids)
    for person in people:
        sent = [line.text for line in sandbox.journal() if line.chat_id == person.chat.id]
        assert sent == [f"{n}" for n in range(20)]


def test_a_worker_that_starts_before_its_database_waits_for_it(
    running: Running, anna: Correspondent, servers: Servers, database: Engine
) -> None:
    message_id = anna.posts()
    servers.postgres.stop()
    try:
        worker = ready(running.worker(**AWAY))
        worker.says("lost the database")
    finally:
        servers.postgres.start()
        database.dispose()
    anna.wait_for(message_id, "sent", within=20)
