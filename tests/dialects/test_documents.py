"""Which dialects stand, and the documents of each; every answer in the tests of this folder is held
against them, too (conftest)."""

import json

import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.config import DIALECT_NAMES
from app.dialects import DIALECTS
from tests.client import Client, client_of
from tests.conftest import MakeApp
from tests.dialects.conftest import DOCUMENTS
from tests.dialects.drivers import DRIVERS, OPERATIONS


def test_the_list_of_dialects_is_that_of_the_settings() -> None:
    assert tuple(dialect.name for dialect in DIALECTS) == DIALECT_NAMES
    assert tuple(driver.name for driver in DRIVERS) == DIALECT_NAMES


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_each_dialect_can_stand_alone(make_app: MakeApp, name: str) -> None:
    app = make_app(DIALECTS=name)
    for dialect, operation in OPERATIONS:
        answer = client_of(app).open(operation.path, method=operation.method, json={})
        assert (answer.status_code == 404) == (dialect.name != name), operation.path
    assert client_of(app).get(f"/openapi/{name}.json").status_code == 200


def test_none_of_them_stands_where_the_settings_say_none(make_app: MakeApp) -> None:
    client = client_of(make_app(DIALECTS="none"))
    for _, operation in OPERATIONS:
        assert client.open(operation.path, method=operation.method, json={}).status_code == 404


@pytest.mark.parametrize("name", DIALECT_NAMES)
def test_each_has_a_valid_openapi_document_of_its_own(client: Client, name: str) -> None:
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
