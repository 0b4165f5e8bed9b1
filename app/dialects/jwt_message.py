"""Dialect 4, jwt message API: a token in the header `token` or in a cookie of that name.

`last N` as the whole text of a message asks for the last N instead of sending anything. Its
document knows no linking: the chat is linked in the cabinet or over another API.
"""

import re
from contextlib import suppress

from flask import Response, request

from app import identity
from app.dialects.contract import PAGE_MAX, Call, Dialect, Json, answer, in_one
from app.dialects.openapi import Schema
from app.dialects.words import RUSSIAN
from app.errors import Forbidden, NotFound, Unauthenticated
from app.extensions import settings
from app.identity import Caller
from app.services import accounts, history, messages, sessions
from app.services.accounts import Registration
from app.services.messages import Draft

ACCESS_SECONDS = 3 * 3600
HEADER = COOKIE = "token"

_LAST = re.compile(r"\s*last\s+0*([0-9]+)\s*", re.ASCII)

CREDENTIALS = {"name": "some_name", "password": "some_password"}
LAST = Schema(
    type="object",
    additionalProperties={"type": "string"},
    description="The answer to `last N`: texts by number, the newest has the highest.",
    examples=[{"2": "some_text", "1": "some_text"}],
)


def _caller() -> Caller:
    token = request.headers.get(HEADER)
    if token is not None:
        return identity.by_access_token(token)
    cookie = request.cookies.get(COOKIE)
    if cookie is None:
        raise Unauthenticated
    # SameSite=Strict and the check of Origin stand in for a CSRF value, which has no place here.
    return identity.by_cookie(request, cookie, csrf=False)


dialect = Dialect(
    name="jwt_message",
    title="4 · jwt message API",
    about="Sign up, log in, send with the token in a header or cookie, ask for `last N`.",
    prefixes=("/signup", "/login", "/logout", "/message"),
    known_by=_caller,
    security={
        "TokenHeader": {"type": "apiKey", "in": "header", "name": HEADER},
        "TokenCookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    },
    challenge='token realm="api"',
    words={
        **RUSSIAN,
        "unauthenticated": "Требуется авторизация: нужен token в заголовке или в cookie.",
        "wrong_credentials": "Неверное имя или пароль.",
        "forbidden": "Доступ запрещён: name должно быть именем того, чей это token.",
    },
    language="ru",
    shape=in_one("status"),
    fields={"username": "name"},
    forms=False,
)


@dialect.operation(
    "POST", "/signup/", body=CREDENTIALS, answers={201: {"name": "some_name"}}, public=True
)
def sign_up(call: Call) -> Json:
    """Registers."""
    person = accounts.register(Registration(call["name"], call["password"]), call.visitor)
    return {"name": person.username}


@dialect.operation(
    "POST",
    "/login/",
    body=CREDENTIALS,
    answers={200: {"token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9…"}},
    public=True,
)
def log_in(call: Call) -> Response:
    """Gives a token, which lives three hours, and sets it as a cookie."""
    identity.refuse_foreign_origin(request)
    person = identity.by_password(request, call["name"], call["password"]).person
    begun = sessions.begin(person, call.visitor, access_seconds=ACCESS_SECONDS, renewable=False)
    return _with_cookie(answer({"token": begun.access}), begun.access, begun.expires_in)


@dialect.operation(
    "POST", "/logout/", answers={200: {"status": "Вы вышли из системы"}}, public=True
)
def log_out(call: Call) -> Response:
    """Ends the session whose token came along, and removes the cookie."""
    identity.refuse_foreign_origin(request)
    with suppress(Unauthenticated, NotFound):
        known = _caller()
        sessions.end(known.person, known.session_id or 0, call.visitor)
    return _with_cookie(answer({"status": "Вы вышли из системы"}), "", 0)


@dialect.operation(
    "POST",
    "/message/",
    body={"name": "some_name", "text": "some_text"},
    answers={201: {"status": "Сообщение создано"}, 200: LAST},
)
def send_or_show(call: Call) -> Json | Response:
    """Sends a message, or shows the last ones; `name` must be the caller's.

    A text that is `last` and a number, and nothing else, asks for so many, 100 at most.
    """
    if not accounts.is_called(call.person, call["name"]):
        raise Forbidden
    if asked := _LAST.fullmatch(call["text"]):
        return answer(_last(call, asked[1]))
    messages.send(call.person, Draft(call["text"]))
    return {"status": "Сообщение создано"}


def _last(call: Call, digits: str) -> Json:
    """The newest messages, as many as `digits` say, 100 at most."""
    most = int(digits) if len(digits) < 4 else PAGE_MAX
    page = history.numbered_page(call.person, 1, min(most, PAGE_MAX), direction="out")
    count = len(page.entries)
    return {str(count - i): entry.text for i, entry in enumerate(page.entries)}


def _with_cookie(response: Response, token: str, max_age: int) -> Response:
    response.set_cookie(
        COOKIE,
        token,
        max_age=max_age,
        secure=settings().https,
        httponly=True,
        samesite="Strict",
    )
    return response
