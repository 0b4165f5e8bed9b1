"""Every route by every identity. The table has to name each rule of the application, so a new route
without a row here fails."""

import itertools
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app import identity
from app.services import chats
from app.services.people import TelegramPerson
from tests.conftest import PASSWORD, MakeApp
from tests.security.conftest import Belongings, World

_newcomers = itertools.count()
IDENTITIES = ("anonymous", "stranger", "disabled", "send token", "admin", "owner")

# Who may do what: every identity that is not named is refused.
EVERYBODY = frozenset(IDENTITIES)
MEMBERS = frozenset({"stranger", "admin", "owner"})  # each sees their own
SENDERS = MEMBERS | {"send token"}
OWNER = frozenset({"owner"})  # of the thing that the address names
ADMIN = frozenset({"admin"})


class By(NamedTuple):
    """How a face takes credentials: what goes into headers and body for an access token, a send
    token, a name and a password."""

    headers: Callable[[str], dict[str, str]] = lambda token: {}
    body: Callable[[str], dict[str, str]] = lambda token: {}
    cookie: bool = False
    basic: bool = False
    refresh: bool = False


BEARER = By(lambda token: {"Authorization": f"Bearer {token}"})
JWT = By(lambda token: {"Authorization": f"JWT {token}"})
TOKEN = By(lambda token: {"token": token})
BASIC = By(basic=True)
PAGE = By(cookie=True)
REFRESH = By(lambda token: {"Authorization": f"Bearer {token}"}, refresh=True)
REFRESH_FIELD = By(body=lambda token: {"refresh": token}, refresh=True)
TOKEN_FIELD = By(body=lambda token: {"token": token})
BOT_TOKEN = By(body=lambda token: {"bot_token": token})
NOTHING = By()

Body = dict[str, str]


@dataclass(frozen=True)
class Row:
    """Who may, how they say who they are, and a body that the owner would send.

    `{name}` in an address is an id of the owner's; `$code` in a body is the code of a free chat,
    `$username` the caller's own name.
    """

    may: frozenset[str]
    by: By = BEARER
    body: Body | None = None
    ids: str = ""
    needs: dict[str, str] = field(default_factory=dict)
    # What it does is felt by whatever is tried after it.
    ends: bool = False


