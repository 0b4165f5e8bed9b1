"""What a posted form or a query says, read with types: every field is text that was sent once.

Shape only; what a value may be is a service's to decide. A browser sends line ends as CR LF (the
HTML standard's form encoding); people and Telegram mean LF.
"""

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from flask import Request

from app.errors import Invalid, Malformed, UnsupportedMediaType
from app.services import names

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
# No calendar reaches its end with a day more.
_DAY = re.compile(r"(?:19|20|21)\d\d-\d\d-\d\d", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
WORDS_MAX = 200


class Form:
    """The fields of a form; one that was not sent is empty."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})

    def text(self, name: str) -> str:
        """A field as it was typed, with LF at the ends of lines."""
        return self.fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n")

    def line(self, name: str) -> str:
        """A field of one line, without the space around it."""
        return self.text(name).strip()

    def checked(self, name: str) -> bool:
        """Whether a box was ticked: browsers send nothing for one that was not."""
        return self.fields.get(name, "") != ""

    def one_of(self, name: str, choices: Collection[str]) -> str | None:
        """A field that is one of `choices`, or null when it is empty. Raises `Invalid`."""
        value = self.fields.get(name, "")
        if value and value not in choices:
            raise Invalid(fields={name: ["Choose one of the list."]})
        return value or None

    def day(self, name: str) -> date | None:
        """A date as `<input type="date">` sends it, or null when it is empty. Raises `Invalid`."""
        value = self.fields.get(name, "")
        if not value:
            return None
        try:
            return date.fromisoformat(value if _DAY.fullmatch(value) else "")
        except ValueError:
            raise Invalid(fields={name: ["Write a date as YYYY-MM-DD."]}) from None

    def number(self, name: str) -> int | None:
        """A whole number, such as an id, or null when it is empty. Raises `Invalid`."""
        value = self.fields.get(name, "")
        if value and not _NUMBER.fullmatch(value):
            raise Invalid(fields={name: ["Write a number."]})
        return int(value) if value else None

    def words(self, name: str) -> str | None:
        """What to search for, or null when it is empty. Raises `Invalid`."""
        value = self.line(name)
        if len(value) > WORDS_MAX or not names.is_storable(value):
            raise Invalid(fields={name: ["This cannot be searched for."]})
        return value or None


def posted(request: Request) -> Form:
    """The form that is the body of `request`.

    Raises `UnsupportedMediaType` for anything else, `Malformed` for a field that is there twice.
    """
    if request.mimetype not in _FORMS or request.files:
        raise UnsupportedMediaType
    return Form(_single(request.form))


def asked(request: Request) -> Form:
    """The query of `request`'s address. Raises `Malformed` for a field that is there twice."""
    return Form(_single(request.args))


def _single(fields: Any) -> dict[str, str]:
    values: dict[str, list[str]] = fields.to_dict(flat=False)
    if any(len(given) > 1 for given in values.values()):
        raise Malformed("A field was sent twice.")
    return {name: given[0] for name, given in values.items()}
