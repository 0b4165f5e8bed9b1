"""The account in the cabinet: name, greeting, password, sessions, export, deletion."""

import json
from collections.abc import Iterator
from dataclasses import replace

from flask import Blueprint, Response, request, session, stream_with_context

from app import identity
from app.errors import Invalid, ServiceError
from app.extensions import settings
from app.services import accounts, export, messages, sessions
from app.services.people import Person
from app.web import forms, guard, rendering
from app.web.forms import Form

blueprint = Blueprint("account", __name__, url_prefix="/cabinet/account")
guard.for_members(blueprint)


@blueprint.get("")
def show() -> Response:
    return _page(guard.signed_in().person)


@blueprint.post("/profile")
def change_profile() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    try:
        accounts.change(person, name=form.line("name"), greeting=_greeting(form))
    except ServiceError as refused:
        return profile_page(form, refused)
    return rendering.go("account.show", "Saved.")


def profile_page(form: Form, refused: ServiceError) -> Response:
    """The page of the account with what was typed and why it was refused."""
    person = guard.signed_in().person
    return _page(person, profile=form, refused=refused, refused_form="profile")


@blueprint.post("/greeting")
def preview_greeting() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    return rendering.piece("cabinet/greeting.html", line=_greeting_line(person, form))


@blueprint.post("/password")
def change_password() -> Response:
    known, form = guard.signed_in(), forms.posted(request)
    try:
        accounts.change_password(
            known.person,
            form.text("current_password"),
            form.text("new_password"),
            identity.visitor(request),
            keep_session=known.session_id,
        )
    except ServiceError as refused:
        refused = _beside("current_password", refused)
        return _page(known.person, refused=refused, refused_form="password")
    return rendering.go("account.show", "The password is changed; all other sessions have ended.")


@blueprint.post("/sessions/<id:session_id>/end")
def end_session(session_id: int) -> Response:
    sessions.end(guard.signed_in().person, session_id, identity.visitor(request))
    return rendering.go("account.show", "The session is ended.", _anchor="sessions")


@blueprint.get("/export")
def download() -> Response:
    lines = export.lines(guard.signed_in().person)
    response = Response(stream_with_context(_encoded(lines)), mimetype="application/x-ndjson")
    response.headers["Content-Disposition"] = 'attachment; filename="gonets.jsonl"'
    return response


@blueprint.get("/delete")
def confirm_deletion() -> Response:
    return rendering.page("cabinet/delete.html")


@blueprint.post("/delete")
def delete() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    visitor = identity.visitor(request)
    try:
        accounts.confirm_password(person, form.text("password"), visitor)
    except ServiceError as refused:
        return rendering.page("cabinet/delete.html", refused=_beside("password", refused))
    accounts.erase(person, visitor)
    session.clear()
    response = rendering.go("pages.first", "Your account and everything in it is being erased.")
    identity.clear_cookies(response)
    return response


def _page(
    person: Person,
    *,
    profile: Form | None = None,
    refused: ServiceError | None = None,
    refused_form: str = "",
) -> Response:
    form = profile or Form({"name": person.name, "greeting": person.greeting or ""})
    return rendering.page(
        "cabinet/account.html",
        person=person,
        form=form,
        refused=refused,
        refused_form=refused_form,
        line=_greeting_line(person, form),
        usual=messages.GREETING,
        sessions=sessions.list_of(person, guard.signed_in().session_id),
        least=settings().password_min_length,
    )


def _greeting(form: Form) -> str | None:
    return form.line("greeting") or None


def _greeting_line(person: Person, form: Form) -> str:
    return messages.greeting_of(
        replace(person, name=form.line("name") or person.name, greeting=_greeting(form))
    )


def _beside(field: str, refused: ServiceError) -> ServiceError:
    """A wrong password as an error of the field that it was typed into."""
    if refused.code == "wrong_password":
        return Invalid(fields={field: [refused.detail]})
    return refused


def _encoded(lines: Iterator[dict[str, object]]) -> Iterator[str]:
    for line in lines:
        yield json.dumps(line, ensure_ascii=False, default=str) + "\n"
