"""Dialect 5 by its document: the README of the telegram task, example by example."""

import pytest

from tests.client import Client
from tests.dialects.conftest import Telegram
from tests.dialects.recorded import MOMENT, NUMBER, Example, Story, Values, replay

BASIC = ("anna", "correct: horse")
USER = {"id": NUMBER, "username": "anna", "name": "anna"}
MESSAGE = {"id": NUMBER, "content": "some text", "created_at": MOMENT}

SIGN_UP = Example(
    "POST /users/signup",
    '{"username": "anna", "password": "correct: horse", "password_repeat": "correct: horse"}',
    201,
    USER,
)
LOG_IN = Example(
    "POST /users/login", '{"username": "anna", "password": "correct: horse"}', 200, USER
)
VERIFY = Example(
    "PATCH /bot/verify/",
    '{"verification_code": "$verification_code"}',
    200,
    {"username": "anna", "verified": True},
    auth=BASIC,
)
SEND = Example("POST /message/sent", '{"content": "some text"}', 201, MESSAGE, auth=BASIC)
LIST = Example("GET /message/sent", None, 200, [MESSAGE, MESSAGE], auth=BASIC)


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("slash", [True, False], ids=["slash", "no slash"])
def test_every_documented_request_gets_the_documented_answer(
    client: Client, telegram: Telegram, slash: bool, form: bool
) -> None:
    def ask_code(values: Values) -> None:
        values["verification_code"] = telegram.asks_for_code()

    story: Story = [SIGN_UP, LOG_IN, ask_code, VERIFY, SEND, SEND, LIST]
    replay(client, story, slash=slash, form=form)


def test_the_pages_of_the_document_are_there(client: Client) -> None:
    for path in ("/docs/", "/redoc/"):
        page = client.get(path)
        assert (page.status_code, page.mimetype) == (200, "text/html")


def test_two_different_passwords_register_nobody(client: Client) -> None:
    body = {"username": "anna", "password": "correct: horse", "password_repeat": "correct horse"}
    answer = client.post("/users/signup", json=body)
    assert answer.status_code == 400
    assert list(answer.json) == ["password_repeat"]
    assert client.get("/message/sent", auth=("anna", "correct: horse")).status_code == 401


def test_a_name_may_be_given(client: Client) -> None:
    body = {"username": "anna", "password": "correct: horse", "password_repeat": "correct: horse"}
    answer = client.post("/users/signup", json=body | {"name": "Анна"})
    assert answer.json["name"] == "Анна"


def test_a_wrong_code_names_its_field(client: Client) -> None:
    replay(client, [SIGN_UP])
    answer = client.patch("/bot/verify/", json={"verification_code": "AAAAAAAA"}, auth=BASIC)
    assert answer.status_code == 400
    assert list(answer.json) == ["verification_code"]


def test_the_sixth_wrong_code_must_wait(client: Client) -> None:
    replay(client, [SIGN_UP])
    wrong = {"verification_code": "AAAAAAAA"}
    answers = [client.patch("/bot/verify/", json=wrong, auth=BASIC) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert list(answers[-1].json) == ["detail"]


def test_a_client_that_waits_for_the_challenge_gets_it(client: Client) -> None:
    answer = client.get("/message/sent")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="api", charset="UTF-8"'


def test_a_browser_that_remembers_the_password_sends_nothing_for_another_site(
    client: Client,
) -> None:
    replay(client, [SIGN_UP])
    answer = client.post(
        "/message/sent",
        data={"content": "not mine"},
        auth=BASIC,
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403
    assert client.get("/message/sent", auth=BASIC).json == []
