"""Turns one by one, over HTTP to the sandbox: what becomes of a message under every fault."""

import pytest
from sqlalchemy import Engine

from app import clock
from app.delivery import engine as engine_module
from app.delivery import outbox
from app.telegram import Ok
from sandbox.client import Sandbox, wait_for
from tests.delivery.conftest import Correspondent, Worker, execute, texts


def seconds_to_wait(anna: Correspondent) -> float:
    return float((anna.lane().wake_at - clock.now()).total_seconds())


def test_a_message_is_sent(anna: Correspondent, worker: Worker, sandbox: Sandbox) -> None:
    message_id = anna.posts("a+b=1 & <b>", greeting="Анна, я получил от тебя сообщение:")
    assert worker.turns() == 1
    row = anna.message(message_id)
    [line] = sandbox.journal()
    assert line.text == "Анна, я получил от тебя сообщение:\na+b=1 & <b>"
    assert (row.status, row.parts_sent, row.attempts_made) == ("sent", 1, 1)
    assert row.telegram_message_ids == [line.message_id]
    assert row.sent_at is not None
    assert not row.possible_duplicate
    [attempt] = anna.attempts(message_id)
    assert (attempt.part, attempt.outcome, attempt.code) == (1, "sent", 200)


def test_a_lane_with_nothing_more_to_send_sleeps(anna: Correspondent, worker: Worker) -> None:
    anna.posts()
    worker.turns()
    assert anna.lane().wake_at is None
    assert anna.lane().leased_until is None


def test_messages_go_out_in_the_order_of_their_acceptance(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    for n in range(10):
        anna.posts(f"{n}")
    for _ in range(10):
        worker.turns(1)
        anna.wakes()
    assert texts(sandbox) == [f"{n}" for n in range(10)]


def test_a_long_text_goes_in_parts_and_other_lanes_take_turns_between_them(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 4096 + "b" * 4096 + "c")
    boris.posts("between")
    worker.turns(1)
    row = anna.message(message_id)
    assert (row.status, row.parts_sent, row.parts) == ("queued", 1, 3)
    for _ in range(3):
        worker.turns(1)
        anna.wakes()
    row = anna.message(message_id)
    assert (row.status, row.parts_sent, len(row.telegram_message_ids)) == ("sent", 3, 3)
    assert [text[0] for text in texts(sandbox)] == ["a", "b", "b", "c"]
    assert [attempt.part for attempt in anna.attempts(message_id)] == [1, 2, 3]


def test_a_silent_message_is_silent(anna: Correspondent, worker: Worker, sandbox: Sandbox) -> None:
    anna.posts(silent=True)
    worker.turns()
    assert sandbox.journal()[0].silent


@pytest.mark.parametrize("seconds", [5, None])
def test_a_flood_answer_is_a_wait_and_no_attempt(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, seconds: int | None
) -> None:
    message_id = anna.posts()
    with sandbox.fault("flood", retry_after=seconds, times=1):
        worker.turns()
        row = anna.message(message_id)
        assert (row.status, row.attempts_made, row.failures) == ("queued", 0, 0)
        assert seconds_to_wait(anna) == pytest.approx(seconds or 3, abs=0.5)
        [attempt] = anna.attempts(message_id)
        assert (attempt.outcome, attempt.code) == ("wait", 429)
        anna.wakes()
        worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.attempts_made, row.possible_duplicate) == ("sent", 1, False)


