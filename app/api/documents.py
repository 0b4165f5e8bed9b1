"""The OpenAPI document: what its operations share, and the rules that services give it.

The operations document themselves where they are declared (`contract`); the pages that show the
document are in `pages`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask
from flask_smorest import Api
from marshmallow import fields

from app import identity
from app.api import schemas
from app.api.contract import REQUEST_ID, Id, Section, unwrapped
from app.config import Settings
from app.services import names, passwords

VERSION = "1"
TITLE = "Gonets"

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_EVERY_ANSWER = {"X-Request-ID": {"$ref": REQUEST_ID}}
_RETRY_AFTER = {"$ref": "#/components/headers/RetryAfter"}

HEADERS: dict[str, dict[str, Any]] = {
    "RequestID": {
        "description": "Names this request in the log: yours, if it is 8 to 64 letters, digits and "
        "hyphens; else a new one.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where what was made can be read.",
        "required": True,
        "schema": {"type": "string"},
    },
    "SetCookie": {
        "description": "The session, for browsers: access and refresh out of reach of scripts, and "
        "the value for `X-CSRF-TOKEN` in a cookie of its own.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {
        "description": "Seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimitPolicy": {
        "description": 'The quota: `"day";q=10000;w=86400`, messages in seconds '
        "(draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string", "pattern": '^"day";q=[0-9]+;w=86400$'},
    },
    "RateLimit": {
        "description": 'What is left of it: `"day";r=9999;t=3600`, messages and seconds to go.',
        "schema": {"type": "string", "pattern": '^"day";r=[0-9]+;t=[0-9]+$'},
    },
}

RESPONSES: dict[str, str] = {
    "Malformed": "The request cannot be read.",
    "Unauthenticated": "No valid credential came with the request.",
    "Forbidden": "The credential does not allow this, or the request comes from another site.",
    "NotFound": "There is no such thing, or it is somebody else's.",
    "Conflict": "Not in the present state.",
    "TooLarge": "The body is larger than 256 KiB.",
    "UnsupportedMediaType": "The content type, its charset or its encoding is not read here.",
    "Invalid": "Fields or parameters are not as they should be; `errors` says which.",
    "TooManyRequests": "Too many; wait as long as `Retry-After` says.",
    "Unavailable": "A part of the server is away for a moment.",
}
_RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "Unauthenticated": {
        "WWW-Authenticate": {"required": True, "schema": {"type": "string", "enum": ["Bearer"]}}
    },
    "TooManyRequests": {
        "Retry-After": _RETRY_AFTER,
        "RateLimit-Policy": {"$ref": "#/components/headers/RateLimitPolicy"},
        "RateLimit": {"$ref": "#/components/headers/RateLimit"},
    },
    "Unavailable": {"Retry-After": {**HEADERS["RetryAfter"], "required": False}},
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "description": "Makes repeating safe: the same key within 24 hours is the same message, "
    "answered as it was accepted. With another body it is refused (422).",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}


def serve(app: Flask, sections: Sequence[Section], about: str, settings: Settings) -> Api:
    """Adds the operations of `sections` to `app`; the result has the document as `spec`."""
    api: Any = Api()
    # Failures are rendered by the application's one handler; it is told nothing by default.
    api.ERROR_SCHEMA = schemas.Problem
    api.DEFAULT_ERROR_RESPONSE_NAME = None
    api.init_app(
        app,
        spec_kwargs={
            "title": TITLE,
            "version": VERSION,
            "openapi_version": "3.1.0",
            "info": {"description": unwrapped(about)},
            "servers": [{"url": "/", "description": "This server."}],
        },
    )
    api.register_converter(Id, _id_schema)
    api.ma_plugin.converter.add_attribute_function(_rules(settings))
    api.spec.components.schema("MessageText", {"type": "string", **_message_text(settings)})
    with app.app_context():
        _add_components(api.spec)
    for section in sections:
        api.register_blueprint(section.blueprint)
    api.spec.components.schemas["ProfileChange"]["dependentRequired"] = {
        "password": ["current_password"],
        "current_password": ["password"],
    }
    return api


def _id_schema(_converter: Id) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


def _rules(settings: Settings) -> Callable[..., dict[str, Any]]:
    """What the services' rules make of a field, in JSON Schema's terms."""
    shortest = settings.password_min_length
    longest = {"name": names.NAME_MAX, "greeting": names.GREETING_MAX}

    def field2rule(_converter: Any, rule_of: fields.Field[Any], **_: Any) -> dict[str, Any]:
        match rule_of:
            case schemas.Username():
                return {"pattern": names.USERNAME_PATTERN}
            case schemas.NewPassword():
                return {
                    "pattern": passwords.pattern(shortest),
                    "description": f"{shortest} characters to 1,024 bytes, neither a common one "
                    "nor the username.",
                }
            case schemas.Line():
                most = longest[str(rule_of.name)]
                return {"pattern": names.LINE_PATTERN, "minLength": 1, "maxLength": most}
            case schemas.MessageText():
                return _message_text(settings)
            case _:
                return {}

    return field2rule


def _message_text(settings: Settings) -> dict[str, Any]:
    most = settings.message_max_length
    return {"pattern": names.TEXT_PATTERN, "minLength": 1, "maxLength": most}


def _add_components(spec: Any) -> None:
    for name, scheme in _security_schemes().items():
        spec.components.security_scheme(name, scheme)
    for name, header in HEADERS.items():
        spec.components.header(name, header)
    spec.components.parameter("IdempotencyKey", "header", IDEMPOTENCY_KEY)
    for name, description in RESPONSES.items():
        headers = _EVERY_ANSWER | _RESPONSE_HEADERS.get(name, {})
        response = {"description": description, "headers": headers, "content": _PROBLEM}
        spec.components.response(name, response)


def _security_schemes() -> dict[str, dict[str, str]]:
    return {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The access token of a session (1 hour); the word `JWT` does as well.",
        },
        "basic": {
            "type": "http",
            "scheme": "basic",
            "description": "Username and password, in UTF-8. Each request is a sign-in that counts "
            "against guessing.",
        },
        "sendToken": {
            "type": "http",
            "scheme": "bearer",
            "description": "A send token, `gz_…`: sends, and reads what it sent; nothing else.",
        },
        "refresh": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "The refresh token of a session; each is good for one use.",
        },
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": identity.access_cookie(),
            "description": "The access token as a cookie, as signing in sets it.",
        },
        "refreshCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": identity.refresh_cookie(),
            "description": "The refresh token as a cookie, as signing in sets it.",
        },
        "csrf": {
            "type": "apiKey",
            "in": "header",
            "name": identity.CSRF_HEADER,
            "description": "With a cookie on anything but reading: the value of the cookie "
            f"`{identity.csrf_cookie()}`. The request must come from this site.",
        },
    }
