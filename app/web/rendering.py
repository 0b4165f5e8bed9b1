"""From a template and values to an answer: pages, pieces of pages, redirects.

One Jinja environment for all pages: everything is escaped, nothing undefined passes. Who looks, in
which language and time zone, is read from the request; what a page says comes from the caller.
"""

import hashlib
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from flask import Response, g, request, session, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app import clock, languages
from app.errors import ServiceError
from app.languages import Language
from app.services.history import AttemptEntry, MessageEntry
from app.services.people import Person
from app.web import describe, guard, times

STATIC = Path(__file__).parent / "static"
# No inline script or style, nothing from elsewhere; Pico keeps its icons in data: URLs.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_NOTICES = "notices"
LANGUAGE_COOKIE = "language"


def page(
    template: str, *, status: int = 200, refused: ServiceError | None = None, **values: Any
) -> Response:
    """A page. `refused` is why a form was not accepted: it is said there and decides the status."""
    response = _answer(template, {"refused": refused, "in_piece": False, **values})
    response.status_code = refused.status if refused else status
    if refused is not None and refused.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, round(refused.retry_after)))
    return response


def piece(template: str, **values: Any) -> Response:
    """A piece of a page for htmx, which asked for it."""
    return _answer(template, {"in_piece": True, **values})


def unchanged() -> Response:
    """The answer to a poll when there is nothing new: htmx leaves the page as it is."""
    return Response(status=204)


def is_piece_wanted() -> bool:
    """Whether htmx asks for a piece of the page rather than a person for all of it."""
    return request.headers.get("HX-Request") == "true"


def go(endpoint: str, notice: str = "", **values: Any) -> Response:
    """Sends the browser to another page, where `notice` (English words) is said once."""
    if notice:
        session[_NOTICES] = [*session.get(_NOTICES, []), notice]
    return go_to(url_for(endpoint, **values))


def go_to(path: str) -> Response:
    """Sends the browser to a path of this server, with GET."""
    response = Response(status=303)
    response.headers["Location"] = path
    return response


def language() -> Language:
    """The language of this request: the account's, else the cookie's, else the browser's."""
    if "language" not in g:
        g.language = _wanted_language()
    chosen: Language = g.language
    return chosen


def zone() -> tzinfo:
    """The time zone of this request."""
    return times.zone_of(request)


def viewer() -> Person | None:
    """Who looks at the page, for its frame."""
    known = guard.caller_if_known()
    return known.person if known else None


def fingerprint(*values: object) -> str:
    """A short mark of what is shown, by which a poll tells whether it has changed."""
    return hashlib.blake2b(repr(values).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _answer(template: str, values: dict[str, Any]) -> Response:
    html = environment().get_template(template).render(values)
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    # With no-referrer a browser posts our own forms with `Origin: null` (the Fetch standard).
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@cache
def environment() -> Environment:
    """The Jinja environment of all pages."""
    jinja = Environment(
        loader=PackageLoader("app.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.globals.update(
        _=_say,
        _n=_count,
        day=lambda of: times.day(language(), of),
        describe_attempt=_attempt,
        describe_client=lambda user_agent: describe.client(language(), user_agent),
        describe_event=lambda kind: describe.event(language(), kind),
        describe_failure=_failure,
        describe_health=lambda name: describe.health(language(), name),
        describe_reason=_reason,
        describe_status=lambda name: describe.status(language(), name),
        duration=lambda seconds: times.duration(language(), seconds),
        form_token=guard.form_token,
        here=lambda: request.path,
        isolated=lambda text: Markup("<bdi>{}</bdi>").format(text),
        language=language,
        languages=languages.every,
        moment=_moment,
        notices=lambda: session.pop(_NOTICES, []),
        part_names=describe.PARTS,
        request_id=lambda: g.get("request_id", ""),
        static=_static,
        url_for=url_for,
        viewer=viewer,
        way_back=lambda: request.full_path.rstrip("?") if request.method == "GET" else "/cabinet",
        without=lambda fields, *names: {k: v for k, v in fields.items() if k not in names},
    )
    return jinja


def _wanted_language() -> Language:
    known, person = languages.every(), viewer()
    for code in (person.language if person else None, request.cookies.get(LANGUAGE_COOKIE)):
        if code is not None and code in known:
            return known[code]
    return known[request.accept_languages.best_match(list(known)) or "en"]


def _say(words: str, **values: object) -> Markup:
    return language().say(words, **values)


def _count(one: str, many: str, number: int, **values: object) -> Markup:
    return language().count(one, many, number, **values)


def _moment(at: datetime, *, seconds: bool = False) -> Markup:
    return times.moment(language(), zone(), at, clock.now(), seconds=seconds)


def _attempt(entry: AttemptEntry) -> describe.Words:
    return describe.attempt(language(), entry)


def _reason(message: MessageEntry) -> Markup | None:
    return describe.reason(language(), message)


def _failure(error: ServiceError) -> Markup:
    return describe.failure(language(), error.code, error.detail, error.retry_after)


def _static(name: str) -> str:
    return url_for("pages.static", filename=name, v=_mark(name))


@cache
def _mark(name: str) -> str:
    """The address of a file changes with its contents, so that browsers may keep it for ever."""
    return hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
