"""Dialect 1, message_sender_test_task: Django REST framework, djoser, simplejwt.

The scheme word of its header is `JWT`; ids are uuids; the history is numbered pages.
"""

from typing import Any
from urllib.parse import urlencode

from flask import request

from app.dialects import simplejwt
from app.dialects.contract import Call, Dialect, Json, by_bearer, by_field, moment
from app.dialects.openapi import TEXT_OR_NULL, Schema
from app.dialects.words import ENGLISH
from app.extensions import settings
from app.services import accounts, history, messages, sessions, tokens
from app.services.accounts import Registration
from app.services.history import MessageEntry
from app.services.messages import Draft
from app.services.people import Person

ACCESS_SECONDS = 24 * 3600

MESSAGE = {"user": "Sania", "message": "qwe123", "created_date": "2023-09-07T22:15:35.484473Z"}
INVITATION = {
    "telegram_token": "1849b5a8a02eba338bd8e8ccc8e29cef2ef677a70a7d0afe43897ccf8f0807cd",
    # null until the bot has run for the first time
    "send_token_to_telegram_bot": Schema(type=["string", "null"], examples=["@pilusha_bot"]),
}
PAGE = {"count": 4, "next": TEXT_OR_NULL, "previous": TEXT_OR_NULL, "results": [MESSAGE]}

dialect = Dialect(
    name="message_sender",
    title="1 · message_sender_test_task",
    about="Register, take a token pair, send the Telegram token to the bot, POST messages.",
    prefixes=("/api/v1",),
    known_by=by_bearer,
    security={
        "JWT": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "The word `JWT`, a space, the access token.",
        }
    },
    challenge='JWT realm="api"',
    words=ENGLISH,
    shape=by_field,
    fields={"name": "first_name", "text": "message"},
    codes={"invalid_token": "token_not_valid"},
)


@dialect.operation(
    "POST",
    "/api/v1/auth/users/",
    body={"username": "Sania", "first_name": "Sania", "password": "Saniaqwe123"},
    optional=("first_name",),
    answers={
        201: {
            "first_name": "Sania",
            "username": "Sania",
            "id": "8402d076-dad5-46c6-b297-e70de7e57b6d",
        }
    },
    public=True,
)
def register(call: Call) -> Json:
    """Registers; without a first name the username is the name."""
    wanted = Registration(call["username"], call["password"], call.given.get("first_name"))
    person = accounts.register(wanted, call.visitor)
    return {
        "first_name": person.name,
        "username": person.username,
        "id": str(person.public_id),
    }


@dialect.operation(
    "POST",
    "/api/v1/auth/jwt/create/",
    body={"username": "Sania", "password": "Saniaqwe123"},
    answers={200: simplejwt.PAIR},
    public=True,
)
def create_tokens(call: Call) -> Json:
    """Signs in; the access token lives a day, the refresh token 30."""
    return simplejwt.pair(call, ACCESS_SECONDS)


@dialect.operation(
    "POST",
    "/api/v1/auth/jwt/refresh/",
    body={"refresh": "eyJhbGciOiJIUzI1NiIs…"},
    answers={200: simplejwt.ACCESS},
    public=True,
)
def refresh_token(call: Call) -> Json:
    """Gives a new access token; the refresh token stays the same."""
    return simplejwt.refreshed(call)


@dialect.operation(
    "POST",
    "/api/v1/auth/jwt/verify/",
    body={"token": "eyJhbGciOiJIUzI1NiIs…"},
    answers={200: {}},
    public=True,
)
def verify_token(call: Call) -> Json:
    """Says whether an access or refresh token is valid: an empty object, or a 401."""
    sessions.verify(call["token"])
    return {}


@dialect.operation("GET", "/api/v1/get_telegram_token/", answers={200: INVITATION})
def show_telegram_token(call: Call) -> Json:
    """Shows the token to send to the bot, which links that chat; single use, one hour."""
    return _invitation(tokens.link_invitation(call.person))


@dialect.operation("PATCH", "/api/v1/refresh_telegram_token/", answers={200: INVITATION})
def refresh_telegram_token(call: Call) -> Json:
    """Makes a new token to send to the bot; the one before it is dead."""
    return _invitation(tokens.fresh_link_invitation(call.person, call.visitor))


@dialect.operation("POST", "/api/v1/message/", body={"message": "qwe123"}, answers={201: MESSAGE})
def send_message(call: Call) -> Json:
    """Sends a message to the caller's own chat."""
    accepted = messages.send(call.person, Draft(call["message"]))
    return _shown(call.person, accepted.message)


@dialect.operation("GET", "/api/v1/message/", pages=True, answers={200: PAGE})
def list_messages(call: Call) -> Json:
    """Lists what the caller sent, newest first, in pages."""
    page = history.numbered_page(call.person, *call.page(), direction="out")
    return {
        "count": page.total,
        "next": _link(page.number + 1) if page.number * page.size < page.total else None,
        "previous": _link(page.number - 1) if page.number > 1 else None,
        "results": [_shown(call.person, entry) for entry in page.entries],
    }


def _invitation(invitation: tokens.LinkInvitation) -> Json:
    return {
        "telegram_token": invitation.token,
        "send_token_to_telegram_bot": invitation.bot,
    }


def _shown(person: Person, entry: MessageEntry) -> dict[str, Any]:
    return {
        "user": person.username,
        "message": entry.text,
        "created_date": moment(entry.created_at),
    }


def _link(number: int) -> str:
    """The address of another page of this list, as REST framework writes it: page 1 goes unsaid."""
    wanted = {name: value for name, value in request.args.items() if name != "page"}
    if number > 1:
        wanted["page"] = str(number)
    base = settings().public_url or request.host_url.rstrip("/")
    query = urlencode(sorted(wanted.items()))
    return f"{base}{request.path}" + (f"?{query}" if query else "")
