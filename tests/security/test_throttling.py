"""One counter for every way of trying a password; networks as far as proxies are trusted."""

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import limits, passwords
from tests.client import Answer, Client, client_of
from tests.conftest import PASSWORD, Clock, MakeApp, Member

Try = Callable[[Client, Member, str], Answer]


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"alice:{password}".encode()).decode()}


def page(client: Client, path: str, fields: dict[str, str]) -> Answer:
    found = re.search(r'name="form_token" value="([^"]+)"', client.get("/cabinet/sign-in").text)
    assert found is not None
    return client.post(path, data={**fields, "form_token": found[1]})


# Every way of trying a password that there is.
WAYS: dict[str, Try] = {
    "login": lambda c, m, p: c.post("/v1/auth/login", json={"username": "alice", "password": p}),
    "basic": lambda c, m, p: c.get("/v1/users/me", headers=basic(p)),
    "password change": lambda c, m, p: c.patch(
        "/v1/users/me", json={"current_password": p, "password": "another horse"}, headers=m.headers
    ),
    "cabinet": lambda c, m, p: page(c, "/cabinet/sign-in", {"username": "alice", "password": p}),
    "message_sender": lambda c, m, p: c.post(
        "/api/v1/auth/jwt/create/", json={"username": "alice", "password": p}
    ),
    "djangobot": lambda c, m, p: c.post("/api/auth/", json={"login": "alice", "psw": p}),
    "djangobot delete": lambda c, m, p: c.delete(
        "/api/user/", json={"login": "alice", "psw": p}, headers=m.headers
    ),
    "factoryapp": lambda c, m, p: c.post("/auth/token/", json={"username": "alice", "password": p}),
    "jwt_message": lambda c, m, p: c.post("/login/", json={"name": "alice", "password": p}),
    "telegram_task": lambda c, m, p: c.post(
        "/users/login", json={"username": "alice", "password": p}
    ),
    "telegram_task basic": lambda c, m, p: c.get("/message/sent", headers=basic(p)),
}


@pytest.fixture
def browser(app: Flask) -> Client:
    """Somebody without a session of their own, who keeps cookies."""
    return client_of(app)


def test_ten_failures_by_any_ways_shut_them_all(
    browser: Client, alice: Member, monkeypatch: pytest.MonkeyPatch, stopped_clock: Clock
) -> None:
    ways = list(WAYS.values())
    for number in range(10):
        answer = ways[number](browser, alice, "wrong password")
        assert answer.status_code in (401, 403, 422), (list(WAYS)[number], answer.text)
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("a password was tried"))
    for name, way in WAYS.items():
        answer = way(browser, alice, PASSWORD)
        assert answer.status_code == 429, (name, answer.text)
        assert 1 <= int(answer.headers["Retry-After"]) <= 900, name
    monkeypatch.undo()


@pytest.mark.parametrize("way", WAYS)
def test_each_way_alone_is_counted(browser: Client, alice: Member, way: str) -> None:
    for _ in range(10):
        WAYS[way](browser, alice, "wrong password")
    assert WAYS["login"](browser, alice, PASSWORD).status_code == 429


@pytest.mark.parametrize("way", WAYS)
def test_each_way_counts_for_its_network_too(
    browser: Client, alice: Member, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILURES_OF_NETWORK", limits.Limit("failures_network", 1, 900))
    assert WAYS[way](browser, alice, "wrong password").status_code in (401, 403, 422)
    answer = browser.post("/v1/auth/login", json={"username": "nobody", "password": PASSWORD})
    assert answer.status_code == 429
    assert WAYS[way](browser, alice, PASSWORD).status_code == 429


def login(app: Flask, password: str = PASSWORD, **environ: Any) -> int:
    answer = client_of(app).post(
        "/v1/auth/login",
        json={"username": "alice", "password": password},
        headers=environ.pop("headers", {}),
        environ_overrides=environ,
    )
    return answer.status_code


def test_an_address_that_a_client_makes_up_changes_nothing(app: Flask, alice: Member) -> None:
    def forged(number: int) -> dict[str, str]:
        made_up = f"198.51.100.{number}"
        return {
            "X-Forwarded-For": made_up,
            "X-Real-IP": made_up,
            "Forwarded": f"for={made_up}",
            "X-Client-IP": made_up,
            "True-Client-IP": made_up,
        }

    statuses = [login(app, "wrong password", headers=forged(n)) for n in range(30)]
    assert statuses == [401] * 10 + [429] * 20


def test_of_trusted_proxies_only_the_last_word_counts(
    make_app: MakeApp, alice: Member, database: Engine
) -> None:
    app = make_app(TRUSTED_PROXIES="1")

    def through_proxy(number: int, true_address: str) -> int:
        made_up = f"198.51.100.{number}, 10.0.0.{number}"
        return login(
            app, "wrong password", headers={"X-Forwarded-For": f"{made_up}, {true_address}"}
        )

    assert [through_proxy(n, "203.0.113.7") for n in range(12)] == [401] * 10 + [429] * 2
    assert through_proxy(1, "203.0.113.8") == 401
    assert through_proxy(1, "203.0.113.7:4711") == 429, "a port does not make a new network"
    assert through_proxy(1, "[2001:db8::1]:4711") == 401
    with database.connect() as connection:
        networks = set(connection.scalars(text("SELECT network FROM audit_event")))
    assert networks >= {"203.0.113.7", "203.0.113.8", "2001:db8::/64"}
    assert not [network for network in networks if network.startswith(("198.", "10."))]


def test_an_ipv6_subscriber_is_one_network(app: Flask, alice: Member) -> None:
    addresses = [f"2001:db8:1:2:{n:x}::{n:x}" for n in range(1, 13)]
    statuses = [login(app, "wrong password", REMOTE_ADDR=address) for address in addresses]
    assert statuses == [401] * 10 + [429] * 2
    assert login(app, "wrong password", REMOTE_ADDR="2001:db8:1:3::1") == 401


def test_an_attacker_locks_nobody_out(app: Flask, alice: Member, stopped_clock: Clock) -> None:
    assert login(app, REMOTE_ADDR="203.0.113.1") == 200
    for number in range(10):
        for _ in range(10):
            assert login(app, "wrong password", REMOTE_ADDR=f"198.51.100.{number}") == 401
    assert login(app, REMOTE_ADDR="198.51.100.99") == 429
    assert login(app, REMOTE_ADDR="203.0.113.1") == 200
    headers = {"Authorization": f"Bearer {alice.access}"}
    me = client_of(app).get("/v1/users/me", headers=headers)
    assert me.status_code == 200, "sessions do not notice"


def test_registering_is_limited_by_every_face_together(make_app: MakeApp, alice: Member) -> None:
    app = make_app(REGISTRATIONS_PER_HOUR="5")
    client = client_of(app)
    named = {"username": "anna", "password": PASSWORD}
    asked: list[tuple[str, dict[str, str]]] = [
        ("/v1/auth/register", {**named, "name": "Anna"}),
        ("/api/v1/auth/users/", {**named, "username": "bella", "first_name": "Bella"}),
        ("/api/user/", {"login": "carla", "psw": PASSWORD}),
        ("/api/users/register/", {**named, "username": "dora"}),
        ("/signup/", {"name": "elena", "password": PASSWORD}),
        ("/users/signup", {**named, "username": "faina", "password_repeat": PASSWORD}),
    ]
    statuses = [client.post(path, json=body).status_code for path, body in asked]
    assert statuses == [201] * 5 + [429]
