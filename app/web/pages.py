"""What everybody may see: the first page, signing up, in and out, the language of the pages."""

import re

from flask import Blueprint, Response, request, session, url_for

from app import identity, languages
from app.errors import Invalid, ServiceError
from app.extensions import settings
from app.services import accounts, messages, sessions
from app.services.accounts import Registration
from app.services.people import Person
from app.web import forms, guard, rendering, writing
from app.web.forms import Form

blueprint = Blueprint("pages", __name__, static_folder="static", static_url_path="/static")
guard.for_everybody(blueprint)

# Somebody who is signed in to the cabinet stays so: the session is asked for with each request.
ACCESS_SECONDS = int(sessions.LIFETIME.total_seconds())
YEAR = 365 * 24 * 3600
HOME = "cabinet.overview"
# Where a person may be sent after signing in: a page of ours, as this server wrote it.
_OWN_PAGE = re.compile(r"/(?:cabinet|admin)(?:/[a-z0-9/-]*)?(?:\?[A-Za-z0-9%=&._+-]*)?", re.ASCII)


@blueprint.after_request
def _may_be_kept(response: Response) -> Response:
    """A static file asked for by its mark never changes at that address."""
    if request.endpoint == "pages.static" and "v" in request.args:
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


@blueprint.get("/favicon.ico")
def icon() -> Response:
    """For pages that name no icon of their own, such as the API's documents."""
    return blueprint.send_static_file("icon.svg")


@blueprint.get("/")
def first() -> Response:
    if guard.caller() is not None:
        return rendering.go(HOME)
    return rendering.page(
        "pages/first.html",
        base=settings().base_url,
        registration=_is_open(),
        greeting=messages.GREETING.replace("{name}", "Anna"),
    )


@blueprint.get("/cabinet/sign-in")
def sign_in() -> Response:
    if guard.caller() is not None:
        return rendering.go(HOME)
    return sign_in_page(Form({"next": forms.asked(request).text("next")}))


@blueprint.post("/cabinet/sign-in")
def begin_session() -> Response:
    form = forms.posted(request)
    try:
        person = identity.by_password(request, form.line("username"), form.text("password")).person
    except ServiceError as refused:
        return sign_in_page(form, refused)
    return _signed_in(person, form)


@blueprint.get("/cabinet/sign-up")
def sign_up() -> Response:
    if guard.caller() is not None:
        return rendering.go(HOME)
    return sign_up_page(Form())


@blueprint.post("/cabinet/sign-up")
def register() -> Response:
    form = forms.posted(request)
    registration = Registration(
        form.line("username"), form.text("password"), form.line("name") or None
    )
    try:
        person = accounts.register(registration, identity.visitor(request))
    except ServiceError as refused:
        return sign_up_page(form, refused)
    return _signed_in(person, Form({"next": url_for("linking.show")}))


@blueprint.post("/cabinet/sign-out")
def sign_out() -> Response:
    known = guard.caller()
    if known is not None and known.session_id is not None:
        sessions.end(known.person, known.session_id, identity.visitor(request))
    session.clear()
    response = rendering.go("pages.first", "You are signed out.")
    identity.clear_cookies(response)
    return response


@blueprint.post("/cabinet/language")
def set_language() -> Response:
    form = forms.posted(request)
    code = form.one_of("language", languages.every())
    if code is None:
        raise Invalid(fields={"language": ["Choose one of the list."]})
    known = guard.caller()
    if known is not None:
        accounts.change(known.person, language=code)
    response = rendering.go_to(_own_page(form.text("back")) or "/")
    response.set_cookie(
        rendering.LANGUAGE_COOKIE,
        code,
        max_age=YEAR,
        secure=settings().https,
        httponly=True,
        samesite="Lax",
    )
    return response


def sign_in_page(form: Form, refused: ServiceError | None = None) -> Response:
    """The sign-in form; a text that was being sent stays with it, see `refusals`."""
    return rendering.page("pages/sign_in.html", form=form, refused=refused, registration=_is_open())


def sign_up_page(form: Form, refused: ServiceError | None = None) -> Response:
    """The form for a new account, with what was typed so far."""
    return rendering.page(
        "pages/sign_up.html",
        form=form,
        refused=refused,
        registration=_is_open(),
        least=settings().password_min_length,
    )


def _signed_in(person: Person, form: Form) -> Response:
    issued = sessions.begin(person, identity.visitor(request), access_seconds=ACCESS_SECONDS)
    # Nothing that was there before the sign-in outlives it (ASVS 7.2.4).
    session.clear()
    guard.now_is(identity.by_access_token(issued.access))
    if form.text("text"):
        # What somebody was sending when their session had ended comes back to them.
        response = writing.write_page(form)
    else:
        response = rendering.go_to(_own_page(form.text("next")) or url_for(HOME))
    identity.set_cookies(response, issued)
    return response


def _own_page(path: str) -> str | None:
    return path if _OWN_PAGE.fullmatch(path) else None


def _is_open() -> bool:
    return settings().registration == "open"
