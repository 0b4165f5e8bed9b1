"""The parameters of a Bot API call, wherever the client put them.

The Bot API takes them by query string, urlencoded form, multipart form and JSON, over GET and
POST; a body wins over the query. Values that are structures arrive as JSON text except in a JSON
body. Wrong values are refused with the words of the real server.
"""

import json
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from sandbox.http import JsonObject, Request
from sandbox.refusals import Refusal, bad_request

_TRUE = {"true", "yes", "1"}


class Parameters:
    """One call's parameters, read by kind."""

    def __init__(self, values: JsonObject) -> None:
        self.values = values

    def text(self, name: str) -> str:
        """A text; empty if absent."""
        value = self.values.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str):
            return value
        return json.dumps(value) if isinstance(value, dict | list) else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; `default` if absent or unreadable, as the real server does."""
        try:
            return int(self.text(name) or default)
        except ValueError:
            return default

    def flag(self, name: str) -> bool:
        """A yes or no; no if absent."""
        return self.text(name).lower() in _TRUE

    def structure(self, name: str) -> object:
        """A JSON value, None if absent; raises `Refusal` 400 if it cannot be read."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def chat(self) -> int | str:
        """`chat_id` as a number or a public `@name`; raises `Refusal` 400 if absent."""
        text = self.text("chat_id").strip()
        if not text:
            raise bad_request("chat_id is empty")
        return int(text) if text.lstrip("-").isdecimal() else text

    def chat_or_none(self) -> int | str | None:
        """The same, None if absent."""
        return self.chat() if self.text("chat_id").strip() else None


def read(request: Request) -> Parameters:
    """All parameters of a request; raises `Refusal` 400 for a body that cannot be read."""
    values: JsonObject = _pairs(request.query.encode("latin-1")) if request.query else {}
    if request.body:
        values.update(_body(request.headers.get("content-type", ""), request.body))
    return Parameters(values)


def _body(content_type: str, body: bytes) -> JsonObject:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", ""):
        return _pairs(body)
    if kind == "application/json":
        return _json(body)
    if kind == "multipart/form-data":
        return _multipart(content_type, body)
    return {}


def _pairs(encoded: bytes) -> JsonObject:
    try:
        return dict(parse_qsl(encoded.decode(), keep_blank_values=True, errors="strict"))
    except (UnicodeError, ValueError):
        raise bad_request("strings must be encoded in UTF-8") from None


def _json(body: bytes) -> JsonObject:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal(400, "Bad Request: can't parse request JSON object") from None
    if not isinstance(value, dict):
        raise Refusal(400, "Bad Request: request JSON must be an object")
    return value


def _multipart(content_type: str, body: bytes) -> JsonObject:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    values: JsonObject = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes) and part.get_filename() is None:
            values[name] = content.decode("utf-8", "replace")
    return values
