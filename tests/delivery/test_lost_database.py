"""Claims and records when the database is away, or its answer to a commit is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from app.delivery import engine as engine_module
from app.delivery import lanes, ledger
from sandbox.client import wait_for
from tests.delivery.conftest import Correspondent, Worker, workers


def test_a_claim_whose_commit_was_lost_from_sight_is_undone(
    anna: Correspondent, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = anna.posts()
    real = lanes.claim

    def claim(connection: Any, *args: Any, **kwargs: Any) -> Any:
        assert real(connection, *args, **kwargs)
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patched:
        patched.setattr(lanes, "claim", claim)
        with pytest.raises(engine_module.DATABASE_AWAY):
            worker.claims()
    wait_for(lambda: anna.message(message_id).status == "queued")
    for other in workers(anna.app):
        other.turns()
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("sent", False)


def test_a_record_whose_commit_was_lost_from_sight_is_repeated_without_effect(
    anna: Correspondent, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement is carried out, and the connection lost before its answer."""
    message_id = anna.posts()
    turn = worker.claims()
    real = ledger.record_free
    lost: list[Any] = []

    def record(connection: Any, *args: Any) -> Any:
        lost.extend(real(connection, *args))
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(ledger, "record_free", record)
    worker.finishes(turn)
    assert [recorded.status for recorded in lost] == ["sent"]
    row = anna.message(message_id)
    assert (row.status, row.attempts_made, row.parts_sent) == ("sent", 1, 1)
    assert len(anna.attempts(message_id)) == 1


def test_an_outcome_waits_for_the_database(
    anna: Correspondent, worker: Worker, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    failures: list[int] = []

    def failing(real: Callable[..., Any]) -> Callable[..., Any]:
        def record(connection: Any, *args: Any) -> Any:
            if len(failures) < 3:
                failures.append(1)
                connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
            return real(connection, *args)

        return record

    monkeypatch.setattr(ledger, "record_free", failing(ledger.record_free))
    monkeypatch.setattr(ledger, "record", failing(ledger.record))
    worker.finishes(turn)
    assert len(failures) == 3
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("sent", False)


def test_an_outcome_that_cannot_be_written_is_given_up_in_the_end(
    anna: Correspondent, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = anna.posts()
    turn = worker.claims()

    def record(connection: Any, *_: Any) -> Any:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(ledger, "record_free", record)
    monkeypatch.setattr(ledger, "record", record)
    monkeypatch.setattr(engine_module, "RECORD_SECONDS", 0.5)
    with pytest.raises(engine_module.DATABASE_AWAY):
        worker.finishes(turn)
    assert anna.message(message_id).status == "sending"  # as it is: nobody knows
