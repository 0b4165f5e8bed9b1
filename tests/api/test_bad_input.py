"""The table of bad input, over every operation that reads a body, and over addresses and methods:
an exact 4xx, a problem document, nothing changed."""

import gzip
import json
import re
import time
from io import BytesIO
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.api.answers import assert_problem
from tests.client import Client, client_of
from tests.conftest import PASSWORD, MakeApp, Member
from tests.rows import nothing_changed

# Every operation that reads JSON, with a body that it would accept.
READING: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/auth/register"): {"username": "dora", "password": PASSWORD, "name": "Dora"},
    ("POST", "/v1/auth/login"): {"username": "alice", "password": PASSWORD},
    ("POST", "/v1/messages"): {"text": "hello"},
    ("POST", "/v1/send"): {"text": "hello"},
    ("POST", "/v1/tokens/send"): {"name": "script"},
    ("POST", "/v1/chat"): {"code": "22222222"},
    ("PATCH", "/v1/users/me"): {"name": "Changed"},
}
# Every operation that changes something and reads no body.
BODILESS = [
    ("POST", "/v1/auth/refresh"),
    ("POST", "/v1/auth/logout"),
    ("POST", "/v1/tokens/link"),
    ("POST", "/v1/messages/1/retry"),
    ("DELETE", "/v1/auth/sessions/1"),
    ("DELETE", "/v1/tokens/send/1"),
    ("DELETE", "/v1/chat"),
    ("DELETE", "/v1/messages/1"),
    ("DELETE", "/v1/users/me"),
]
DEEP = 10_000
BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "blank": (b" \n", 400),
    "null": (b"null", 422),
    "array": (b"[]", 422),
    "text": (b'"x"', 422),
    "number": (b"1", 422),
    "true": (b"true", 422),
    "trailing garbage": (b"{} x", 400),
    "two objects": (b"{}{}", 400),
    "single quotes": (b"{'a': 1}", 400),
    "no quotes": (b"{a: 1}", 400),
    "comment": (b"{} // x", 400),
    "trailing comma": (b'{"a": 1,}', 400),
    "control character": (b'{"a": "\x01"}', 400),
    "raw line break": (b'{"a": "\n"}', 400),
    "NUL": (b"\x00", 400),
    "not UTF-8": (b'{"a": "\xff"}', 400),
    "encoded surrogate": (b'{"a": "\xed\xa0\x80"}', 400),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), 400),
    "UTF-32": ('{"a": 1}'.encode("utf-32"), 400),
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "NaN": (b'{"a": NaN}', 400),
    "Infinity": (b'{"a": Infinity}', 400),
    "-Infinity": (b'{"a": -Infinity}', 400),
    "1e999": (b'{"a": 1e999}', 400),
    "huge integer": (b'{"a": ' + b"9" * 5000 + b"}", 400),
    "duplicate keys": (b'{"a": 1, "a": 2}', 400),
    "duplicate keys within": (b'{"a": {"b": 1, "b": 1}}', 400),
    "open brackets": (b"[" * 983, 400),
    "nested arrays": (b'{"a": ' + b"[" * DEEP + b"]" * DEEP + b"}", 400),
    "nested objects": (b'{"a": ' * DEEP + b"1" + b"}" * DEEP, 400),
    "many keys": (b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}", 400),
    "too many keys": (b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}", 413),
    "too large": (b'{"a": "' + b"x" * (256 * 1024) + b'"}', 413),
}
MEDIA_TYPES = [
    None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "text/html", "application/xml", "application/json; charset=cp1251", "application/jsonp",
    "application/json; charset=utf-16", "garbage", "application/json, text/plain",
]  # fmt: skip


def identities(rows: dict[tuple[str, str], Any]) -> list[str]:
    return [" ".join(row) for row in rows]


@pytest.mark.parametrize("kind", BODIES, ids=str)
def test_bodies_that_are_no_json_object(alice: Member, database: Engine, kind: str) -> None:
    body, status = BODIES[kind]
    headers = alice.headers | {"Content-Type": "application/json"}
    with nothing_changed(database):
        for method, path in READING:
            begun = time.monotonic()
            answer = alice.client.open(path, method=method, data=body, headers=headers)
            assert_problem(answer, status)
            assert len(answer.get_data()) < 5000
            assert time.monotonic() - begun < 1


