"""Signing in as djangorestframework-simplejwt does it, which two of the originals use.

Its answer to a refresh has no place for a new refresh token: sessions begun here do not rotate.
"""

from flask import request

from app.dialects.contract import Call, Json
from app.dialects.openapi import Schema
from app.identity import by_password
from app.services import sessions

PAIR = {"refresh": "eyJhbGciOiJIUzI1NiIs…", "access": "eyJhbGciOiJIUzI1NiIs…"}
ACCESS = Schema(
    type="object",
    properties={"access": {"type": "string"}, "refresh": {"type": "string"}},
    required=["access"],
    additionalProperties=False,
    examples=[{"access": "eyJhbGciOiJIUzI1NiIs…"}],
)


def pair(call: Call, access_seconds: int) -> Json:
    """The tokens of a new session for `username` and `password`."""
    person = by_password(request, call["username"], call["password"]).person
    begun = sessions.begin(person, call.visitor, access_seconds=access_seconds, rotates=False)
    return {"refresh": begun.refresh, "access": begun.access}


def refreshed(call: Call) -> Json:
    """A new access token for `refresh`.

    Beside it the new refresh token, where the session began elsewhere and rotates: as simplejwt
    does with ROTATE_REFRESH_TOKENS.
    """
    issued = sessions.refresh(call["refresh"], call.visitor)
    if issued.refresh == call["refresh"]:
        return {"access": issued.access}
    return {"access": issued.access, "refresh": issued.refresh}
