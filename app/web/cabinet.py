"""The overview: whether a chat is linked, what came last, what became of the last 30 days."""

from typing import Any

from flask import Blueprint, Response, request

from app.errors import NoChat
from app.services import charts, chats, history
from app.services.chats import LinkedChat
from app.services.history import Filter
from app.services.people import Person
from app.web import drawing, forms, guard, rendering

blueprint = Blueprint("cabinet", __name__, url_prefix="/cabinet")
guard.for_members(blueprint)

LATEST = 6


@blueprint.get("")
def overview() -> Response:
    person = guard.signed_in().person
    page, chat = history.page(person, Filter(), limit=LATEST), _chat_of(person)
    mark = rendering.fingerprint(rendering.language().code, page, chat)
    values: dict[str, Any] = {"page": page, "chat": chat, "mark": mark}
    if not rendering.is_piece_wanted():
        return rendering.page("cabinet/overview.html", person=person, **values)
    if forms.asked(request).line("seen") == mark:
        return rendering.unchanged()
    return rendering.piece("cabinet/latest.html", **values)


@blueprint.get("/chart")
def chart() -> Response:
    days = charts.daily(guard.signed_in().person, rendering.zone())
    return rendering.piece("cabinet/chart.html", chart=drawing.bars(days), days=days)


def _chat_of(person: Person) -> LinkedChat | None:
    try:
        return chats.of(person)
    except NoChat:
        return None
