"""What the tables of the faces leave out: every operation of the dialects with every bad body,
every page with odd queries and forms, every route with odd headers. Never a 5xx, never a foreign
shape, and nothing is changed."""

import json
from base64 import b64encode

import pytest
from flask import Flask
from sqlalchemy import Engine

from app import identity
from app.dialects import DIALECTS
from app.dialects.contract import Operation
from tests.api.test_bad_input import BODIES
from tests.client import Client, client_of
from tests.conftest import PASSWORD
from tests.rows import nothing_changed
from tests.security.conftest import Belongings, World
from tests.security.routes import ROWS
from tests.security.test_every_route import address, form_token

READING = [
    (dialect.name, operation)
    for dialect in DIALECTS
    for operation in dialect.operations
    if operation.body
]
ODD = [
    "",
    "-1",
    "1_000",
    "9" * 30,
    "٣",
    "\x00",
    "\u202e\ufffd",
    "'; DROP TABLE message; --",
    "{{7*7}}%s${x}<script>alert(1)</script>",
    "x" * 4000,
]


def headers_of(dialect: str, things: Belongings) -> dict[str, str]:
    access = things.member.access
    if dialect == "telegram_task":
        pair = b64encode(f"{things.member.person.username}:{PASSWORD}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    if dialect == "jwt_message":
        return {"token": access}
    return {"Authorization": f"Bearer {access}"}


def test_no_body_breaks_any_operation_of_a_dialect(
    client: Client, world: World, database: Engine
) -> None:
    with nothing_changed(database):
        for kind, (body, status) in BODIES.items():
            # What is no object is a wrong field to them, and that is a 400.
            expected = 400 if status == 422 else status
            for dialect, operation in READING:
                answer = client.open(
                    operation.path,
                    method=operation.method,
                    data=body,
                    content_type="application/json",
                    headers=headers_of(dialect, world.owner),
                )
                assert answer.status_code == expected, (kind, operation.path, answer.text)
                assert answer.mimetype == "application/json"
                assert len(answer.get_data()) < 5000


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b'{"text": "x"}', 415),
        ("", b'{"text": "x"}', 415),
        ("application/json; charset=cp1251", b'{"text": "x"}', 415),
        ("multipart/mixed; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"text=1&text=2&login=1&login=2", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(1001)), 400),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken", 400),
        ("multipart/form-data", b"anything", 400),
    ],
)
def test_no_form_breaks_any_operation_of_a_dialect(
    client: Client,
    world: World,
    database: Engine,
    content_type: str,
    body: bytes,
    status: int,
) -> None:
    with nothing_changed(database):
        for dialect, operation in READING:
            answer = client.open(
                operation.path,
                method=operation.method,
                data=body,
                content_type=content_type,
                headers=headers_of(dialect, world.owner),
            )
            reads_forms = next(d for d in DIALECTS if d.name == dialect).forms
            expected = status if reads_forms else 415
            if is_its_own_credential(operation) and "form" in content_type and status == 400:
                expected = answer.status_code if answer.status_code == 401 else 400
            assert answer.status_code == expected, (operation.path, answer.text)
            assert answer.mimetype == "application/json"


def is_its_own_credential(operation: Operation) -> bool:
    """Whether the body itself says who calls: what cannot be read speaks for nobody."""
    return "bot_token" in operation.body


PARAMETERS = ("page", "page_size", "before", "account", "status", "q", "since", "until", "cursor")
LISTS = [
    "/cabinet/messages",
    "/admin/accounts",
    "/admin/messages",
    "/admin/chats",
    "/admin/audit",
    "/api/v1/message/",
    "/api/cabinet",
    "/api/messages/",
    "/api/users/",
]


def test_no_query_breaks_any_list(app: Flask, world: World, database: Engine) -> None:
    client = client_of(app)
    with app.app_context():
        client.set_cookie(identity.access_cookie(), world.admin.member.access)
    with nothing_changed(database):
        for path in LISTS:
            dialect = path.startswith("/api")
            headers = world.admin.member.headers if dialect else {}
            for parameter in PARAMETERS:
                for value in ODD:
                    asked = {parameter: value}
                    answer = client.get(path, query_string=asked, headers=headers)
                    assert answer.status_code in (200, 400, 404, 422), (path, asked, answer.text)
            for raw in ("page=1&page=2", "q=%ff", "q=%", "&&&", "=", "page", "q=%00"):
                answer = client.get(f"{path}?{raw}", headers=headers)
                assert answer.status_code in (200, 400, 404, 422), (path, raw)


