"""Failures in each dialect's own shape, from an unknown address to a mistake of ours."""

import pytest
from flask import Flask

from app import errors
from app.errors import ServiceError
from app.services import messages
from tests.client import client_of
from tests.conftest import MakeApp
from tests.dialects.conftest import Telegram
from tests.dialects.drivers import OPERATIONS, Driver, both_forms, driver_for


def test_an_unknown_address_below_a_dialects_own_has_its_shape(driver: Driver) -> None:
    for prefix in driver.dialect.prefixes:
        for path in (f"{prefix}/no-such-thing", f"{prefix}/no/such/thing/"):
            answer = driver.client.get(path)
            assert answer.status_code == 404, path
            assert driver.is_failure(answer), path


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO")


def test_a_wrong_method_is_told_which_are_right(app: Flask) -> None:
    client = client_of(app, use_cookies=False)
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
    client = client_of(app, use_cookies=False)
    for _, operation in OPERATIONS:
        for path in both_forms(operation.path):
            assert client.open(path, method=operation.method, json={}).status_code // 100 != 3


def test_a_used_up_quota_is_told(make_app: MakeApp, driver: Driver) -> None:
    app = make_app(MESSAGES_PER_DAY="1")
    anna = type(driver)(client_of(app, use_cookies=False))
    anna.register()
    anna.sign_in()
    anna.link(Telegram(app))
    anna.send("one")
    answer = anna.send("two")
    assert answer.status_code == 429
    assert anna.is_failure(answer)
    assert anna.sent() == ["one"]


def test_a_closed_registration_is_told(make_app: MakeApp, driver: Driver) -> None:
    anna = type(driver)(client_of(make_app(REGISTRATION="closed")))
    answer = anna.register()
    assert answer.status_code == 403
    assert anna.is_failure(answer)


def test_a_database_that_is_away_is_a_503(make_app: MakeApp, driver: Driver) -> None:
    app = make_app(DATABASE_URL="postgresql://gonets@127.0.0.1:1/none")
    anna = type(driver)(client_of(app, use_cookies=False))
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
