"""What no dialect takes: wrong fields, texts, names and passwords, and bodies that are none."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.dialects.contract import Operation
from tests.client import Answer, client_of
from tests.dialects.conftest import Telegram
from tests.dialects.drivers import OPERATIONS, DjangoBot, Driver, driver_for

IDS = [f"{operation.method} {operation.path}" for _, operation in OPERATIONS]


@pytest.fixture(params=OPERATIONS, ids=IDS)
def operation(request: pytest.FixtureRequest) -> Operation:
    found: Operation = request.param[1]
    return found


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
        driver = driver_for(operation, client_of(app, use_cookies=False))
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
def send_raw(anna: Driver) -> Callable[..., Answer]:
    """Sends raw bytes to an address of the dialect that reads a body and asks for a credential."""
    operation = next(o for o in anna.dialect.operations if o.body and o.known_by)

    def send(data: bytes, content_type: str = "application/json", **headers: str) -> Answer:
        return anna.client.open(
            operation.path,
            method=operation.method,
            data=data,
            content_type=content_type,
            headers=anna.headers | headers,
        )

    return send


def test_a_body_that_cannot_be_read_is_refused(
    anna: Driver, send_raw: Callable[..., Answer]
) -> None:
    for bad, data in BAD_BODIES.items():
        answer = send_raw(data)
        assert answer.status_code == 400, bad
        assert anna.is_failure(answer)


def test_another_content_type_is_refused(anna: Driver, send_raw: Callable[..., Answer]) -> None:
    for kind in BAD_TYPES:
        answer = send_raw(b'{"text": "x"}', kind)
        assert answer.status_code == 415, kind
        assert anna.is_failure(answer)
    assert send_raw(b'{"text": "x"}', **{"Content-Encoding": "gzip"}).status_code == 415


def test_a_body_that_is_too_large_is_refused(anna: Driver, send_raw: Callable[..., Answer]) -> None:
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
