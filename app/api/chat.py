"""The Telegram chat of an account: which it is, linking it by the bot's code, unlinking it."""

from typing import Any

from flask import request

from app import identity
from app.api import schemas
from app.api.contract import OWNERS, Answered, Given, Section
from app.identity import Caller
from app.services import chats

section = Section("Chat", "The Telegram chat that your messages go to.")


@section.operation(
    "GET",
    "/v1/chat",
    by=OWNERS,
    answer=Answered(200, schemas.Chat, description="The linked chat."),
    fails=(404,),
)
def read_chat(caller: Caller) -> Any:
    """The linked chat

    404 while there is none: messages are held until there is.
    """
    return chats.of(caller.person)


@section.operation(
    "POST",
    "/v1/chat",
    by=OWNERS,
    body=schemas.LinkCode,
    answer=Answered(
        201,
        schemas.Chat,
        headers={"Location": {"$ref": "#/components/headers/Location"}},
        description="The chat, linked.",
    ),
    fails=(409,),
)
def link_chat(caller: Caller, given: Given) -> Any:
    """Link a chat by the bot's code

    Write anything to the bot and it answers with a code of eight characters, good for 10 minutes
    and one use. A chat linked before is told, and gets nothing more. Five wrong codes in 10
    minutes, and none is tried for a while.
    """
    linked = chats.link_by_code(caller.person, given["code"], identity.visitor(request))
    return linked, {"Location": "/v1/chat"}


@section.operation(
    "DELETE",
    "/v1/chat",
    by=OWNERS,
    answer=Answered(204, description="Nothing goes to that chat any more."),
    fails=(404,),
)
def unlink_chat(caller: Caller) -> None:
    """Unlink the chat

    It is told so. What waits is held until a chat is linked again.
    """
    chats.unlink(caller.person, identity.visitor(request))
