"""What the program calls things, in people's words: statuses, reasons, attempts, events, parts.

English only; `languages` has the others. Values that are unknown here are shown as they are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from app.languages import Language
from app.services.history import AttemptEntry, MessageEntry
from app.web import times

# Each status: its word and its tone, which decides the colour and never says anything alone.
STATUSES: Mapping[str, tuple[str, str]] = {
    "held": ("Held", "wait"),
    "queued": ("Queued", "wait"),
    "sending": ("Sending", "wait"),
    "sent": ("Sent", "good"),
    "failed": ("Failed", "bad"),
    "expired": ("Expired", "bad"),
    "cancelled": ("Cancelled", "quiet"),
    "received": ("Received", "good"),
}

DIRECTIONS: Mapping[str, str] = {"out": "To Telegram", "in": "From Telegram"}

REASONS: Mapping[str, str] = {
    "no_chat": "No Telegram chat is linked yet; it goes out as soon as one is.",
    "blocked": "You have blocked the bot in Telegram; it goes out as soon as you unblock it.",
    "disabled": "This account is disabled.",
    "erased": "This account is being erased.",
    "expired": "It could not be delivered within its time.",
}

# What a call to Telegram came to (the names of the outcomes in app/telegram).
OUTCOMES: Mapping[str, tuple[str, str]] = {
    "sent": ("Telegram has it.", "good"),
    "wait": ("Telegram asked to wait {time}.", "wait"),
    "not_sent": ("Telegram could not take it just then; it is tried again.", "wait"),
    "ambiguous": (
        "The answer was lost, so nobody knows whether it arrived; it is sent once more.",
        "wait",
    ),
    "chat_gone": ("Telegram says that this chat cannot be written to.", "bad"),
    "moved": ("The chat has moved; it is sent to its new address.", "wait"),
    "too_long": ("Telegram found it too long; it is cut into shorter parts.", "wait"),
    "refused": ("Telegram refused this text.", "bad"),
    "bot_broken": ("Telegram does not accept this server's bot; your message waits.", "bad"),
}

EVENTS: Mapping[str, str] = {
    "registered": "registered",
    "signed_in": "signed in",
    "sign_in_refused": "was refused a sign-in",
    "signed_out": "ended a session",
    "refresh_reused": "used an old refresh token: the session was ended",
    "password_changed": "changed the password",
    "password_reset": "had the password reset",
    "sessions_ended": "had all sessions ended",
    "disabled": "was disabled",
    "enabled": "was enabled",
    "erased": "was erased",
    "chat_linked": "linked a chat",
    "chat_unlinked": "unlinked the chat",
    "send_token_made": "made a send token",
    "send_token_revoked": "revoked a send token",
    "link_token_made": "made a link token",
    "delivery_paused": "paused delivery",
    "delivery_resumed": "resumed delivery",
}

PARTS: Mapping[str, str] = {
    "database": "Database",
    "broker": "Broker",
    "worker": "Worker",
    "bot": "Bot",
    "telegram": "Telegram",
    "delivery": "Delivery",
}

HEALTH: Mapping[str, tuple[str, str]] = {
    "ok": ("Works", "good"),
    "degraded": ("Impaired", "wait"),
    "failed": ("Out of order", "bad"),
    "ready": ("Everything works", "good"),
    "unready": ("Out of order", "bad"),
}

# Failures whose words in `errors` speak of headers rather than to a person with a browser.
FAILURES: Mapping[str, str] = {
    "csrf_failed": "This page was open for too long. Nothing was changed; please press again.",
    "foreign_origin": "This did not come from one of this site's own pages; nothing was changed.",
    "too_many_requests": "That was too often. Try again in {time}.",
    "too_many_failures": "Too many wrong attempts. Try again in {time}.",
    "quota_used_up": "Today's number of messages is used up. Try again in {time}.",
    "invalid": "Please look at the marked fields.",
    "unauthenticated": "Please sign in.",
    "not_found": "There is no such page.",
    "internal": "The server made a mistake. It has been written down.",
}

# Programs by a word of their User-Agent, the telling ones first: most call themselves Mozilla and
# Safari, too (MDN, "Browser detection using the user agent").
_BROWSERS = (
    ("Firefox/", "Firefox"),
    ("Edg/", "Edge"),
    ("YaBrowser/", "Yandex Browser"),
    ("OPR/", "Opera"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "python-requests"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
CLIENT_LENGTH = 40

_RETRY_AFTER = re.compile(r"retry after (\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Words:
    """Something said, and its tone: `good`, `wait`, `bad` or `quiet`."""

    text: Markup
    tone: str


def status(language: Language, name: str) -> Words:
    """A message's status."""
    word, tone = STATUSES.get(name, (name, "quiet"))
    return Words(language.say(word), tone)


def health(language: Language, name: str) -> Words:
    """The state of a part of the service."""
    word, tone = HEALTH.get(name, (name, "quiet"))
    return Words(language.say(word), tone)


def reason(language: Language, message: MessageEntry) -> Markup | None:
    """Why a message is where it is, if there is anything to say; else Telegram's own words."""
    if message.reason is None:
        return None
    known = REASONS.get(message.reason)
    return language.say(known) if known else Markup("{}").format(message.reason)


def attempt(language: Language, entry: AttemptEntry) -> Words:
    """What one call to Telegram came to."""
    sentence, tone = OUTCOMES.get(entry.outcome, (entry.outcome, "quiet"))
    if entry.outcome != "wait":
        return Words(language.say(sentence), tone)
    said = _RETRY_AFTER.search(entry.description or "")
    if said is None:
        return Words(language.say("Telegram asked to wait."), tone)
    return Words(language.say(sentence, time=times.duration(language, int(said[1]))), tone)


def failure(language: Language, code: str, detail: str, retry_after: float | None) -> Markup:
    """A kind of failure, to the person whose request it was."""
    words = FAILURES.get(code)
    if words is None:
        return language.say(detail)
    return language.say(words, time=times.duration(language, retry_after or 60))


def client(language: Language, user_agent: str) -> Markup:
    """The program behind a session, as far as it tells."""
    browser = next((name for word, name in _BROWSERS if word in user_agent), None)
    system = next((name for word, name in _SYSTEMS if word in user_agent), None)
    if browser and system:
        return language.say("{browser} on {system}", browser=browser, system=system)
    named = browser or user_agent[:CLIENT_LENGTH]
    return Markup("{}").format(named) if named else language.say("unknown program")


def event(language: Language, kind: str) -> Markup:
    """What happened to an account, said of the account."""
    return language.say(EVENTS.get(kind, kind))
