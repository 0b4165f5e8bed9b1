"""Dialect 1 by its document: message_sender_test_task's README, example by example."""

import pytest
from flask import Flask

from tests.client import Client, client_of
from tests.conftest import Clock, MakeApp
from tests.dialects.conftest import Telegram
from tests.dialects.recorded import HEX64, JWT, MOMENT, UUID, Example, Story, Values, replay

REGISTER = Example(
    "POST /api/v1/auth/users/",
    '{"username": "Sania", "first_name": "Sania", "password": "Saniaqwe123"}',
    201,
    {"first_name": "Sania", "username": "Sania", "id": UUID},
)
SIGN_IN = Example(
    "POST /api/v1/auth/jwt/create/",
    '{"username": "Sania", "password": "Saniaqwe123"}',
    200,
    {"refresh": JWT, "access": JWT},
)
WITH_ACCESS = {"Authorization": "JWT $access"}
GET_TOKEN = Example(
    "GET /api/v1/get_telegram_token/",
    None,
    200,
    {"telegram_token": HEX64, "send_token_to_telegram_bot": "@pilusha_bot"},
    WITH_ACCESS,
)
NEW_TOKEN = Example(
    "PATCH /api/v1/refresh_telegram_token/",
    None,
    200,
    {"telegram_token": HEX64, "send_token_to_telegram_bot": "@pilusha_bot"},
    WITH_ACCESS,
)


def send(text: str) -> Example:
    shown = {"user": "Sania", "message": text, "created_date": MOMENT}
    return Example("POST /api/v1/message/", f'{{"message": "{text}"}}', 201, shown, WITH_ACCESS)


def shown(*texts: str) -> list[dict[str, str]]:
    return [{"user": "Sania", "message": text, "created_date": MOMENT} for text in texts]


PAGE_1 = Example(
    "GET /api/v1/message/?page=1&page_size=2",
    None,
    200,
    {
        "count": 4,
        "next": "http://localhost/api/v1/message/?page=2&page_size=2",
        "previous": None,
        "results": shown("ccc123", "bbb123"),
    },
    WITH_ACCESS,
)
PAGE_2 = Example(
    "GET /api/v1/message/?page=2&page_size=2",
    None,
    200,
    {
        "count": 4,
        "next": None,
        "previous": "http://localhost/api/v1/message/?page_size=2",
        "results": shown("aaa123", "qwe123"),
    },
    WITH_ACCESS,
)
SENDS = [send(text) for text in ("qwe123", "aaa123", "bbb123", "ccc123")]


@pytest.fixture(autouse=True)
def pilusha(ctx: Flask) -> None:
    """The bot of the document has run."""
    from app.extensions import db
    from app.models import Bot

    db.session.query(Bot).update({"username": "pilusha_bot"})
    db.session.commit()


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("slash", [True, False], ids=["slash", "no slash"])
def test_every_documented_request_gets_the_documented_answer(
    client: Client, telegram: Telegram, slash: bool, form: bool
) -> None:
    tokens: list[str] = []

    def keep(values: Values) -> None:
        tokens.append(values["telegram_token"])

    def link(values: Values) -> None:
        assert telegram.sends_token(values["telegram_token"]) == "Sania"

    links: Story = [GET_TOKEN, keep, GET_TOKEN, keep, NEW_TOKEN, keep, link]
    story = [REGISTER, SIGN_IN, *links, *SENDS]
    replay(client, story, slash=slash, form=form)
    assert tokens[0] == tokens[1], "a GET repeats the token"
    assert tokens[2] != tokens[0], "a PATCH makes a new one"


def test_the_documented_pages_have_the_documented_links(client: Client) -> None:
    replay(client, [REGISTER, SIGN_IN, *SENDS, PAGE_1, PAGE_2])


def test_a_client_can_follow_the_links_to_the_end_and_back(client: Client) -> None:
    access = replay(client, [REGISTER, SIGN_IN, *SENDS])["access"]
    headers = {"Authorization": f"JWT {access}"}
    url, forth = "/api/v1/message?page_size=3", []
    while url:
        page = client.get(url, headers=headers).json
        forth += [entry["message"] for entry in page["results"]]
        url, last = page["next"], page
    assert forth == ["ccc123", "bbb123", "aaa123", "qwe123"]
    assert client.get(last["previous"], headers=headers).json["results"] == shown(*forth[:3])


def test_links_lead_to_the_public_address(make_app: MakeApp) -> None:
    client = client_of(make_app(PUBLIC_URL="https://gonets.example/base"))
    access = replay(client, [REGISTER, SIGN_IN, *SENDS])["access"]
    page = client.get("/api/v1/message/?page_size=1", headers={"Authorization": f"JWT {access}"})
    assert page.json["next"] == "https://gonets.example/base/api/v1/message/?page=2&page_size=1"


