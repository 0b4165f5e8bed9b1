"""Registering, signing in, refreshing, signing out, and the list of sessions."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app.services import sessions
from tests.api.answers import assert_problem
from tests.client import Client, client_of
from tests.conftest import PASSWORD, Clock, MakeApp, Member

ANNA = {"username": "anna", "password": PASSWORD, "name": "Анна"}


def register(client: Client, **changes: Any) -> Any:
    return client.post("/v1/auth/register", json=ANNA | changes)


def sign_in(client: Client, username: str = "alice", password: str = PASSWORD) -> Any:
    return client.post("/v1/auth/login", json={"username": username, "password": password})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_registering_makes_an_account(client: Client) -> None:
    answer = register(client)
    assert answer.status_code == 201
    assert set(answer.json) == {"id", "username", "name", "created_at"}
    assert answer.json["username"] == "anna"
    assert answer.json["name"] == "Анна"
    assert answer.json["created_at"].endswith("Z")
    assert answer.headers["Location"] == "/v1/users/me"
    assert not answer.headers.getlist("Set-Cookie")


def test_a_taken_username_is_a_conflict_whatever_its_case(client: Client) -> None:
    register(client)
    assert_problem(register(client, username="ANNA"), 409, "username_taken", "username")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "a"),
        ("username", "x" * 65),
        ("username", "anna\r\nbcc"),
        ("username", "anna smith"),
        ("username", "admin"),
        ("username", "аdmin"),
        ("password", "short12"),
        ("password", "x1" * 513),
        ("password", "with\x00nul in it"),
        ("password", "password123"),
        ("password", "zzzzzzzzzzzzzz"),
        ("name", ""),
        ("name", " \u200b\u3164"),
        ("name", "two\nlines"),
        ("name", "n" * 101),
    ],
)
def test_what_cannot_be_is_refused_by_field(client: Client, field: str, value: str) -> None:
    assert_problem(register(client, **{field: value}), 422, "invalid", field)


def test_the_username_is_no_password(client: Client) -> None:
    answer = register(client, username="Long_Username", password="long_username")
    assert_problem(answer, 422, "invalid", "password")


@pytest.mark.parametrize(
    "password", ["x y" * 22, "пароль из слов", " spaces at its ends ", "p" * 9 + "😀"]
)
def test_long_and_strange_passwords_are_passwords(client: Client, password: str) -> None:
    assert register(client, password=password).status_code == 201
    assert sign_in(client, "anna", password).status_code == 200
    assert sign_in(client, "anna", password.strip() + "?").status_code == 401


def test_a_closed_server_registers_nobody(make_app: MakeApp) -> None:
    answer = register(client_of(make_app(REGISTRATION="closed")))
    assert_problem(answer, 403, "registration_closed")


def test_one_network_registers_only_so_many_in_an_hour(make_app: MakeApp) -> None:
    client = client_of(make_app(REGISTRATIONS_PER_HOUR="2"))
    for number in range(2):
        assert register(client, username=f"anna{number}").status_code == 201
    spoofed = {"X-Forwarded-For": "203.0.113.9"}
    answer = client.post("/v1/auth/register", json=ANNA | {"username": "dora"}, headers=spoofed)
    assert_problem(answer, 429, "too_many_requests")


def test_signing_in_gives_a_pair_that_works(client: Client, alice: Member) -> None:
    answer = sign_in(client)
    assert answer.status_code == 200
    assert set(answer.json) == {"access", "refresh", "token_type", "expires_in"}
    assert answer.json["token_type"] == "Bearer"
    assert 3590 <= answer.json["expires_in"] <= 3600
    me = alice.client.get("/v1/users/me", headers=bearer(answer.json["access"]))
    assert me.json["username"] == "alice"


def test_signing_in_by_any_spelling_of_the_username(client: Client, alice: Member) -> None:
    assert sign_in(client, "Alice").status_code == 200


def test_wrong_password_and_unknown_username_are_one_answer(client: Client, alice: Member) -> None:
    wrong, unknown = sign_in(client, "alice", "not this one"), sign_in(client, "nobody", PASSWORD)
    assert_problem(wrong, 401, "wrong_credentials")
    assert_problem(unknown, 401, "wrong_credentials")
    assert wrong.json["detail"] == unknown.json["detail"]


def test_after_ten_wrong_passwords_by_mixed_ways_not_even_the_right_one_is_tried(
    client: Client, alice: Member
) -> None:
    for _ in range(4):
        assert_problem(sign_in(client, "alice", "wrong one"), 401)
    for _ in range(3):
        assert_problem(client.get("/v1/users/me", auth=("ALICE", "wrong one")), 401)
    change = {"current_password": "wrong one", "password": "another fine one"}
    for _ in range(3):
        assert_problem(alice.patch("/v1/users/me", change), 403, "wrong_password")
    assert_problem(sign_in(client), 429, "too_many_failures")
    assert_problem(client.get("/v1/users/me", auth=("alice", PASSWORD)), 429)
    elsewhere = {"environ_base": {"REMOTE_ADDR": "198.51.100.7"}}
    assert client.get("/v1/users/me", auth=("alice", PASSWORD), **elsewhere).status_code == 200


def test_a_refresh_gives_the_next_pair(client: Client, alice: Member) -> None:
    answer = client.post("/v1/auth/refresh", headers=bearer(alice.refresh))
    assert answer.status_code == 200
    assert answer.json["refresh"] != alice.refresh
    me = alice.client.get("/v1/users/me", headers=bearer(answer.json["access"]))
    assert me.status_code == 200


def test_a_spent_refresh_token_answers_the_same_pair_for_ten_seconds_then_ends_the_session(
    alice: Member, stopped_clock: Clock
) -> None:
    first = alice.client.post("/v1/auth/refresh", headers=bearer(alice.refresh)).json
    stopped_clock.advance(seconds=9)
    again = alice.client.post("/v1/auth/refresh", headers=bearer(alice.refresh)).json
    assert (again["access"], again["refresh"]) == (first["access"], first["refresh"])
    stopped_clock.advance(seconds=2)
    reused = alice.client.post("/v1/auth/refresh", headers=bearer(alice.refresh))
    assert_problem(reused, 401, "invalid_token")
    assert_problem(alice.client.get("/v1/users/me", headers=bearer(first["access"])), 401)
    after = alice.client.post("/v1/auth/refresh", headers=bearer(first["refresh"]))
    assert_problem(after, 401, "invalid_token")


def test_parallel_refreshes_get_one_and_the_same_pair(app: Flask, alice: Member) -> None:
    def refresh(_: int) -> str:
        answer = client_of(app).post("/v1/auth/refresh", headers=bearer(alice.refresh))
        assert answer.status_code == 200
        pair: str = answer.json["access"] + answer.json["refresh"]
        return pair

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(refresh, range(10)))) == 1


def test_access_and_refresh_tokens_do_not_stand_in_for_each_other(alice: Member) -> None:
    assert_problem(alice.client.get("/v1/users/me", headers=bearer(alice.refresh)), 401)
    assert_problem(alice.client.post("/v1/auth/refresh", headers=bearer(alice.access)), 401)


def test_a_refresh_without_a_token_is_unauthenticated(client: Client) -> None:
    assert_problem(client.post("/v1/auth/refresh"), 401, "unauthenticated")
    basic = client.post("/v1/auth/refresh", auth=("alice", PASSWORD))
    assert_problem(basic, 401, "unauthenticated")


def test_an_access_token_lives_an_hour_and_its_session_thirty_days(
    alice: Member, stopped_clock: Clock
) -> None:
    stopped_clock.advance(minutes=59)
    assert alice.get("/v1/users/me").status_code == 200
    stopped_clock.advance(minutes=2)
    assert_problem(alice.get("/v1/users/me"), 401, "invalid_token")
    stopped_clock.advance(days=29, hours=22)
    refreshed = alice.client.post("/v1/auth/refresh", headers=bearer(alice.refresh))
    assert refreshed.status_code == 200
    assert refreshed.json["expires_in"] <= 3600
    stopped_clock.advance(hours=2)
    over = alice.client.post("/v1/auth/refresh", headers=bearer(refreshed.json["refresh"]))
    assert_problem(over, 401, "invalid_token")


def test_signing_out_ends_the_session_at_once(alice: Member) -> None:
    answer = alice.post("/v1/auth/logout")
    assert answer.status_code == 204
    assert answer.get_data() == b""
    assert_problem(alice.get("/v1/users/me"), 401, "invalid_token")
    assert_problem(alice.client.post("/v1/auth/refresh", headers=bearer(alice.refresh)), 401)


def test_signing_out_by_basic_ends_no_session(client: Client, alice: Member) -> None:
    assert client.post("/v1/auth/logout", auth=("alice", PASSWORD)).status_code == 204
    assert alice.get("/v1/users/me").status_code == 200


def test_sessions_are_listed_newest_first_and_one_of_them_is_this_one(
    client: Client, alice: Member
) -> None:
    sign_in(client)
    listed = alice.get("/v1/auth/sessions").json
    assert listed["next_cursor"] is None
    assert [entry["current"] for entry in listed["items"]] == [False, True]
    assert set(listed["items"][0]) == {
        "id", "created_at", "last_used_at", "expires_at", "user_agent", "network", "current",
    }  # fmt: skip
    assert listed["items"][0]["user_agent"].startswith("Werkzeug")


def test_a_session_is_ended_by_its_owner_only(client: Client, alice: Member, bob: Member) -> None:
    access = sign_in(client).json["access"]
    newest = alice.get("/v1/auth/sessions").json["items"][0]["id"]
    assert_problem(bob.delete(f"/v1/auth/sessions/{newest}"), 404)
    assert alice.delete(f"/v1/auth/sessions/{newest}").status_code == 204
    assert_problem(alice.client.get("/v1/users/me", headers=bearer(access)), 401)
    assert_problem(alice.delete(f"/v1/auth/sessions/{newest}"), 404)
    assert alice.get("/v1/users/me").status_code == 200


def test_the_grace_of_a_spent_token_is_what_the_documents_say() -> None:
    assert sessions.GRACE.total_seconds() == 10
    assert sessions.LIFETIME.days == 30
