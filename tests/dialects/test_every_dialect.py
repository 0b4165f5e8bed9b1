"""The same promises over all five: whichever API a client was written for, messages arrive, and all
of them show the same."""

import re
from datetime import UTC, datetime

import pytest
from flask import Flask

from sandbox.client import Sandbox, User, wait_for
from tests.client import client_of
from tests.dialects.conftest import Telegram
from tests.dialects.drivers import DRIVERS, PASSWORD, Driver
from tests.running import Running


def test_a_message_is_sent_and_stands_in_the_history(anna: Driver) -> None:
    for number in range(3):
        assert anna.send(f"текст {number} & a=b <i> #x 🙂").status_code in (200, 201)
    assert anna.sent() == [f"текст {number} & a=b <i> #x 🙂" for number in (2, 1, 0)]


def test_nobody_sees_anothers_history(anna: Driver) -> None:
    anna.send("for Anna's eyes")
    eve = type(anna)(anna.client, "eve")
    eve.register()
    eve.sign_in()
    assert eve.sent() == []


class RealTelegram:
    """Somebody in the sandbox who speaks to the running bot."""

    def __init__(self, user: User) -> None:
        self.user = user

    def sends_token(self, token: str) -> str:
        self.user.says("/start")
        self.user.hears()
        self.user.says(token)
        return self.user.hears().text

    def asks_for_code(self) -> str:
        self.user.says("привет")
        code = re.search(r"^[2-9A-HJ-NP-Z]{8}$", self.user.hears().text, re.M)
        assert code is not None
        return code[0]


def test_a_message_arrives_in_the_right_chat_and_in_no_other(
    app: Flask, running: Running, sandbox: Sandbox
) -> None:
    """The whole way, with the real bot and a real worker: five people at five dialects."""
    running.bot()
    running.worker()
    people = {}
    for make in DRIVERS:
        driver = make(client_of(app, use_cookies=False), f"user_of_{make.name}")
        people[make.name] = (driver, sandbox.user(make.name, language_code="ru"))
        driver.register()
        driver.sign_in()
        driver.link(RealTelegram(people[make.name][1]))
    for name, (driver, _) in people.items():
        assert driver.send(f"first for {name}").status_code in (200, 201)
        assert driver.send(f"second for {name}").status_code in (200, 201)
    for name, (driver, user) in people.items():
        greeting = "Anna" if name == "djangobot" else driver.username
        expected = [
            f"{greeting}, я получил от тебя сообщение:\n{which} for {name}"
            for which in ("first", "second")
        ]
        assert delivered(user, 2) == expected


def delivered(user: User, count: int) -> list[str]:
    """The messages that came by the API, once there are so many."""

    def arrived() -> list[str]:
        return [said for said in user.received() if " for " in said]

    wait_for(lambda: len(arrived()) >= count, within=20, what=f"{count} messages")
    return arrived()


@pytest.mark.parametrize("home", DRIVERS, ids=lambda driver: driver.name)
def test_who_registered_in_one_signs_in_in_every_other_and_all_histories_agree(
    app: Flask, telegram: Telegram, home: type[Driver]
) -> None:
    assert home(client_of(app, use_cookies=False)).register().status_code == 201
    sent: list[str] = []
    everywhere = [make(client_of(app, use_cookies=False)) for make in DRIVERS]
    for there in everywhere:
        assert there.sign_in().status_code == 200, there.name
        there.link(telegram)
        sent.insert(0, f"by {there.name}")
        assert there.send(sent[0]).status_code in (200, 201)
    for there in everywhere:
        assert there.sent() == sent, there.name
    own = client_of(app, use_cookies=False)
    login = own.post("/v1/auth/login", json={"username": "anna", "password": PASSWORD}).json
    history = own.get("/v1/messages", headers={"Authorization": f"Bearer {login['access']}"}).json
    assert [message["text"] for message in history["items"]] == sent


@pytest.mark.parametrize("first", DRIVERS, ids=lambda driver: driver.name)
def test_a_username_taken_in_one_is_taken_in_every_other(app: Flask, first: type[Driver]) -> None:
    client = client_of(app, use_cookies=False)
    first(client, "FedXL").register()
    for second in DRIVERS:
        twin = second(client, "fedxl")
        answer = twin.register()
        assert answer.status_code == 400, twin.name
        assert twin.is_failure(answer)


def test_times_have_microseconds_and_a_zone(anna: Driver) -> None:
    anna.send("x")
    told = anna.client.get("/message/sent", auth=("anna", PASSWORD)).json
    when = datetime.strptime(told[0]["created_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
