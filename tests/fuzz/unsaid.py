"""What OpenAPI has no words for, told to the generator of valid requests.

That a cursor is one that a page gave, that `since` is not after `until`, that an Idempotency-Key
names one request only, that a link code is one of the bot's, that a password is not the username.
Invalid requests are left as they are, and so is every answer: no check is switched off, no
operation left out.
"""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import schemathesis
from flask import Flask
from marshmallow import ValidationError
from schemathesis import Case, HookContext

from app.api.schemas import HistoryFilter
from app.services import chats
from app.services.people import TelegramPerson
from tests.client import client_of

_chats = itertools.count(10**6)


@contextmanager
def kept(app: Flask) -> Iterator[None]:
    """Every valid request made within keeps to all of that."""

    def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
        if "since" in case.query and "until" in case.query:
            _put_in_order(case.query)
        if "cursor" in case.query:
            _take_cursor_of_a_page(app, case)
        match case.operation.label, case.body:
            case "POST /v1/auth/register", dict(body) if {"username", "password"} <= body.keys():
                if body["username"] == body["password"]:
                    body["password"] = f"{body['password']}, but not quite"
            case "POST /v1/chat", dict(body) if "code" in body:
                with app.app_context():
                    body["code"] = chats.link_code(TelegramPerson(next(_chats)))

    schemathesis.hook(before_call)
    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _put_in_order(query: dict[str, Any]) -> None:
    given = {name: query[name] for name in ("since", "until")}
    try:
        HistoryFilter().load(given)
    except ValidationError:
        query["since"], query["until"] = query["until"], query["since"]


def _take_cursor_of_a_page(app: Flask, case: Case[Any]) -> None:
    query = {name: value for name, value in case.query.items() if name != "cursor"}
    page = client_of(app).get(
        case.path,
        query_string=query | {"limit": 1},
        headers={"Authorization": case.headers.get("Authorization", "")},
    )
    case.query.clear()
    case.query.update(query)
    if page.status_code == 200 and page.json["next_cursor"] is not None:
        case.query["cursor"] = page.json["next_cursor"]
