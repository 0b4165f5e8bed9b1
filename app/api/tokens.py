"""Link tokens, which bind a chat, and send tokens, which scripts send with."""

import io
from typing import Any

import segno
from flask import Response, request

from app import identity
from app.api import schemas
from app.api.contract import OWNERS, Answered, Given, Section
from app.errors import NotFound
from app.identity import Caller
from app.services import tokens

section = Section("Tokens", "Link tokens for the bot, send tokens for scripts.")

_INVITATION = {
    "token": "5f0c" * 16,
    "expires_at": "2026-11-20T23:11:03.123456Z",
    "bot": "@gonets_bot",
    "url": f"https://t.me/gonets_bot?start={'5f0c' * 16}",
    "command": f"/start {'5f0c' * 16}",
}


@section.operation(
    "GET",
    "/v1/tokens/link",
    by=OWNERS,
    answer=Answered(
        200, schemas.LinkInvitation, example=_INVITATION, description="The present link token."
    ),
)
def read_link_token(caller: Caller) -> Any:
    """The link token

    Send it to the bot, or open `url`, and that chat is yours. It lives 60 minutes and links once;
    asked again, the same one is shown until it is used or has expired.
    """
    return tokens.link_invitation(caller.person)


@section.operation(
    "POST",
    "/v1/tokens/link",
    by=OWNERS,
    answer=Answered(
        201,
        schemas.LinkInvitation,
        headers={"Location": {"$ref": "#/components/headers/Location"}},
        example=_INVITATION,
        description="A fresh link token.",
    ),
)
def make_link_token(caller: Caller) -> Any:
    """A fresh link token

    The one before it is dead from now on.
    """
    fresh = tokens.fresh_link_invitation(caller.person, identity.visitor(request))
    return fresh, {"Location": "/v1/tokens/link"}


@section.operation(
    "GET",
    "/v1/tokens/link/qr.svg",
    by=OWNERS,
    answer=Answered(
        200,
        {"type": "string"},
        "image/svg+xml",
        description="An image of the link token's `url`.",
    ),
    fails=(404,),
)
def draw_link_token(caller: Caller) -> Response:
    """The link token as a QR code

    For the telephone that has Telegram. 404 until the bot has run once, since its name is in it.
    """
    url = tokens.link_invitation(caller.person).url
    if url is None:
        raise NotFound("The bot has not run yet, so there is no link to draw.")
    image = io.BytesIO()
    segno.make(url, error="m").save(image, kind="svg", scale=8, title="Open the bot in Telegram")
    return Response(image.getvalue(), mimetype="image/svg+xml")


@section.operation(
    "POST",
    "/v1/tokens/send",
    by=OWNERS,
    body=schemas.NewSendToken,
    answer=Answered(
        201,
        schemas.IssuedSendToken,
        headers={"Location": {"$ref": "#/components/headers/Location"}},
        links={
            "revoke": {
                "operationId": "revokeSendToken",
                "parameters": {"token_id": "$response.body#/id"},
                "description": "Revokes it.",
            }
        },
        description="The token, shown this once.",
    ),
    fails=(409,),
)
def make_send_token(caller: Caller, given: Given) -> Any:
    """Make a send token

    For a script or a server: it sends messages and reads what became of them, nothing else. A
    hundred at most; a name may be used again.
    """
    issued = tokens.issue_send_token(
        caller.person, given["name"], identity.visitor(request), expires_in=given.get("expires_in")
    )
    return issued, {"Location": f"/v1/tokens/send/{issued.id}"}


@section.operation(
    "GET",
    "/v1/tokens/send",
    by=OWNERS,
    answer=Answered(200, schemas.SendTokens, description="The living send tokens, newest first."),
)
def list_send_tokens(caller: Caller) -> Given:
    """Send tokens

    Without the tokens themselves: those are not kept.
    """
    return {"items": tokens.send_tokens_of(caller.person), "next_cursor": None}


@section.operation(
    "DELETE",
    "/v1/tokens/send/<id:token_id>",
    by=OWNERS,
    answer=Answered(204, description="It is refused from now on."),
    fails=(404,),
)
def revoke_send_token(caller: Caller, token_id: int) -> None:
    """Revoke a send token"""
    tokens.revoke_send_token(caller.person, token_id, identity.visitor(request))
