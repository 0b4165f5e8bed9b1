"""Dialect 2 by its document: DjangoBot's README, example by example."""

import pytest
from flask import Flask

from tests.client import Client
from tests.dialects.conftest import Telegram
from tests.dialects.recorded import JWT, MOMENT, Example, Like, Step, Story, Values, replay

BOT_TOKEN = Like(r"[0-9A-Za-z]{25}")
USER = '{"name": "Fedor", "login": "FedXL", "psw": "password1234"}'
WITH_ACCESS = {"Authorization": "Bearer $access_token"}

REGISTER = Example("POST /api/user/", USER, 201, {"answer": "success"})
SIGN_IN = Example(
    "POST /api/auth/",
    '{"login": "FedXL", "psw": "password1234"}',
    200,
    {"answer": "success", "access_token": JWT},
)
LINK = Example(
    "POST /api/cabinet/",
    '{"code": "$code"}',
    200,
    {"answer": "success", "bot_token": BOT_TOKEN},
    WITH_ACCESS,
)
CHANGE = Example("PUT /api/user/", USER, 200, {"answer": "success data was changed"}, WITH_ACCESS)
DELETE = Example(
    "DELETE /api/user/", USER, 200, {"answer": "success user was deleted"}, WITH_ACCESS
)


def send(text: str) -> Example:
    return Example(
        "POST /api/send_message",
        f'{{"text": "{text}", "type": "Text", "bot_token": "$bot_token"}}',
        200,
        {"answer": "message was successfully send"},
    )


def history(*texts: str, name: str = "Fedor") -> Example:
    return Example(
        "GET /api/cabinet",
        None,
        200,
        {
            "answer": "success",
            "messages": [{"time": MOMENT, "text": text, "type": "Text"} for text in texts],
            "name": name,
        },
        WITH_ACCESS,
    )


@pytest.fixture
def ask_code(telegram: Telegram) -> Step:
    def ask(values: Values) -> None:
        values["code"] = telegram.asks_for_code()

    return ask


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("slash", [True, False], ids=["slash", "no slash"])
def test_every_documented_request_gets_the_documented_answer(
    client: Client, ask_code: Step, slash: bool, form: bool
) -> None:
    told = history("some and again text", "some another text", "some text")
    sends = [send(text) for text in ("some text", "some another text", "some and again text")]
    story: Story = [REGISTER, SIGN_IN, ask_code, LINK, *sends, told, CHANGE, told, DELETE]
    replay(client, story, slash=slash, form=form)


def test_a_code_that_is_wrong_links_nothing_and_makes_no_token(client: Client) -> None:
    wrong = Example(
        "POST /api/cabinet/",
        '{"code": "0001"}',
        400,
        {"answer": "code: This code is wrong, used or expired; ask the bot for a new one."},
        WITH_ACCESS,
    )
    values = replay(client, [REGISTER, SIGN_IN, wrong])
    access = {"Authorization": f"Bearer {values['access_token']}"}
    assert client.get("/v1/tokens/send", headers=access).json["items"] == []
    assert client.get("/v1/chat", headers=access).status_code == 404


def test_a_new_code_from_ones_own_chat_replaces_the_bot_token(
    client: Client, ask_code: Step
) -> None:
    first = replay(client, [REGISTER, SIGN_IN, ask_code, LINK, send("one")])
    body = {"text": "two", "type": "Text", "bot_token": first["bot_token"]}
    replay(
        client,
        [SIGN_IN, ask_code, LINK, send("with the new one"), history("with the new one", "one")],
    )
    answer = client.post("/api/send_message", json=body)
    assert (answer.status_code, answer.json) == (401, {"answer": "invalid token"})


def test_a_chat_of_somebody_elses_is_not_taken_by_its_code(client: Client, ask_code: Step) -> None:
    replay(client, [REGISTER, SIGN_IN, ask_code, LINK])
    client.post("/api/user", json={"login": "eve", "psw": "password1234"})
    eve = client.post("/api/auth", json={"login": "eve", "psw": "password1234"}).json
    values: Values = {}
    ask_code(values)
    answer = client.post(
        "/api/cabinet",
        json={"code": values["code"]},
        headers={"Authorization": f"Bearer {eve['access_token']}"},
    )
    assert answer.status_code == 409
    assert "linked to another account" in answer.json["answer"]


@pytest.mark.parametrize("kind", ["Document", "File", "text", "Текст"])
def test_only_text_can_be_sent(client: Client, ask_code: Step, kind: str) -> None:
    token = replay(client, [REGISTER, SIGN_IN, ask_code, LINK])["bot_token"]
    answer = client.post("/api/send_message", json={"text": "x", "type": kind, "bot_token": token})
    assert (answer.status_code, answer.json) == (400, {"answer": "type: Only Text can be sent."})