@pytest.mark.parametrize(
    ("query", "count"), [("", 10), ("page_size=100", 12), ("page_size=100000", 12)]
)
def test_pages_have_10_messages_by_default(client: Client, query: str, count: int) -> None:
    sends = [send(f"m{n}") for n in range(12)]
    access = replay(client, [REGISTER, SIGN_IN, *sends])["access"]
    page = client.get(f"/api/v1/message/?{query}", headers={"Authorization": f"JWT {access}"}).json
    assert (page["count"], len(page["results"])) == (12, count)


@pytest.mark.parametrize("number", ["0", "-1", "2", "x", "", "1.5", "9" * 30, "%00", "١"])
def test_a_page_that_is_not_there_is_not_found(client: Client, number: str) -> None:
    access = replay(client, [REGISTER, SIGN_IN])["access"]
    answer = client.get(
        f"/api/v1/message/?page={number}", headers={"Authorization": f"JWT {access}"}
    )
    assert (answer.status_code, answer.json) == (404, {"detail": "Invalid page."})


@pytest.mark.parametrize("size", ["0", "-1", "x", "", "1e3", "9" * 30])
def test_a_page_size_that_is_no_number_is_refused(client: Client, size: str) -> None:
    access = replay(client, [REGISTER, SIGN_IN])["access"]
    answer = client.get(
        f"/api/v1/message/?page_size={size}", headers={"Authorization": f"JWT {access}"}
    )
    assert answer.status_code == 400
    assert answer.json == {"page_size": ["A valid integer is required."]}


REFRESH = Example("POST /api/v1/auth/jwt/refresh/", '{"refresh": "$refresh"}', 200, {"access": JWT})
VERIFY = Example("POST /api/v1/auth/jwt/verify/", '{"token": "$access"}', 200, {})


def test_refresh_gives_a_new_access_token_and_verify_knows_both(client: Client) -> None:
    verify_refresh = Example("POST /api/v1/auth/jwt/verify/", '{"token": "$refresh"}', 200, {})
    story = [REGISTER, SIGN_IN, VERIFY, REFRESH, VERIFY, REFRESH, VERIFY, verify_refresh]
    replay(client, [*story, send("with the refreshed one")])


def test_refreshing_ends_no_access_token(client: Client, stopped_clock: Clock) -> None:
    stopped_clock.advance(minutes=-5)
    first = replay(client, [REGISTER, SIGN_IN])
    stopped_clock.advance(minutes=1)
    second = client.post("/api/v1/auth/jwt/refresh/", json={"refresh": first["refresh"]}).json
    assert second["access"] != first["access"]
    for access in (first["access"], second["access"]):
        assert client.post("/api/v1/auth/jwt/verify/", json={"token": access}).json == {}


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 10_000])
def test_verify_refuses_what_is_no_token(client: Client, token: str) -> None:
    answer = client.post("/api/v1/auth/jwt/verify/", json={"token": token})
    assert answer.status_code == (401 if token else 400)
    if token:
        assert answer.json == {"detail": "Token is invalid or expired", "code": "token_not_valid"}


@pytest.mark.parametrize(
    ("request_line", "body", "status", "answer"),
    [
        (
            "POST /api/v1/auth/users/",
            "{}",
            400,
            {
                "username": ["This field is required."],
                "password": ["This field is required."],
            },
        ),
        (
            "POST /api/v1/auth/users/",
            '{"username": "sania", "password": "Saniaqwe123"}',
            400,
            {"username": ["A user with that username already exists."]},
        ),
        (
            "POST /api/v1/auth/jwt/create/",
            '{"username": "Sania", "password": "not this one"}',
            401,
            {"detail": "No active account found with the given credentials"},
        ),
        (
            "POST /api/v1/refresh_telegram_token/",
            None,
            405,
            {"detail": 'Method "POST" not allowed.'},
        ),
        (
            "GET /api/v1/get_telegram_token/",
            None,
            401,
            {"detail": "Authentication credentials were not provided."},
        ),
    ],
)
def test_failures_are_worded_as_the_original_does(
    client: Client, request_line: str, body: str | None, status: int, answer: object
) -> None:
    replay(client, [REGISTER, Example(request_line, body, status, answer)])


def test_without_a_first_name_the_username_is_the_name(client: Client) -> None:
    answer = client.post(
        "/api/v1/auth/users/", json={"username": "nameless", "password": "Saniaqwe123"}
    )
    assert answer.json["first_name"] == "nameless"
