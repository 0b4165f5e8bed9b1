"""What was revoked is dead at once, in every process, by every face that takes it."""

from base64 import b64encode
from collections.abc import Callable
from itertools import chain
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


class Asking:
    """Requests to one web server, each on a connection of its own."""

    def __init__(self, web: Part) -> None:
        self._url = web.url

    def __call__(self, method: str, path: str, **more: Any) -> Ask:
        return lambda: requests.request(method, self._url + path, timeout=10, **more)

    def as_(self, authorization: str, path: str, method: str = "GET") -> Ask:
        return self(method, path, headers={"Authorization": authorization})


def by_session(ask: Asking, member: Member) -> dict[str, Ask]:
    access, cookies = member.access, {"access": member.access}
    last = {"name": "x", "text": "last 1"}
    return {
        "bearer": ask.as_(f"Bearer {access}", "/v1/users/me"),
        "cookie": ask("GET", "/v1/users/me", cookies=cookies),
        "page": ask("GET", "/cabinet/tokens", cookies=cookies, allow_redirects=False),
        "refresh": ask.as_(f"Bearer {member.refresh}", "/v1/auth/refresh", "POST"),
        "message_sender": ask.as_(f"JWT {access}", "/api/v1/message/"),
        "djangobot": ask.as_(f"Bearer {access}", "/api/cabinet"),
        "factoryapp": ask.as_(f"Bearer {access}", "/api/messages/"),
        "jwt_message": ask("POST", "/message/", headers={"token": access}, json=last),
    }


def by_password(ask: Asking, member: Member) -> dict[str, Ask]:
    pair = b64encode(f"{member.person.username}:{PASSWORD}".encode()).decode()
    return {
        "basic": ask.as_(f"Basic {pair}", "/v1/users/me"),
        "telegram_task": ask.as_(f"Basic {pair}", "/message/sent"),
    }


def by_send_token(ask: Asking, secret: str) -> dict[str, Ask]:
    body = {"text": "hello", "type": "Text", "bot_token": secret}
    return {
        "send token": ask.as_(f"Bearer {secret}", "/v1/messages"),
        "bot_token": ask("POST", "/api/send_message", json=body),
    }


def dead(web: Part, things: Belongings) -> set[str]:
    """Which of an account's credentials are refused: by every face, every one of four times."""
    ask = Asking(web)
    credentials = {
        "session": by_session(ask, things.member),
        "password": by_password(ask, things.member),
        "send token": by_send_token(ask, things.secret),
    }
    refused = {
        credential: {name: [is_refused(use()) for _ in range(4)] for name, use in uses.items()}
        for credential, uses in credentials.items()
    }
    agreed = {credential: set(chain(*told.values())) for credential, told in refused.items()}
    assert all(len(answers) == 1 for answers in agreed.values()), refused
    return {credential for credential, answers in agreed.items() if True in answers}


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
    assert dead(web, anna) == {"session"}

    headers = {"Authorization": f"Bearer {bella.member.access}"}
    requests.delete(f"{web.url}/v1/tokens/send/{bella.send_token}", headers=headers, timeout=10)
    assert dead(web, bella) == {"send token"}

    with app.app_context():
        accounts.set_password(carla.member.person, "another horse", HERE)
        accounts.disable(elena.member.person, dora.member.person.id, HERE)
    assert dead(web, carla) == {"session", "password"}
    assert dead(web, dora) == {"session", "password", "send token"}

    headers = {"Authorization": f"Bearer {elena.member.access}"}
    erased = requests.delete(f"{web.url}/v1/users/me", headers=headers, json={}, timeout=10)
    assert erased.ok, erased.text
    with redis.Redis.from_url(servers.redis_url) as broker:
        broker.flushall()
    assert dead(web, elena) == {"session", "password", "send token"}
    assert dead(web, anna) == {"session"}, "a wiped broker revives nothing"
