"""The same promises over all five: whichever API a client was written for, this holds."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app import errors
from app.config import DIALECT_NAMES
from app.dialects import DIALECTS
from app.dialects.contract import Operation
from app.errors import ServiceError
from app.services import accounts, messages
from sandbox.client import Sandbox, User, wait_for
from tests.conftest import Clock, MakeApp
from tests.dialects.conftest import DOCUMENTS, Telegram
from tests.dialects.drivers import DRIVERS, PASSWORD, DjangoBot, Driver
from tests.running import Running

OPERATIONS = [(dialect, operation) for dialect in DIALECTS for operation in dialect.operations]
IDS = [f"{operation.method} {operation.path}" for _, operation in OPERATIONS]


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest, app: Flask) -> Driver:
    """Anna, who is nobody yet, at each dialect in turn."""
    made: Driver = request.param(app.test_client(use_cookies=False))
    return made


@pytest.fixture
def anna(driver: Driver, telegram: Telegram) -> Driver:
    """Anna at each dialect in turn: registered, signed in, with her chat linked."""
    assert driver.register().status_code == 201
    assert driver.sign_in().status_code == 200
    driver.link(telegram)
    return driver


@pytest.fixture(params=OPERATIONS, ids=IDS)
def operation(request: pytest.FixtureRequest) -> Operation:
    found: Operation = request.param[1]
    return found


def driver_for(operation: Operation, client: FlaskClient) -> Driver:
    name = next(dialect.name for dialect, own in OPERATIONS if own is operation)
    return next(driver for driver in DRIVERS if driver.name == name)(client)


def both_forms(path: str) -> tuple[str, str]:
    return path.rstrip("/"), path.rstrip("/") + "/"


# From nothing to a message in the chat


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
        driver = make(app.test_client(use_cookies=False), f"user_of_{make.name}")
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


# Any dialect, any direction


@pytest.mark.parametrize("home", DRIVERS, ids=lambda driver: driver.name)
def test_who_registered_in_one_signs_in_in_every_other_and_all_histories_agree(
    app: Flask, telegram: Telegram, home: type[Driver]
) -> None:
    assert home(app.test_client(use_cookies=False)).register().status_code == 201
    sent: list[str] = []
    everywhere = [make(app.test_client(use_cookies=False)) for make in DRIVERS]
    for there in everywhere:
        assert there.sign_in().status_code == 200, there.name
        there.link(telegram)
        sent.insert(0, f"by {there.name}")
        assert there.send(sent[0]).status_code in (200, 201)
    for there in everywhere:
        assert there.sent() == sent, there.name
    own = app.test_client(use_cookies=False)
    login = own.post("/v1/auth/login", json={"username": "anna", "password": PASSWORD}).json
    history = own.get("/v1/messages", headers={"Authorization": f"Bearer {login['access']}"}).json
    assert [message["text"] for message in history["items"]] == sent


@pytest.mark.parametrize("first", DRIVERS, ids=lambda driver: driver.name)
def test_a_username_taken_in_one_is_taken_in_every_other(app: Flask, first: type[Driver]) -> None:
    client = app.test_client(use_cookies=False)
    first(client, "FedXL").register()
    for second in DRIVERS:
        twin = second(client, "fedxl")
        answer = twin.register()
        assert answer.status_code == 400, twin.name
        assert twin.is_failure(answer)


def test_one_counter_of_wrong_passwords_serves_them_all(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    DRIVERS[0](client).register()
    guessers = [make(client, password="not this one") for make in DRIVERS] * 2
    assert {guesser.sign_in().status_code for guesser in guessers} == {401}
    for make in DRIVERS:
        late = make(client)
        answer = late.sign_in()
        assert answer.status_code == 429, "not even the right password is tried now"
        assert int(answer.headers["Retry-After"]) > 0
        assert late.is_failure(answer)


# Credentials


# Without these nobody could come in, or go.
PUBLIC = {
    "/api/v1/auth/users/",
    "/api/v1/auth/jwt/create/",
    "/api/v1/auth/jwt/refresh/",
    "/api/v1/auth/jwt/verify/",
    "/api/auth/",
    "/api/users/register/",
    "/auth/token/",
    "/auth/token/refresh/",
    "/signup/",
    "/login/",
    "/logout/",
    "/users/signup",
    "/users/login",
}


def test_what_is_private_is_refused_without_a_credential(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    for _, operation in OPERATIONS:
        if operation.path in PUBLIC or (operation.method, operation.path) == ("POST", "/api/user/"):
            continue
        driver = driver_for(operation, client)
        for path in both_forms(operation.path):
            answer = client.open(path, method=operation.method, json={})
            assert answer.status_code == 401, path
            assert answer.headers["WWW-Authenticate"] == driver.dialect.challenge
            assert driver.is_failure(answer)


BAD_CREDENTIALS = ["x", "a.b.c", "gz_" + "x" * 43, "x" * 5000, "e30.e30.e30", "ÿ"]


def test_a_bad_credential_is_refused(driver: Driver) -> None:
    driver.register()
    for credential in BAD_CREDENTIALS:
        driver.bear(credential)
        if isinstance(driver, DjangoBot):
            driver.bot_token = credential
        answer = driver.send("x")
        assert answer.status_code == 401, credential
        assert driver.is_failure(answer)


@pytest.mark.parametrize("make", DRIVERS[:4], ids=lambda driver: driver.name)
def test_an_expired_access_token_is_refused(
    app: Flask, stopped_clock: Clock, make: type[Driver]
) -> None:
    driver = make(app.test_client(use_cookies=False))
    stopped_clock.advance(hours=-25)
    driver.register()
    driver.sign_in()
    stopped_clock.advance(hours=25)
    history = {"djangobot": "/api/cabinet", "factoryapp": "/api/messages/"}.get(driver.name)
    history = history or "/api/v1/message/"
    if driver.name == "jwt_message":
        answer = driver.send("x")
    else:
        answer = driver.client.get(history, headers=driver.headers)
    assert answer.status_code == 401
    assert driver.is_failure(answer)


@pytest.mark.parametrize(
    ("make", "seconds"),
    list(zip(DRIVERS[:4], (86400, 86400, 3600, 10800), strict=True)),
    ids=[driver.name for driver in DRIVERS[:4]],
)
def test_access_tokens_live_as_long_as_in_the_original(
    app: Flask, make: type[Driver], seconds: int
) -> None:
    driver = make(app.test_client(use_cookies=False))
    driver.register()
    answer = driver.sign_in().json
    token = answer.get("access") or answer.get("access_token") or answer["token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == seconds


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(driver: Driver) -> None:
    driver.register()
    make = type(driver)
    wrong = make(driver.client, password="not this one").sign_in()
    unknown = make(driver.client, "nobody").sign_in()
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.get_data() == unknown.get_data()
    assert driver.is_failure(wrong)


def test_a_disabled_account_is_nobody(anna: Driver, app: Flask) -> None:
    with app.app_context():
        admin = accounts.register(
            accounts.Registration("boss", PASSWORD), accounts.Visitor(), is_admin=True
        )
        accounts.disable(admin, accounts.find("anna").id, accounts.Visitor())
    for answer in (anna.send("x"), anna.sign_in()):
        assert answer.status_code == 401
        assert anna.is_failure(answer)


# What is sent


MISSING = object()
WRONG = (MISSING, None, "", 5, True, ["x"], {"x": "y"})


def test_every_field_that_is_not_as_it_should_be_is_named(
    signed_in: Callable[[Operation], Driver], operation: Operation
) -> None:
    driver = signed_in(operation)
    for field, wrong in ((field, wrong) for field in operation.body for wrong in WRONG):
        body: dict[str, Any] = {**operation.body, field: wrong}
        if isinstance(driver, DjangoBot) and field != "bot_token":
            body["bot_token"] = driver.bot_token
        if wrong is MISSING:
            del body[field]
            if field in operation.optional:
                continue
        answer = driver.client.open(
            operation.path, method=operation.method, json=body, headers=driver.headers
        )
        assert driver.is_failure(answer), (field, wrong)
        # The bot token is a field and a credential: without it nobody is asked for the rest.
        assert answer.status_code == (401 if field == "bot_token" else 400), (field, wrong)
        assert field in answer.get_data(as_text=True) or field == "bot_token"
    assert driver.sent() == []


@pytest.fixture
def signed_in(app: Flask, telegram: Telegram) -> Callable[[Operation], Driver]:
    """Anna, signed in at the dialect of an operation."""

    def sign_in(operation: Operation) -> Driver:
        driver = driver_for(operation, app.test_client(use_cookies=False))
        driver.register()
        driver.sign_in()
        if isinstance(driver, DjangoBot):
            driver.link(telegram)
        return driver

    return sign_in


BAD_TEXTS = {
    "spaces only": "   \n\t ",
    "invisible": "\u200b\u200d",
    "NUL": "a\x00b",
    "control": "a\x1bb",
    "surrogate": "a\ud800b",
    "too long": "x" * 20001,
}


def test_a_text_that_cannot_be_sent_is_refused_and_not_kept(anna: Driver) -> None:
    for bad, said in BAD_TEXTS.items():
        answer = anna.send(said)
        assert answer.status_code == 400, bad
        assert anna.is_failure(answer)
        assert anna.text_field in answer.get_data(as_text=True)
    assert anna.sent() == []


BAD_USERNAMES = ["x", "x" * 65, "admin", "a b", "a\nb", "a\x00b", "аnna", "😀😀", "a\ud800"]


def test_a_username_that_cannot_be_one_is_refused_under_the_dialects_own_name_of_it(
    driver: Driver,
) -> None:
    for username in BAD_USERNAMES:
        answer = type(driver)(driver.client, username).register()
        assert answer.status_code == 400, username
        assert driver.is_failure(answer)
        assert driver.username_field in answer.get_data(as_text=True)


BAD_PASSWORDS = ["short12", "x" * 1025, "a\x00" + "b" * 8, "annaanna", "12345678"]


def test_a_password_that_cannot_be_one_is_refused(driver: Driver) -> None:
    for password in BAD_PASSWORDS:
        answer = type(driver)(driver.client, "annaanna", password).register()
        assert answer.status_code == 400, password
        assert driver.is_failure(answer)


BAD_BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "broken": b'{"text": ',
    "single quotes": b"{'text': 'x'}",
    "garbage after it": b'{"text": "x"} x',
    "not UTF-8": b'{"text": "\xff"}',
    "UTF-16": '{"text": "x"}'.encode("utf-16"),
    "NaN": b'{"text": NaN}',
    "infinite": b'{"text": 1e999}',
    "a key twice": b'{"text": "x", "text": "y"}',
    "deep": b'{"text": ' + b"[" * 983,
    "very deep": b'{"x":' * 10_000,
    "a long number": b'{"text": ' + b"9" * 5000 + b"}",
}


BAD_TYPES = (
    "text/plain",
    "application/xml",
    "application/json; charset=cp1251",
    "",
    "multipart/mixed",
)


@pytest.fixture
def send_raw(anna: Driver) -> Callable[..., TestResponse]:
    """Sends raw bytes to an address of the dialect that reads a body and asks for a credential."""
    operation = next(o for o in anna.dialect.operations if o.body and o.known_by)

    def send(data: bytes, content_type: str = "application/json", **headers: str) -> TestResponse:
        return anna.client.open(
            operation.path,
            method=operation.method,
            data=data,
            content_type=content_type,
            headers=anna.headers | headers,
        )

    return send


def test_a_body_that_cannot_be_read_is_refused(
    anna: Driver, send_raw: Callable[..., TestResponse]
) -> None:
    for bad, data in BAD_BODIES.items():
        answer = send_raw(data)
        assert answer.status_code == 400, bad
        assert anna.is_failure(answer)


def test_another_content_type_is_refused(
    anna: Driver, send_raw: Callable[..., TestResponse]
) -> None:
    for kind in BAD_TYPES:
        answer = send_raw(b'{"text": "x"}', kind)
        assert answer.status_code == 415, kind
        assert anna.is_failure(answer)
    assert send_raw(b'{"text": "x"}', **{"Content-Encoding": "gzip"}).status_code == 415


def test_a_body_that_is_too_large_is_refused(
    anna: Driver, send_raw: Callable[..., TestResponse]
) -> None:
    answer = send_raw(b'{"text": "' + b"x" * 300_000 + b'"}')
    assert answer.status_code == 413
    assert anna.is_failure(answer)


PRIVILEGED = {
    "is_admin": True,
    "id": 1,
    "user": 1,
    "user_id": 1,
    "role": "admin",
    "chat_id": 7001,
    "telegram_chat_id": 7001,
    "status": "sent",
    "__proto__": {"x": 1},
}


def test_unknown_fields_are_ignored_and_never_acted_on(
    database: Engine, driver: Driver, telegram: Telegram
) -> None:
    driver.extra = PRIVILEGED
    assert driver.register().status_code == 201
    driver.sign_in()
    with database.connect() as connection:
        row = connection.execute(text("SELECT is_admin FROM account")).one()
        linked = connection.execute(text("SELECT count(*) FROM chat")).scalar_one()
    assert (row.is_admin, linked) == (False, 0)
    driver.link(telegram)
    assert driver.send("x").status_code in (200, 201)
    with database.connect() as connection:
        statuses = connection.execute(text("SELECT status FROM message")).scalars().all()
    assert statuses == ["queued"]


# Failures that are nobody's fault, and those of addresses and methods


def test_an_unknown_address_below_a_dialects_own_has_its_shape(driver: Driver) -> None:
    for prefix in driver.dialect.prefixes:
        for path in (f"{prefix}/no-such-thing", f"{prefix}/no/such/thing/"):
            answer = driver.client.get(path)
            assert answer.status_code == 404, path
            assert driver.is_failure(answer), path


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO")


def test_a_wrong_method_is_told_which_are_right(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    for _, operation in OPERATIONS:
        driver = driver_for(operation, client)
        for path in both_forms(operation.path):
            right = {o.method for _, o in OPERATIONS if path in both_forms(o.path)}
            for method in set(METHODS) - right:
                answer = client.open(path, method=method)
                assert answer.status_code == 405, f"{method} {path}"
                assert right <= set(answer.headers["Allow"].split(", "))
                assert driver.is_failure(answer)


def test_no_address_is_ever_redirected(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    for _, operation in OPERATIONS:
        for path in both_forms(operation.path):
            assert client.open(path, method=operation.method, json={}).status_code // 100 != 3


def test_a_used_up_quota_is_told(make_app: MakeApp, driver: Driver) -> None:
    app = make_app(MESSAGES_PER_DAY="1")
    anna = type(driver)(app.test_client(use_cookies=False))
    anna.register()
    anna.sign_in()
    anna.link(Telegram(app))
    anna.send("one")
    answer = anna.send("two")
    assert answer.status_code == 429
    assert anna.is_failure(answer)
    assert anna.sent() == ["one"]


def test_a_closed_registration_is_told(make_app: MakeApp, driver: Driver) -> None:
    anna = type(driver)(make_app(REGISTRATION="closed").test_client())
    answer = anna.register()
    assert answer.status_code == 403
    assert anna.is_failure(answer)


def test_a_database_that_is_away_is_a_503(make_app: MakeApp, driver: Driver) -> None:
    app = make_app(DATABASE_URL="postgresql://gonets@127.0.0.1:1/none")
    anna = type(driver)(app.test_client(use_cookies=False))
    for answer in (anna.register(), anna.sign_in()):
        assert answer.status_code == 503
        assert anna.is_failure(answer)
        assert int(answer.headers["Retry-After"]) > 0


def test_a_mistake_of_ours_is_a_500_without_its_words(
    anna: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(messages, "send", fail)
    answer = anna.send("x")
    assert answer.status_code == 500
    assert anna.is_failure(answer)
    assert "secret" not in answer.get_data(as_text=True)


def _kinds(kind: type[ServiceError] = ServiceError) -> list[type[ServiceError]]:
    return [kind, *(k for child in kind.__subclasses__() for k in _kinds(child))]


def test_every_kind_of_failure_has_the_dialects_shape(app: Flask, driver: Driver) -> None:
    path = driver.dialect.operations[-1].path
    for kind in _kinds():
        for fields in ({}, {"text": ["wrong"]}):
            with app.test_request_context(path, method="POST"):
                app.preprocess_request()
                raised = kind(fields=fields, retry_after=3)
                answer = app.make_response(app.handle_user_exception(raised))
            assert driver.is_failure(answer), kind
            bad_field = issubclass(kind, errors.Invalid | errors.UsernameTaken)
            assert answer.status_code == (400 if bad_field else kind.status), kind
            assert answer.headers["Retry-After"] == "3"


# What stands where


def test_the_list_of_dialects_is_that_of_the_settings() -> None:
    assert tuple(dialect.name for dialect in DIALECTS) == DIALECT_NAMES
    assert tuple(driver.name for driver in DRIVERS) == DIALECT_NAMES


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_each_dialect_can_stand_alone(make_app: MakeApp, name: str) -> None:
    app = make_app(DIALECTS=name)
    for dialect, operation in OPERATIONS:
        answer = app.test_client().open(operation.path, method=operation.method, json={})
        assert (answer.status_code == 404) == (dialect.name != name), operation.path
    assert app.test_client().get(f"/openapi/{name}.json").status_code == 200


def test_none_of_them_stands_where_the_settings_say_none(make_app: MakeApp) -> None:
    client = make_app(DIALECTS="none").test_client()
    for _, operation in OPERATIONS:
        assert client.open(operation.path, method=operation.method, json={}).status_code == 404


# Their documents; every answer in these tests is held against them, too (conftest)


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_each_has_a_valid_openapi_document_of_its_own(client: FlaskClient, name: str) -> None:
    document = client.get(f"/openapi/{name}.json").json
    assert document["openapi"].startswith("3.1")
    assert document == json.loads(json.dumps(DOCUMENTS[name]))
    validate(document)


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_each_document_has_every_route_of_its_dialect_and_no_other(app: Flask, name: str) -> None:
    documented = {
        (method.upper(), path.rstrip("/"))
        for path, item in DOCUMENTS[name]["paths"].items()
        for method in item
    }
    served = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith(f"{name}.") and not rule.rule.startswith("/openapi/")
    }
    assert documented == served


def test_the_documentation_pages_know_all_of_them(app: Flask) -> None:
    listed = app.extensions["openapi_documents"]
    for name in DIALECT_NAMES:
        assert f"/openapi/{name}.json" in [url for _, url in listed]


def test_times_have_microseconds_and_a_zone(anna: Driver) -> None:
    anna.send("x")
    told = anna.client.get("/message/sent", auth=("anna", PASSWORD)).json
    when = datetime.strptime(told[0]["created_at"], "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
