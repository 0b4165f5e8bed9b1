"""Messages in the cabinet: writing one, the history, one message with what became of it."""

import hashlib
import re
import secrets

from flask import Blueprint, Response, request

from app.errors import Conflict, Invalid, ServiceError
from app.services import history, messages
from app.services.history import Filter
from app.services.messages import Draft
from app.services.people import Person
from app.web import describe, forms, guard, rendering, times
from app.web.forms import Form

blueprint = Blueprint("writing", __name__, url_prefix="/cabinet")
guard.for_members(blueprint)

PAGE = 25
_NONCE = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)


@blueprint.get("/send")
def write() -> Response:
    return write_page(Form())


@blueprint.post("/send")
def send() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    try:
        accepted = messages.send(person, _draft(form), key=_key(form))
    except ServiceError as refused:
        return write_page(form, refused)
    number = accepted.message.id
    if accepted.replayed:
        return rendering.go(
            "writing.show", "This very message was accepted before.", message_id=number
        )
    return rendering.go("writing.show", "The message is accepted.", message_id=number)


@blueprint.post("/send/preview")
def preview() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    return rendering.piece(
        "cabinet/preview.html", preview=messages.preview(person, _draft(form)), form=form
    )


@blueprint.get("/messages")
def list_messages() -> Response:
    person, form = guard.signed_in().person, forms.asked(request)
    try:
        wanted = _filter(form)
        page = history.page(person, wanted, limit=PAGE, cursor=form.line("cursor") or None)
    except Invalid as refused:
        return _history_page(history.Page([], None), form, refused)
    mark = rendering.fingerprint(rendering.language().code, page)
    if not rendering.is_piece_wanted():
        return _history_page(page, form, mark=mark)
    if form.line("seen") == mark:
        return rendering.unchanged()
    return rendering.piece("cabinet/history_list.html", page=page, form=form, mark=mark)


@blueprint.get("/messages/<id:message_id>")
def show(message_id: int) -> Response:
    message = history.find(guard.signed_in().person, message_id)
    mark = rendering.fingerprint(rendering.language().code, message)
    if not rendering.is_piece_wanted():
        return rendering.page("cabinet/message.html", message=message, mark=mark)
    if forms.asked(request).line("seen") == mark:
        return rendering.unchanged()
    return rendering.piece("cabinet/message_state.html", message=message, mark=mark)


@blueprint.post("/messages/<id:message_id>/retry")
def retry(message_id: int) -> Response:
    person = guard.signed_in().person
    try:
        messages.retry(person, message_id)
    except Conflict as refused:
        return _shown_again(person, message_id, refused)
    return rendering.go("writing.show", "It is sent again.", message_id=message_id)


@blueprint.post("/messages/<id:message_id>/cancel")
def cancel(message_id: int) -> Response:
    person = guard.signed_in().person
    try:
        messages.cancel(person, message_id)
    except Conflict as refused:
        return _shown_again(person, message_id, refused)
    return rendering.go("writing.show", "Cancelled.", message_id=message_id)


def write_page(form: Form, refused: ServiceError | None = None) -> Response:
    """The page on which a message is written, with what was typed so far."""
    return rendering.page(
        "cabinet/write.html",
        form=form,
        refused=refused,
        preview=messages.preview(guard.signed_in().person, _draft(form)),
        nonce=form.line("nonce") or secrets.token_urlsafe(16),
    )


def _draft(form: Form) -> Draft:
    return Draft(form.text("text"), form.checked("silent"), greeting=not form.checked("bare"))


def _key(form: Form) -> str | None:
    """One press of a form's button, however often it arrives, is one message; the same form with
    another text (back, edited, sent) is another."""
    nonce = form.line("nonce")
    if not _NONCE.fullmatch(nonce):
        return None
    draft = _draft(form)
    content = repr((draft.text, draft.silent, draft.greeting)).encode("utf-8", "replace")
    return f"cabinet/{nonce}/{hashlib.sha256(content).hexdigest()}"


def _filter(form: Form) -> Filter:
    zone = rendering.zone()
    since, until = form.day("since"), form.day("until")
    if since and until and since > until:
        raise Invalid(fields={"until": ["The last day is before the first."]})
    return Filter(
        status=form.one_of("status", describe.STATUSES),
        direction=form.one_of("direction", describe.DIRECTIONS),
        since=times.start_of(since, zone) if since else None,
        until=times.end_of(until, zone) if until else None,
        q=form.words("q"),
    )


def _history_page(
    page: history.Page, form: Form, refused: ServiceError | None = None, mark: str = ""
) -> Response:
    return rendering.page(
        "cabinet/history.html",
        page=page,
        form=form,
        refused=refused,
        mark=mark,
        statuses=describe.STATUSES,
        directions=describe.DIRECTIONS,
    )


def _shown_again(person: Person, message_id: int, refused: ServiceError) -> Response:
    message = history.find(person, message_id)
    return rendering.page("cabinet/message.html", message=message, refused=refused, mark="")