NEW = {"username": "newcomer", "password": PASSWORD, "name": "New"}
LOGIN = {"username": "olga", "password": PASSWORD}
OLD_LOGIN = {"login": "olga", "psw": PASSWORD}
ROWS: dict[tuple[str, str], Row] = {
    # The API.
    ("POST", "/v1/auth/register"): Row(EVERYBODY, body=NEW),
    ("POST", "/v1/auth/login"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/v1/auth/refresh"): Row(MEMBERS, REFRESH),
    ("POST", "/v1/auth/logout"): Row(MEMBERS, ends=True),
    ("GET", "/v1/auth/sessions"): Row(MEMBERS),
    ("DELETE", "/v1/auth/sessions/<id:session_id>"): Row(OWNER, ids="session", ends=True),
    ("GET", "/v1/users/me"): Row(MEMBERS),
    ("PATCH", "/v1/users/me"): Row(MEMBERS, body={"name": "Changed"}),
    ("DELETE", "/v1/users/me"): Row(MEMBERS, ends=True),
    ("GET", "/v1/users/me/export"): Row(MEMBERS),
    ("GET", "/v1/users"): Row(MEMBERS),
    ("GET", "/v1/tokens/link"): Row(MEMBERS),
    ("POST", "/v1/tokens/link"): Row(MEMBERS),
    ("GET", "/v1/tokens/link/qr.svg"): Row(MEMBERS),
    ("GET", "/v1/tokens/send"): Row(MEMBERS),
    ("POST", "/v1/tokens/send"): Row(MEMBERS, body={"name": "script"}),
    ("DELETE", "/v1/tokens/send/<id:token_id>"): Row(OWNER, ids="send_token", ends=True),
    ("GET", "/v1/chat"): Row(MEMBERS),
    ("POST", "/v1/chat"): Row(MEMBERS, body={"code": "$code"}),
    ("DELETE", "/v1/chat"): Row(MEMBERS, ends=True),
    ("GET", "/v1/messages"): Row(SENDERS),
    ("POST", "/v1/messages"): Row(SENDERS, body={"text": "hello"}),
    ("POST", "/v1/send"): Row(SENDERS, body={"text": "hello"}),
    ("GET", "/v1/messages/<id:message_id>"): Row(OWNER, ids="message"),
    ("DELETE", "/v1/messages/<id:message_id>"): Row(OWNER, ids="message", ends=True),
    ("POST", "/v1/messages/<id:message_id>/retry"): Row(OWNER, ids="failed", ends=True),
    # For machines that watch, and for readers.
    ("GET", "/healthz"): Row(EVERYBODY, NOTHING),
    ("GET", "/readyz"): Row(EVERYBODY, NOTHING),
    ("GET", "/metrics"): Row(EVERYBODY, NOTHING),
    ("GET", "/openapi.json"): Row(EVERYBODY, NOTHING),
    **{
        ("GET", f"/openapi/{name}.json"): Row(EVERYBODY, NOTHING)
        for name in ("djangobot", "factoryapp", "jwt_message", "message_sender", "telegram_task")
    },
    ("GET", "/docs/"): Row(EVERYBODY, NOTHING),
    ("GET", "/docs/static/<path:name>"): Row(EVERYBODY, NOTHING, needs={"name": "redoc.js"}),
    ("GET", "/docs/swagger-ui/<path:name>"): Row(
        EVERYBODY, NOTHING, needs={"name": "swagger-ui.css"}
    ),
    ("GET", "/redoc/"): Row(EVERYBODY, NOTHING),
    ("GET", "/redoc/<name>"): Row(EVERYBODY, NOTHING, needs={"name": "djangobot"}),
    ("GET", "/api"): Row(EVERYBODY, NOTHING),
    ("GET", "/static/<path:filename>"): Row(EVERYBODY, NOTHING, needs={"filename": "gonets.js"}),
    # Dialect 1.
    ("POST", "/api/v1/auth/users"): Row(
        EVERYBODY, body={"username": "newcomer", "password": PASSWORD, "first_name": "New"}
    ),
    ("POST", "/api/v1/auth/jwt/create"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/api/v1/auth/jwt/refresh"): Row(MEMBERS, REFRESH_FIELD),
    ("POST", "/api/v1/auth/jwt/verify"): Row(MEMBERS, TOKEN_FIELD),
    ("GET", "/api/v1/get_telegram_token"): Row(MEMBERS, JWT),
    ("PATCH", "/api/v1/refresh_telegram_token"): Row(MEMBERS, JWT),
    ("GET", "/api/v1/message"): Row(MEMBERS, JWT),
    ("POST", "/api/v1/message"): Row(MEMBERS, JWT, {"message": "hello"}),
    # Dialect 2.
    ("POST", "/api/user"): Row(
        EVERYBODY, body={"login": "newcomer", "psw": PASSWORD, "name": "New"}
    ),
    ("PUT", "/api/user"): Row(
        MEMBERS, body={"login": "$username", "psw": "another horse", "name": "Changed"}, ends=True
    ),
    ("DELETE", "/api/user"): Row(MEMBERS, body={"login": "$username", "psw": PASSWORD}, ends=True),
    ("POST", "/api/auth"): Row(EVERYBODY, body=OLD_LOGIN),
    ("GET", "/api/cabinet"): Row(MEMBERS),
    ("POST", "/api/cabinet"): Row(MEMBERS, body={"code": "$code"}),
    ("POST", "/api/send_message"): Row(
        frozenset({"send token"}), BOT_TOKEN, {"text": "hello", "type": "Text"}
    ),
    # Dialect 3.
    ("POST", "/api/users/register"): Row(EVERYBODY, body=NEW),
    ("POST", "/auth/token"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/auth/token/refresh"): Row(MEMBERS, REFRESH_FIELD),
    ("GET", "/api/users"): Row(MEMBERS),
    ("GET", "/api/users/get-telegram-token"): Row(MEMBERS),
    ("GET", "/api/messages"): Row(MEMBERS),
    ("POST", "/api/messages"): Row(MEMBERS, body={"text": "hello"}),
    # Dialect 4.
    ("POST", "/signup"): Row(EVERYBODY, body={"name": "newcomer", "password": PASSWORD}),
    ("POST", "/login"): Row(EVERYBODY, body={"name": "olga", "password": PASSWORD}),
    ("POST", "/logout"): Row(EVERYBODY, TOKEN, ends=True),
    ("POST", "/message"): Row(MEMBERS, TOKEN, {"name": "$username", "text": "hello"}),
    # Dialect 5.
    ("POST", "/users/signup"): Row(EVERYBODY, body={**NEW, "password_repeat": PASSWORD}),
    ("POST", "/users/login"): Row(EVERYBODY, body=LOGIN),
    ("PATCH", "/bot/verify"): Row(MEMBERS, BASIC, {"verification_code": "$code"}),
    ("GET", "/message/sent"): Row(MEMBERS, BASIC),
    ("POST", "/message/sent"): Row(MEMBERS, BASIC, {"content": "hello"}),
    # Pages: the way in.
    ("GET", "/"): Row(EVERYBODY, PAGE),
    ("GET", "/favicon.ico"): Row(EVERYBODY, PAGE),
    ("GET", "/cabinet/sign-in"): Row(EVERYBODY, PAGE),
    ("POST", "/cabinet/sign-in"): Row(EVERYBODY, PAGE, LOGIN),
    ("GET", "/cabinet/sign-up"): Row(EVERYBODY, PAGE),
    ("POST", "/cabinet/sign-up"): Row(EVERYBODY, PAGE, NEW),
    ("POST", "/cabinet/sign-out"): Row(EVERYBODY, PAGE, ends=True),
    ("POST", "/cabinet/language"): Row(EVERYBODY, PAGE, {"language": "ru"}),
    # Pages: the cabinet.
    ("GET", "/cabinet"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/chart"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/account"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/account/profile"): Row(MEMBERS, PAGE, {"name": "Changed"}),
    ("POST", "/cabinet/account/greeting"): Row(MEMBERS, PAGE, {"greeting": "Hi"}),
    ("POST", "/cabinet/account/password"): Row(
        MEMBERS, PAGE, {"current_password": PASSWORD, "new_password": "another horse"}, ends=True
    ),
    ("POST", "/cabinet/account/sessions/<id:session_id>/end"): Row(
        OWNER, PAGE, ids="session", ends=True
    ),
    ("GET", "/cabinet/account/export"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/account/delete"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/account/delete"): Row(MEMBERS, PAGE, {"password": PASSWORD}, ends=True),
    ("GET", "/cabinet/messages"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/messages/<id:message_id>"): Row(OWNER, PAGE, ids="message"),
    ("POST", "/cabinet/messages/<id:message_id>/cancel"): Row(
        OWNER, PAGE, ids="message", ends=True
    ),
    ("POST", "/cabinet/messages/<id:message_id>/retry"): Row(OWNER, PAGE, ids="failed", ends=True),
    ("GET", "/cabinet/send"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/send"): Row(MEMBERS, PAGE, {"text": "hello"}),
    ("POST", "/cabinet/send/preview"): Row(MEMBERS, PAGE, {"text": "hello"}),
    ("GET", "/cabinet/telegram"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/telegram/state"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/telegram/code"): Row(MEMBERS, PAGE, {"code": "$code"}),
    ("POST", "/cabinet/telegram/token"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/telegram/unlink"): Row(MEMBERS, PAGE, ends=True),
    ("GET", "/cabinet/tokens"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/tokens"): Row(MEMBERS, PAGE, {"name": "script"}),
    ("POST", "/cabinet/tokens/<id:token_id>/revoke"): Row(OWNER, PAGE, ids="send_token", ends=True),
    # Pages: the admin zone. For everybody else it does not exist.
    ("GET", "/admin"): Row(ADMIN, PAGE),
    ("POST", "/admin/pause"): Row(ADMIN, PAGE),
    ("POST", "/admin/resume"): Row(ADMIN, PAGE),
    ("GET", "/admin/accounts"): Row(ADMIN, PAGE),
    ("GET", "/admin/accounts/<id:account_id>"): Row(ADMIN, PAGE, ids="account"),
    ("POST", "/admin/accounts/<id:account_id>/disable"): Row(ADMIN, PAGE, ids="account", ends=True),
    ("POST", "/admin/accounts/<id:account_id>/enable"): Row(ADMIN, PAGE, ids="account"),
    ("POST", "/admin/accounts/<id:account_id>/end-sessions"): Row(
        ADMIN, PAGE, ids="account", ends=True
    ),
    ("POST", "/admin/accounts/<id:account_id>/reset-password"): Row(
        ADMIN, PAGE, ids="account", ends=True
    ),
    ("GET", "/admin/audit"): Row(ADMIN, PAGE),
    ("GET", "/admin/chats"): Row(ADMIN, PAGE),
    ("GET", "/admin/messages"): Row(ADMIN, PAGE),
}


def rules(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, rule.rule


def test_the_table_has_every_route_and_no_other(app: Flask) -> None:
    assert set(rules(app)) == set(ROWS)


READING = [route for route in ROWS if route[0] == "GET"]
LASTING = [route for route in ROWS if route[0] != "GET" and not ROWS[route].ends]
ENDING = [route for route in ROWS if ROWS[route].ends]


def test_every_route_that_reads_is_for_those_who_may_and_for_nobody_else(
    app: Flask, world: World, database: Engine
) -> None:
    before = everything_of(database, world.owner)
    for route in READING:
        only_those_who_may(app, world, database, route)
    after = everything_of(database, world.owner)
    # A link token is made when it is first asked for.
    assert {k for k in before if before[k] != after[k]} <= {"link_token"}


def test_every_route_that_adds_something_is_for_those_who_may_and_for_nobody_else(
    app: Flask, world: World, database: Engine
) -> None:
    for route in LASTING:
        only_those_who_may(app, world, database, route)


@pytest.mark.parametrize("route", ENDING, ids=lambda route: " ".join(route))
def test_a_route_that_ends_something_is_for_those_who_may_and_for_nobody_else(
    app: Flask, world: World, database: Engine, route: tuple[str, str]
) -> None:
    only_those_who_may(app, world, database, route)


def only_those_who_may(app: Flask, world: World, database: Engine, route: tuple[str, str]) -> None:
    """Calls it as everybody, the owner last; whoever may not leaves no trace of having tried."""
    row = ROWS[route]
    before = everything_of(database, world.owner)
    for who in IDENTITIES:
        if who == "owner":
            assert everything_of(database, world.owner) == before, f"{route}: somebody changed it"
        answer = call(app, world, route, row, who)
        assert outcome(answer) == ("in" if who in row.may else "out"), (
            route,
            who,
            answer.text[-500:],
        )
        if who not in ("owner", "send token") and row.may != ADMIN:
            assert "text of olga" not in answer.text, (route, who)
            assert "token of olga" not in answer.text, (route, who)
        if who == "stranger" and row.may == OWNER:
            as_if_missing(app, world, route, row, answer)


def call(
    app: Flask, world: World, route: tuple[str, str], row: Row, who: str, missing: bool = False
) -> TestResponse:
    method, rule = route
    things = {"anonymous": None, "send token": world.owner}.get(who) or getattr(
        world, who.replace(" ", "_"), None
    )
    client = app.test_client()
    headers: dict[str, str] = {}
    body = filled(app, row, who, things)
    if things is not None:
        credential = things.secret if who == "send token" else things.member.access
        if row.by.refresh and who != "send token":
            credential = things.member.refresh
        headers |= row.by.headers(credential)
        body |= row.by.body(credential)
        if row.by.basic:
            password = things.secret if who == "send token" else PASSWORD
            pair = f"{things.member.person.username}:{password}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        if row.by.cookie:
            with app.app_context():
                client.set_cookie(identity.access_cookie(), credential)
    elif row.by.body("") and who == "anonymous":
        body |= row.by.body("nothing")
    path = address(rule, row, world, missing)
    if row.by.cookie:
        form = {**body, "form_token": form_token(client)} if method == "POST" else None
        return client.open(path, method=method, data=form, headers=headers, buffered=True)
    sent = body if row.body is not None or body else None
    return client.open(path, method=method, json=sent, headers=headers, buffered=True)


def filled(app: Flask, row: Row, who: str, things: Belongings | None) -> dict[str, str]:
    """The row's body, with names and a code of the caller's own."""
    newcomer = f"newcomer.{next(_newcomers)}"
    own = things.member.person.username if things else "nobody"
    body = {
        name: value.replace("$username", own).replace("newcomer", newcomer)
        for name, value in (row.body or {}).items()
    }
    if "$code" in body.values():
        chat = TelegramPerson(8000 + IDENTITIES.index(who), "Somebody")
        with app.app_context():
            code = chats.link_code(chat)
        body = {name: value.replace("$code", code) for name, value in body.items()}
    return body


def address(rule: str, row: Row, world: World, missing: bool) -> str:
    thing: Any = world.stranger.member.person.id
    if row.ids and row.ids != "account":
        thing = getattr(world.owner, row.ids)
    if missing:
        thing = 999_999_999

    def value(placeholder: re.Match[str]) -> str:
        return row.needs.get(placeholder[1], str(thing))

    return re.sub(r"<(?:\w+:)?(\w+)>", value, rule)


def form_token(client: FlaskClient) -> str:
    page = client.get("/cabinet/telegram", follow_redirects=True)
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def outcome(answer: TestResponse) -> str:
    """`in`, `out`, or what else there was."""
    shut = answer.status_code == 303 and "/cabinet/sign-in" in answer.location
    if shut or answer.status_code in (401, 403, 404):
        return "out"
    return "in" if answer.status_code < 400 else answer.status


def as_if_missing(
    app: Flask, world: World, route: tuple[str, str], row: Row, refused: TestResponse
) -> None:
    """What belongs to another is answered byte for byte as what never was."""
    never = call(app, world, route, row, "stranger", missing=True)
    assert never.status_code == refused.status_code == 404
    assert without_marks(never) == without_marks(refused)


def without_marks(answer: TestResponse) -> str:
    """An answer but for its request id, the address it repeats, and the form's own token."""
    said = answer.get_data(as_text=True).replace(answer.headers["X-Request-ID"], "ID")
    said = re.sub(r'name="form_token" value="[^"]+"', "TOKEN", said)
    return said.replace(answer.request.path, "PATH")


COLUMNS = {
    "account": "name, greeting, password_hash, is_admin, disabled_at, erased_at",
    "sign_in": "id, ended_at",
    "send_token": "id, revoked_at",
    "chat": "telegram_id, unlinked_at",
    "link_token": "id, voided_at, used_at",
    "message": "id, status, send_token_id",
    "lane": "chat_id, hold_reason",
}


def everything_of(database: Engine, things: Belongings) -> dict[str, list[str]]:
    """The owner's rows, but for what those may do who have her password or her send token."""
    with database.connect() as connection:
        rows = {
            table: connection.execute(
                text(
                    f"SELECT {columns} FROM {table}"
                    f" WHERE {'id' if table == 'account' else 'account_id'} = :id"
                ),
                {"id": things.member.person.id},
            ).all()
            for table, columns in COLUMNS.items()
        }
    rows["sign_in"] = sorted(rows["sign_in"])[:2]
    rows["message"] = [row for row in rows["message"] if row.send_token_id is None]
    return {table: sorted(map(str, found)) for table, found in rows.items()}


def test_an_admin_who_is_one_no_longer_is_out_at_once(
    app: Flask, world: World, database: Engine
) -> None:
    row = ROWS["GET", "/admin"]
    assert call(app, world, ("GET", "/admin"), row, "admin").status_code == 200
    with database.connect() as connection:
        connection.execute(text("UPDATE account SET is_admin = false"))
    assert call(app, world, ("GET", "/admin"), row, "admin").status_code == 404


def test_dialects_that_are_switched_off_leave_no_route(make_app: MakeApp) -> None:
    app = make_app(DIALECTS="none")
    left = set(rules(app))
    assert left < set(ROWS)
    assert not [path for _, path in left if path.startswith(("/api", "/users", "/login", "/bot"))]
