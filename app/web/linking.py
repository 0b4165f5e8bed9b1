"""Linking Telegram in the cabinet: one page, both directions, which turns by itself once linked."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import segno
from flask import Blueprint, Response, request
from markupsafe import Markup

from app import clock, identity
from app.errors import NoChat, ServiceError
from app.services import charts, chats, tokens
from app.services.chats import LinkedChat
from app.services.people import Person
from app.web import forms, guard, rendering
from app.web.forms import Form

blueprint = Blueprint("linking", __name__, url_prefix="/cabinet/telegram")
guard.for_members(blueprint)


@blueprint.get("")
def show() -> Response:
    return _page(guard.signed_in().person, forms.asked(request))


@blueprint.get("/state")
def state() -> Response:
    """What the page's polling asks: nothing new, or how it is linked now."""
    person, form = guard.signed_in().person, forms.asked(request)
    chat, until = _chat_of(person), form.line("until")
    has_expired = until != "" and until <= _stamp(clock.now())
    if form.line("seen") == _mark(chat) and not has_expired:
        return rendering.unchanged()
    values = _values(person, chat, Form())
    return rendering.piece("cabinet/telegram_state.html", refused=None, **values)


@blueprint.post("/code")
def link_by_code() -> Response:
    person, form = guard.signed_in().person, forms.posted(request)
    try:
        chats.link_by_code(person, form.line("code"), identity.visitor(request))
    except ServiceError as refused:
        return _page(person, form, refused)
    return rendering.go("linking.show", "Your Telegram chat is linked.")


@blueprint.post("/token")
def make_token() -> Response:
    person = guard.signed_in().person
    try:
        tokens.fresh_link_invitation(person, identity.visitor(request))
    except ServiceError as refused:
        return _page(person, Form(), refused)
    return rendering.go("linking.show", "Here is a new token; the old one is dead.")


@blueprint.post("/unlink")
def unlink() -> Response:
    # Unlinked in Telegram a moment ago: that is what was wanted.
    with suppress(NoChat):
        chats.unlink(guard.signed_in().person, identity.visitor(request))
    return rendering.go("linking.show", "The chat is unlinked.")


def _page(person: Person, form: Form, refused: ServiceError | None = None) -> Response:
    values = _values(person, _chat_of(person), form)
    return rendering.page("cabinet/telegram.html", refused=refused, **values)


def _values(person: Person, chat: LinkedChat | None, form: Form) -> dict[str, Any]:
    """What the page shows; a way to link is among it unless there is a chat and no wish for
    another one."""
    another = form.line("another") or form.line("code")
    invitation = tokens.link_invitation(person) if chat is None or another else None
    return {
        "chat": chat,
        "form": form,
        "mark": _mark(chat),
        "invitation": invitation,
        "until": _stamp(invitation.expires_at) if invitation else "",
        "qr": _qr(invitation.url) if invitation and invitation.url else None,
        "waiting": charts.waiting(person),
    }


def _chat_of(person: Person) -> LinkedChat | None:
    try:
        return chats.of(person)
    except NoChat:
        return None


def _mark(chat: LinkedChat | None) -> str:
    return rendering.fingerprint(chat)


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%d%H%M%S}"


def _qr(url: str) -> Markup:
    """The address as a QR code: paths only, no style of its own."""
    drawn: str = segno.make(url, error="m").svg_inline(
        scale=4, border=3, omitsize=True, svgclass="qr", lineclass=None, light="#fff", dark="#000"
    )
    return Markup(drawn)
