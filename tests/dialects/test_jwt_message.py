"""Dialect 4 by its document: the README of the jwt message API, example by example."""

import json

import pytest

from tests.client import Client, client_of
from tests.conftest import MakeApp
from tests.dialects.recorded import JWT, Example, replay

CREDENTIALS = '{"name": "some_name", "password": "some_password"}'
WITH_TOKEN = {"token": "$token"}

SIGN_UP = Example("POST /signup/", CREDENTIALS, 201, {"name": "some_name"})
LOG_IN = Example("POST /login/", CREDENTIALS, 200, {"token": JWT})
LOG_OUT = Example("POST /logout/", None, 200, {"status": "Вы вышли из системы"})
CREATED = {"status": "Сообщение создано"}


def send(text: str = "some_text", headers: dict[str, str] = WITH_TOKEN) -> Example:
    body = json.dumps({"name": "some_name", "text": text}, ensure_ascii=False)
    return Example("POST /message/", body, 201, CREATED, headers)


def last(text: str, answer: dict[str, str]) -> Example:
    return Example("POST /message/", send(text).body, 200, answer, WITH_TOKEN)


FIVE = {str(n): "some_text" for n in (5, 4, 3, 2, 1)}


@pytest.mark.parametrize("slash", [True, False], ids=["slash", "no slash"])
def test_every_documented_request_gets_the_documented_answer(
    app: object, make_app: MakeApp, slash: bool
) -> None:
    without_cookies = client_of(make_app(), use_cookies=False)
    story = [SIGN_UP, LOG_IN, *[send()] * 6, last("last 5", FIVE), LOG_OUT]
    replay(without_cookies, story, slash=slash)


def test_the_cookie_alone_is_enough(client: Client) -> None:
    replay(client, [SIGN_UP, LOG_IN, send(headers={}), LOG_OUT])
    answer = client.post("/message/", json={"name": "some_name", "text": "x"})
    assert answer.status_code == 401


def test_logging_out_ends_the_session_of_the_token(client: Client) -> None:
    token = replay(client, [SIGN_UP, LOG_IN, LOG_OUT])["token"]
    answer = client.post(
        "/message/", json={"name": "some_name", "text": "x"}, headers={"token": token}
    )
    assert answer.status_code == 401
    assert list(answer.json) == ["status"]


def test_logging_out_without_a_session_is_no_failure(client: Client) -> None:
    replay(client, [LOG_OUT, LOG_OUT])
    client.set_cookie("token", "rubbish")
    replay(client, [LOG_OUT])
    assert client.get_cookie("token") is None


@pytest.mark.parametrize(("url", "secure"), [("", False), ("https://gonets.example", True)])
def test_the_cookie_is_out_of_the_reach_of_scripts_and_other_sites(
    make_app: MakeApp, url: str, secure: bool
) -> None:
    client = client_of(make_app(PUBLIC_URL=url))
    replay(client, [SIGN_UP])
    answer = client.post("/login/", data=CREDENTIALS, content_type="application/json")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    parts = cookie.split("; ")
    assert parts[0] == f"token={answer.json['token']}"
    assert {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=10800"} <= set(parts)
    assert ("Secure" in parts) == secure


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
    ],
)
def test_a_request_from_another_site_changes_nothing(
    client: Client, headers: dict[str, str]
) -> None:
    replay(client, [SIGN_UP, LOG_IN])
    message = {"name": "some_name", "text": "not mine"}
    for path, body in (("/message/", message), ("/logout/", None), ("/login/", None)):
        answer = client.post(path, json=body or json.loads(CREDENTIALS), headers=headers)
        assert answer.status_code == 403, path
        assert "Set-Cookie" not in answer.headers
        assert list(answer.json) == ["status"]
    replay(client, [LOG_IN, last("last 5", {})])


def test_a_form_is_not_read_where_a_cookie_is_a_credential(client: Client) -> None:
    replay(client, [SIGN_UP, LOG_IN])
    answer = client.post("/message/", data={"name": "some_name", "text": "x"})
    assert answer.status_code == 415


def test_a_bad_token_in_the_header_is_not_made_good_by_the_cookie(client: Client) -> None:
    replay(client, [SIGN_UP, LOG_IN])
    message = {"name": "some_name", "text": "x"}
    assert client.post("/message/", json=message, headers={"token": "x"}).status_code == 401


@pytest.mark.parametrize(
    "text", ["last 5 days", "the last 5", "last", "last five", "Last 5", "last -5", "last 5.0"]
)
def test_only_the_whole_text_is_a_command(client: Client, text: str) -> None:
    replay(client, [SIGN_UP, LOG_IN, send(text), last("last 1", {"1": text})])


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("last 2", {"2": "c", "1": "b"}),
        ("last 3", {"3": "c", "2": "b", "1": "a"}),
        ("last 5", {"3": "c", "2": "b", "1": "a"}),
        ("last 0", {}),
        ("last 0002", {"2": "c", "1": "b"}),
        ("last 1000", {"3": "c", "2": "b", "1": "a"}),
        ("last " + "9" * 5000, {"3": "c", "2": "b", "1": "a"}),
    ],
)
def test_the_highest_number_is_the_newest_message(
    client: Client, asked: str, answer: dict[str, str]
) -> None:
    values = replay(client, [SIGN_UP, LOG_IN, send("a"), send("b"), send("c")])
    message = {"name": "some_name", "text": asked}
    told = client.post("/message/", json=message, headers={"token": values["token"]})
    assert told.json == answer
    assert list(json.loads(told.get_data())) == list(answer), "the newest comes first"


def test_last_gives_a_hundred_at_most_and_is_not_a_message_itself(client: Client) -> None:
    texts = [f"m{n}" for n in range(103)]
    story = [SIGN_UP, LOG_IN, *map(send, texts)]
    newest = {str(n): text for n, text in enumerate(texts[3:], start=1)}
    replay(client, [*story, last("last 200", newest), last("last 101", newest)])


def test_the_name_must_be_the_callers(client: Client) -> None:
    replay(client, [SIGN_UP, LOG_IN])
    other = '{"name": "other_name", "password": "some_password"}'
    client.post("/signup/", data=other, content_type="application/json")
    for text in ("hello", "last 5"):
        answer = client.post("/message/", json={"name": "other_name", "text": text})
        assert answer.status_code == 403
    replay(client, [LOG_IN, last("last 5", {})])
