"""What was revoked is dead at once, in every process, by every face that takes it."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import requests
from flask import Flask

from app.services import accounts
from app.services.people import Visitor
from embedded import Servers
from tests.conftest import PASSWORD, Member
from tests.running import Part, Running
from tests.security.conftest import Belongings, settle

HERE = Visitor("192.0.2.1")
Ask = Callable[[], requests.Response]


@pytest.fixture
def web(running: Running) -> Part:
    """Two processes: what one is told, the other has to know."""
    return running.web(workers=2)


def uses(web: Part, things: Belongings) -> Iterator[tuple[str, Ask]]:
    """Every way in which an account's credentials are used, each on a connection of its own."""
    access = things.member.access
    pair = b64encode(f"{things.member.person.username}:{PASSWORD}".encode()).decode()

    def asking(method: str, path: str, **more: Any) -> Ask:
        return lambda: requests.request(method, web.url + path, timeout=10, **more)

    bearer = {"Authorization": f"Bearer {access}"}
    yield "bearer", asking("GET", "/v1/users/me", headers=bearer)
    yield "cookie", asking("GET", "/v1/users/me", cookies={"access": access})
    yield (
        "page",
        asking("GET", "/cabinet/tokens", cookies={"access": access}, allow_redirects=False),
    )
    yield (
        "refresh",
        asking(
            "POST",
            "/v1/auth/refresh",
            headers={"Authorization": f"Bearer {things.member.refresh}"},
        ),
    )
    yield (
        "message_sender",
        asking("GET", "/api/v1/message/", headers={"Authorization": f"JWT {access}"}),
    )
    yield "djangobot", asking("GET", "/api/cabinet", headers=bearer)
    yield "factoryapp", asking("GET", "/api/messages/", headers=bearer)
    yield (
        "jwt_message",
        asking(
            "POST", "/message/", headers={"token": access}, json={"name": "x", "text": "last 1"}
        ),
    )
    yield "basic", asking("GET", "/v1/users/me", headers={"Authorization": f"Basic {pair}"})
    yield (
        "telegram_task",
        asking("GET", "/message/sent", headers={"Authorization": f"Basic {pair}"}),
    )
    yield (
        "send token",
        asking("GET", "/v1/messages", headers={"Authorization": f"Bearer {things.secret}"}),
    )
    yield (
        "bot_token",
        asking(
            "POST",
            "/api/send_message",
            json={"text": "hello", "type": "Text", "bot_token": things.secret},
        ),
    )


SESSION = {
    "bearer", "cookie", "page", "refresh", "message_sender", "djangobot", "factoryapp",
    "jwt_message",
}  # fmt: skip
PASSWORDS = {"basic", "telegram_task"}
SENDING = {"send token", "bot_token"}


def dead(web: Part, things: Belongings) -> set[str]:
    """Which uses are refused, every one of four times."""
    refused: dict[str, list[bool]] = {
        name: [is_refused(ask()) for _ in range(4)] for name, ask in uses(web, things)
    }
    assert all(len(set(answers)) == 1 for answers in refused.values()), refused
    return {name for name, answers in refused.items() if answers[0]}


def is_refused(answer: requests.Response) -> bool:
    assert answer.status_code < 500, answer.text
    return answer.status_code in (401, 303)


def test_whatever_is_revoked_is_dead_at_once_everywhere(
    app: Flask, web: Part, servers: Servers, new_member: Callable[..., Member]
) -> None:
    def somebody(name: str, chat: int) -> Belongings:
        return settle(app, new_member(name), chat)

    anna, bella, carla, dora, elena = (
        somebody(name, 7000 + number)
        for number, name in enumerate(("anna", "bella", "carla", "dora", "elena"))
    )
    assert dead(web, elena) == set(), "before, all of it works"
    headers = {"Authorization": f"Bearer {anna.member.access}"}

    requests.post(f"{web.url}/v1/auth/logout", headers=headers, timeout=10)
    assert dead(web, anna) == SESSION

    headers = {"Authorization": f"Bearer {bella.member.access}"}
    requests.delete(f"{web.url}/v1/tokens/send/{bella.send_token}", headers=headers, timeout=10)
    assert dead(web, bella) == SENDING

    with app.app_context():
        accounts.set_password(carla.member.person, "another horse", HERE)
        accounts.disable(elena.member.person, dora.member.person.id, HERE)
    assert dead(web, carla) == SESSION | PASSWORDS
    assert dead(web, dora) == SESSION | PASSWORDS | SENDING

    headers = {"Authorization": f"Bearer {elena.member.access}"}
    erased = requests.delete(f"{web.url}/v1/users/me", headers=headers, json={}, timeout=10)
    assert erased.ok, erased.text
    with redis.Redis.from_url(servers.redis_url) as broker:
        broker.flushall()
    assert dead(web, elena) == SESSION | PASSWORDS | SENDING
    assert dead(web, anna) == SESSION, "a wiped broker revives nothing"
