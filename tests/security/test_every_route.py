"""Every route by every identity. The table has to name each rule of the application, so a new route
without a row there fails."""

import itertools
import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app import identity
from app.services import chats
from app.services.people import TelegramPerson
from tests.client import Answer, Client, client_of
from tests.conftest import PASSWORD, MakeApp
from tests.security.conftest import Belongings, World
from tests.security.routes import ADMIN, IDENTITIES, OWNER, ROWS, Row

_newcomers = itertools.count()


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
) -> Answer:
    method, rule = route
    things = {"anonymous": None, "send token": world.owner}.get(who) or getattr(
        world, who.replace(" ", "_"), None
    )
    client = client_of(app)
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


def form_token(client: Client) -> str:
    page = client.get("/cabinet/telegram", follow_redirects=True)
    found = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def outcome(answer: Answer) -> str:
    """`in`, `out`, or what else there was."""
    shut = answer.status_code == 303 and "/cabinet/sign-in" in answer.location
    if shut or answer.status_code in (401, 403, 404):
        return "out"
    return "in" if answer.status_code < 400 else answer.status


def as_if_missing(
    app: Flask, world: World, route: tuple[str, str], row: Row, refused: Answer
) -> None:
    """What belongs to another is answered byte for byte as what never was."""
    never = call(app, world, route, row, "stranger", missing=True)
    assert never.status_code == refused.status_code == 404
    assert without_marks(never) == without_marks(refused)


def without_marks(answer: Answer) -> str:
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
