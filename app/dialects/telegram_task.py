"""Dialect 5, telegram task: Basic authentication with every request, and a code from the bot.

Its document shows requests only; every answer here is an object, the history an array of them.
"""

from typing import Any

from flask import request

from app import identity
from app.dialects.contract import Call, Dialect, Json, by_field, moment
from app.dialects.words import ENGLISH
from app.errors import Invalid
from app.identity import Caller
from app.services import accounts, chats, history, messages
from app.services.accounts import Registration
from app.services.history import MessageEntry
from app.services.messages import Draft
from app.services.people import Person

USER = {"id": 1, "username": "anna", "name": "Анна"}
MESSAGE = {"id": 1, "content": "some text", "created_at": "2023-10-01T12:00:00.000000Z"}


def _caller() -> Caller:
    return identity.by_basic(request)


dialect = Dialect(
    name="telegram_task",
    title="5 · telegram task",
    about="Sign up, write to the bot, verify the bot with its code, send with Basic auth.",
    prefixes=("/users", "/bot", "/message/sent"),
    known_by=_caller,
    security={"Basic": {"type": "http", "scheme": "basic"}},
    challenge='Basic realm="api", charset="UTF-8"',
    words={**ENGLISH, "wrong_credentials": "Invalid username/password."},
    shape=by_field,
    fields={"text": "content", "code": "verification_code"},
)


@dialect.operation(
    "POST",
    "/users/signup",
    body={
        "username": "anna",
        "password": "correct horse",
        "password_repeat": "correct horse",
        "name": "Анна",
    },
    optional=("name",),
    answers={201: USER},
    public=True,
)
def sign_up(call: Call) -> Json:
    """Registers; without a name the username is the name."""
    if call["password"] != call["password_repeat"]:
        raise Invalid(fields={"password_repeat": ["The two passwords are not the same."]})
    wanted = Registration(call["username"], call["password"], call.given.get("name"))
    return _user(accounts.register(wanted, call.visitor))


@dialect.operation(
    "POST",
    "/users/login",
    body={"username": "anna", "password": "correct horse"},
    answers={200: USER},
    public=True,
)
def log_in(call: Call) -> Json:
    """Says whether username and password are right; every request carries them by itself."""
    return _user(identity.by_password(request, call["username"], call["password"]).person)


@dialect.operation(
    "PATCH",
    "/bot/verify/",
    body={"verification_code": "7KQ2MXRA"},
    answers={200: {"username": "anna", "verified": True}},
)
def verify_bot(call: Call) -> Json:
    """Links the chat whose code the bot gave."""
    chats.link_by_code(call.person, call["verification_code"], call.visitor)
    return {"username": call.person.username, "verified": True}


@dialect.operation("POST", "/message/sent", body={"content": "some text"}, answers={201: MESSAGE})
def send_message(call: Call) -> Json:
    """Sends a message to the caller's own chat."""
    return _shown(messages.send(call.person, Draft(call["content"])).message)


@dialect.operation("GET", "/message/sent", pages=True, answers={200: [MESSAGE]})
def list_messages(call: Call) -> Json:
    """Lists what the caller sent, newest first."""
    page = history.numbered_page(call.person, *call.page_or_whole(), direction="out")
    return [_shown(entry) for entry in page.entries]


def _user(person: Person) -> dict[str, Any]:
    return {"id": person.id, "username": person.username, "name": person.name}


def _shown(entry: MessageEntry) -> dict[str, Any]:
    return {"id": entry.id, "content": entry.text, "created_at": moment(entry.created_at)}
