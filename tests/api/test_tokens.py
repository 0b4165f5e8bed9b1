"""Link tokens and their QR code; send tokens."""

import re
from xml.etree import ElementTree

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import chats, limits, tokens
from app.services.limits import Limit
from app.services.people import TelegramPerson
from tests.api.answers import assert_problem
from tests.client import Client
from tests.conftest import Clock, Member


@pytest.fixture
def bot(database: Engine) -> str:
    """The bot's name, as its first run leaves it."""
    with database.connect() as connection:
        connection.execute(text("UPDATE bot SET username = 'gonets_test_bot'"))
    return "gonets_test_bot"


def test_the_link_token_is_the_same_until_another_is_asked_for(alice: Member, bot: str) -> None:
    first = alice.get("/v1/tokens/link")
    assert first.status_code == 200
    assert set(first.json) == {"token", "expires_at", "bot", "url", "command"}
    token = first.json["token"]
    assert re.fullmatch("[0-9a-f]{64}", token)
    assert first.json["bot"] == f"@{bot}"
    assert first.json["url"] == f"https://t.me/{bot}?start={token}"
    assert first.json["command"] == f"/start {token}"
    assert alice.get("/v1/tokens/link").json == first.json
    fresh = alice.post("/v1/tokens/link")
    assert fresh.status_code == 201
    assert fresh.headers["Location"] == "/v1/tokens/link"
    assert fresh.json["token"] != token
    assert alice.get("/v1/tokens/link").json == fresh.json


def test_only_the_newest_link_token_links(app: Flask, alice: Member) -> None:
    old = alice.get("/v1/tokens/link").json["token"]
    new = alice.post("/v1/tokens/link").json["token"]
    with app.app_context():
        assert chats.link_by_token(old, TelegramPerson(5001)) is None
        assert chats.link_by_token(new, TelegramPerson(5001)) is not None
    assert alice.get("/v1/chat").json["telegram_id"] == 5001
    assert alice.get("/v1/tokens/link").json["token"] not in (old, new)


def test_a_link_token_expires_after_an_hour(alice: Member, stopped_clock: Clock) -> None:
    token = alice.get("/v1/tokens/link").json["token"]
    stopped_clock.advance(minutes=54)
    alice_again = alice.client.post(
        "/v1/auth/refresh", headers={"Authorization": f"Bearer {alice.refresh}"}
    ).json["access"]
    headers = {"Authorization": f"Bearer {alice_again}"}
    stopped_clock.advance(minutes=7)
    assert alice.client.get("/v1/tokens/link", headers=headers).json["token"] != token


def test_fresh_link_tokens_are_limited(alice: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.LINK_TOKEN_ISSUE.most == 60
    monkeypatch.setattr(limits, "LINK_TOKEN_ISSUE", Limit("link_token_issue", 2, 3600))
    for _ in range(2):
        assert alice.post("/v1/tokens/link").status_code == 201
    assert_problem(alice.post("/v1/tokens/link"), 429, "too_many_requests")


def test_before_the_bot_has_run_its_name_is_null_and_nothing_is_drawn(alice: Member) -> None:
    invitation = alice.get("/v1/tokens/link").json
    assert invitation["bot"] is None
    assert invitation["url"] is None
    assert invitation["command"].startswith("/start ")
    assert_problem(alice.get("/v1/tokens/link/qr.svg"), 404, "not_found")


def test_the_qr_code_is_an_image_of_the_link(alice: Member, bot: str) -> None:
    answer = alice.get("/v1/tokens/link/qr.svg")
    assert answer.status_code == 200
    assert answer.mimetype == "image/svg+xml"
    assert answer.headers["Cache-Control"] == "no-store"
    image = ElementTree.fromstring(answer.get_data())
    assert image.tag == "{http://www.w3.org/2000/svg}svg"
    assert "script" not in answer.get_data(as_text=True)
    same = alice.get("/v1/tokens/link/qr.svg").get_data()
    alice.post("/v1/tokens/link")
    assert same == answer.get_data() != alice.get("/v1/tokens/link/qr.svg").get_data()


def test_a_send_token_is_shown_once(alice: Member) -> None:
    made = alice.post("/v1/tokens/send", {"name": "backup"})
    assert made.status_code == 201
    token = made.json["token"]
    assert re.fullmatch(r"gz_[A-Za-z0-9_-]{43}", token)
    assert made.headers["Location"] == f"/v1/tokens/send/{made.json['id']}"
    listed = alice.get("/v1/tokens/send")
    (entry,) = listed.json["items"]
    assert entry == {name: value for name, value in made.json.items() if name != "token"}
    assert entry["prefix"] == token[:8]
    assert entry["expires_at"] is None
    assert token not in listed.get_data(as_text=True)


def test_the_list_tells_when_a_send_token_was_used(alice: Member) -> None:
    token = alice.post("/v1/tokens/send", {"name": "backup"}).json["token"]
    assert alice.get("/v1/tokens/send").json["items"][0]["last_used_at"] is None
    alice.client.get("/v1/messages", headers={"Authorization": f"Bearer {token}"})
    assert alice.get("/v1/tokens/send").json["items"][0]["last_used_at"] is not None


def test_a_send_token_may_expire(alice: Member, stopped_clock: Clock) -> None:
    made = alice.post("/v1/tokens/send", {"name": "short", "expires_in": 600}).json
    assert made["expires_at"] > made["created_at"]
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert alice.client.get("/v1/messages", headers=headers).status_code == 200
    stopped_clock.advance(seconds=601)
    assert_problem(alice.client.get("/v1/messages", headers=headers), 401, "invalid_token")
    assert alice.get("/v1/tokens/send").json["items"] == []


def test_a_revoked_send_token_is_refused_at_once(alice: Member, bob: Member) -> None:
    made = alice.post("/v1/tokens/send", {"name": "backup"}).json
    headers = {"Authorization": f"Bearer {made['token']}"}
    assert_problem(bob.delete(f"/v1/tokens/send/{made['id']}"), 404, "not_found")
    assert alice.client.get("/v1/messages", headers=headers).status_code == 200
    assert alice.delete(f"/v1/tokens/send/{made['id']}").status_code == 204
    assert_problem(alice.client.get("/v1/messages", headers=headers), 401, "invalid_token")
    assert_problem(alice.delete(f"/v1/tokens/send/{made['id']}"), 404, "not_found")


def test_there_are_a_hundred_send_tokens_at_most(
    alice: Member, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "SEND_TOKENS_MAX", 2)
    for name in ("one", "two"):
        assert alice.post("/v1/tokens/send", {"name": name}).status_code == 201
    assert_problem(alice.post("/v1/tokens/send", {"name": "three"}), 409, "conflict")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("name", "a\nb"), ("name", "x" * 101), ("name", None), ("name", 5),
        ("expires_in", 0), ("expires_in", -1), ("expires_in", "60"), ("expires_in", True),
        ("expires_in", 1.5), ("expires_in", 10**20), ("expires_in", None),
        ("id", 5), ("token", "gz_mine"), ("prefix", "gz_"),
    ],
)  # fmt: skip
def test_bad_fields_of_a_send_token(alice: Member, field: str, value: object) -> None:
    assert_problem(alice.post("/v1/tokens/send", {"name": "x", field: value}), 422, field=field)
    assert alice.get("/v1/tokens/send").json["items"] == []
