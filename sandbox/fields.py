"""Reading the fields of a control call strictly: a typo in a test must not pass."""

import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from sandbox.http import JsonObject, Request

_T = TypeVar("_T")


LONGEST_WAIT = 60.0  # seconds a reading call may hold on


class NotThere(Exception):
    """No such person, chat, fault or path."""


class BadFields(Exception):
    """The control call has fields that are unknown, missing or of the wrong type."""


class Fields:
    """The fields of one call; each is taken once, and nothing may be left over."""

    def __init__(self, values: JsonObject) -> None:
        self._values = dict(values)

    def take(self, name: str, kind: type[_T], default: _T) -> _T:
        """An optional field; whole numbers pass for fractions, digits in a query for numbers."""
        value = self._values.pop(name, None)
        return default if value is None else self._as(name, kind, value)

    def need(self, name: str, kind: type[_T]) -> _T:
        """A field that must be there; raises `BadFields`."""
        if self._values.get(name) is None:
            raise BadFields(f"the field {name!r} is missing")
        return self._as(name, kind, self._values.pop(name))

    def optional(self, name: str, kind: type[_T]) -> _T | None:
        """A field that may be absent or null."""
        value = self._values.pop(name, None)
        return None if value is None else self._as(name, kind, value)

    def rest(self) -> JsonObject:
        """Everything not taken yet."""
        values, self._values = self._values, {}
        return values

    def end(self) -> None:
        """Raises `BadFields` if something is left over."""
        if self._values:
            raise BadFields(f"unknown fields: {', '.join(sorted(self._values))}")

    @staticmethod
    def _as(name: str, kind: type[_T], value: object) -> _T:
        number: object = value
        if isinstance(value, str) and kind in (int, float):
            number = _number(value)
        if isinstance(number, int) and not isinstance(number, bool) and kind is float:
            number = float(number)
        if isinstance(number, kind) and not (kind is int and isinstance(number, bool)):
            return number
        raise BadFields(f"the field {name!r} must be of type {kind.__name__}")


def _number(text: str) -> object:
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        return text


def read(request: Request) -> Fields:
    """The fields of a request: its query, and the JSON object in its body."""
    values: JsonObject = dict(parse_qsl(request.query, keep_blank_values=True))
    if request.body:
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            raise BadFields("the body must be JSON") from None
        if not isinstance(body, dict):
            raise BadFields("the body must be a JSON object")
        values.update(body)
    return Fields(values)


def seconds(given: Fields) -> float:
    """How long a reading call may wait for news."""
    return min(given.take("wait", float, 0.0), LONGEST_WAIT)


Result = object | Coroutine[Any, Any, object]
Handler = Callable[[Fields, int], Result]
Routes = list[tuple[str, str, Handler]]
