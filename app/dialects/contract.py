"""What a dialect is made of: operations, each declared once, with the examples of its document.

From its declaration an operation is routed, its caller known, its body read and its document
written (`openapi`), so that none of these can differ from the others. What the five originals have
in common from Django REST framework stands here: field errors, numbered pages, how times look. No
rule of the product does: those are the services'.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import Blueprint, Flask, Response, request

from app import bodies, identity, languages
from app.dialects.words import Words
from app.errors import Invalid, NoSuchPage, ServiceError, Unauthenticated, UsernameTaken
from app.identity import Caller
from app.services.people import Person, Visitor

PAGE_SIZE = 10
PAGE_MAX = 100
# What a history without pages gives: the originals give everything.
WHOLE = 1000

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

Json = dict[str, Any] | list[Any]
FieldTexts = Mapping[str, list[str]]
# From a dialect's own words (if it has any), a failure's detail and its bad fields: the body.
Shape = Callable[[str | None, str, FieldTexts], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to an operation: who calls, and the fields that its body gave."""

    known: Caller | None
    given: Mapping[str, str]
    words: Words

    @property
    def caller(self) -> Caller:
        if self.known is None:
            raise Unauthenticated
        return self.known

    @property
    def person(self) -> Person:
        return self.caller.person

    @property
    def visitor(self) -> Visitor:
        return identity.visitor(request)

    def __getitem__(self, name: str) -> str:
        return self.given[name]

    def page(self) -> tuple[int, int]:
        """The number and size that `page` and `page_size` ask for; what is too large is cut.

        Raises `NoSuchPage`, `Invalid`.
        """
        number: str | None = request.args.get("page")
        size: str | None = request.args.get("page_size")
        if number is not None and not _NUMBER.fullmatch(number):
            raise NoSuchPage
        if size is not None and not _NUMBER.fullmatch(size):
            raise Invalid(fields={"page_size": [self.words["not_number"]]})
        return int(number or 1), min(int(size or PAGE_SIZE), PAGE_MAX)

    def page_or_whole(self) -> tuple[int, int]:
        """As `page`; but who asks for no page gets the newest thousand at once."""
        if "page" in request.args or "page_size" in request.args:
            return self.page()
        return 1, WHOLE


View = Callable[[Call], Json | Response]


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and path of the original's document, and what its answer looks like.

    `body` has the documented example of each field; `answers` an example of each answer by status,
    that of the usual one first.
    """

    method: str
    path: str
    view: View
    known_by: Callable[[], Caller] | None
    body: Mapping[str, str]
    optional: Collection[str]
    pages: bool
    answers: Mapping[int, Any]

    @property
    def status(self) -> int:
        status: int = next(iter(self.answers))
        return status


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One older service's API: where it stands, how it knows callers, how it words failures.

    `prefixes` are the paths that are its own; `known_by` finds the caller of a request; `security`
    says the same in OpenAPI's terms and `challenge` in HTTP's; `fields` gives the services' names
    of fields in its own; `codes` are words beside the message that its clients look for; `language`
    is the one in which it says what is not in `words`; `forms` says whether form bodies are read
    (never where a cookie is a credential); `swagger_at` is where the original shows its own
    document.
    """

    name: str
    title: str
    about: str
    prefixes: tuple[str, ...]
    known_by: Callable[[], Caller]
    security: Mapping[str, Mapping[str, str]]
    challenge: str
    words: Words
    shape: Shape
    fields: Mapping[str, str]
    codes: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    forms: bool = True
    swagger_at: str | None = None
    operations: list[Operation] = field(default_factory=list)

    def operation(
        self,
        method: str,
        path: str,
        *,
        answers: Mapping[int, Any],
        body: Mapping[str, str] | None = None,
        optional: Collection[str] = (),
        pages: bool = False,
        public: bool = False,
        known_by: Callable[[], Caller] | None = None,
    ) -> Callable[[View], View]:
        """Declares the decorated view as the operation at `path`, with and without its slash."""

        def declare(view: View) -> View:
            caller = None if public else known_by or self.known_by
            declared = Operation(method, path, view, caller, body or {}, optional, pages, answers)
            self.operations.append(declared)
            return view

        return declare

    def serve(self, app: Flask) -> None:
        """Adds the operations to `app`."""
        blueprint = Blueprint(self.name, __name__)
        for operation in self.operations:
            # A rule without its slash answers both; one with it loses the 405 of the other form.
            blueprint.add_url_rule(
                operation.path.rstrip("/"),
                operation.view.__name__,
                partial(self._answer, operation),
                methods=[operation.method],
            )
        app.register_blueprint(blueprint)

    def render(self, error: ServiceError) -> Response:
        """A failure in this dialect's shape and words.

        What is wrong with a field is a 400 here, a taken name included: so in all the originals.
        """
        say = languages.every()[self.language].plain
        fields = {
            self.fields.get(name, name): [say(words) for words in texts]
            for name, texts in error.fields.items()
        }
        body = self.shape(self._own_words(error), say(error.detail), fields)
        if error.code in self.codes and not fields:
            body["code"] = self.codes[error.code]
        response = answer(body, 400 if isinstance(error, Invalid | UsernameTaken) else error.status)
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = self.challenge
        return response

    def _answer(self, operation: Operation) -> Response:
        known = operation.known_by() if operation.known_by else None
        said = operation.view(Call(known, self._read(operation), self.words))
        return said if isinstance(said, Response) else answer(said, operation.status)

    def _read(self, operation: Operation) -> Mapping[str, str]:
        """The operation's fields from the body; others are ignored, as the originals do."""
        if not operation.body:
            return {}
        read = bodies.json_or_form if self.forms else bodies.json_object
        body = read(request)
        wrong = {
            name: [self.words[fault]]
            for name in operation.body
            if (fault := _fault(body, name, name in operation.optional))
        }
        if wrong:
            raise Invalid(fields=wrong)
        return {name: body[name] for name in operation.body if name in body}

    def _own_words(self, error: ServiceError) -> str | None:
        words = self.words.get(error.code)
        wait = max(1, round(error.retry_after or 1))
        return words and words.format(method=request.method, wait=wait)


def _fault(body: Mapping[str, Any], name: str, optional: bool) -> str | None:
    if name not in body:
        return None if optional else "required"
    value = body[name]
    if value is None:
        return "null"
    if not isinstance(value, str):
        return "not_text"
    return None if value else "blank"


def by_bearer() -> Caller:
    """The caller of an access token in the Authorization header, after `Bearer` or `JWT`."""
    token = identity.bearer_token(request)
    if token is None:
        raise Unauthenticated
    return identity.by_access_token(token)


def by_field(own_words: str | None, detail: str, fields: FieldTexts) -> dict[str, Any]:
    """Django REST framework's own shape: the bad fields, or `detail`."""
    if not fields:
        return {"detail": own_words or detail}
    return {name: [own_words] if own_words else texts for name, texts in fields.items()}


def in_one(key: str) -> Shape:
    """The shape of the originals that have one key for everything they say."""

    def shape(own_words: str | None, detail: str, fields: FieldTexts) -> dict[str, Any]:
        told = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in fields.items())
        return {key: own_words or told or detail}

    return shape


def answer(payload: Json, status: int = 200) -> Response:
    """`payload` as the originals write JSON: compact, in order, in letters and not in escapes."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, mimetype="application/json")


def moment(when: datetime) -> str:
    """A time as the originals show it: `2023-09-07T22:15:35.484473Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
