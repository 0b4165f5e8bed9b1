"""Registering, signing in and out, and the sessions that come of it."""

from typing import Any

from flask import Response, jsonify, request

from app import identity
from app.api import schemas
from app.api.contract import OWNERS, Answered, Given, Section
from app.identity import Caller
from app.services import accounts, sessions
from app.services.accounts import Registration
from app.services.sessions import Tokens

section = Section("Auth", "Register, sign in, refresh, sign out; the sessions of an account.")

_SET_COOKIE = {"Set-Cookie": {"$ref": "#/components/headers/SetCookie"}}
_PAIR = {
    "access": "eyJhbGciOi…",
    "refresh": "eyJhbGciOi…",
    "token_type": "Bearer",
    "expires_in": 3600,
}
_BY_REFRESH_TOKEN: list[dict[str, list[str]]] = [
    {"refresh": []},
    {"refreshCookie": [], "csrf": []},
]


@section.operation(
    "POST",
    "/v1/auth/register",
    body=schemas.Registration,
    answer=Answered(
        201,
        schemas.Account,
        headers={"Location": {"$ref": "#/components/headers/Location"}},
        description="The account.",
    ),
    fails=(403, 409, 429),
)
def register(given: Given) -> Any:
    """Register

    Makes an account. Its messages wait until a Telegram chat is linked.
    """
    identity.refuse_foreign_origin(request)
    person = accounts.register(Registration(**given), identity.visitor(request))
    return person, {"Location": "/v1/users/me"}


@section.operation(
    "POST",
    "/v1/auth/login",
    body=schemas.Login,
    answer=Answered(
        200,
        schemas.TokenPair,
        headers=_SET_COOKIE,
        example=_PAIR,
        description="A new session: its tokens, which browsers also get as cookies.",
    ),
    fails=(401, 403, 429),
)
def sign_in(given: Given) -> Response:
    """Sign in

    Opens a session of 30 days. Wrong passwords are counted together with those of Basic: after 10
    in 15 minutes from one network nothing is tried for a while.
    """
    identity.refuse_foreign_origin(request)
    known = identity.by_password(request, given["username"], given["password"])
    return _pair(sessions.begin(known.person, identity.visitor(request)))


@section.operation(
    "POST",
    "/v1/auth/refresh",
    answer=Answered(
        200,
        schemas.TokenPair,
        headers=_SET_COOKIE,
        example=_PAIR,
        description="The session's next pair.",
    ),
    fails=(401, 403),
    documents={"security": _BY_REFRESH_TOKEN},
)
def refresh_session() -> Response:
    """Refresh

    Takes the refresh token from the Authorization header or from its cookie and gives the next
    pair. The token used is spent: it answers the same pair for 10 seconds more, in case the answer
    was lost; after that its use ends the session, since somebody else may have it.
    """
    token = identity.refresh_token(request)
    return _pair(sessions.refresh(token, identity.visitor(request)))


@section.operation(
    "POST",
    "/v1/auth/logout",
    by=OWNERS,
    answer=Answered(204, headers=_SET_COOKIE, description="The session has ended."),
)
def sign_out(caller: Caller) -> Response:
    """Sign out

    Ends this session at once, everywhere, and takes its cookies back. A caller by Basic has no
    session to end.
    """
    if caller.session_id is not None:
        sessions.end(caller.person, caller.session_id, identity.visitor(request))
    response = Response(status=204)
    identity.clear_cookies(response)
    return response


@section.operation(
    "GET",
    "/v1/auth/sessions",
    by=OWNERS,
    answer=Answered(200, schemas.Sessions, description="The living sessions, newest first."),
)
def list_sessions(caller: Caller) -> Given:
    """Sessions

    Where this account is signed in.
    """
    return {"items": sessions.list_of(caller.person, caller.session_id), "next_cursor": None}


@section.operation(
    "DELETE",
    "/v1/auth/sessions/<id:session_id>",
    by=OWNERS,
    answer=Answered(204, description="It has ended."),
    fails=(404,),
)
def end_session(caller: Caller, session_id: int) -> None:
    """End a session

    Its tokens are refused from now on, everywhere.
    """
    sessions.end(caller.person, session_id, identity.visitor(request))


def _pair(issued: Tokens) -> Response:
    response = jsonify(
        access=issued.access,
        refresh=issued.refresh,
        token_type="Bearer",
        expires_in=issued.expires_in,
    )
    identity.set_cookies(response, issued)
    return response
