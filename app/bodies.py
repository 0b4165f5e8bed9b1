"""What the body of a request says: strict JSON, or a form; for every face that reads one.

Shape only: which fields there may be is each face's schema. JSON here is an object in UTF-8 (RFC
8259), without NaN, without a key twice, not deeper than anybody needs.
"""

import json
import re
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from flask import Request

from app.errors import Invalid, Malformed, Sentence, TooLarge, UnsupportedMediaType

MAX_DEPTH = 20
MAX_FIELDS = 1000
# Python refuses longer ones by itself, with an error that names nothing of the request.
MAX_DIGITS = 300

_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+"')
_BRACKETS = re.compile(r"[\[\]{}]")


def raw(request: Request) -> bytes:
    """The bytes of the body. Raises `TooLarge`, for one that comes in chunks too."""
    body = request.get_data()
    # Of a body without a length Werkzeug gives the beginning, as much as the limit allows.
    if request.content_length is None and len(body) >= (
        request.max_content_length or len(body) + 1
    ):
        raise TooLarge
    return body


def json_object(request: Request) -> dict[str, Any]:
    """The JSON object that is the body of `request`.

    Raises `UnsupportedMediaType` for any other content type, charset or encoding, `Malformed` for
    what is not JSON, `Invalid` for JSON that is no object.
    """
    _require_plain_json(request)
    return parse_object(raw(request))


def json_or_form(request: Request) -> dict[str, Any]:
    """The fields of a JSON or form body; none may be there twice. Raises as `json_object`."""
    if request.mimetype == "application/x-www-form-urlencoded":
        _refuse_compressed(request)
        return _unique(_urlencoded(raw(request)))
    if request.mimetype == "multipart/form-data":
        _refuse_compressed(request)
        if request.files:
            raise UnsupportedMediaType("Files are not read here.")
        return _unique(list(request.form.items(multi=True)))
    return json_object(request)


def parse_object(body: bytes) -> dict[str, Any]:
    """`body` as one JSON object. Raises `Malformed`, which says where it stopped being JSON, and
    `Invalid` when it is JSON but no object."""
    if not body.strip():
        raise Malformed("The body is empty; a JSON object is expected.")
    try:
        text = body.decode("utf-8")
        _refuse_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_int,
        )
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise Malformed(
            Sentence(
                "The body is not JSON: {what} at line {line}, column {column}.",
                what=error.msg,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    if not isinstance(value, dict):
        raise Invalid("The body is JSON, but not an object.")
    return value


def _refuse_compressed(request: Request) -> None:
    if request.content_encoding:
        raise UnsupportedMediaType("Compressed bodies are not read here.")


def _urlencoded(raw: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8.") from None
    except ValueError:
        raise _too_many_fields() from None


def _require_plain_json(request: Request) -> None:
    _refuse_compressed(request)
    charset = request.mimetype_params.get("charset", "utf-8").lower().strip('"')
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("Send JSON, with Content-Type: application/json.")


def _refuse_depth(text: str) -> None:
    """Nesting that would exhaust the parser is refused before it starts."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise Malformed(
                Sentence("The body is nested more than {most} levels deep.", most=MAX_DEPTH)
            )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_FIELDS:
        raise _too_many_fields()
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("The body has the same field twice.")
    return result


def _too_many_fields() -> Malformed:
    return Malformed(Sentence("The body has more than {most} fields.", most=MAX_FIELDS))


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(Sentence("{name} is not JSON.", name=name))


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Malformed("A number is too large.")
    return number


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise Malformed("A number has too many digits.")
    return int(digits)
