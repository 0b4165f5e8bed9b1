"""Dialect 3 by its document: FactoryApp's README, example by example."""

import pytest

from tests.client import Client, client_of
from tests.conftest import MakeApp
from tests.dialects.conftest import Telegram
from tests.dialects.recorded import HEX64, JWT, MOMENT, NUMBER, Example, Story, Values, replay

CREDENTIALS = '{"username": "желаемое_имя_пользователя", "password": "желаемый_пароль"}'
WITH_ACCESS = {"Authorization": "Bearer $access"}
MESSAGE = {
    "id": NUMBER,
    "text": "текст_вашего_сообщения",
    "date_sent": MOMENT,
    "user": NUMBER,
}

REGISTER = Example(
    "POST /api/users/register/",
    CREDENTIALS,
    201,
    {"id": NUMBER, "username": "желаемое_имя_пользователя", "telegram_chat_id": None},
)
SIGN_IN = Example("POST /auth/token/", CREDENTIALS, 200, {"access": JWT, "refresh": JWT})
REFRESH = Example("POST /auth/token/refresh/", '{"refresh": "$refresh"}', 200, {"access": JWT})
GET_TOKEN = Example(
    "GET /api/users/get-telegram-token/", None, 200, {"telegram_token": HEX64}, WITH_ACCESS
)
LIST_USERS = Example(
    "GET /api/users/",
    None,
    200,
    [{"id": NUMBER, "username": "желаемое_имя_пользователя"}],
    WITH_ACCESS,
)
SEND = Example(
    "POST /api/messages/", '{"text": "текст_вашего_сообщения"}', 201, MESSAGE, WITH_ACCESS
)
LIST = Example("GET /api/messages/", None, 200, [MESSAGE, MESSAGE], WITH_ACCESS)


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
@pytest.mark.parametrize("slash", [True, False], ids=["slash", "no slash"])
def test_every_documented_request_gets_the_documented_answer(
    client: Client, telegram: Telegram, slash: bool, form: bool
) -> None:
    def link(values: Values) -> None:
        assert telegram.sends_token(values["telegram_token"]) == "желаемое_имя_пользователя"

    story: Story = [REGISTER, SIGN_IN, REFRESH, GET_TOKEN, link, LIST_USERS, SEND, SEND, LIST]
    replay(client, story, slash=slash, form=form)


def test_the_history_has_both_directions_oldest_first(client: Client, telegram: Telegram) -> None:
    def link_and_write(values: Values) -> None:
        telegram.sends_token(values["telegram_token"])
        telegram.writes("а это я пишу боту")

    values = replay(client, [REGISTER, SIGN_IN, GET_TOKEN, SEND, link_and_write, SEND])
    own = {"Authorization": f"Bearer {values['access']}"}
    told = client.get("/api/messages/", headers=own).json
    sent = "текст_вашего_сообщения"
    assert [m["text"] for m in told] == [sent, "а это я пишу боту", sent]
    assert {m["user"] for m in told} == {values["user"]}
    newest = client.get("/api/messages/?page=1&page_size=2", headers=own).json
    assert newest == told[1:]


def test_the_list_of_users_has_ids_and_names_only_and_pages(
    client: Client, telegram: Telegram
) -> None:
    def link(values: Values) -> None:
        telegram.sends_token(values["telegram_token"])

    values = replay(client, [REGISTER, SIGN_IN, GET_TOKEN, link])
    for n in range(12):
        credentials = {"username": f"user{n}", "password": "желаемый_пароль"}
        client.post("/api/users/register", json=credentials)
    own = {"Authorization": f"Bearer {values['access']}"}
    answer = client.get("/api/users/", headers=own)
    assert len(answer.json) == 13
    assert all(set(user) == {"id", "username"} for user in answer.json)
    assert str(telegram.id) not in answer.get_data(as_text=True)
    assert client.get("/api/users/?page=2", headers=own).json == answer.json[10:]


def test_the_list_of_users_is_for_admins_where_the_setting_says_so(make_app: MakeApp) -> None:
    client = client_of(make_app(USER_DIRECTORY="admins"))
    access = replay(client, [REGISTER, SIGN_IN])["access"]
    answer = client.get("/api/users/", headers={"Authorization": f"Bearer {access}"})
    assert answer.status_code == 403
    assert answer.json == {"detail": "У вас нет прав для выполнения этой операции."}


def test_nobody_registers_with_anothers_chat(client: Client) -> None:
    with_chat = Example(
        REGISTER.request, CREDENTIALS[:-1] + ', "telegram_chat_id": 7001}', 201, REGISTER.answer
    )
    access = replay(client, [with_chat, SIGN_IN])["access"]
    assert client.get("/v1/chat", headers={"Authorization": f"Bearer {access}"}).status_code == 404


@pytest.mark.parametrize(
    ("request_line", "body", "status", "answer"),
    [
        (
            "POST /api/users/register/",
            '{"username": "anna"}',
            400,
            {"password": ["Обязательное поле."]},
        ),
        (
            "POST /api/users/register/",
            CREDENTIALS,
            400,
            {"username": ["Пользователь с таким именем уже существует."]},
        ),
        (
            "POST /auth/token/",
            '{"username": "желаемое_имя_пользователя", "password": "не тот пароль"}',
            401,
            {"detail": "Не найдено активной учетной записи с указанными данными"},
        ),
        (
            "GET /api/messages/",
            None,
            401,
            {"detail": "Учетные данные не были предоставлены."},
        ),
    ],
)
def test_failures_are_worded_in_russian(
    client: Client, request_line: str, body: str | None, status: int, answer: object
) -> None:
    replay(client, [REGISTER, Example(request_line, body, status, answer)])


def test_a_refresh_token_that_rotates_is_not_lost(client: Client) -> None:
    """One of the product's own sessions, refreshed here: its successor comes with the answer."""
    replay(client, [REGISTER])
    login = {"username": "желаемое_имя_пользователя", "password": "желаемый_пароль"}
    own = client.post("/v1/auth/login", json=login).json
    first = client.post("/auth/token/refresh/", json={"refresh": own["refresh"]}).json
    assert set(first) == {"access", "refresh"}
    second = client.post("/auth/token/refresh/", json={"refresh": first["refresh"]})
    assert second.status_code == 200