@pytest.mark.parametrize(
    "token",
    [{}, {"bot_token": None}, {"bot_token": 25}, {"bot_token": ""}, {"bot_token": "x" * 25}],
)
def test_without_a_bot_token_that_works_nothing_is_sent(
    client: Client, token: dict[str, object]
) -> None:
    answer = client.post("/api/send_message/", json={"text": "x", "type": "Text"} | token)
    assert answer.status_code == 401
    assert list(answer.json) == ["answer"]


def test_an_access_token_does_not_send_and_a_bot_token_does_not_read(
    client: Client, ask_code: Step
) -> None:
    values = replay(client, [REGISTER, SIGN_IN, ask_code, LINK])
    body = {"text": "x", "type": "Text", "bot_token": values["access_token"]}
    assert client.post("/api/send_message", json=body).status_code == 401
    headers = {"Authorization": f"Bearer {values['bot_token']}"}
    assert client.get("/api/cabinet", headers=headers).status_code == 401


def test_put_changes_name_and_password_and_ends_the_other_sessions(client: Client) -> None:
    other = replay(client, [REGISTER, SIGN_IN])["access_token"]
    values = replay(client, [SIGN_IN])
    own = {"Authorization": f"Bearer {values['access_token']}"}
    body = {"name": "Фёдор", "login": "FedXL", "psw": "a new password"}
    assert client.put("/api/user", json=body, headers=own).status_code == 200
    assert client.get("/api/cabinet", headers=own).json["name"] == "Фёдор"
    assert (
        client.get("/api/cabinet", headers={"Authorization": f"Bearer {other}"}).status_code == 401
    )
    sign_in = {"login": "FedXL", "psw": "password1234"}
    assert client.post("/api/auth", json=sign_in).status_code == 401
    assert client.post("/api/auth", json=sign_in | {"psw": "a new password"}).status_code == 200


def test_put_with_a_bad_password_changes_no_name_either(client: Client) -> None:
    values = replay(client, [REGISTER, SIGN_IN])
    own = {"Authorization": f"Bearer {values['access_token']}"}
    body = {"name": "Фёдор", "login": "FedXL", "psw": "short"}
    answer = client.put("/api/user", json=body, headers=own)
    assert answer.status_code == 400
    assert answer.json["answer"].startswith("psw: ")
    assert client.get("/api/cabinet", headers=own).json["name"] == "Fedor"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_changes_or_deletes_another_login(client: Client, method: str) -> None:
    values = replay(client, [REGISTER, SIGN_IN])
    client.post("/api/user", json={"login": "victim", "psw": "password1234"})
    own = {"Authorization": f"Bearer {values['access_token']}"}
    body = {"name": "x", "login": "victim", "psw": "password1234"}
    assert client.open("/api/user/", method=method, json=body, headers=own).status_code == 403
    sign_in = {"login": "victim", "psw": "password1234"}
    assert client.post("/api/auth", json=sign_in).status_code == 200


def test_delete_wants_the_right_password_and_then_leaves_nothing_that_works(
    client: Client, ask_code: Step
) -> None:
    values = replay(client, [REGISTER, SIGN_IN, ask_code, LINK])
    own = {"Authorization": f"Bearer {values['access_token']}"}
    wrong = {"login": "FedXL", "psw": "not this one"}
    answer = client.delete("/api/user/", json=wrong, headers=own)
    assert (answer.status_code, answer.json) == (403, {"answer": "access denied: psw is wrong"})
    replay(client, [SIGN_IN, DELETE])
    assert client.get("/api/cabinet", headers=own).status_code == 401
    body = {"text": "x", "type": "Text", "bot_token": values["bot_token"]}
    assert client.post("/api/send_message", json=body).status_code == 401
    sign_in = {"login": "FedXL", "psw": "password1234"}
    assert client.post("/api/auth", json=sign_in).status_code == 401


def test_the_login_is_used_up_as_the_original_says(client: Client) -> None:
    replay(
        client,
        [
            REGISTER,
            Example("POST /api/user/", USER, 400, {"answer": "login is already used"}),
            Example(
                "POST /api/auth/",
                '{"login": "FedXL"}',
                400,
                {"answer": "psw: This field is required."},
            ),
        ],
    )


def test_the_history_is_whole_or_in_pages(app: Flask, client: Client, ask_code: Step) -> None:
    sends = [send(f"m{n}") for n in range(12)]
    values = replay(client, [REGISTER, SIGN_IN, ask_code, LINK, *sends])
    own = {"Authorization": f"Bearer {values['access_token']}"}
    whole = client.get("/api/cabinet", headers=own).json["messages"]
    assert [m["text"] for m in whole] == [f"m{n}" for n in reversed(range(12))]
    second = client.get("/api/cabinet/?page=2", headers=own).json["messages"]
    assert second == whole[10:]
    assert (
        client.get("/api/cabinet?page=2&page_size=5", headers=own).json["messages"] == whole[5:10]
    )


def test_swagger_stands_at_the_documented_address(client: Client) -> None:
    for path in ("/api/", "/api"):
        page = client.get(path)
        assert page.status_code == 200
        assert page.mimetype == "text/html"
        assert "/openapi/djangobot.json" in page.get_data(as_text=True)
