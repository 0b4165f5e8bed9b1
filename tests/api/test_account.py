"""One's own account: reading, changing, taking away, erasing; and the directory."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import limits
from app.services.limits import Limit
from tests.api.answers import assert_problem
from tests.client import Client, client_of
from tests.conftest import PASSWORD, MakeApp, Member, NewMember

NEW = "another fine password"


def signs_in(client: Client, password: str) -> bool:
    login = {"username": "alice", "password": password}
    return client.post("/v1/auth/login", json=login).status_code == 200


def test_reading_ones_account(alice: Member) -> None:
    me = alice.get("/v1/users/me").json
    assert set(me) == {"id", "username", "name", "greeting", "created_at"}
    assert (me["username"], me["name"], me["greeting"]) == ("alice", "Алиса", None)
    assert me["id"] == str(alice.person.public_id)


def test_changing_name_and_greeting_changes_the_messages_from_then_on(
    alice: Member, database: Engine
) -> None:
    alice.post("/v1/messages", {"text": "before"})
    changed = alice.patch("/v1/users/me", {"name": "Аля", "greeting": "{name}, news:"})
    assert changed.status_code == 200
    assert (changed.json["name"], changed.json["greeting"]) == ("Аля", "{name}, news:")
    alice.post("/v1/messages", {"text": "after"})
    assert alice.patch("/v1/users/me", {"greeting": None}).json["greeting"] is None
    alice.post("/v1/messages", {"text": "usual"})
    with database.connect() as connection:
        greetings = connection.scalars(text("SELECT greeting FROM message ORDER BY id")).all()
    assert list(greetings) == [
        "Алиса, я получил от тебя сообщение:",
        "Аля, news:",
        "Аля, я получил от тебя сообщение:",
    ]


def test_changing_nothing_changes_nothing(alice: Member) -> None:
    before = alice.get("/v1/users/me").json
    assert alice.patch("/v1/users/me", {}).json == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", None), ("name", "a\nb"), ("name", "x" * 101), ("name", 5),
        ("name", "\x1b[31m"), ("greeting", ""), ("greeting", "x" * 201), ("greeting", "a\r\nb"),
        ("greeting", False), ("password", None), ("password", "short"), ("password", "password123"),
        ("username", "eve"), ("is_admin", True), ("role", "admin"), ("id", 1), ("chat_id", 1),
        ("language", "ru"), ("disabled_at", None), ("created_at", "2020-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_bad_changes_are_refused_by_field_and_nothing_is_changed(
    alice: Member, field: str, value: object
) -> None:
    before = alice.get("/v1/users/me").json
    change: dict[str, Any] = {"name": "Changed", "greeting": "changed", field: value}
    if field == "password":
        change["current_password"] = PASSWORD
    assert_problem(alice.patch("/v1/users/me", change), 422, "invalid", field)
    assert alice.get("/v1/users/me").json == before


def test_another_password_needs_the_present_one(client: Client, alice: Member) -> None:
    alone = alice.patch("/v1/users/me", {"password": NEW})
    assert_problem(alone, 422, "invalid", "current_password")
    without = alice.patch("/v1/users/me", {"current_password": PASSWORD})
    assert_problem(without, 422, "invalid", "password")
    wrong = alice.patch("/v1/users/me", {"name": "X", "password": NEW, "current_password": "wrong"})
    assert_problem(wrong, 403, "wrong_password")
    assert alice.get("/v1/users/me").json["name"] == "Алиса"
    assert signs_in(client, PASSWORD)
    assert not signs_in(client, NEW)


def test_another_password_ends_the_other_sessions_but_no_send_token(
    app: Flask, client: Client, alice: Member
) -> None:
    other = client.post("/v1/auth/login", json={"username": "alice", "password": PASSWORD}).json
    token = alice.post("/v1/tokens/send", {"name": "script"}).json["token"]
    change = {"name": "Аля", "password": NEW, "current_password": PASSWORD}
    changed = alice.patch("/v1/users/me", change)
    assert changed.status_code == 200
    assert changed.json["name"] == "Аля"
    assert alice.get("/v1/users/me").status_code == 200
    anew = client_of(app)
    for stale in (other["access"], other["refresh"]):
        ended = anew.get("/v1/users/me", headers={"Authorization": f"Bearer {stale}"})
        assert_problem(ended, 401, "invalid_token")
    sends = anew.get("/v1/messages", headers={"Authorization": f"Bearer {token}"})
    assert sends.status_code == 200
    assert signs_in(anew, NEW)
    assert not signs_in(anew, PASSWORD)


def lines_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200
    assert answer.mimetype == "application/x-ndjson"
    return [json.loads(line) for line in answer.get_data(as_text=True).splitlines()]


def test_the_export_has_everything_of_mine_and_nothing_of_anybody_else(
    linked_alice: Member, bob: Member
) -> None:
    alice = linked_alice
    alice.post("/v1/messages", {"text": "мой секрет"})
    token = alice.post("/v1/tokens/send", {"name": "backup"}).json["token"]
    bob.post("/v1/messages", {"text": "bob's own"})
    answer = alice.get("/v1/users/me/export")
    assert answer.is_streamed
    assert "attachment" in answer.headers["Content-Disposition"]
    lines = lines_of(answer)
    assert lines[0]["line"] == "account"
    assert lines[0]["username"] == "alice"
    kinds = {line["line"] for line in lines}
    assert kinds >= {"account", "session", "send_token", "chat", "audit_event", "message"}
    (message,) = [line for line in lines if line["line"] == "message"]
    assert message["text"] == "мой секрет"
    written = json.dumps(lines, ensure_ascii=False)
    assert "bob" not in written
    for secret in (token, alice.access, alice.refresh, PASSWORD, "argon2"):
        assert secret not in written


def test_the_export_is_limited(alice: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXPORT", Limit("export", 2, 3600))
    for _ in range(2):
        lines_of(alice.get("/v1/users/me/export"))
    assert_problem(alice.get("/v1/users/me/export"), 429, "too_many_requests")


def test_erasing_kills_every_credential_and_frees_the_name(
    client: Client, linked_alice: Member, new_member: NewMember
) -> None:
    alice = linked_alice
    token = alice.post("/v1/tokens/send", {"name": "script"}).json["token"]
    alice.post("/v1/messages", {"text": "never"})
    answer = alice.delete("/v1/users/me")
    assert answer.status_code == 204
    for credential in (alice.access, alice.refresh, token):
        headers = {"Authorization": f"Bearer {credential}"}
        assert_problem(client.get("/v1/messages", headers=headers), 401, "invalid_token")
    assert_problem(client.get("/v1/users/me", auth=("alice", PASSWORD)), 401, "wrong_credentials")
    again = new_member("alice", "Another")
    assert again.get("/v1/messages").json["items"] == []
    assert_problem(again.get("/v1/chat"), 404, "no_chat")


def test_the_directory_has_ids_and_usernames_only(
    alice: Member, bob: Member, new_member: NewMember
) -> None:
    new_member("carol")
    listed = alice.get("/v1/users").json
    assert [entry["username"] for entry in listed["items"]] == ["alice", "bob", "carol"]
    assert all(set(entry) == {"id", "username"} for entry in listed["items"])
    assert listed["items"][1]["id"] == str(bob.person.public_id)
    assert listed["next_cursor"] is None


def test_the_directory_is_paged(alice: Member, bob: Member, new_member: NewMember) -> None:
    new_member("carol")
    first = alice.get("/v1/users?limit=2").json
    rest = alice.get(f"/v1/users?limit=2&cursor={first['next_cursor']}").json
    names = [entry["username"] for entry in first["items"] + rest["items"]]
    assert names == ["alice", "bob", "carol"]
    assert rest["next_cursor"] is None
    for parameter, value in (
        ("limit", "0"), ("limit", "101"), ("cursor", "-1"), ("cursor", "abc"), ("cursor", "1" * 40),
        ("q", "alice"), ("sort", "password_hash"),
    ):  # fmt: skip
        answer = alice.get("/v1/users", query_string={parameter: value})
        assert_problem(answer, 422, "invalid", parameter)


def test_a_private_directory_is_for_admins(
    make_app: MakeApp, alice: Member, new_member: NewMember
) -> None:
    client = client_of(make_app(USER_DIRECTORY="admins"))
    assert_problem(client.get("/v1/users", headers=alice.headers), 403, "forbidden")
    admin = new_member("boss", is_admin=True)
    assert client.get("/v1/users", headers=admin.headers).status_code == 200
