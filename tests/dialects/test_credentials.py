"""Who may: passwords, tokens and their ends, at each of the five dialects."""

import jwt
import pytest
from flask import Flask

from app.services import accounts
from app.services.people import Visitor
from tests.client import client_of
from tests.conftest import Clock
from tests.dialects.drivers import (
    DRIVERS,
    OPERATIONS,
    PASSWORD,
    DjangoBot,
    Driver,
    both_forms,
    driver_for,
)


def test_one_counter_of_wrong_passwords_serves_them_all(app: Flask) -> None:
    client = client_of(app, use_cookies=False)
    DRIVERS[0](client).register()
    guessers = [make(client, password="not this one") for make in DRIVERS] * 2
    assert {guesser.sign_in().status_code for guesser in guessers} == {401}
    for make in DRIVERS:
        late = make(client)
        answer = late.sign_in()
        assert answer.status_code == 429, "not even the right password is tried now"
        assert int(answer.headers["Retry-After"]) > 0
        assert late.is_failure(answer)


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
    client = client_of(app, use_cookies=False)
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
    driver = make(client_of(app, use_cookies=False))
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
    driver = make(client_of(app, use_cookies=False))
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
        admin = accounts.register(accounts.Registration("boss", PASSWORD), Visitor(), is_admin=True)
        accounts.disable(admin, accounts.find("anna").id, Visitor())
    for answer in (anna.send("x"), anna.sign_in()):
        assert answer.status_code == 401
        assert anna.is_failure(answer)
