"""How an operation is declared: once, at its view, in the words of a contract.

    @section.operation("POST", "/v1/chat", by=OWNERS, body=LinkCode, answer=Answered(201, Chat))
    def link_chat(caller: Caller, given: Given) -> …:

From the declaration the operation is routed, its caller known, its request read, its answer written
and its documentation made (flask-smorest), so that none of these can differ from the others. What
all operations of the document share stands in `documents`.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from flask import Flask, Response
from flask_smorest import Blueprint
from flask_smorest.utils import deepupdate
from marshmallow import Schema
from werkzeug.routing import BaseConverter

from app import identity
from app.api import parsing
from app.extensions import current_request
from app.identity import Caller

Given = dict[str, Any]
View = Callable[..., Any]

# What can happen to any request of the API proper, to one with a body, to one with a caller.
ALWAYS = (422, 503)
READING_JSON = (400, 413, 415)
KNOWING_SOMEBODY = (401, 403, 429)
MAX_ID = 2**63 - 1


class Id(BaseConverter):
    """An id in a path. What is none becomes 0, which no row has: it is not found like a foreign
    one, after the same questions."""

    def to_python(self, value: str) -> int:
        plain = value.isascii() and value.isdecimal() and not value.startswith("0")
        number = int(value) if plain and len(value) < 20 else 0
        return number if number <= MAX_ID else 0


@dataclass(frozen=True, slots=True)
class Known:
    """Who may call: how the caller is found, and what documents say of it."""

    find: Callable[[], Caller]
    security: Sequence[Mapping[str, list[str]]]
    unsafe_security: Sequence[Mapping[str, list[str]]]


# A cookie says who is calling; on unsafe methods the CSRF header says that the page meant it.
_HEADERS: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]
OWNERS = Known(
    lambda: identity.caller(current_request()),
    [*_HEADERS, {"cookie": []}],
    [*_HEADERS, {"cookie": [], "csrf": []}],
)
SENDERS = Known(
    lambda: identity.caller(current_request(), may_only_send=True),
    [*_HEADERS, {"sendToken": []}, {"cookie": []}],
    [*_HEADERS, {"sendToken": []}, {"cookie": [], "csrf": []}],
)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer when all is well: its status, shape or media type, and what documents add."""

    status: int
    schema: type[Schema] | Mapping[str, Any] | None = None
    media_type: str = "application/json"
    headers: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, Any] = field(default_factory=dict)
    example: Any = None
    description: str | None = None


class Section:
    """Operations that belong together: one blueprint, one tag of the document."""

    def __init__(self, name: str, description: str) -> None:
        self.blueprint: Any = Blueprint(name, __name__, description=description)
        self.blueprint.ARGUMENTS_PARSER = parsing.StrictParser()

    def operation(
        self,
        method: str,
        path: str,
        *,
        answer: Answered,
        by: Known | None = None,
        query: type[Schema] | None = None,
        body: type[Schema] | None = None,
        fails: Sequence[int] = (),
        documents: Mapping[str, Any] | None = None,
        reads_itself: bool = False,
    ) -> Callable[[View], View]:
        """Declares the decorated view as the operation at `path`.

        The view is called with the `Caller` if there must be one, what the query and the body gave,
        and the path's ids by name. `fails` are the statuses of its failures beyond those that
        follow from the rest; `documents` is what else the document says. With `reads_itself` the
        view reads query and body.
        """

        failures = {*fails, *_failures(by, method, path)}

        def declare(view: View) -> View:
            told = {
                "security": _security(by, method),
                "responses": _responses(answer, failures),
                **_told_by(view),
            }
            call = self._answering(view, answer)
            if body is not None:
                call = self.blueprint.arguments(body(), location="json")(call)
            if query is not None:
                call = self.blueprint.arguments(query(), location="query")(call)
            call = self.blueprint.doc(**deepupdate(told, documents or {}))(call)
            strict = path.startswith("/v1/") and not reads_itself
            checks = _checks(method, query, body) if strict else []
            self.blueprint.route(path, methods=[method])(_guarded(call, by, checks))
            return view

        return declare

    def _answering(self, view: View, answer: Answered) -> View:
        """`view` with its answer written, and documented, in the answer's shape."""
        written: View = self.blueprint.response(
            answer.status,
            answer.schema,
            content_type=answer.media_type,
            description=answer.description,
            example=answer.example,
            headers={"X-Request-ID": {"$ref": REQUEST_ID}, **answer.headers},
        )(_without_content(view) if answer.schema is None else view)
        return written


REQUEST_ID = "#/components/headers/RequestID"
_PROBLEMS = {
    400: "Malformed",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    413: "TooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    503: "Unavailable",
}


def unwrapped(text: str) -> str:
    """`text` without the line breaks within its paragraphs: some pages would show them."""
    return re.sub(r"(?<=\S)\n *(?=\S)(?![|#]|- |\d+\. )", " ", text)


def register_ids(app: Flask) -> None:
    """Makes `<id:…>` known in the paths of `app`."""
    app.url_map.converters["id"] = Id


def _guarded(call: View, by: Known | None, checks: Sequence[Callable[[Any], None]]) -> View:
    """`call` behind the questions that come before reading: who is it, is there too much?"""

    @wraps(call)
    def guarded(**ids: Any) -> Any:
        known = (by.find(),) if by else ()
        for check in checks:
            check(current_request())
        return call(*known, **ids)

    return guarded


def _checks(
    method: str, query: type[Schema] | None, body: type[Schema] | None
) -> list[Callable[[Any], None]]:
    checks: list[Callable[[Any], None]] = []
    if query is None:
        checks.append(parsing.refuse_query)
    if body is None and method not in identity.SAFE_METHODS:
        checks.append(parsing.refuse_body)
    return checks


def _without_content(view: View) -> View:
    @wraps(view)
    def answered(*args: Any, **ids: Any) -> Response:
        said = view(*args, **ids)
        return said if isinstance(said, Response) else Response(status=204)

    return answered


def _told_by(view: View) -> dict[str, str]:
    """What the view's own name and docstring tell."""
    summary, _, description = inspect.cleandoc(view.__doc__ or "").partition("\n")
    return {
        "operationId": _camel(view.__name__),
        "summary": summary,
        "description": unwrapped(description.strip()),
    }


def _security(by: Known | None, method: str) -> list[Mapping[str, list[str]]]:
    if by is None:
        return []
    return list(by.security if method in identity.SAFE_METHODS else by.unsafe_security)


def _failures(by: Known | None, method: str, path: str) -> set[int]:
    if not path.startswith("/v1/"):
        return set()
    return {
        *ALWAYS,
        *(KNOWING_SOMEBODY if by else ()),
        *(() if method in identity.SAFE_METHODS else READING_JSON),
    }


def _responses(answer: Answered, failures: set[int]) -> dict[int, Any]:
    documented: dict[int, Any] = {
        status: {"$ref": f"#/components/responses/{_PROBLEMS[status]}"}
        for status in sorted(failures)
    }
    if answer.links:
        documented[answer.status] = {"links": dict(answer.links)}
    return documented


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
