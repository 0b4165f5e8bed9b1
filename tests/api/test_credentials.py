"""Who gets in by what: each kind of credential, and everything that only looks like one."""

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from flask import Flask
from sqlalchemy import Engine, text

from tests.api.answers import assert_problem, without_request_id
from tests.client import Client, client_of
from tests.conftest import PASSWORD, Clock, MakeApp, Member

# What a send token may do; everything else that wants a credential is not for it.
SENDING = {
    ("POST", "/v1/messages"),
    ("POST", "/v1/send"),
    ("GET", "/v1/messages"),
    ("GET", "/v1/messages/1"),
}


def operations(client: Client) -> list[tuple[str, str]]:
    """Every operation that wants a credential, as the document has them."""
    return [
        (method.upper(), path.replace("{message_id}", "1").replace("{session_id}", "1")
         .replace("{token_id}", "1"))
        for path, item in client.get("/openapi.json").json["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and operation["security"]
    ]  # fmt: skip


@pytest.fixture
def send_token(alice: Member) -> str:
    token: str = alice.post("/v1/tokens/send", {"name": "script"}).json["token"]
    return token


@pytest.fixture
def forged(app: Flask, alice: Member) -> Callable[..., str]:
    """Alice's access token with other claims, another header, another key."""
    real = jwt.decode(alice.access, options={"verify_signature": False})

    def forge(
        *without: str, key: Any = None, algorithm: str = "HS256", headers: Any = None, **claims: Any
    ) -> str:
        payload = {name: value for name, value in {**real, **claims}.items() if name not in without}
        secret = app.config["JWT_SECRET_KEY"] if key is None else key
        return jwt.encode(payload, secret, algorithm, headers=headers)

    return forge


def ask(client: Client, authorization: str) -> Any:
    return client.get("/v1/users/me", headers={"Authorization": authorization})


def test_every_operation_refuses_nobody(client: Client) -> None:
    asked = operations(client)
    assert len(asked) >= 20
    for method, path in asked:
        assert_problem(client.open(path, method=method), 401, "unauthenticated")


def test_a_send_token_sends_and_reads_and_nothing_else(client: Client, send_token: str) -> None:
    headers = {"Authorization": f"Bearer {send_token}"}
    for method, path in operations(client):
        body = {"json": {"text": "x"}} if (method, path) in SENDING and method == "POST" else {}
        answer = client.open(path, method=method, headers=headers, **body)
        if (method, path) in SENDING:
            assert answer.status_code in (200, 201, 404), (method, path)
        else:
            assert answer.status_code in (401, 403), (method, path)
            assert_problem(answer, answer.status_code)


def test_a_send_token_reads_only_what_it_sent(alice: Member, send_token: str) -> None:
    headers = {"Authorization": f"Bearer {send_token}"}
    of_alice = alice.post("/v1/messages", {"text": "by hand"}).json["id"]
    sent = alice.client.post("/v1/messages", json={"text": "by script"}, headers=headers).json["id"]
    read = alice.client.get(f"/v1/messages/{sent}", headers=headers)
    assert read.json["text"] == "by script"
    assert_problem(alice.client.get(f"/v1/messages/{of_alice}", headers=headers), 404)
    listed = alice.client.get("/v1/messages", headers=headers).json["items"]
    assert [message["id"] for message in listed] == [sent]


def test_basic_does_everything_but_the_one_liner(client: Client, alice: Member) -> None:
    me = client.get("/v1/users/me", auth=("alice", PASSWORD))
    assert me.json["username"] == "alice"
    sent = client.post("/v1/messages", json={"text": "hello"}, auth=("alice", PASSWORD))
    assert sent.status_code == 201
    line = client.post("/v1/send", json={"text": "hello"}, auth=("alice", PASSWORD))
    assert_problem(line, 401, "unauthenticated")


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER", "JWT", "jwt"])
def test_the_schemes_name_is_not_about_case(alice: Member, word: str) -> None:
    assert ask(alice.client, f"{word} {alice.access}").status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        "", " ", "Bearer", "Bearer ", "Bearer  {}", "Bearer {} {}", "Bearer {},", "Bearer {} x",
        "{}", "Token {}", "Bearer garbage", "Bearer a.b", "Bearer a.b.c", "Bearer ..",
        "Bearer {}.x", "Bearer gz_unknown", "Bearer " + "a" * 8000, "Bearer \u00e9",
        "Digest {}", "Basic {}",
    ],
)  # fmt: skip
def test_headers_that_only_look_like_a_bearer_token(alice: Member, header: str) -> None:
    answer = ask(alice.client, header.replace("{}", alice.access).encode().decode("latin-1"))
    assert_problem(answer, 401)


@pytest.mark.parametrize(
    "userpass",
    [b"alice", b"", b":", b"alice:", b":" + PASSWORD.encode(), b"al\x00ice:x", b"\xff\xfe:x",
     b"alice:" + PASSWORD.encode() + b"\x00", b"alice:" + b"x" * 2000],
)  # fmt: skip
def test_basic_that_is_none(client: Client, alice: Member, userpass: bytes) -> None:
    assert_problem(ask(client, f"Basic {base64.b64encode(userpass).decode()}"), 401)
    assert_problem(ask(client, "Basic !!!"), 401)