@pytest.mark.parametrize("media_type", MEDIA_TYPES, ids=repr)
def test_media_types_that_are_not_json(
    alice: Member, database: Engine, media_type: str | None
) -> None:
    with nothing_changed(database):
        for (method, path), body in READING.items():
            is_text = media_type in ("text/plain", "application/x-www-form-urlencoded")
            if path == "/v1/send" and is_text:
                continue
            headers = alice.headers | ({} if media_type is None else {"Content-Type": media_type})
            data = json.dumps(body).encode()
            answer = alice.client.open(path, method=method, data=data, headers=headers)
            assert_problem(answer, 415, "unsupported_media_type")


def test_compressed_bodies_and_bombs_are_not_opened(alice: Member, database: Engine) -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    with nothing_changed(database):
        for method, path in READING:
            for encoding in ("gzip", "deflate", "br", "identity, gzip"):
                headers = alice.headers | {
                    "Content-Type": "application/json",
                    "Content-Encoding": encoding,
                }
                answer = alice.client.open(path, method=method, data=bomb, headers=headers)
                assert_problem(answer, 415)


def test_a_chunked_body_has_the_same_limit(alice: Member, database: Engine) -> None:
    with nothing_changed(database):
        for method, path in READING:
            answer = alice.client.open(
                path,
                method=method,
                input_stream=BytesIO(b'{"a": "' + b"x" * 300_000 + b'"}'),
                headers=alice.headers | {"Content-Type": "application/json"},
                environ_overrides={
                    "wsgi.input_terminated": True,
                    "HTTP_TRANSFER_ENCODING": "chunked",
                },
            )
            assert_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "field",
    ["unknown", "role", "is_admin", "user_id", "account_id", "chat_id", "status", "id", "seq",
     "__proto__", "constructor", "nul\x00", "\ud800", "", " ", "x" * 10_000],
    ids=ascii,
)  # fmt: skip
def test_unknown_fields_are_refused_by_name(alice: Member, database: Engine, field: str) -> None:
    headers = alice.headers | {"Content-Type": "application/json"}
    with nothing_changed(database):
        for (method, path), body in READING.items():
            data = json.dumps(body | {field: 1}).encode()
            answer = alice.client.open(path, method=method, data=data, headers=headers)
            assert_problem(answer, 422, "invalid", field[:100])
            assert len(answer.get_data()) < 2000


@pytest.mark.parametrize("wrong", [None, 1, 1.5, True, [], ["x"], {}, {"$ne": ""}], ids=repr)
def test_text_is_text(alice: Member, database: Engine, wrong: object) -> None:
    with nothing_changed(database):
        for (method, path), body in READING.items():
            for field in body:
                headers = alice.headers
                answer = alice.client.open(
                    path, method=method, json=body | {field: wrong}, headers=headers
                )
                assert_problem(answer, 422, "invalid", field)


def test_what_is_missing_is_named(alice: Member, database: Engine) -> None:
    with nothing_changed(database):
        for (method, path), body in READING.items():
            if method == "PATCH":
                continue
            for field in body:
                rest = {name: value for name, value in body.items() if name != field}
                answer = alice.client.open(path, method=method, json=rest, headers=alice.headers)
                assert_problem(answer, 422, "invalid", field)


def test_a_body_where_none_is_read_must_say_nothing(alice: Member, database: Engine) -> None:
    for method, path in BODILESS:
        credential = alice.refresh if path.endswith("refresh") else alice.access
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        with nothing_changed(database):
            for body, status in (
                (b'{"user_id": 5}', 422), (b"[]", 422), (b"{", 400), (b"NaN", 400),
                (b"x" * 300_000, 413),
            ):  # fmt: skip
                answer = alice.client.open(path, method=method, data=body, headers=headers)
                assert_problem(answer, status)
            form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
            answer = alice.client.open(path, method=method, data=b"a=1", headers=form)
            assert_problem(answer, 415)


