"""Idempotency-Key: repeating a send is safe."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from tests.api.answers import assert_problem
from tests.client import client_of
from tests.conftest import Clock, Member


def send(member: Member, key: str, words: str = "once", **fields: Any) -> Any:
    body = {"text": words, **fields}
    return member.post("/v1/messages", body, headers={"Idempotency-Key": key})


def count(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM message")).scalar_one())


def test_the_same_key_is_the_same_message(alice: Member, database: Engine) -> None:
    first, second = send(alice, "backup-1"), send(alice, "backup-1")
    assert first.status_code == second.status_code == 201
    assert first.json == second.json
    assert first.headers["Location"] == second.headers["Location"]
    assert count(database) == 1


def test_a_replay_answers_as_it_was_accepted_and_takes_no_quota(alice: Member, settle: Any) -> None:
    first = send(alice, "k")
    assert first.json["reason"] == "no_chat"
    settle(first.json["id"], status="sent", reason=None, parts_sent=1)
    again = send(alice, "k")
    assert again.json == first.json
    assert "RateLimit" not in again.headers
    used = alice.post("/v1/messages", {"text": "another"}).headers["RateLimit"]
    assert used.startswith('"day";r=9998;')


def test_fifty_at_once_are_one_message_and_one_answer(
    app: Flask, alice: Member, database: Engine
) -> None:
    def once(_: int) -> str:
        headers = alice.headers | {"Idempotency-Key": "race"}
        answer = client_of(app).post("/v1/messages", json={"text": "once"}, headers=headers)
        assert answer.status_code == 201
        body: str = answer.get_data(as_text=True)
        return body

    with ThreadPoolExecutor(25) as pool:
        assert len(set(pool.map(once, range(50)))) == 1
    assert count(database) == 1


@pytest.mark.parametrize(
    "changed", [{"words": "other"}, {"silent": True}, {"greeting": False}, {"expires_in": 60}]
)
def test_the_same_key_with_another_request_is_refused(
    alice: Member, database: Engine, changed: dict[str, Any]
) -> None:
    send(alice, "k")
    assert_problem(send(alice, "k", **changed), 422, "idempotency_key_reused")
    assert count(database) == 1


def test_the_same_key_of_two_people_is_two_messages(
    alice: Member, bob: Member, database: Engine
) -> None:
    assert send(alice, "k").json["id"] != send(bob, "k").json["id"]
    assert count(database) == 2


def test_a_key_is_good_for_a_day(alice: Member, stopped_clock: Clock, database: Engine) -> None:
    first = send(alice, "k")
    stopped_clock.advance(hours=23, minutes=59)
    refresh = {"Authorization": f"Bearer {alice.refresh}"}
    alice.access = alice.client.post("/v1/auth/refresh", headers=refresh).json["access"]
    assert send(alice, "k").json == first.json
    stopped_clock.advance(minutes=2)
    assert send(alice, "k").json["id"] != first.json["id"]
    assert count(database) == 2


def test_a_refused_request_leaves_its_key_free(alice: Member) -> None:
    assert_problem(send(alice, "k", words=""), 422)
    assert send(alice, "k").status_code == 201


def test_the_one_liner_knows_keys_too(alice: Member, database: Engine) -> None:
    headers = alice.headers | {"Idempotency-Key": "line", "Content-Type": "text/plain"}
    ids = {alice.client.post("/v1/send", data="x", headers=headers).json["id"] for _ in range(3)}
    assert len(ids) == count(database) == 1


@pytest.mark.parametrize("key", ["!", "~" * 255, "a,b;c=d", "550e8400-e29b-41d4-a716-446655440000"])
def test_keys_that_are_keys(alice: Member, key: str) -> None:
    assert send(alice, key).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\u00e9", "tab\tinside", "\x7f"])
def test_keys_that_are_none(alice: Member, database: Engine, key: str) -> None:
    encoded = key.encode().decode("latin-1")
    assert_problem(send(alice, encoded), 400, "malformed")
    assert count(database) == 0
