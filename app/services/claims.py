"""What a JWT of ours says, once signature and claims are found right. It knows no session.

Written by flask-jwt-extended, read by PyJWT itself: the former fills in claims that are missing,
and here they are required (RFC 8725, 3.8 to 3.12). Times are compared by the application's clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID

import jwt
from flask import current_app
from jwt.exceptions import PyJWTError

from app import clock
from app.errors import InvalidToken

# How many tokens are remembered as well signed: those of that many sessions at work.
REMEMBERED = 1024
# Web servers of one service do not quite agree on the time (seconds).
SKEW = 10

_REQUIRED = ("type", "iss", "aud", "sub", "sid", "gen", "csrf", "jti", "iat", "nbf", "exp")
_NUMBERS = ("sid", "gen", "iat", "nbf", "exp")
_ID_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Claims:
    """Of which kind the token is, of which account, session and generation; its CSRF value."""

    kind: str
    subject: UUID
    session_id: int
    generation: int
    csrf: str


def read(token: str, *kinds: str) -> Claims:
    """The claims of a token that must be of one of these kinds.

    Raises `InvalidToken`: every defect is one and the same refusal.
    """
    try:
        claims = _decoded(token, current_app.config["JWT_SECRET_KEY"])
        subject = UUID(claims["sub"])
    except (PyJWTError, ValueError, TypeError, RecursionError):
        raise InvalidToken from None
    if claims["type"] not in kinds or not _is_sound(claims):
        raise InvalidToken
    return Claims(claims["type"], subject, claims["sid"], claims["gen"], claims["csrf"])


@lru_cache(REMEMBERED)
def _decoded(token: str, key: bytes) -> Mapping[str, Any]:
    """What the token says if `key` has signed it: the same at any time, so it is remembered. What
    time changes (its end, its session, its account) is looked at with every use."""
    config = current_app.config
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        algorithms=[config["JWT_ALGORITHM"]],
        issuer=config["JWT_DECODE_ISSUER"],
        audience=config["JWT_DECODE_AUDIENCE"],
        options={
            "require": list(_REQUIRED),
            "strict_aud": True,
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    return MappingProxyType(claims)


def _is_sound(claims: Mapping[str, Any]) -> bool:
    if not all(type(claims[name]) is int for name in _NUMBERS):
        return False
    if not 0 < claims["sid"] <= _ID_MAX or type(claims["csrf"]) is not str:
        return False
    now = clock.now().timestamp()
    begun: bool = max(claims["iat"], claims["nbf"]) <= now + SKEW
    over: bool = now >= claims["exp"]
    return begun and not over
