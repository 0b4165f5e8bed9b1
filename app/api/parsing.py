"""How requests are read: JSON through `app.bodies`, queries and headers strictly; faults by field.

What is not understood is refused, never guessed at: unknown fields and parameters, a parameter that
is there twice, what is not UTF-8.
"""

import re
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from flask import Request
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app import bodies
from app.errors import Invalid, Malformed

# What one answer tells at most: a request may have thousands of wrong fields, or endless names.
FAULTS_TOLD = 20
NAME_TOLD = 100

_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


class StrictParser(FlaskParser):
    """webargs, but strict: what smorest's `arguments` reads requests with."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}

    def load_json(self, req: Request, schema: Schema) -> dict[str, Any]:
        return bodies.json_object(req)

    def load_querystring(self, req: Request, schema: Schema) -> dict[str, str]:
        return query(req)

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, **_: Any
    ) -> NoReturn:
        (messages,) = error.messages_dict.values()
        raise Invalid(fields=_by_field(messages)) from None


def query(request: Request) -> dict[str, str]:
    """The parameters of the request's query. Raises `Invalid` for what cannot be read or is there
    twice."""
    try:
        raw = request.query_string.decode("utf-8")
        if _BROKEN_ESCAPE.search(raw):
            raise Invalid("The query has a % without two hexadecimal digits after it.")
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Invalid("The query is not UTF-8.") from None
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise Invalid(fields=_by_field(dict.fromkeys(twice, ["Is there more than once."])))
    return result


def refuse_query(request: Request) -> None:
    """Raises `Invalid` for any query: the operation has no parameters."""
    if request.query_string and (unknown := query(request)):
        raise Invalid(fields=_by_field(dict.fromkeys(unknown, ["Unknown parameter."])))


def refuse_body(request: Request) -> None:
    """Raises `Invalid`, `Malformed` or `UnsupportedMediaType` for a body that says anything: the
    operation takes none. An empty JSON object says nothing."""
    if bodies.raw(request) and (unknown := bodies.json_object(request)):
        raise Invalid(fields=_by_field(dict.fromkeys(unknown, ["Unknown field."])))


def idempotency_key(request: Request) -> str | None:
    """The request's Idempotency-Key, if it has one. Raises `Malformed`."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Malformed("An Idempotency-Key has 1 to 255 printable ASCII characters.")
    return key


def text_body(request: Request) -> str:
    """A body that is itself the text: raw UTF-8, never decoded any further.

    Raises `Malformed` when it is not UTF-8.
    """
    try:
        return bodies.raw(request).decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None


def _by_field(messages: Any) -> dict[str, list[str]]:
    """marshmallow's messages as `Invalid` tells them; whole-object ones stand under `_schema`."""
    told: dict[str, list[str]] = {}
    for name, found in list(messages.items())[:FAULTS_TOLD]:
        told[str(name)[:NAME_TOLD]] = [str(found)] if isinstance(found, dict) else list(found)
    return told
