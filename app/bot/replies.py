"""What is to be sent back, as values: a message, a changed message, the answer to a press.

Built here from words and figures; sent by `sender`. Nothing here is stored.
"""

import math
from dataclasses import dataclass
from enum import Enum

from app.bot import words
from app.extensions import settings
from app.telegram import Keyboard

UNDO = "undo:"


class Manner(Enum):
    """How much of one kind a chat gets to hear (`throttle`)."""

    ANSWER = "answer"  # to what the person asked
    NEUTRAL = "neutral"  # to what nobody understands
    RECEIPT = "receipt"  # that a text was kept


@dataclass(frozen=True, slots=True)
class Say:
    """A message to a chat."""

    chat_id: int
    text: str
    keyboard: Keyboard | None = None
    manner: Manner = Manner.ANSWER


@dataclass(frozen=True, slots=True)
class Change:
    """Another text, without buttons, for a message of the bot's."""

    chat_id: int
    message_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The end of a button's spinner, with a short note or none."""

    chat_id: int
    callback_id: str
    text: str = ""


Reply = Say | Change | Acknowledge


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom the bot speaks to: a chat and the language of its person."""

    chat_id: int
    language: str | None

    def hears(self, text: words.Words, **values: object) -> Say:
        """An answer."""
        return Say(self.chat_id, text.to(self.language, **values))

    def hears_sometimes(self, text: words.Words, manner: Manner, **values: object) -> Say:
        """Something that need not be said each time."""
        return Say(self.chat_id, text.to(self.language, **values), manner=manner)

    def hears_of_link(self, username: str, chat_id: int) -> Say:
        """That the chat is linked to this account; the button undoes that very link."""
        undo = {"text": words.NOT_ME.to(self.language), "callback_data": f"{UNDO}{chat_id}"}
        text = words.LINKED.to(self.language, username=username)
        return Say(self.chat_id, text, [[undo]])

    def hears_code(self, code: str, *, first_time: bool) -> Say:
        """The link code, alone on a line and under a button that copies it."""
        hello = words.HELLO.to(self.language) if first_time else ""
        text = hello + words.CODE.to(self.language, code=code, cabinet=cabinet())
        copy = {"text": words.COPY_CODE.to(self.language), "copy_text": {"text": code}}
        return Say(self.chat_id, text, [[copy]])

    def hears_to_wait(self, seconds: float | None) -> Say:
        """That there were too many wrong tokens."""
        return self.hears(words.TOO_MANY_TOKENS, minutes=math.ceil((seconds or 60) / 60))


def cabinet() -> str:
    """Where people enter codes and find tokens."""
    return f"{settings().base_url}/cabinet"
