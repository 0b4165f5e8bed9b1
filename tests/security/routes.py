"""The table of all routes: who may call each, how they say who they are, and what they send."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.conftest import PASSWORD

IDENTITIES = ("anonymous", "stranger", "disabled", "send token", "admin", "owner")

# Who may do what: every identity that is not named is refused.
EVERYBODY = frozenset(IDENTITIES)
MEMBERS = frozenset({"stranger", "admin", "owner"})  # each sees their own
SENDERS = MEMBERS | {"send token"}
OWNER = frozenset({"owner"})  # of the thing that the address names
ADMIN = frozenset({"admin"})


class By(NamedTuple):
    """How a face takes credentials: what goes into headers and body for an access token, a send
    token, a name and a password."""

    headers: Callable[[str], dict[str, str]] = lambda token: {}
    body: Callable[[str], dict[str, str]] = lambda token: {}
    cookie: bool = False
    basic: bool = False
    refresh: bool = False


BEARER = By(lambda token: {"Authorization": f"Bearer {token}"})
JWT = By(lambda token: {"Authorization": f"JWT {token}"})
TOKEN = By(lambda token: {"token": token})
BASIC = By(basic=True)
PAGE = By(cookie=True)
REFRESH = By(lambda token: {"Authorization": f"Bearer {token}"}, refresh=True)
REFRESH_FIELD = By(body=lambda token: {"refresh": token}, refresh=True)
TOKEN_FIELD = By(body=lambda token: {"token": token})
BOT_TOKEN = By(body=lambda token: {"bot_token": token})
NOTHING = By()

Body = dict[str, str]


@dataclass(frozen=True)
class Row:
    """Who may, how they say who they are, and a body that the owner would send.

    `{name}` in an address is an id of the owner's; `$code` in a body is the code of a free chat,
    `$username` the caller's own name.
    """

    may: frozenset[str]
    by: By = BEARER
    body: Body | None = None
    ids: str = ""
    needs: dict[str, str] = field(default_factory=dict)
    # What it does is felt by whatever is tried after it.
    ends: bool = False


NEW = {"username": "newcomer", "password": PASSWORD, "name": "New"}
LOGIN = {"username": "olga", "password": PASSWORD}
OLD_LOGIN = {"login": "olga", "psw": PASSWORD}
ROWS: dict[tuple[str, str], Row] = {
    # The API.
    ("POST", "/v1/auth/register"): Row(EVERYBODY, body=NEW),
    ("POST", "/v1/auth/login"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/v1/auth/refresh"): Row(MEMBERS, REFRESH),
    ("POST", "/v1/auth/logout"): Row(MEMBERS, ends=True),
    ("GET", "/v1/auth/sessions"): Row(MEMBERS),
    ("DELETE", "/v1/auth/sessions/<id:session_id>"): Row(OWNER, ids="session", ends=True),
    ("GET", "/v1/users/me"): Row(MEMBERS),
    ("PATCH", "/v1/users/me"): Row(MEMBERS, body={"name": "Changed"}),
    ("DELETE", "/v1/users/me"): Row(MEMBERS, ends=True),
    ("GET", "/v1/users/me/export"): Row(MEMBERS),
    ("GET", "/v1/users"): Row(MEMBERS),
    ("GET", "/v1/tokens/link"): Row(MEMBERS),
    ("POST", "/v1/tokens/link"): Row(MEMBERS),
    ("GET", "/v1/tokens/link/qr.svg"): Row(MEMBERS),
    ("GET", "/v1/tokens/send"): Row(MEMBERS),
    ("POST", "/v1/tokens/send"): Row(MEMBERS, body={"name": "script"}),
    ("DELETE", "/v1/tokens/send/<id:token_id>"): Row(OWNER, ids="send_token", ends=True),
    ("GET", "/v1/chat"): Row(MEMBERS),
    ("POST", "/v1/chat"): Row(MEMBERS, body={"code": "$code"}),
    ("DELETE", "/v1/chat"): Row(MEMBERS, ends=True),
    ("GET", "/v1/messages"): Row(SENDERS),
    ("POST", "/v1/messages"): Row(SENDERS, body={"text": "hello"}),
    ("POST", "/v1/send"): Row(SENDERS, body={"text": "hello"}),
    ("GET", "/v1/messages/<id:message_id>"): Row(OWNER, ids="message"),
    ("DELETE", "/v1/messages/<id:message_id>"): Row(OWNER, ids="message", ends=True),
    ("POST", "/v1/messages/<id:message_id>/retry"): Row(OWNER, ids="failed", ends=True),
    # For machines that watch, and for readers.
    ("GET", "/healthz"): Row(EVERYBODY, NOTHING),
    ("GET", "/readyz"): Row(EVERYBODY, NOTHING),
    ("GET", "/metrics"): Row(EVERYBODY, NOTHING),
    ("GET", "/openapi.json"): Row(EVERYBODY, NOTHING),
    **{
        ("GET", f"/openapi/{name}.json"): Row(EVERYBODY, NOTHING)
        for name in ("djangobot", "factoryapp", "jwt_message", "message_sender", "telegram_task")
    },
    ("GET", "/docs/"): Row(EVERYBODY, NOTHING),
    ("GET", "/docs/static/<path:name>"): Row(EVERYBODY, NOTHING, needs={"name": "redoc.js"}),
    ("GET", "/docs/swagger-ui/<path:name>"): Row(
        EVERYBODY, NOTHING, needs={"name": "swagger-ui.css"}
    ),
    ("GET", "/redoc/"): Row(EVERYBODY, NOTHING),
    ("GET", "/redoc/<name>"): Row(EVERYBODY, NOTHING, needs={"name": "djangobot"}),
    ("GET", "/api"): Row(EVERYBODY, NOTHING),
    ("GET", "/static/<path:filename>"): Row(EVERYBODY, NOTHING, needs={"filename": "gonets.js"}),
    # Dialect 1.
    ("POST", "/api/v1/auth/users"): Row(
        EVERYBODY, body={"username": "newcomer", "password": PASSWORD, "first_name": "New"}
    ),
    ("POST", "/api/v1/auth/jwt/create"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/api/v1/auth/jwt/refresh"): Row(MEMBERS, REFRESH_FIELD),
    ("POST", "/api/v1/auth/jwt/verify"): Row(MEMBERS, TOKEN_FIELD),
    ("GET", "/api/v1/get_telegram_token"): Row(MEMBERS, JWT),
    ("PATCH", "/api/v1/refresh_telegram_token"): Row(MEMBERS, JWT),
    ("GET", "/api/v1/message"): Row(MEMBERS, JWT),
    ("POST", "/api/v1/message"): Row(MEMBERS, JWT, {"message": "hello"}),
    # Dialect 2.
    ("POST", "/api/user"): Row(
        EVERYBODY, body={"login": "newcomer", "psw": PASSWORD, "name": "New"}
    ),
    ("PUT", "/api/user"): Row(
        MEMBERS, body={"login": "$username", "psw": "another horse", "name": "Changed"}, ends=True
    ),
    ("DELETE", "/api/user"): Row(MEMBERS, body={"login": "$username", "psw": PASSWORD}, ends=True),
    ("POST", "/api/auth"): Row(EVERYBODY, body=OLD_LOGIN),
    ("GET", "/api/cabinet"): Row(MEMBERS),
    ("POST", "/api/cabinet"): Row(MEMBERS, body={"code": "$code"}),
    ("POST", "/api/send_message"): Row(
        frozenset({"send token"}), BOT_TOKEN, {"text": "hello", "type": "Text"}
    ),
    # Dialect 3.
    ("POST", "/api/users/register"): Row(EVERYBODY, body=NEW),
    ("POST", "/auth/token"): Row(EVERYBODY, body=LOGIN),
    ("POST", "/auth/token/refresh"): Row(MEMBERS, REFRESH_FIELD),
    ("GET", "/api/users"): Row(MEMBERS),
    ("GET", "/api/users/get-telegram-token"): Row(MEMBERS),
    ("GET", "/api/messages"): Row(MEMBERS),
    ("POST", "/api/messages"): Row(MEMBERS, body={"text": "hello"}),
    # Dialect 4.
    ("POST", "/signup"): Row(EVERYBODY, body={"name": "newcomer", "password": PASSWORD}),
    ("POST", "/login"): Row(EVERYBODY, body={"name": "olga", "password": PASSWORD}),
    ("POST", "/logout"): Row(EVERYBODY, TOKEN, ends=True),
    ("POST", "/message"): Row(MEMBERS, TOKEN, {"name": "$username", "text": "hello"}),
    # Dialect 5.
    ("POST", "/users/signup"): Row(EVERYBODY, body={**NEW, "password_repeat": PASSWORD}),
    ("POST", "/users/login"): Row(EVERYBODY, body=LOGIN),
    ("PATCH", "/bot/verify"): Row(MEMBERS, BASIC, {"verification_code": "$code"}),
    ("GET", "/message/sent"): Row(MEMBERS, BASIC),
    ("POST", "/message/sent"): Row(MEMBERS, BASIC, {"content": "hello"}),
    # Pages: the way in.
    ("GET", "/"): Row(EVERYBODY, PAGE),
    ("GET", "/favicon.ico"): Row(EVERYBODY, PAGE),
    ("GET", "/cabinet/sign-in"): Row(EVERYBODY, PAGE),
    ("POST", "/cabinet/sign-in"): Row(EVERYBODY, PAGE, LOGIN),
    ("GET", "/cabinet/sign-up"): Row(EVERYBODY, PAGE),
    ("POST", "/cabinet/sign-up"): Row(EVERYBODY, PAGE, NEW),
    ("POST", "/cabinet/sign-out"): Row(EVERYBODY, PAGE, ends=True),
    ("POST", "/cabinet/language"): Row(EVERYBODY, PAGE, {"language": "ru"}),
    # Pages: the cabinet.
    ("GET", "/cabinet"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/chart"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/account"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/account/profile"): Row(MEMBERS, PAGE, {"name": "Changed"}),
    ("POST", "/cabinet/account/greeting"): Row(MEMBERS, PAGE, {"greeting": "Hi"}),
    ("POST", "/cabinet/account/password"): Row(
        MEMBERS, PAGE, {"current_password": PASSWORD, "new_password": "another horse"}, ends=True
    ),
    ("POST", "/cabinet/account/sessions/<id:session_id>/end"): Row(
        OWNER, PAGE, ids="session", ends=True
    ),
    ("GET", "/cabinet/account/export"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/account/delete"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/account/delete"): Row(MEMBERS, PAGE, {"password": PASSWORD}, ends=True),
    ("GET", "/cabinet/messages"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/messages/<id:message_id>"): Row(OWNER, PAGE, ids="message"),
    ("POST", "/cabinet/messages/<id:message_id>/cancel"): Row(
        OWNER, PAGE, ids="message", ends=True
    ),
    ("POST", "/cabinet/messages/<id:message_id>/retry"): Row(OWNER, PAGE, ids="failed", ends=True),
    ("GET", "/cabinet/send"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/send"): Row(MEMBERS, PAGE, {"text": "hello"}),
    ("POST", "/cabinet/send/preview"): Row(MEMBERS, PAGE, {"text": "hello"}),
    ("GET", "/cabinet/telegram"): Row(MEMBERS, PAGE),
    ("GET", "/cabinet/telegram/state"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/telegram/code"): Row(MEMBERS, PAGE, {"code": "$code"}),
    ("POST", "/cabinet/telegram/token"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/telegram/unlink"): Row(MEMBERS, PAGE, ends=True),
    ("GET", "/cabinet/tokens"): Row(MEMBERS, PAGE),
    ("POST", "/cabinet/tokens"): Row(MEMBERS, PAGE, {"name": "script"}),
    ("POST", "/cabinet/tokens/<id:token_id>/revoke"): Row(OWNER, PAGE, ids="send_token", ends=True),
    # Pages: the admin zone. For everybody else it does not exist.
    ("GET", "/admin"): Row(ADMIN, PAGE),
    ("POST", "/admin/pause"): Row(ADMIN, PAGE),
    ("POST", "/admin/resume"): Row(ADMIN, PAGE),
    ("GET", "/admin/accounts"): Row(ADMIN, PAGE),
    ("GET", "/admin/accounts/<id:account_id>"): Row(ADMIN, PAGE, ids="account"),
    ("POST", "/admin/accounts/<id:account_id>/disable"): Row(ADMIN, PAGE, ids="account", ends=True),
    ("POST", "/admin/accounts/<id:account_id>/enable"): Row(ADMIN, PAGE, ids="account"),
    ("POST", "/admin/accounts/<id:account_id>/end-sessions"): Row(
        ADMIN, PAGE, ids="account", ends=True
    ),
    ("POST", "/admin/accounts/<id:account_id>/reset-password"): Row(
        ADMIN, PAGE, ids="account", ends=True
    ),
    ("GET", "/admin/audit"): Row(ADMIN, PAGE),
    ("GET", "/admin/chats"): Row(ADMIN, PAGE),
    ("GET", "/admin/messages"): Row(ADMIN, PAGE),
}
