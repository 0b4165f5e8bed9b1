"""Several turns in one statement: each is claimed and recorded as if it were alone."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Connection

from app import clock
from app.delivery import grouping, lanes, ledger
from app.delivery.ledger import Record
from app.delivery.retries import Decision
from app.delivery.station import Station
from app.models import Status
from sandbox.client import Sandbox, wait_for
from tests import statements
from tests.delivery.conftest import Correspondent, NewCorrespondent, Worker, execute

Claim = Callable[..., dict[int, lanes.Turn]]


@pytest.fixture
def claim(worker: Worker) -> Claim:
    """Claims up to so many lanes at once; by lane."""

    def claim(lease_no: int = 77, most: int = 100) -> dict[int, lanes.Turn]:
        turns = lanes.claim(worker.connection, lease_no, most=most, began=monotonic())
        return {turn.lane_id: turn for turn in turns}

    return claim


def made(turn: lanes.Turn, decision: Decision, outcome: str = "sent", parts: int = 1) -> Record:
    """What would be written after a call."""
    assert turn.message is not None
    return Record(
        turn=turn,
        message=turn.message,
        decision=decision,
        outcome=outcome,
        code=None,
        description=None,
        part=turn.message.parts_sent + 1,
        parts=parts,
        halved_from=None,
        at=clock.now(),
        latency_ms=5,
        spacing=1.0,
    )


def test_a_claim_takes_those_that_are_due_longest_and_no_more_than_it_is_told(
    correspondent: NewCorrespondent, claim: Claim
) -> None:
    people = [correspondent() for _ in range(5)]
    for person in people:
        person.posts()
    by_age = [person.lane().id for person in people]
    assert set(claim(1, most=3)) == set(by_age[:3])
    rest = claim(2, most=3)
    assert set(rest) == set(by_age[3:])
    assert {turn.lease_no for turn in rest.values()} == {2}
    assert claim(3, most=3) == {}


def test_whoever_claims_the_last_lanes_is_told_that_no_more_are_due(
    correspondent: NewCorrespondent, claim: Claim
) -> None:
    for person in [correspondent() for _ in range(3)]:
        person.posts()
    assert [turn.more for turn in claim(1, most=2).values()] == [True, True]
    assert [turn.more for turn in claim(2, most=2).values()] == [False]


def test_lanes_in_every_state_are_claimed_in_one_statement(
    correspondent: NewCorrespondent, claim: Claim, sandbox: Sandbox
) -> None:
    fresh, abandoned, gone, both, moved = (correspondent() for _ in range(5))
    abandoned_id, both_id = abandoned.posts("abandoned"), both.posts("abandoned and expired")
    claim(1)
    gone_id, moved_id = gone.posts("expired", ttl=-1), moved.posts("half sent elsewhere")
    fresh_id = fresh.posts("fresh")
    execute(fresh.database, f"UPDATE message SET expires_at = now() WHERE id = {both_id}")
    execute(
        fresh.database,
        f"UPDATE message SET chat_id = 1, parts_sent = 1, parts = 2 WHERE id = {moved_id}",
    )
    abandoned.lease_ends()
    turns = claim(2)

    def seen(person: Correspondent) -> tuple[int | None, int | None, bool]:
        turn = turns[person.lane().id]
        marked = turn.message.id if turn.message else None
        return marked, turn.expired_id, turn.left_at is not None

    assert seen(fresh) == (fresh_id, None, False)
    assert seen(abandoned) == (abandoned_id, None, True)
    assert seen(gone) == (None, gone_id, False)
    assert seen(both) == (None, both_id, True)
    assert seen(moved) == (moved_id, None, False)
    for person, message_id, state in (
        (fresh, fresh_id, ("sending", False, 0)),
        (abandoned, abandoned_id, ("sending", True, 1)),
        (gone, gone_id, ("expired", False, 0)),
        (both, both_id, ("expired", True, 1)),
        (moved, moved_id, ("sending", False, 0)),
    ):
        row = person.message(message_id)
        assert (row.status, row.possible_duplicate, row.attempts_made) == state
        assert len(person.attempts(message_id)) == row.attempts_made
        assert row.parts_sent == 0


def test_outcomes_of_every_kind_are_recorded_in_one_statement(
    correspondent: NewCorrespondent, claim: Claim, worker: Worker
) -> None:
    sent, part, refused, later, unsure, held = (correspondent() for _ in range(6))
    everybody = (sent, part, refused, later, unsure, held)
    ids = {person.account_id: person.posts() for person in everybody}
    later.posts("behind it")
    turns = claim()
    held.links(None)
    decisions = {
        sent.account_id: Decision(status=Status.SENT, sent_id=901),
        part.account_id: Decision(sent_id=902),
        refused.account_id: Decision(status=Status.FAILED, reason="why not"),
        later.account_id: Decision(delay=20, counted=False, failures=2),
        unsure.account_id: Decision(delay=3, failures=1, ambiguous=True),
        held.account_id: Decision(delay=3, failures=1),
    }
    records = [
        made(turns[who.lane().id], decisions[who.account_id], parts=2 if who is part else 1)
        for who in everybody
    ]
    with statements.noted() as noted:
        recorded = ledger.record_free(worker.connection, records)
    assert [statement.split()[0] for statement in noted] == ["PREPARE", "EXECUTE"]
    statuses = [each and each.status.value for each in recorded]
    assert statuses == ["sent", "queued", "failed", "queued", "queued", "held"]

    columns = "status reason telegram_message_ids attempts_made failures possible_duplicate"

    def state(person: Correspondent) -> tuple[Any, ...]:
        row = person.message(ids[person.account_id])
        return tuple(row._mapping[column] for column in columns.split())

    assert state(sent) == ("sent", None, [901], 1, 0, False)
    assert state(part) == ("queued", None, [902], 1, 0, False)
    assert state(refused) == ("failed", "why not", [], 1, 0, False)
    assert state(later) == ("queued", None, [], 0, 2, False)
    assert state(unsure) == ("queued", None, [], 1, 1, True)
    assert state(held) == ("held", "no_chat", [], 1, 1, False)
    assert sent.message(ids[sent.account_id]).sent_at is not None
    for person in everybody:
        assert person.lane().leased_until is None
        assert len(person.attempts(ids[person.account_id])) == 1
    asleep = [person for person in everybody if person.lane().wake_at is None]
    assert asleep == [sent, refused, held]
    assert (later.lane().wake_at - unsure.lane().wake_at).total_seconds() == pytest.approx(17)


def test_a_zombie_in_the_group_of_its_successor_writes_nothing(
    anna: Correspondent, boris: Correspondent, claim: Claim, worker: Worker
) -> None:
    message_id, other_id = anna.posts(), boris.posts()
    lane_id = anna.lane().id
    zombie = claim(1)[lane_id]
    anna.lease_ends()
    now = claim(2)
    records = [
        made(zombie, Decision(status=Status.FAILED, reason="too late")),
        made(now[lane_id], Decision(status=Status.SENT, sent_id=5)),
        made(now[boris.lane().id], Decision(status=Status.SENT, sent_id=6)),
    ]
    late, *others = ledger.record_free(worker.connection, records)
    assert late is None
    assert [each and each.status for each in others] == [Status.SENT, Status.SENT]
    assert anna.message(message_id).status == boris.message(other_id).status == "sent"


def test_an_outcome_that_cannot_be_written_spoils_no_other_of_its_group(
    correspondent: NewCorrespondent, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [correspondent() for _ in range(4)]
    ids = [person.posts() for person in people]
    turns = [worker.claims() for _ in people]
    spoiled = people[0].lane().id
    alone, together = ledger.record, ledger.record_free

    def spoil(records: Sequence[Record]) -> None:
        if any(each.turn.lane_id == spoiled for each in records):
            raise ValueError("a value that no column takes")

    def record(connection: Connection, made: Record) -> Any:
        spoil([made])
        return alone(connection, made)

    groups = []

    def record_free(connection: Connection, records: Sequence[Record]) -> Any:
        groups.append(len(records))
        spoil(records)
        return together(connection, records)

    monkeypatch.setattr(ledger, "record", record)
    monkeypatch.setattr(ledger, "record_free", record_free)
    worker.courier._records._rests_until = monotonic() + 1  # so that they are a group
    with ThreadPoolExecutor(4) as threads:
        finished = [threads.submit(worker.finishes, turn) for turn in turns]
    assert groups == [4]
    statuses = [person.message(n).status for person, n in zip(people, ids, strict=True)]
    assert statuses == ["sending", "sent", "sent", "sent"]
    failed = [turn for turn, done in zip(turns, finished, strict=True) if done.exception()]
    assert [turn.lane_id for turn in failed] == [spoiled]


@contextmanager
def locked_lane(owner: Correspondent) -> Iterator[None]:
    """Somebody else has locked the owner's lane while it lasts."""
    locking = owner.database.execution_options(isolation_level="READ COMMITTED")
    with locking.begin() as somebody:
        somebody.exec_driver_sql(f"SELECT FROM lane WHERE id = {owner.lane().id} FOR UPDATE")
        yield


