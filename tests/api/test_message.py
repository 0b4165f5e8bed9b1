"""One message: what became of it, waiting for that, sending it again, cancelling it."""

import threading
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import history
from tests.api.answers import assert_problem, without_request_id
from tests.conftest import Clock, Member

# What is no id of anybody's, in every spelling that servers have been caught with.
NO_IDS = [
    "0", "-1", "1.5", "abc", "1" * 30, "9223372036854775808", "\u0661", "01", "+1", "1 ", " 1",
    "1%20", "%00", "1%00", "0x1", "1e3", "1_0", "null", "None", "..%2f..%2fetc", "%2e", "' OR 1=1",
]  # fmt: skip


@pytest.fixture
def message(alice: Member) -> int:
    message_id: int = alice.post("/v1/messages", {"text": "hello"}).json["id"]
    return message_id


def test_a_message_tells_every_call_to_telegram(
    alice: Member, message: int, settle: Any, database: Engine
) -> None:
    settle(message, status="sent", parts_sent=1, attempts_made=1, telegram_message_ids=[77])
    with database.connect() as connection:
        for outcome, code, words in (("flooded", 429, "Too Many Requests"), ("sent", None, None)):
            connection.execute(
                text("""
                  INSERT INTO attempt (message_id, part, at, outcome, code, description, latency_ms)
                  VALUES (:id, 1, now(), :outcome, :code, :words, 12)
                """),
                {"id": message, "outcome": outcome, "code": code, "words": words},
            )
    told = alice.get(f"/v1/messages/{message}").json
    assert told["telegram_message_ids"] == [77]
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["flooded", "sent"]
    assert set(told["attempts"][0]) == {
        "part", "at", "outcome", "code", "description", "latency_ms",
    }  # fmt: skip
    assert told["attempts"][0]["code"] == 429
    assert told["attempts"][1]["description"] is None


def test_anothers_message_is_one_that_never_was(alice: Member, bob: Member, message: int) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/retry")):
        foreign = bob.client.open(
            f"/v1/messages/{message}{path}", method=method, headers=bob.headers
        )
        missing = bob.client.open(
            f"/v1/messages/{message + 10**6}{path}", method=method, headers=bob.headers
        )
        assert_problem(foreign, 404, "not_found")
        assert without_request_id(foreign) == without_request_id(missing)
        assert set(foreign.headers.keys()) == set(missing.headers.keys())
    assert alice.get(f"/v1/messages/{message}").json["status"] == "held"


@pytest.mark.parametrize("spelling", NO_IDS)
def test_what_is_no_id_is_like_an_id_that_never_was(alice: Member, spelling: str) -> None:
    missing = without_request_id(alice.get("/v1/messages/999999999"))
    for method, path in (
        ("GET", "/v1/messages/{}"),
        ("DELETE", "/v1/messages/{}"),
        ("POST", "/v1/messages/{}/retry"),
        ("DELETE", "/v1/tokens/send/{}"),
        ("DELETE", "/v1/auth/sessions/{}"),
    ):
        answer = alice.client.open(path.format(spelling), method=method, headers=alice.headers)
        assert_problem(answer, 404, "not_found")
        assert without_request_id(answer) == missing


def test_waiting_holds_until_the_message_is_settled(
    alice: Member, message: int, settle: Any
) -> None:
    timer = threading.Timer(0.3, settle, (message,), {"status": "sent"})
    timer.start()
    begun = time.monotonic()
    answer = alice.get(f"/v1/messages/{message}?wait=20")
    timer.join()
    assert answer.json["status"] == "sent"
    assert 0.2 < time.monotonic() - begun < 5


def test_waiting_ends_when_its_time_is_over(alice: Member, message: int) -> None:
    begun = time.monotonic()
    assert alice.get(f"/v1/messages/{message}?wait=1").json["status"] == "held"
    assert 0.9 < time.monotonic() - begun < 3


def test_nobody_waits_for_what_is_settled(alice: Member, message: int, settle: Any) -> None:
    settle(message, status="failed", reason="Bad Request")
    begun = time.monotonic()
    assert alice.get(f"/v1/messages/{message}?wait=20").json["reason"] == "Bad Request"
    assert time.monotonic() - begun < 1


def test_beyond_a_few_who_wait_the_answer_comes_at_once(
    alice: Member, message: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_waiters", threading.BoundedSemaphore(1))
    with history._waiters:
        begun = time.monotonic()
        assert alice.get(f"/v1/messages/{message}?wait=20").json["status"] == "held"
        assert time.monotonic() - begun < 1


@pytest.mark.parametrize("seconds", ["21", "-1", "abc", "", "1.5", "0x1", "1&wait=2", "\u0661"])
def test_one_waits_for_twenty_seconds_at_most(alice: Member, message: int, seconds: str) -> None:
    assert_problem(alice.get(f"/v1/messages/{message}?wait={seconds}"), 422, "invalid", "wait")


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_what_did_not_arrive_can_be_sent_again(
    linked_alice: Member, settle: Any, status: str
) -> None:
    first = linked_alice.post("/v1/messages", {"text": "first"}).json["id"]
    settle(first, status=status, reason="Bad Request")
    answer = linked_alice.post(f"/v1/messages/{first}/retry")
    assert answer.status_code == 200
    assert (answer.json["status"], answer.json["reason"]) == ("queued", None)
    assert answer.json["attempts"] == []


@pytest.mark.parametrize("status", ["held", "queued", "sending", "sent"])
def test_what_may_still_arrive_or_has_is_not_sent_again(
    alice: Member, message: int, settle: Any, status: str
) -> None:
    settle(message, status=status)
    assert_problem(alice.post(f"/v1/messages/{message}/retry"), 409, "not_retriable")


def test_what_waits_can_be_cancelled_once(alice: Member, message: int) -> None:
    answer = alice.delete(f"/v1/messages/{message}")
    assert answer.status_code == 204
    assert answer.get_data() == b""
    assert alice.get(f"/v1/messages/{message}").json["status"] == "cancelled"
    assert_problem(alice.delete(f"/v1/messages/{message}"), 409, "not_cancellable")


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "sending"}, {"status": "sent"}, {"status": "failed"},
        {"status": "queued", "parts": 2, "parts_sent": 1},
        {"status": "queued", "possible_duplicate": True},
    ],
    ids=repr,
)  # fmt: skip
def test_what_has_begun_to_arrive_cannot_be_cancelled(
    alice: Member, message: int, settle: Any, columns: dict[str, Any]
) -> None:
    settle(message, **columns)
    assert_problem(alice.delete(f"/v1/messages/{message}"), 409, "not_cancellable")


def test_sending_again_counts_against_the_quota(app: Flask, alice: Member, settle: Any) -> None:
    first = alice.post("/v1/messages", {"text": "x"})
    settle(first.json["id"], status="failed")
    alice.post(f"/v1/messages/{first.json['id']}/retry")
    assert (
        alice.post("/v1/messages", {"text": "y"}).headers["RateLimit"].startswith('"day";r=9997;')
    )


def test_a_message_sent_again_lives_anew(
    alice: Member, message: int, settle: Any, stopped_clock: Clock
) -> None:
    settle(message, status="expired")
    stopped_clock.advance(minutes=30)
    before = alice.get(f"/v1/messages/{message}").json["expires_at"]
    assert alice.post(f"/v1/messages/{message}/retry").json["expires_at"] > before
