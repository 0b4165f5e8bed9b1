"""Dialect 2, DjangoBot: an access token for the cabinet, a bot token in the body for sending.

The chat is linked by a code that the bot gives out and that is posted to the cabinet.
"""

from flask import request

from app import bodies, identity
from app.dialects.contract import Call, Dialect, Json, by_bearer, in_one, moment
from app.dialects.words import ENGLISH
from app.errors import Forbidden, Invalid, Unauthenticated
from app.identity import Caller
from app.services import accounts, chats, history, messages, sessions
from app.services.accounts import Registration
from app.services.messages import Draft

ACCESS_SECONDS = 24 * 3600
# The one send token that the cabinet issues is known to the services by this word.
PURPOSE = "djangobot"
TYPE = "Text"

USER = {"name": "Fedor", "login": "FedXL", "psw": "password1234"}

dialect = Dialect(
    name="djangobot",
    title="2 · DjangoBot",
    about="Register, sign in, post the bot's code to the cabinet, send with the bot token.",
    prefixes=("/api",),
    known_by=by_bearer,
    security={"Bearer": {"type": "http", "scheme": "bearer"}},
    challenge='Bearer realm="api"',
    words={
        **ENGLISH,
        "unauthenticated": "access denied: send `Authorization: Bearer` with an access token, "
        "or a bot_token where messages are sent",
        "invalid_token": "invalid token",
        "wrong_credentials": "invalid login or password",
        "wrong_password": "access denied: psw is wrong",
        "username_taken": "login is already used",
    },
    shape=in_one("answer"),
    fields={"username": "login", "password": "psw"},
    swagger_at="/api",
)


def _by_bot_token() -> Caller:
    token = bodies.json_or_form(request).get("bot_token")
    if not isinstance(token, str):
        raise Unauthenticated
    return identity.by_send_token(token)


@dialect.operation(
    "POST",
    "/api/user/",
    body=USER,
    optional=("name",),
    answers={201: {"answer": "success"}},
    public=True,
)
def register(call: Call) -> Json:
    """Registers; without a name the login is the name."""
    accounts.register(
        Registration(call["login"], call["psw"], call.given.get("name")), call.visitor
    )
    return {"answer": "success"}


@dialect.operation(
    "PUT", "/api/user/", body=USER, answers={200: {"answer": "success data was changed"}}
)
def change_user(call: Call) -> Json:
    """Sets the caller's name and password; `login` must be the caller's, other sessions end."""
    _require_own_login(call)
    accounts.overwrite(
        call.person, call["name"], call["psw"], call.visitor, keep_session=call.caller.session_id
    )
    return {"answer": "success data was changed"}


@dialect.operation(
    "DELETE",
    "/api/user/",
    body=USER,
    optional=("name",),
    answers={200: {"answer": "success user was deleted"}},
)
def delete_user(call: Call) -> Json:
    """Erases the caller's account for good; `login` and `psw` must be the caller's."""
    _require_own_login(call)
    accounts.confirm_password(call.person, call["psw"], call.visitor)
    accounts.erase(call.person, call.visitor)
    return {"answer": "success user was deleted"}


@dialect.operation(
    "POST",
    "/api/auth/",
    body={"login": "FedXL", "psw": "password1234"},
    answers={200: {"answer": "success", "access_token": "JwtToken"}},
    public=True,
)
def sign_in(call: Call) -> Json:
    """Gives an access token, which lives a day."""
    person = identity.by_password(request, call["login"], call["psw"]).person
    begun = sessions.begin(person, call.visitor, access_seconds=ACCESS_SECONDS, renewable=False)
    return {"answer": "success", "access_token": begun.access}


@dialect.operation(
    "POST",
    "/api/cabinet/",
    body={"code": "7KQ2MXRA"},
    answers={200: {"answer": "success", "bot_token": "PD1B0WwEmdVQIc7SzfKFUQrPH"}},
)
def link_chat(call: Call) -> Json:
    """Links the chat whose code the bot gave, and makes a bot token; the one before it is dead."""
    issued = chats.link_by_code_for(PURPOSE, call.person, call["code"], call.visitor)
    return {"answer": "success", "bot_token": issued.token}


@dialect.operation(
    "GET",
    "/api/cabinet",
    pages=True,
    answers={
        200: {
            "answer": "success",
            "messages": [
                {
                    "time": "2023-09-25T02:47:11.305832Z",
                    "text": "some and again text",
                    "type": TYPE,
                }
            ],
            "name": "Fedor",
        }
    },
)
def list_messages(call: Call) -> Json:
    """Lists what the caller sent, newest first."""
    page = history.numbered_page(call.person, *call.page_or_whole(), direction="out")
    told = [
        {"time": moment(entry.created_at), "text": entry.text, "type": TYPE}
        for entry in page.entries
    ]
    return {"answer": "success", "messages": told, "name": call.person.name}


@dialect.operation(
    "POST",
    "/api/send_message",
    body={"text": "some and again text", "type": TYPE, "bot_token": "7EVgXzmREWIf1qHsaYkegiQMa"},
    answers={200: {"answer": "message was successfully send"}},
    known_by=_by_bot_token,
)
def send_message(call: Call) -> Json:
    """Sends a message with a bot token alone; `type` is `Text`."""
    if call["type"] != TYPE:
        raise Invalid(fields={"type": [f"Only {TYPE} can be sent."]})
    messages.send(call.person, Draft(call["text"]), send_token_id=call.caller.send_token_id)
    return {"answer": "message was successfully send"}


def _require_own_login(call: Call) -> None:
    if not accounts.is_called(call.person, call["login"]):
        raise Forbidden
