"""What a call to the Bot API came to, as values; and the one place that reads its answers.

`classify` is pure: an answer (or the lack of one) in, an `Outcome` out. What follows from an
outcome is decided elsewhere (delivery.retries for messages, the poller for updates).

The texts it knows are those of Telegram's own server (github.com/tdlib/telegram-bot-api,
Client.cpp). They are compared by substring and without regard to case, since the server puts the
prefix and the case of the first letter on.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from app.logs import redact

DESCRIPTION_LENGTH = 200
# What a 429 without `retry_after` is taken to say.
DEFAULT_WAIT = 3.0

CHAT_GONE = (
    "bot was blocked by the user",
    "user is deactivated",
    "bot can't initiate conversation with a user",
    "bots can't send messages to bots",
    "bot was kicked from",
    "bot is not a member of",
    "chat was deleted",
    "chat not found",
    "have no rights to send a message",
    "not enough rights to send text messages",
    "chat_write_forbidden",
    "peer_id_invalid",
    "user_is_blocked",
    "input_user_deactivated",
)
TOO_LONG = ("message is too long", "text is too long", "message_too_long")
NOT_MODIFIED = "message is not modified"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, the value of `Retry-After`, body. Read to its end."""

    status: int
    body: bytes
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A call without an answer. `begun`: the request was being written, it may have arrived."""

    begun: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: one of the subclasses. `code` is Telegram's, None without an answer;
    `description` its words, or ours for a call without an answer, redacted and cut. `name` is how
    an attempt is stored and counted."""

    name: ClassVar[str]

    code: int | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Ok(Outcome):
    """Telegram did it; `result` is what it gave back, as parsed JSON."""

    name = "ok"

    result: Any = None


@dataclass(frozen=True, slots=True)
class Sent(Outcome):
    """The message stands in the chat under `message_id`."""

    name = "sent"

    message_id: int = 0


@dataclass(frozen=True, slots=True)
class Wait(Outcome):
    """429: nothing was done, come again after `seconds`."""

    name = "wait"

    seconds: float = DEFAULT_WAIT


@dataclass(frozen=True, slots=True)
class NotSent(Outcome):
    """Nothing was done: Telegram was not reached, or said that it failed (5xx). Worth repeating."""

    name = "not_sent"


@dataclass(frozen=True, slots=True)
class Ambiguous(Outcome):
    """It may have been done or not, and nobody can tell: the answer was lost or unreadable."""

    name = "ambiguous"


@dataclass(frozen=True, slots=True)
class ChatGone(Outcome):
    """This chat cannot be written to until its person does something about it."""

    name = "chat_gone"


@dataclass(frozen=True, slots=True)
class Moved(Outcome):
    """The chat lives on under another id; nothing was done."""

    name = "moved"

    chat_id: int = 0


@dataclass(frozen=True, slots=True)
class TooLong(Outcome):
    """The text is longer than Telegram takes."""

    name = "too_long"


@dataclass(frozen=True, slots=True)
class Refused(Outcome):
    """Telegram will never do this, however often it is asked."""

    name = "refused"


@dataclass(frozen=True, slots=True)
class BotBroken(Outcome):
    """401 or 404: the bot's token or the server's address is wrong. No message is at fault."""

    name = "bot_broken"


@dataclass(frozen=True, slots=True)
class OtherPoller(Outcome):
    """409: another getUpdates took over; the newer poll wins."""

    name = "other_poller"


@dataclass(frozen=True, slots=True)
class WebhookActive(Outcome):
    """409: polling is refused while a webhook is set; deleteWebhook cures it."""

    name = "webhook_active"


def classify(answer: Answer | NoAnswer) -> Outcome:
    """The outcome of any call; for one that succeeded, `Ok` with its result."""
    if isinstance(answer, NoAnswer):
        reason = _clean(answer.reason)
        return Ambiguous(None, reason) if answer.begun else NotSent(None, reason)
    body = _parsed(answer.body)
    if body is None:
        return _foreign(answer)
    if body["ok"] is True:
        if "result" in body:
            return Ok(answer.status, None, body["result"])
        return Ambiguous(answer.status, "an answer without a result")
    return _refusal(answer, body)


def classify_sent(answer: Answer | NoAnswer) -> Outcome:
    """As `classify`, for sendMessage: a success is `Sent`, or `Ambiguous` without a message id.

    Nothing else of the answer is looked at: a success must never turn into an error because the
    rest of it is new or strange.
    """
    outcome = classify(answer)
    if not isinstance(outcome, Ok):
        return outcome
    result = outcome.result
    message_id = result.get("message_id") if isinstance(result, dict) else None
    if type(message_id) is not int:
        return Ambiguous(outcome.code, "an answer without a message id")
    return Sent(outcome.code, None, message_id)


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The JSON object of Telegram's; None when it is not one with a boolean `ok`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("ok"), bool):
        return value
    return None


def _foreign(answer: Answer) -> Outcome:
    """An answer that is not Telegram's JSON: damaged on its way, or a proxy's own page.

    Behind a 2xx or 5xx the Bot API may have done the work (a gateway reports 502 and 504 when the
    connection behind it dies). What a proxy refuses with another status never came through.
    """
    said = f"HTTP {answer.status} without a readable answer"
    match answer.status:
        case 401 | 404:
            return BotBroken(answer.status, said)
        case 429:
            return Wait(429, said, _seconds(answer.retry_after))
        case status if 200 <= status < 300 or status >= 500:
            return Ambiguous(status, said)
    return NotSent(answer.status, said)


def _refusal(answer: Answer, body: dict[str, Any]) -> Outcome:
    code = body.get("error_code")
    code = code if type(code) is int else answer.status
    description = _clean(str(body.get("description") or f"HTTP {answer.status}"))
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    match code:
        case 401 | 404 | 421:
            return BotBroken(code, description)
        case 429:
            return Wait(
                code, description, _seconds(parameters.get("retry_after", answer.retry_after))
            )
        case 409:
            return _conflict(code, description)
        case 400 | 403:
            return _bad_request(code, description, parameters.get("migrate_to_chat_id"))
        case _ if 400 <= code < 500:
            return Refused(code, description)
    return NotSent(code, description)


def _conflict(code: int, description: str) -> Outcome:
    if "webhook is active" in description.lower():
        return WebhookActive(code, description)
    return OtherPoller(code, description)


def _bad_request(code: int, description: str, moved_to: Any) -> Outcome:
    words = description.lower()
    if type(moved_to) is int:
        return Moved(code, description, moved_to)
    if any(text in words for text in CHAT_GONE):
        return ChatGone(code, description)
    if any(text in words for text in TOO_LONG):
        return TooLong(code, description)
    if NOT_MODIFIED in words:
        return Ok(code, description, True)
    return Refused(code, description)


def _seconds(value: Any) -> float:
    """`retry_after` as seconds; `DEFAULT_WAIT` when absent or senseless."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return DEFAULT_WAIT
    return seconds if 0 < seconds < float("inf") else DEFAULT_WAIT


def _clean(description: str) -> str:
    """Without secrets, without what a database cannot hold, of bounded length."""
    return redact(description.replace("\x00", ""))[:DESCRIPTION_LENGTH]
