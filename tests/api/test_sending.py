"""POST /v1/messages and the one-liner, /v1/send."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from tests import statements
from tests.api.answers import assert_problem
from tests.client import client_of
from tests.conftest import MakeApp, Member

FIELDS = {
    "id", "direction", "text", "status", "silent", "parts", "parts_sent", "attempts_made", "reason",
    "possible_duplicate", "created_at", "sent_at", "expires_at", "telegram_message_ids",
}  # fmt: skip


@pytest.fixture
def send_token(alice: Member) -> dict[str, str]:
    token = alice.post("/v1/tokens/send", {"name": "script"}).json["token"]
    return {"Authorization": f"Bearer {token}"}


def stored(database: Engine) -> list[Any]:
    with database.connect() as connection:
        return list(connection.execute(text("SELECT * FROM message ORDER BY id")))


def test_a_message_is_accepted_and_can_be_read(linked_alice: Member, database: Engine) -> None:
    answer = linked_alice.post("/v1/messages", {"text": "The backup is done."})
    assert answer.status_code == 201
    assert set(answer.json) == FIELDS
    assert answer.json["status"] == "queued"
    assert answer.json["direction"] == "out"
    assert answer.json["telegram_message_ids"] == []
    assert answer.headers["Location"] == f"/v1/messages/{answer.json['id']}"
    read = linked_alice.get(answer.headers["Location"]).json
    assert read == answer.json | {"attempts": []}
    (row,) = stored(database)
    assert row.greeting == "Алиса, я получил от тебя сообщение:"


def test_without_a_chat_it_is_held(alice: Member) -> None:
    answer = alice.post("/v1/messages", {"text": "hello"})
    assert answer.status_code == 201
    assert (answer.json["status"], answer.json["reason"]) == ("held", "no_chat")
    assert alice.get(answer.headers["Location"]).json == answer.json | {"attempts": []}


def test_silent_bare_and_short_lived(alice: Member, database: Engine) -> None:
    fields = {"text": "x", "silent": True, "greeting": False, "expires_in": 60}
    answer = alice.post("/v1/messages", fields)
    assert answer.json["silent"] is True
    (row,) = stored(database)
    assert row.greeting == ""
    assert 59 <= (row.expires_at - row.created_at).total_seconds() <= 61


def test_the_servers_own_limit_of_life_holds_too(alice: Member, database: Engine) -> None:
    alice.post("/v1/messages", {"text": "x", "expires_in": 31_536_000})
    (row,) = stored(database)
    assert (row.expires_at - row.created_at).total_seconds() <= 86_401


@pytest.mark.parametrize(
    "words",
    [
        "<b>&\"'</b> <script>alert(1)</script>",
        "{{7*7}} %s%n ${x} {name} {text}",
        "*unbalanced_ [markdown](http://x) ~`>#+-=|{}.!",
        "'; DROP TABLE message; --",
        "\uffff\U0010ffff 👩‍👩‍👧‍👦 \u202egnirts",
        "e\u0301 \u00e9",
        "o" + "\u0301" * 1000,
        "line\nline\ttab\r\nend",
        "4096 😀" + "😀" * 4090,
        " surrounded by spaces ",
    ],
)
def test_a_text_is_kept_as_it_was_written(alice: Member, words: str) -> None:
    answer = alice.post("/v1/messages", {"text": words})
    assert answer.status_code == 201
    assert answer.json["text"] == words
    assert alice.get(answer.headers["Location"]).json["text"] == words


@pytest.mark.parametrize(
    "words",
    [
        "", " ", " \n\t\u00a0\u3000", "\u200b\u200d\ufeff", "\u3164", "nul\x00", "bell\x07",
        "escape\x1b[31m", "\x85", "\ud800", "half \udc00 pair",
    ],
)  # fmt: skip
def test_what_cannot_be_a_text_is_refused(alice: Member, database: Engine, words: str) -> None:
    assert_problem(alice.post("/v1/messages", {"text": words}), 422, "invalid", "text")
    assert stored(database) == []


def test_a_long_text_goes_out_in_parts_and_one_too_long_says_the_limit(alice: Member) -> None:
    assert alice.post("/v1/messages", {"text": "word " * 1000}).json["parts"] == 2
    assert alice.post("/v1/messages", {"text": "x" * 20_000}).status_code == 201
    answer = alice.post("/v1/messages", {"text": "x" * 20_001})
    assert_problem(answer, 422, "invalid", "text")
    assert "20000" in answer.json["errors"]["text"][0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", 5), ("text", None), ("text", ["x"]), ("text", {"a": 1}), ("text", True),
        ("silent", "true"), ("silent", 1), ("silent", None), ("silent", "on"),
        ("greeting", 0), ("greeting", "no"), ("greeting", {}),
        ("expires_in", 0), ("expires_in", -5), ("expires_in", "60"), ("expires_in", True),
        ("expires_in", 1.5), ("expires_in", 10**30), ("expires_in", None), ("expires_in", []),
        ("chat_id", 5), ("status", "sent"), ("user_id", 1), ("id", 1), ("parse_mode", "HTML"),
        ("is_admin", True), ("__proto__", {}), ("constructor", 1), ("nul\x00", 1),
    ],
)  # fmt: skip
def test_types_are_strict_and_unknown_fields_refused(
    alice: Member, database: Engine, field: str, value: object
) -> None:
    answer = alice.post("/v1/messages", {"text": "x", field: value})
    assert_problem(answer, 422, "invalid", field)
    assert stored(database) == []


def test_a_missing_text_is_named(alice: Member) -> None:
    assert_problem(alice.post("/v1/messages", {}), 422, "invalid", "text")


def test_a_whole_number_may_be_written_with_a_point(alice: Member) -> None:
    headers = alice.headers | {"Content-Type": "application/json"}
    body = '{"text": "x", "expires_in": 60.0}'
    assert alice.client.post("/v1/messages", data=body, headers=headers).status_code == 201


def test_the_days_quota_is_told_and_holds(make_app: MakeApp, alice: Member) -> None:
    client = client_of(make_app(MESSAGES_PER_DAY="2"))
    first = client.post("/v1/messages", json={"text": "1"}, headers=alice.headers)
    assert first.headers["RateLimit-Policy"] == '"day";q=2;w=86400'
    assert re.fullmatch(r'"day";r=1;t=\d{1,5}', first.headers["RateLimit"])
    second = client.post("/v1/send", data="2", content_type="text/plain", headers=alice.headers)
    assert second.headers["RateLimit"].startswith('"day";r=0;')
    third = client.post("/v1/messages", json={"text": "3"}, headers=alice.headers)
    assert_problem(third, 429, "quota_used_up")
    assert third.headers["RateLimit-Policy"] == '"day";q=2;w=86400'
    assert third.headers["RateLimit"] == f'"day";r=0;t={third.headers["Retry-After"]}'
    assert int(third.headers["Retry-After"]) <= 86_400


def test_another_persons_quota_is_their_own(make_app: MakeApp, alice: Member, bob: Member) -> None:
    client = client_of(make_app(MESSAGES_PER_DAY="1"))
    for person in (alice, bob):
        sent = client.post("/v1/messages", json={"text": "x"}, headers=person.headers)
        assert sent.status_code == 201


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize(
    "words", ["a+b=1 & 100%", "%D0%B0=%20+&&;x", "text=hello", '{"text": "x"}', "диск полон", "x\n"]
)
def test_the_one_liners_body_is_the_text_itself(
    alice: Member, send_token: dict[str, str], words: str, media_type: str
) -> None:
    answer = alice.client.post(
        "/v1/send", data=words.encode(), content_type=media_type, headers=send_token
    )
    assert answer.status_code == 201
    assert set(answer.json) == FIELDS
    assert answer.json["text"] == words
    assert alice.get(answer.headers["Location"]).json["text"] == words


def test_the_one_liner_reads_json_as_messages_do(alice: Member, send_token: dict[str, str]) -> None:
    fields = {"text": "a+b", "silent": True}
    answer = alice.client.post("/v1/send", json=fields, headers=send_token)
    assert (answer.json["text"], answer.json["silent"]) == ("a+b", True)
    wrong = alice.client.post("/v1/send", json={"text": "x", "to": 5}, headers=send_token)
    assert_problem(wrong, 422, "invalid", "to")


def test_the_one_liner_takes_an_access_token_too(alice: Member) -> None:
    answer = alice.client.post(
        "/v1/send", data="x", content_type="text/plain; charset=UTF-8", headers=alice.headers
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"\xff\xfe", "text/plain", 400),
        (b"", "text/plain", 422),
        (b" \n", "application/x-www-form-urlencoded", 422),
        (b"x", "text/plain; charset=cp1251", 415),
        (b"x", "text/html", 415),
        (b"x", "multipart/form-data; boundary=x", 415),
        (b"x", None, 415),
        (b"x", "application/octet-stream", 415),
        (b"x" * 20_001, "text/plain", 422),
        (b"x" * (256 * 1024 + 1), "text/plain", 413),
        (b"nul\x00", "text/plain", 422),
        (b"{", "application/json", 400),
    ],
)
def test_what_the_one_liner_does_not_read(
    alice: Member, send_token: dict[str, str], body: bytes, media_type: str | None, status: int
) -> None:
    headers = send_token | ({"Content-Type": media_type} if media_type else {})
    assert_problem(alice.client.post("/v1/send", data=body, headers=headers), status)


def test_a_compressed_text_is_not_read(alice: Member, send_token: dict[str, str]) -> None:
    headers = send_token | {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    assert_problem(alice.client.post("/v1/send", data=b"x", headers=headers), 415)


def test_messages_go_to_nobody_elses_history(alice: Member, bob: Member) -> None:
    alice.post("/v1/messages", {"text": "hers"})
    assert bob.get("/v1/messages").json["items"] == []


def test_the_application_counts_what_it_accepts(app: Flask, alice: Member) -> None:
    def accepted() -> float:
        counted = alice.client.get("/metrics").get_data(as_text=True)
        found = re.search(r"^gonets_messages_accepted_total (\S+)$", counted, re.M)
        return float(found[1]) if found else 0.0

    before = accepted()
    alice.post("/v1/messages", {"text": "x"})
    assert accepted() == before + 1


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/send"])
def test_a_message_costs_two_statements(
    linked_alice: Member, send_token: dict[str, str], path: str
) -> None:
    headers = linked_alice.headers if path == "/v1/messages" else send_token

    def post() -> int:
        answer = linked_alice.client.post(path, json={"text": "Once more."}, headers=headers)
        return int(answer.status_code)

    assert post() == 201, "statements are prepared, the credential was just used"
    with statements.noted() as sent:
        assert post() == 201
    proof = "gonets_prove_session" if path == "/v1/messages" else "gonets_prove_send_token"
    assert [statement.split()[1] for statement in sent] == [proof, "gonets_accept"]
