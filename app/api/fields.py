"""Kinds of values of the API: how each is read, strictly, and how it is shown.

Types only. What a username or a text may be is the services' to say; documents publish their
patterns from there (`documents`).
"""

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Range

# RFC 3339, 5.6; Python's own reader takes many forms more.
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:(?P<second>[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that passes for them."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Whole(fields.Integer):
    """A JSON integer from `least` to `most`; `2.0` is one, as JSON Schema has it."""

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=Range(least, most), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        number: int = super()._deserialize(whole, attr, data, **kwargs)
        return number


class Decimal(Whole):
    """The same in a query: plain ASCII digits, without signs, zeros in front, separators."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if not _DECIMAL.fullmatch(value):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(int(value), attr, data, **kwargs)


class Moment(fields.DateTime):
    """A time as it is shown: RFC 3339 in UTC, `2026-11-20T22:11:03.123456Z`."""

    def _serialize(self, value: Any, attr: Any, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


class Instant(fields.DateTime):
    """A time as it is asked for: RFC 3339 with its zone, read as UTC."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime:
        match = _INSTANT.fullmatch(value)
        if not match:
            raise ValidationError("Not a date and time of RFC 3339 with its zone.")
        # A leap second, which Python's calendar has not, is taken for the second before.
        start, end = match.span("second")
        written = f"{value[:start]}{min(int(match['second']), 59):02}{value[end:]}".upper()
        try:
            return _in_utc(datetime.fromisoformat(written))
        except ValueError:
            raise ValidationError("There is no such date or time.") from None


def _in_utc(moment: datetime) -> datetime:
    """`moment` in UTC; beyond the calendar's ends, those."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return _BEGINNING if moment.year == 1 else _END
