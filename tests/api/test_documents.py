"""The OpenAPI document and the pages that show it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask
from openapi_spec_validator import validate

from app.services import names, passwords
from tests.client import Client, client_of
from tests.conftest import MakeApp, Member

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    answer = client.get("/openapi.json")
    assert answer.mimetype == "application/json"
    found: dict[str, Any] = answer.json
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_the_document_is_valid_openapi_31(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_operation_is_told_in_words(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids)) >= 24
    for name, operation in operations(document):
        assert operation["summary"], name
        assert "\n" not in operation["summary"], name
        assert operation["tags"], name
        for parameter in operation.get("parameters", []):
            assert "$ref" in parameter or parameter["in"] == "path" or parameter["description"]
    described = {tag["name"] for tag in document["tags"] if tag["description"]}
    assert described == {tag for _, o in operations(document) for tag in o["tags"]}
    assert "Life of a message" in document["info"]["description"]


def test_every_failure_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status < "400" or name == "GET /readyz":
                continue
            component = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
            assert list(component["content"]) == ["application/problem+json"], (name, status)
            assert "X-Request-ID" in component["headers"]
        if "/v1/" in name:
            assert {"422", "503"} <= set(operation["responses"]), name
            assert ("401" in operation["responses"]) == (
                bool(operation["security"]) or name.endswith("/login")
            ), name
        if operation.get("requestBody"):
            assert {"400", "413", "415"} <= set(operation["responses"]), name


def test_every_link_leads_to_an_operation(document: dict[str, Any]) -> None:
    ids = {operation["operationId"] for _, operation in operations(document)}
    links = re.findall(r'"operationId": "(\w+)", "parameters"', json.dumps(document))
    assert links
    assert set(links) <= ids


def test_the_examples_are_what_they_stand_for(document: dict[str, Any]) -> None:
    schemas = json.dumps(document["components"])

    def check(schema: dict[str, Any], example: Any) -> None:
        whole = {**schema, "components": json.loads(schemas)}
        jsonschema_rs.validator_for(whole, validate_formats=True).validate(example)

    checked = 0
    for _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (m for body in bodies for m in body.get("content", {}).values()):
            if "example" in media:
                check(media["schema"], media["example"])
                checked += 1
    for schema in document["components"]["schemas"].values():
        for field in schema.get("properties", {}).values():
            if "example" in field:
                check(field, field["example"])
                checked += 1
    assert checked > 15


def test_the_services_rules_are_published_as_they_are(make_app: MakeApp) -> None:
    app = make_app(PASSWORD_MIN_LENGTH="12", MESSAGE_MAX_LENGTH="500")
    schemas = client_of(app).get("/openapi.json").json["components"]["schemas"]
    account = schemas["Registration"]["properties"]
    assert account["username"]["pattern"] == names.USERNAME_PATTERN
    assert account["password"]["pattern"] == passwords.pattern(12)
    assert "12 characters" in account["password"]["description"]
    assert account["name"]["pattern"] == names.LINE_PATTERN
    assert schemas["NewMessage"]["properties"]["text"]["maxLength"] == 500
    assert schemas["MessageText"]["maxLength"] == 500


def test_an_answer_has_what_its_shape_has(document: dict[str, Any], alice: Member) -> None:
    sent = alice.post("/v1/messages", {"text": "x"}).json
    shape = document["components"]["schemas"]["Message"]
    assert sorted(shape["required"]) == sorted(sent)
    assert shape["additionalProperties"] is False


def test_cookies_are_documented_by_their_real_names(make_app: MakeApp) -> None:
    app = make_app(PUBLIC_URL="https://gonets.example")
    answer = client_of(app).get("/openapi.json", base_url="https://gonets.example")
    assert answer.json["components"]["securitySchemes"]["cookie"]["name"] == "__Host-access"


@pytest.mark.parametrize("path", ["/docs/", "/redoc/", "/docs", "/redoc"])
def test_the_pages_are_ours_alone(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    html = answer.get_data(as_text=True)
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert " on" not in re.sub(r">[^<]*<", "><", html)
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe-inline" not in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|\*", policy)
    for asset in re.findall(r'(?:src|href)="(/docs/[^"]+\.[a-z]+)"', html):
        with client.get(asset) as found:
            assert found.status_code == 200, asset


def test_the_pages_show_every_face_that_has_a_document(client: Client, app: Flask) -> None:
    listed = app.extensions["openapi_documents"]
    assert listed[0] == ("Gonets", "/openapi.json")
    page = client.get("/docs/").get_data(as_text=True)
    for _, url in listed:
        assert url in page
        assert client.get(url).json["openapi"].startswith("3.")
    redoc = client.get("/redoc/").get_data(as_text=True)
    for shown in re.findall(r'href="(/redoc/[^"]*)"', redoc):
        assert client.get(shown).status_code == 200
    assert client.get("/redoc/nope").status_code == 404


def test_no_file_outside_is_served(client: Client) -> None:
    for path in ("../pages.py", "..%2fpages.py", "%2e%2e/pages.py", "/etc/passwd", "nope.js"):
        for folder in ("/docs/static/", "/docs/swagger-ui/"):
            answer = client.get(folder + path)
            assert answer.status_code == 404, path


def test_without_dialects_there_is_one_document(make_app: MakeApp) -> None:
    client = client_of(make_app(DIALECTS="none"))
    assert client.get("/redoc/").get_data(as_text=True).count("/redoc/") == 1
