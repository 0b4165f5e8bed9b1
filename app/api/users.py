"""One's own account, and the directory of the others."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Response, request, stream_with_context

from app import identity
from app.api import schemas
from app.api.contract import OWNERS, Answered, Given, Section
from app.identity import Caller
from app.services import accounts, export

section = Section("Users", "Your account: read, change, take away, erase. The directory.")


@section.operation(
    "GET", "/v1/users/me", by=OWNERS, answer=Answered(200, schemas.Profile, description="You.")
)
def read_account(caller: Caller) -> Any:
    """Your account"""
    return caller.person


@section.operation(
    "PATCH",
    "/v1/users/me",
    by=OWNERS,
    body=schemas.ProfileChange,
    answer=Answered(200, schemas.Profile, description="The account as it is now."),
)
def change_account(caller: Caller, given: Given) -> Any:
    """Change your account

    What is not given stays. Another password needs the current one, and ends all other sessions.
    All or nothing is changed.
    """
    current = given.pop("current_password", None)
    if current is None:
        return accounts.change(caller.person, **given)
    return accounts.change_password(
        caller.person,
        current,
        given.pop("password"),
        identity.visitor(request),
        keep_session=caller.session_id,
        field="password",
        **given,
    )


@section.operation(
    "DELETE", "/v1/users/me", by=OWNERS, answer=Answered(204, description="It is gone.")
)
def erase_account(caller: Caller) -> Response:
    """Erase your account

    Every credential and all sending are dead at once, and everything kept of you is removed. What
    already stands in Telegram cannot be recalled.
    """
    accounts.erase(caller.person, identity.visitor(request))
    response = Response(status=204)
    identity.clear_cookies(response)
    return response


@section.operation(
    "GET",
    "/v1/users/me/export",
    by=OWNERS,
    answer=Answered(
        200,
        {"type": "string"},
        "application/x-ndjson",
        description="One JSON object a line; `line` says what each is, the first is the account.",
        example='{"line": "account", "username": "anna"}\n',
    ),
)
def export_account(caller: Caller) -> Response:
    """Take everything away

    All that is kept of you, as JSON lines: account, sessions, tokens, chats, security events,
    messages with their attempts. Five times an hour at most.
    """
    lines = _as_json(export.lines(caller.person))
    response = Response(stream_with_context(lines), mimetype="application/x-ndjson")
    response.headers["Content-Disposition"] = 'attachment; filename="gonets.jsonl"'
    return response


@section.operation(
    "GET",
    "/v1/users",
    by=OWNERS,
    query=schemas.DirectoryPaging,
    answer=Answered(200, schemas.Directory, description="Some of them, the oldest first."),
)
def list_users(caller: Caller, wanted: Given) -> Given:
    """The directory

    Id and username of everybody here; where the server keeps it for admins, 403 for others.
    """
    after = int(wanted.get("cursor", 0))
    page = accounts.directory(caller.person, after=after, limit=wanted["limit"])
    cursor = None if page.next_after is None else str(page.next_after)
    return {"items": page.entries, "next_cursor": cursor}


def _as_json(lines: Iterator[Given]) -> Iterator[str]:
    for line in lines:
        yield json.dumps(line, default=_shown, ensure_ascii=False) + "\n"


def _shown(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
