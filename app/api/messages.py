"""Messages: sending them, reading what became of them, retrying, cancelling; the one-liner."""

from typing import Any

from app import identity
from app.api import parsing, ratelimit, schemas
from app.api.contract import OWNERS, SENDERS, Answered, Given, Known, Section
from app.errors import Unauthenticated, UnsupportedMediaType
from app.extensions import current_request
from app.identity import Caller
from app.services import history, messages
from app.services.history import Filter
from app.services.messages import Draft

section = Section("Messages", "Send, and see what became of it.")

TEXT_TYPES = ("text/plain", "application/x-www-form-urlencoded")

_HEADERS = {
    "Location": {"$ref": "#/components/headers/Location"},
    "RateLimit-Policy": {"$ref": "#/components/headers/RateLimitPolicy"},
    "RateLimit": {"$ref": "#/components/headers/RateLimit"},
}
_NEW = schemas.NewMessage()
_TEXT = {"$ref": "#/components/schemas/MessageText"}
_ID = {"message_id": "$response.body#/id"}
_LINKS = {
    "read": {
        "operationId": "readMessage",
        "parameters": _ID,
        "description": "What became of it.",
    },
    "retry": {
        "operationId": "retryMessage",
        "parameters": _ID,
        "description": "Sends it again, should it fail.",
    },
}
_SENT = {
    "id": 42,
    "direction": "out",
    "text": "The backup is done.",
    "status": "queued",
    "silent": False,
    "parts": 1,
    "parts_sent": 0,
    "attempts_made": 0,
    "reason": None,
    "possible_duplicate": False,
    "created_at": "2026-11-20T22:11:03.123456Z",
    "sent_at": None,
    "expires_at": "2026-11-21T22:11:03.123456Z",
    "telegram_message_ids": [],
}
_ACCEPTED = Answered(
    201,
    schemas.Message,
    headers=_HEADERS,
    links=_LINKS,
    example=_SENT,
    description="Accepted and stored: it will be delivered, or you will see why not.",
)


def _by_bearer_alone() -> Caller:
    """Forms and plain text need no permission across sites, so no credential may come by itself."""
    request = current_request()
    if identity.bearer_token(request) is None:
        raise Unauthenticated
    return identity.caller(request, may_only_send=True)


BEARERS = Known(
    _by_bearer_alone, [{"bearer": []}, {"sendToken": []}], [{"bearer": []}, {"sendToken": []}]
)


@section.operation(
    "POST",
    "/v1/messages",
    by=SENDERS,
    body=schemas.NewMessage,
    answer=_ACCEPTED,
    documents={"parameters": ["IdempotencyKey"]},
)
def send_message(caller: Caller, given: Given) -> Any:
    """Send a message

    To your own Telegram chat, under your greeting. Without a linked chat it is held until there is
    one. The answer comes when it is stored; `GET /v1/messages/{message_id}?wait=10` waits for
    what becomes of it.
    """
    return _send(caller, given)


@section.operation(
    "POST",
    "/v1/send",
    by=BEARERS,
    answer=_ACCEPTED,
    documents={
        "parameters": ["IdempotencyKey"],
        "requestBody": {
            "required": True,
            "content": {
                "text/plain": {"schema": _TEXT, "example": "disk full"},
                "application/x-www-form-urlencoded": {"schema": _TEXT, "example": "disk full"},
                "application/json": {"schema": schemas.NewMessage},
            },
        },
    },
    reads_itself=True,
)
def send_text(caller: Caller) -> Any:
    """Send a message in one line

    `curl -d 'disk full' -H 'Authorization: Bearer gz_…' …/v1/send`: a plain text or form body is
    the text itself, raw UTF-8, never decoded, so `a+b=1 & 100%` arrives so. JSON is read as
    `POST /v1/messages` reads it. Only for Bearer tokens.
    """
    parsing.refuse_query(current_request())
    return _send(caller, _draft_of_any_type())


@section.operation(
    "GET",
    "/v1/messages",
    by=SENDERS,
    query=schemas.HistoryFilter,
    answer=Answered(200, schemas.History, description="Some of them, the newest first."),
)
def list_messages(caller: Caller, wanted: Given) -> Given:
    """Messages

    What you sent and what you wrote to the bot, the newest first; with a send token, what was sent
    with it. Give `next_cursor` as `cursor`, with the same filter, for the next page.
    """
    limit, cursor = wanted.pop("limit"), wanted.pop("cursor", None)
    page = history.page(
        caller.person,
        Filter(**wanted),
        limit=limit,
        cursor=cursor,
        send_token_id=caller.send_token_id,
    )
    return {"items": page.entries, "next_cursor": page.next_cursor}


@section.operation(
    "GET",
    "/v1/messages/<id:message_id>",
    by=SENDERS,
    query=schemas.Wait,
    answer=Answered(
        200,
        schemas.MessageWithAttempts,
        description="The message, with every call to Telegram for it.",
    ),
    fails=(404,),
)
def read_message(caller: Caller, wanted: Given, message_id: int) -> Any:
    """A message

    With `wait` the answer comes when the message is settled, or that many seconds later. Few may
    wait at a time; beyond that the answer comes at once.
    """
    return history.find(
        caller.person, message_id, wait=wanted["wait"], send_token_id=caller.send_token_id
    )


@section.operation(
    "POST",
    "/v1/messages/<id:message_id>/retry",
    by=OWNERS,
    answer=Answered(200, schemas.MessageWithAttempts, description="The message, waiting again."),
    fails=(404, 409),
)
def retry_message(caller: Caller, message_id: int) -> Any:
    """Send a message again

    One that failed, expired or was cancelled; it goes to the end of the line, and parts that have
    arrived are not sent again.
    """
    return messages.retry(caller.person, message_id)


@section.operation(
    "DELETE",
    "/v1/messages/<id:message_id>",
    by=OWNERS,
    answer=Answered(204, description="It will not be sent."),
    fails=(404, 409),
)
def cancel_message(caller: Caller, message_id: int) -> None:
    """Cancel a message

    One of which nothing has been sent. It stays in the history as `cancelled`.
    """
    messages.cancel(caller.person, message_id)


def _send(caller: Caller, given: Given) -> Any:
    accepted = messages.send(
        caller.person,
        Draft(**given),
        key=parsing.idempotency_key(current_request()),
        send_token_id=caller.send_token_id,
    )
    headers = {"Location": f"/v1/messages/{accepted.message.id}"}
    if accepted.quota_used is not None:
        headers |= ratelimit.after(accepted.quota_used)
    return accepted.message, headers


def _draft_of_any_type() -> Given:
    request = current_request()
    if request.mimetype not in TEXT_TYPES:
        given: Given = section.blueprint.ARGUMENTS_PARSER.parse(_NEW, request)
        return given
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.content_encoding or charset not in ("utf-8", "utf8"):
        raise UnsupportedMediaType("The text is read as UTF-8, not compressed.")
    return {"text": parsing.text_body(request)}
