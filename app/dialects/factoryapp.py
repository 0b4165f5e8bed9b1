"""Dialect 3, FactoryApp: simplejwt, numeric ids, a history of both directions, in Russian.

The Telegram token is sent to the bot after `/start`.
"""

from typing import Any

from app.dialects import simplejwt
from app.dialects.contract import Call, Dialect, Json, by_bearer, by_field, moment
from app.dialects.words import RUSSIAN
from app.services import accounts, history, messages, tokens
from app.services.accounts import Registration
from app.services.history import MessageEntry
from app.services.messages import Draft
from app.services.people import Person

ACCESS_SECONDS = 3600

CREDENTIALS = {"username": "желаемое_имя_пользователя", "password": "желаемый_пароль"}
MESSAGE = {
    "id": 1,
    "text": "текст_вашего_сообщения",
    "date_sent": "2023-10-01T12:00:00.000000Z",
    "user": 1,
}

dialect = Dialect(
    name="factoryapp",
    title="3 · FactoryApp",
    about="Register, take a token pair, send /start and the Telegram token to the bot, send.",
    prefixes=("/api/users", "/api/messages", "/auth"),
    known_by=by_bearer,
    security={"Bearer": {"type": "http", "scheme": "bearer"}},
    challenge='Bearer realm="api"',
    words=RUSSIAN,
    language="ru",
    shape=by_field,
    fields={},
    codes={"invalid_token": "token_not_valid"},
)


@dialect.operation(
    "POST",
    "/api/users/register/",
    body=CREDENTIALS,
    answers={201: {"id": 1, "username": "желаемое_имя_пользователя", "telegram_chat_id": None}},
    public=True,
)
def register(call: Call) -> Json:
    """Registers; the username is the name. A chat is linked by the bot, never from here."""
    person = accounts.register(Registration(call["username"], call["password"]), call.visitor)
    return {"id": person.id, "username": person.username, "telegram_chat_id": None}


@dialect.operation(
    "POST", "/auth/token/", body=CREDENTIALS, answers={200: simplejwt.PAIR}, public=True
)
def create_tokens(call: Call) -> Json:
    """Signs in; the access token lives an hour, the refresh token 30 days."""
    return simplejwt.pair(call, ACCESS_SECONDS)


@dialect.operation(
    "POST",
    "/auth/token/refresh/",
    body={"refresh": "ваш_refresh_токен"},
    answers={200: simplejwt.ACCESS},
    public=True,
)
def refresh_token(call: Call) -> Json:
    """Gives a new access token; the refresh token stays the same."""
    return simplejwt.refreshed(call)


@dialect.operation(
    "GET",
    "/api/users/get-telegram-token/",
    answers={200: {"telegram_token": "3f1c…64 characters of 0-9 and a-f"}},
)
def show_telegram_token(call: Call) -> Json:
    """Shows the token to send to the bot, which links that chat; single use, one hour."""
    return {"telegram_token": tokens.link_invitation(call.person).token}


@dialect.operation(
    "GET",
    "/api/users/",
    pages=True,
    answers={200: [{"id": 1, "username": "желаемое_имя_пользователя"}]},
)
def list_users(call: Call) -> Json:
    """Lists the users by id: id and username only."""
    number, size = call.page_or_whole()
    page = accounts.directory(call.person, skip=(number - 1) * size, limit=size)
    return [{"id": entry.id, "username": entry.username} for entry in page.entries]


@dialect.operation(
    "POST", "/api/messages/", body={"text": "текст_вашего_сообщения"}, answers={201: MESSAGE}
)
def send_message(call: Call) -> Json:
    """Sends a message to the caller's own chat."""
    accepted = messages.send(call.person, Draft(call["text"]))
    return _shown(call.person, accepted.message)


@dialect.operation("GET", "/api/messages/", pages=True, answers={200: [MESSAGE]})
def list_messages(call: Call) -> Json:
    """Lists what the caller sent and what they wrote to the bot, oldest first.

    Page 1 has the newest of them.
    """
    page = history.numbered_page(call.person, *call.page_or_whole(), direction=None)
    return [_shown(call.person, entry) for entry in reversed(page.entries)]


def _shown(person: Person, entry: MessageEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "text": entry.text,
        "date_sent": moment(entry.created_at),
        "user": person.id,
    }