def test_a_password_may_have_colons_and_letters_of_any_script(client: Client) -> None:
    password = "двоеточие: и: ещё"
    account = {"username": "dora", "password": password, "name": "Дора"}
    assert client.post("/v1/auth/register", json=account).status_code == 201
    pair = base64.b64encode(f"dora:{password}".encode()).decode()
    assert ask(client, f"basic {pair}").status_code == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1}, {"exp": "soon"}, {"nbf": 2**33}, {"iat": 2**33}, {"iss": "other"},
        {"aud": "other"}, {"aud": ["gonets"]}, {"type": "refresh"}, {"type": None}, {"sub": 7},
        {"sub": "x"},
        {"sub": "00000000-0000-0000-0000-000000000000"}, {"sub": "\ud800"}, {"sid": "1"},
        {"sid": 10**20}, {"sid": -1}, {"sid": True}, {"gen": None}, {"csrf": 5},
    ],
    ids=repr,
)  # fmt: skip
def test_claims_that_are_not_right(alice: Member, forged: Any, claims: dict[str, Any]) -> None:
    assert_problem(ask(alice.client, f"Bearer {forged(**claims)}"), 401, "invalid_token")


@pytest.mark.parametrize(
    "claim", ["exp", "iss", "aud", "sub", "sid", "gen", "csrf", "type", "nbf", "iat", "jti"]
)
def test_claims_that_are_missing(alice: Member, forged: Any, claim: str) -> None:
    assert_problem(ask(alice.client, f"Bearer {forged(claim)}"), 401, "invalid_token")


def test_signatures_that_are_not_ours(alice: Member, forged: Any) -> None:
    none = forged(key="", algorithm="none")
    for token in (
        forged(key="another key of thirty-two bytes at least"),
        none,
        none.rstrip(".") + "." + alice.access.rpartition(".")[2],
        forged(key="x" * 64, algorithm="HS384"),
        forged(headers={"crit": ["x"], "x": 1}),
        forged(headers={"b64": False, "crit": ["b64"]}),
        alice.access[:-3] + "AAA",
        alice.access.rpartition(".")[0],
    ):
        assert_problem(ask(alice.client, f"Bearer {token}"), 401, "invalid_token")


def test_a_header_that_names_a_key_elsewhere_is_not_followed(alice: Member, forged: Any) -> None:
    token = forged(key="x" * 32, headers={"kid": "../../dev/null", "jku": "https://evil.example/k"})
    assert_problem(ask(alice.client, f"Bearer {token}"), 401, "invalid_token")
    assert ask(alice.client, f"Bearer {forged()}").status_code == 200


def test_revoked_expired_and_unknown_send_tokens_are_one_answer(
    alice: Member, client: Client, stopped_clock: Clock
) -> None:
    revoked = alice.post("/v1/tokens/send", {"name": "a"}).json
    expiring = alice.post("/v1/tokens/send", {"name": "b", "expires_in": 60}).json["token"]
    alice.delete(f"/v1/tokens/send/{revoked['id']}")
    stopped_clock.advance(seconds=61)
    answers = [
        client.post("/v1/send", data="x", headers={"Authorization": f"Bearer {token}"},
                    content_type="text/plain")
        for token in (revoked["token"], expiring, "gz_" + "A" * 43)
    ]  # fmt: skip
    for answer in answers:
        assert_problem(answer, 401, "invalid_token")
    assert len({str(without_request_id(answer)) for answer in answers}) == 1


def test_a_disabled_account_is_refused_by_every_credential(
    database: Engine, client: Client, alice: Member, send_token: str
) -> None:
    with database.connect() as connection:
        connection.execute(text("UPDATE account SET disabled_at = now()"))
    assert_problem(alice.get("/v1/users/me"), 401)
    assert_problem(ask(client, f"Bearer {alice.refresh}"), 401)
    assert_problem(client.get("/v1/users/me", auth=("alice", PASSWORD)), 401)
    assert_problem(
        client.get("/v1/messages", headers={"Authorization": f"Bearer {send_token}"}), 401
    )


def test_a_token_in_the_address_is_no_credential(client: Client, alice: Member) -> None:
    for name in ("token", "access_token", "jwt"):
        assert_problem(client.get(f"/v1/users/me?{name}={alice.access}"), 401, "unauthenticated")


def test_a_bad_header_is_not_saved_by_a_good_cookie(app: Flask, alice: Member) -> None:
    client = client_of(app)
    client.set_cookie("access", alice.access)
    assert client.get("/v1/users/me").status_code == 200
    assert_problem(ask(client, "Bearer garbage"), 401, "invalid_token")


def test_the_host_of_a_request_decides_nothing(make_app: MakeApp, alice: Member) -> None:
    answer = alice.client.get("/v1/users/me", headers=alice.headers | {"Host": "evil.example"})
    assert "evil.example" not in answer.get_data(as_text=True)


def test_refused_credentials_take_no_longer_than_they_should(client: Client) -> None:
    begun = time.monotonic()
    for _ in range(20):
        ask(client, "Bearer " + "a" * 8000)
    assert time.monotonic() - begun < 2