def test_an_empty_body_says_nothing(alice: Member) -> None:
    assert alice.post("/v1/tokens/link", {}).status_code == 201
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert alice.post("/v1/tokens/link", headers=form).status_code == 201


def test_unknown_parameters_are_refused_everywhere(
    client: Client, alice: Member, database: Engine
) -> None:
    with nothing_changed(database):
        for path, item in client.get("/openapi.json").json["paths"].items():
            if not path.startswith("/v1/"):
                continue
            for method in item.keys() - {"parameters"}:
                filled = re.sub(r"{[^}]+}", "1", path)
                body = READING.get((method.upper(), path))
                answer = alice.client.open(
                    f"{filled}?is_admin=1", method=method, json=body, headers=alice.headers
                )
                assert_problem(answer, 422, "invalid", "is_admin")


def test_health_checks_may_carry_what_they_like(client: Client) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(f"{path}?cachebuster=1").status_code == 200


@pytest.mark.parametrize("method", ["TRACE", "PUT", "CONNECT", "FOO", "PROPFIND", "QUERY", "get"])
def test_other_methods_are_405_and_say_which_there_are(alice: Member, method: str) -> None:
    for path in ("/v1/messages", "/v1/users/me", "/v1/messages/1", "/healthz", "/openapi.json"):
        answer = alice.client.open(path, method=method, headers=alice.headers)
        if method == "get":
            continue  # werkzeug's test client writes it in capitals
        assert_problem(answer, 405, "method_not_allowed")
        assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v2/messages", "//v1/messages", "/v1//messages", "/V1/messages", "/v1/nope",
     "/v1/messages/1/nope", "/v1/..%2fv1/messages", "/v1/%00", "/%ff", "/.git/config", "/.env",
     "/v1/messages;x=1", "/v1/messages/1/retry/again"],
)  # fmt: skip
def test_addresses_that_are_none_are_problems_and_never_redirects(alice: Member, path: str) -> None:
    for method in ("GET", "POST"):
        answer = alice.client.open(path, method=method, headers=alice.headers)
        assert_problem(answer, 404, "not_found")


def test_a_slash_at_the_end_is_no_redirect(alice: Member) -> None:
    assert alice.post("/v1/messages/", {"text": "x"}).status_code == 201
    assert alice.get("/v1/users/me/").status_code == 200


def test_head_is_get_without_its_body_and_options_does_nothing(
    alice: Member, database: Engine
) -> None:
    with nothing_changed(database):
        head = alice.client.head("/v1/users/me", headers=alice.headers)
        assert head.status_code == 200
        assert head.get_data() == b""
        options = alice.client.options("/v1/messages")
        assert options.status_code == 200
        assert {"GET", "POST"} <= set(options.headers["Allow"].split(", "))
        assert "Access-Control-Allow-Origin" not in options.headers


def test_every_answer_has_the_headers_that_guard_it(alice: Member) -> None:
    for answer in (
        alice.get("/v1/users/me"),
        alice.get("/v1/messages/abc"),
        alice.post("/v1/messages", {}),
        alice.client.get("/v1/users/me"),
    ):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Server" not in answer.headers


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abcdef-12345", True), ("short", False), ("x" * 65, False), ("a b c d e f g", False),
     ("<script>alert(1)", False)],
)  # fmt: skip
def test_a_request_id_of_ones_own_is_kept_when_it_can_forge_nothing(
    client: Client, given: str, kept: bool
) -> None:
    answer = client.get("/v1/users/me", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept
    assert_problem(answer, 401)


def test_the_database_away_is_a_503_problem_within_seconds(make_app: MakeApp) -> None:
    app = make_app(DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    begun = time.monotonic()
    login = {"username": "alice", "password": PASSWORD}
    answer = client_of(app).post("/v1/auth/login", json=login)
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert time.monotonic() - begun < 5
    assert client_of(app).get("/healthz").status_code == 200
    assert client_of(app).get("/metrics").status_code == 200
    ready = client_of(app).get("/readyz")
    assert ready.status_code == 503
    assert ready.json["status"] == "unready"
    assert ready.json["parts"]["database"]["status"] == "failed"