FIELDS = {
    "/cabinet/sign-in": ("username", "password", "next", "text"),
    "/cabinet/sign-up": ("username", "password", "name"),
    "/cabinet/language": ("language", "back"),
    "/cabinet/account/profile": ("name", "greeting"),
    "/cabinet/account/greeting": ("name", "greeting"),
    "/cabinet/account/password": ("current_password", "new_password"),
    "/cabinet/send": ("text", "silent", "greeting", "expires_in"),
    "/cabinet/send/preview": ("text", "greeting"),
    "/cabinet/telegram/code": ("code",),
    "/cabinet/tokens": ("name", "expires_in"),
}


def test_no_field_breaks_any_form_of_the_pages(app: Flask, world: World) -> None:
    for path, fields in FIELDS.items():
        client = client_of(app)
        if "/sign-" not in path:
            with app.app_context():
                client.set_cookie(identity.access_cookie(), world.stranger.member.access)
        token = form_token(client)
        for field in (*fields, "form_token", "unheard_of"):
            for value in ODD:
                form = {"form_token": token, field: value}
                answer = client.post(path, data=form)
                assert answer.status_code < 500, (path, field, value)
                assert "<script>alert(1)</script>" not in answer.text


ODD_HEADERS: list[dict[str, str]] = [
    {"Authorization": value}
    for value in (
        "",
        "Bearer",
        "Bearer ",
        "Bearer  two",
        "Bearer a b",
        "Bearer a,",
        "Bearer ÿ",
        "Basic",
        "Basic !!!",
        "Basic Og==",
        "Basic YTo=",
        "Basic gIA6",
        "Basic AGE6AGI=",
        "Digest username=x",
        "Bearer " + "x" * 8000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer gz_",
        "JWT null",
    )
]
ODD_HEADERS += [
    {"token": "x"},
    {"token": "ÿ\x01"},
    {"Cookie": "access=; __Host-access=x; token=ÿ; page=.; refresh=a.b.c; csrf=\x7f"},
    {"Cookie": "=;=;;;" + "a=b;" * 1000},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://["},
    {"Accept": "text/html", "Accept-Language": "x" * 500, "Accept-Encoding": "*;q=9"},
    {"Range": "bytes=9-1", "If-Range": "x", "If-None-Match": "*", "If-Modified-Since": "x"},
    {"X-Request-ID": "a\tb", "X-HTTP-Method-Override": "DELETE"},
    {"Idempotency-Key": "ÿ" * 300},
    {"Content-Length": "-1"},
    {"Content-Length": "x"},
    {"Transfer-Encoding": "chunked"},
    {"Content-Type": "application/json;;;charset"},
    {"HX-Request": "true", "HX-Current-URL": "http://["},
    {"X-Forwarded-For": "x, y, ", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil"},
]


def test_no_header_breaks_any_route(client: Client, world: World, database: Engine) -> None:
    with nothing_changed(database):
        for number, ((method, rule), row) in enumerate(ROWS.items()):
            path = address(rule, row, world, missing=False)
            # Every fourth at each route: all of them at every face.
            for headers in ODD_HEADERS[number % 4 :: 4]:
                answer = client.open(path, method=method, headers=headers, buffered=True)
                assert answer.status_code < 500, (method, path, headers)
                if not path.startswith(("/cabinet", "/admin", "/docs", "/redoc", "/static")):
                    assert answer.mimetype != "text/html" or path in ("/", "/api"), path


@pytest.mark.parametrize("key", ["\x00", "\ud800", "__proto__", "constructor", "x" * 10_000, ""])
def test_no_field_name_breaks_any_operation_of_a_dialect(
    client: Client, world: World, key: str
) -> None:
    for dialect, operation in READING:
        body = json.dumps({**operation.body, key: {"$ne": 1}})
        answer = client.open(
            operation.path,
            method=operation.method,
            data=body,
            content_type="application/json",
            headers=headers_of(dialect, world.stranger),
        )
        assert answer.status_code < 500
        assert answer.mimetype == "application/json"
