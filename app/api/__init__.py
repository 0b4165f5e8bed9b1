"""**Gonets** takes a message over HTTP and puts it into its owner's own Telegram chat.

## In four steps

1. `POST /v1/auth/register`, then `POST /v1/auth/login`: the `access` token goes into the header
   `Authorization: Bearer …`.
2. `GET /v1/tokens/link`: open `url`, or send `command` to the bot. The other way round works too:
   write anything to the bot, and `POST /v1/chat` the code it answers with.
3. `POST /v1/messages` `{"text": "The backup is done."}`: 201 when it is stored.
4. `GET /v1/messages/{message_id}?wait=10`: what became of it, with Telegram's own words.

A script is better off with a **send token** (`POST /v1/tokens/send`), which can send and nothing
else: `curl -d 'disk full' -H 'Authorization: Bearer gz_…' …/v1/send`

## Credentials

| credential | how | for |
|---|---|---|
| access token | `Authorization: Bearer …` (or `JWT …`), 1 hour | everything |
| send token | `Authorization: Bearer gz_…`, until revoked | sending, and reading what it sent |
| username and password | `Authorization: Basic …` | everything; each request counts as a sign-in |
| cookie | set by signing in; on unsafe methods with `X-CSRF-TOKEN` | all but `/v1/send` |

A session lives 30 days; `POST /v1/auth/refresh` gives it the next pair of tokens. What is revoked,
signed out or ended is refused everywhere with the next request. An unsafe request that comes with a
cookie or Basic from another site's page is refused; scripts send no `Origin` and pass.

## Requests and answers

JSON in and out, in UTF-8, 256 KiB at most. Unknown fields and parameters, and parameters given
twice, are refused, never ignored. Times are RFC 3339 in UTC. Ids mean nothing but themselves.
Lists are `{"items": […], "next_cursor": …}`: give the cursor back, with the same filter, for the
next page; null is the end.

A failure is never a 200 and never HTML: it is `application/problem+json` (RFC 9457) with a `code`
for programs, a `detail` for people and, for bad fields, `errors` by field. Every answer carries
`X-Request-ID`, under which the log has it.

An `Idempotency-Key` on a send makes repeating safe for 24 hours: the same key is the same message.
Sends tell the day's quota in `RateLimit` and `RateLimit-Policy`; a 429 says in `Retry-After` how
long to wait.

## Life of a message

`held` (no chat yet, or the bot is blocked there: `reason` says which) → `queued` → `sending` →
`sent`. Or `failed` (Telegram refused this very text), `expired` (not delivered in its time),
`cancelled` (by you, before anything was sent). Nothing accepted is lost; messages of an account
arrive in the order in which they were accepted; only a call whose answer was lost is made again,
and then the message says `possible_duplicate`.
"""

from typing import Any

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from app.api import (
    auth,
    chat,
    contract,
    documents,
    messages,
    pages,
    problems,
    system,
    tokens,
    users,
)
from app.config import Settings
from app.failures import Face

SECTIONS = (
    auth.section,
    messages.section,
    tokens.section,
    chat.section,
    users.section,
    system.section,
)


class InLetters(DefaultJSONProvider):
    """JSON with its fields as their shape has them, in letters rather than escapes."""

    sort_keys = False
    ensure_ascii = False

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        written = super().dumps(obj, **kwargs)
        try:
            written.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 has no bytes for
            return super().dumps(obj, ensure_ascii=True, **kwargs)
        return written


def register(app: Flask) -> Face:
    """Adds the API to `app`, with its document and the pages that show it.

    It renders the failures of every path that no other face owns.
    """
    settings: Settings = app.config["SETTINGS"]
    app.json = InLetters(app)
    contract.register_ids(app)
    api = documents.serve(app, SECTIONS, __doc__ or "", settings)
    pages.serve(app, api.spec)
    return Face("api", lambda path: True, problems.render)