def test_a_flooded_chat_stays_so_when_it_is_blocked_and_unblocked_meanwhile(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    anna.posts()
    with sandbox.fault("flood", retry_after=20, times=1):
        worker.turns()
    anna.does(outbox.hold, "blocked")
    anna.does(outbox.release)
    assert seconds_to_wait(anna) == pytest.approx(20, abs=1)


def test_a_flood_of_hours_is_asked_about_after_a_minute(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    anna.posts()
    with sandbox.fault("flood", retry_after=10072, times=1):
        worker.turns()
    assert seconds_to_wait(anna) == pytest.approx(60, abs=1)


def test_telegrams_own_failure_is_retried_and_is_no_duplicate(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    with sandbox.fault("server_error", times=3):
        for _ in range(4):
            worker.turns()
            anna.wakes()
    row = anna.message(message_id)
    assert (row.status, row.attempts_made, row.possible_duplicate) == ("sent", 4, False)
    assert len(sandbox.journal()) == 1


def test_a_telegram_that_refuses_connections_is_retried_and_is_no_duplicate(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    sandbox.goes_down(0.5)
    worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.failures, row.possible_duplicate) == ("queued", 1, False)
    assert 0.5 < seconds_to_wait(anna) <= 1.1
    wait_for(lambda: isinstance(worker.courier.api.get_me(), Ok))
    anna.wakes()
    worker.turns()
    assert anna.message(message_id).status == "sent"
    assert len(sandbox.journal()) == 1


@pytest.mark.parametrize(
    "kind",
    ["cut", "reset", "garbage", "truncated", "cut_body", "no_ok", "null", "empty_result",
     "bad_gateway", "gateway_timeout"],
)  # fmt: skip
@pytest.mark.parametrize("accepted", [True, False])
def test_what_may_have_been_sent_is_sent_once_more_and_says_so(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, kind: str, accepted: bool
) -> None:
    message_id, behind = anna.posts("first"), anna.posts("second")
    with sandbox.fault(kind, accepted=accepted, times=1):
        worker.turns()
        assert 1.5 < seconds_to_wait(anna) <= 5
        assert anna.message(message_id).status == "queued"
    for _ in range(2):
        anna.wakes()
        worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate, row.attempts_made) == ("sent", True, 2)
    assert texts(sandbox) == ["first"] * (1 + accepted) + ["second"]
    assert not anna.message(behind).possible_duplicate


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_a_call_that_does_not_end_is_ended(
    anna: Correspondent,
    worker: Worker,
    sandbox: Sandbox,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "CALL_SECONDS", 0.5)
    message_id = anna.posts()
    with sandbox.fault(kind, times=1):
        worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("queued", True)
    assert 400 < anna.attempts(message_id)[0].latency_ms < 1500


def test_a_message_that_telegram_accepts_late_is_a_possible_duplicate(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "CALL_SECONDS", 0.3)
    message_id = anna.posts()
    with sandbox.fault("delay", seconds=0.6, times=1):
        worker.turns()
        sandbox.wait_for_messages(1)
    anna.wakes()
    worker.turns()
    assert len(sandbox.journal()) == 2
    assert anna.message(message_id).possible_duplicate


def test_a_text_that_is_too_long_after_all_is_halved(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 4096 + "b" * 4096 + "c")
    worker.turns(1)
    anna.wakes()
    with sandbox.fault("too_long", times=1):
        for _ in range(5):
            worker.turns()
            anna.wakes()
    row = anna.message(message_id)
    assert (row.status, row.parts, row.parts_sent) == ("sent", 4, 4)
    assert [len(text) for text in texts(sandbox)] == [4096, 2048, 2048, 1]


def test_a_text_that_telegram_refuses_fails_and_the_next_one_goes_out(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    first, second = anna.posts("first"), anna.posts("second")
    with sandbox.fault("error", code=400, description="Bad Request: no", times=1):
        worker.turns()
        anna.wakes()
        worker.turns()
    row = anna.message(first)
    assert (row.status, row.reason, row.attempts_made) == ("failed", "Bad Request: no", 1)
    assert anna.message(second).status == "sent"


def test_a_refused_bot_token_fails_no_message(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, database: Engine
) -> None:
    message_id = anna.posts()
    with sandbox.fault("unauthorized"):
        worker.turns()
        anna.wakes()
        assert worker.turns() == 0  # nothing is tried until Telegram takes the token
    row = anna.message(message_id)
    assert (row.status, row.possible_duplicate) == ("queued", False)
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT hold_reason FROM bot").scalar() == "bot_rejected"


def test_an_expired_message_is_not_sent_and_keeps_nobody_waiting(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    late, good = anna.posts("late", ttl=-1), anna.posts("good")
    worker.turns()
    assert anna.message(late).status == "expired"
    assert anna.message(good).status == "sent"
    assert texts(sandbox) == ["good"]


def test_a_retried_message_goes_on_where_it_stopped(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 4096 + "b")
    worker.turns(1)
    anna.wakes()
    with sandbox.fault("error", code=400, description="Bad Request: no", times=1):
        worker.turns()
    assert anna.message(message_id).status == "failed"
    later = clock.now().replace(year=2100)
    anna.does(outbox.retry, message_id, expires_at=later, day_quota=10)
    anna.wakes()
    worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.parts_sent, row.attempts_made) == ("sent", 2, 3)
    assert [text[0] for text in texts(sandbox)] == ["a", "b"]


def test_a_message_erased_during_its_call_leaves_nothing_behind(
    anna: Correspondent, worker: Worker, database: Engine
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    execute(database, "DELETE FROM message")
    execute(database, "DELETE FROM lane")
    worker.finishes(turn)
    assert anna.attempts(message_id) == []


def test_one_lane_waits_while_the_others_go_on(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    waiting = anna.posts()
    with sandbox.fault("flood", chat=anna.chat, retry_after=20):
        worker.turns(1)
        message_id = boris.posts()
        worker.turns()
    assert boris.message(message_id).status == "sent"
    assert anna.message(waiting).status == "queued"


def test_lanes_take_turns(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    for n in range(5):
        anna.posts(f"a{n}")
    for n in range(2):
        boris.posts(f"b{n}")
    for _ in range(4):
        worker.turns(1)
        worker.turns(1)
        anna.wakes()
    assert texts(sandbox)[:4] == ["a0", "b0", "a1", "b1"]
