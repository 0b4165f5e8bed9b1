"""From a raw update to what happened, as a value. Pure; reads only the fields that we need.

What comes from Telegram is taken for untrusted text all the same: types are checked, names are
cleaned. Only a private chat with its own person counts (https://core.telegram.org/bots/api#chat);
whatever else may arrive is `NOTHING`, or `InGroup` when somebody there calls the bot.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.services.people import TelegramPerson

# "at most 52 significant bits": https://core.telegram.org/bots/api#chat
TELEGRAM_ID_MAX = 2**52
TITLE_MAX = 128
SHAPE_DEPTH = 6
SHAPE_KEYS = 60

Raw = Mapping[str, Any]

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_USERNAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
_KEY = re.compile(r"[a-z0-9_]{1,64}")
# A message with one of these was not written here and now by the person who sent it.
_SECONDHAND = (
    "forward_origin", "forward_from", "forward_from_chat", "forward_sender_name", "forward_date",
    "is_automatic_forward", "via_bot", "quote", "external_reply",
)  # fmt: skip
_QUOTES = ("blockquote", "expandable_blockquote")


class Unreadable(Exception):
    """An update is not built as Telegram documents it."""


@dataclass(frozen=True, slots=True)
class Wrote:
    """A person wrote to the bot. `text` is null when it was something else than text;
    `secondhand` when it was forwarded, quoted, or put there by another bot."""

    person: TelegramPerson
    message_id: int
    text: str | None
    secondhand: bool = False


@dataclass(frozen=True, slots=True)
class Pressed:
    """A person pressed a button; `message_id` is null when its message is gone."""

    person: TelegramPerson
    callback_id: str
    data: str
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Membership:
    """A person blocked or unblocked the bot."""

    telegram_id: int
    blocked: bool


@dataclass(frozen=True, slots=True)
class InGroup:
    """Somebody gave a command in a group."""

    chat_id: int
    language: str | None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing that concerns us."""


NOTHING = Nothing()
Event = Wrote | Pressed | Membership | InGroup | Nothing


def read(update: Raw) -> Event:
    """What happened. Raises `Unreadable`."""
    if "message" in update:
        return _message(_object(update, "message"))
    if "callback_query" in update:
        return _press(_object(update, "callback_query"))
    if "my_chat_member" in update:
        return _membership(_object(update, "my_chat_member"))
    return NOTHING


def shape(value: Any, depth: int = SHAPE_DEPTH) -> Any:
    """Keys and types of a JSON value, no contents: what may be kept of an update."""
    if isinstance(value, Mapping) and depth > 0:
        known = [(key, item) for key, item in value.items() if _KEY.fullmatch(str(key))]
        return {key: shape(item, depth - 1) for key, item in known[:SHAPE_KEYS]}
    if isinstance(value, list) and depth > 0:
        return [shape(value[0], depth - 1)] if value else []
    return type(value).__name__


def _message(message: Raw) -> Event:
    chat = _object(message, "chat")
    text = _text(message, "text")
    if chat.get("type") in ("group", "supergroup"):
        return _in_group(message, chat, text)
    sender = _sender(message, chat)
    message_id = _whole(message, "message_id")
    # An ephemeral message has the id 0: there is nothing to know it by.
    if sender is None or message_id == 0 or "sender_chat" in message:
        return NOTHING
    return Wrote(sender, message_id, text, _is_secondhand(message))


def _press(press: Raw) -> Event:
    message = press.get("message")
    if not isinstance(message, Mapping):
        return NOTHING
    person = _sender(press, _object(message, "chat"))
    if person is None:
        return NOTHING
    callback_id = _text(press, "id")
    if not callback_id:
        raise Unreadable("a button pressed without an id")
    data = _text(press, "data") or ""
    return Pressed(person, callback_id, data, _whole(message, "message_id") or None)


def _membership(change: Raw) -> Event:
    person = _sender(change, _object(change, "chat"))
    status = _object(change, "new_chat_member").get("status")
    if person is None or status not in ("kicked", "member"):
        return NOTHING
    return Membership(person.telegram_id, status == "kicked")


def _in_group(message: Raw, chat: Raw, text: str | None) -> Event:
    sender = message.get("from")
    if text is None or not text.startswith("/") or not isinstance(sender, Mapping):
        return NOTHING
    if sender.get("is_bot") is not False:
        return NOTHING
    return InGroup(_whole(chat, "id", negative=True), _language(sender))


def _sender(event: Raw, chat: Raw) -> TelegramPerson | None:
    """The person of a private chat who did this there; null for anybody and anywhere else."""
    if chat.get("type") != "private" or "from" not in event:
        return None
    sender = _object(event, "from")
    identifier = _whole(sender, "id")
    if sender.get("is_bot") is not False or identifier != _whole(chat, "id") or identifier == 0:
        return None
    names = (_text(sender, "first_name"), _text(sender, "last_name"))
    username = _text(sender, "username") or ""
    return TelegramPerson(
        telegram_id=identifier,
        title=_UNPRINTABLE.sub("", " ".join(name for name in names if name)).strip()[:TITLE_MAX],
        username=username if _USERNAME.fullmatch(username) else None,
        language=_language(sender),
    )


def _language(sender: Raw) -> str | None:
    language = _text(sender, "language_code") or ""
    return language if _LANGUAGE.fullmatch(language) else None


def _is_secondhand(message: Raw) -> bool:
    if any(field in message for field in _SECONDHAND):
        return True
    entities = message.get("entities")
    return isinstance(entities, list) and any(
        isinstance(entity, Mapping) and entity.get("type") in _QUOTES for entity in entities
    )


def _object(parent: Raw, name: str) -> Raw:
    value = parent.get(name)
    if not isinstance(value, Mapping):
        raise Unreadable(f"{name} is no object")
    return value


def _text(parent: Raw, name: str) -> str | None:
    value = parent.get(name)
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"{name} is no text")
    return value


def _whole(parent: Raw, name: str, *, negative: bool = False) -> int:
    value = parent.get(name)
    least = -TELEGRAM_ID_MAX if negative else 0
    if type(value) is not int or not least <= value < TELEGRAM_ID_MAX:
        raise Unreadable(f"{name} is no whole number of Telegram's")
    return value