def test_a_lane_that_somebody_has_locked_keeps_no_other_of_its_group_waiting(
    anna: Correspondent, boris: Correspondent, worker: Worker
) -> None:
    first, second = anna.posts(), boris.posts()
    turns = [worker.claims(), worker.claims()]
    with ThreadPoolExecutor(3) as threads:
        worker.courier._records._rests_until = monotonic() + 0.5  # so that they are a group
        with locked_lane(anna):
            finished = [threads.submit(worker.finishes, turn) for turn in turns]
            boris.wait_for(second, "sent", within=3)
            assert anna.message(first).status == "sending"
        for done in finished:
            done.result()
    row = anna.message(first)
    assert (row.status, row.attempts_made, row.possible_duplicate) == ("sent", 1, False)


def test_whoever_waits_alone_for_a_locked_lane_keeps_nobody_waiting_who_comes_later(
    anna: Correspondent, boris: Correspondent, worker: Worker
) -> None:
    anna.posts()
    second = boris.posts()
    turns = [worker.claims(), worker.claims()]
    with ThreadPoolExecutor(2) as threads:
        with locked_lane(anna), anna.database.connect() as watcher:
            first = threads.submit(worker.finishes, turns[0])
            waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: watcher.exec_driver_sql(waits).scalar())
            threads.submit(worker.finishes, turns[1])
            boris.wait_for(second, "sent", within=3)
        first.result()


def test_a_process_that_is_to_end_claims_nothing_more(anna: Correspondent, worker: Worker) -> None:
    message_id = anna.posts()
    worker.courier._stopping.set()
    assert worker.courier.claim(monotonic()) is None
    assert anna.message(message_id).status == "queued"


def test_a_turn_that_comes_long_after_its_slot_is_not_taken(
    anna: Correspondent, worker: Worker
) -> None:
    message_id = anna.posts()
    assert worker.courier.claim(monotonic() - 1) is None
    assert anna.message(message_id).status == "queued"
    assert worker.courier.claim(monotonic() - 0.1) is not None


def test_a_busy_worker_makes_fewer_statements_than_deliveries(
    correspondent: NewCorrespondent, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "REST_SECONDS", 0.05)
    people = [correspondent() for _ in range(24)]
    for n in range(5):
        for person in people:
            person.posts(f"{n}")
    station = Station(people[0].app)
    with statements.noted() as sent:
        station.start()
        sandbox.wait_for_messages(120)
        station.stop()
        station.join()
    for name in ("gonets_claim", "gonets_record"):
        made = [statement for statement in sent if statement.startswith(f"EXECUTE {name}")]
        assert len(made) < 60
