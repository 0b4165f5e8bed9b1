"""The people, groups and channels of a test: what they do and what they get to see.

Made by `sandbox.client.Sandbox`; each speaks to the control API for one chat.
"""

import time
from dataclasses import dataclass

from sandbox.http import JsonObject
from sandbox.remote import Remote


@dataclass(slots=True, frozen=True)
class Button:
    """An inline button."""

    text: str
    data: str | None = None
    url: str | None = None
    copy_text: str | None = None


@dataclass(slots=True, frozen=True)
class Message:
    """A message as a person sees it now; `raw` is the Bot API's `Message`."""

    message_id: int
    text: str
    from_bot: bool
    buttons: list[Button]
    raw: JsonObject


@dataclass(slots=True, frozen=True)
class Press:
    """A pressed button."""

    id: str
    remote: Remote

    def answer(self, within: float = 10.0) -> str:
        """The notice the bot showed; `TimeoutError` if it answered nothing."""
        answer = self.remote.get(f"/sandbox/presses/{self.id}", wait=within)["answer"]
        if answer is None:
            raise TimeoutError(f"the bot did not answer the press within {within} s")
        return str(answer["text"])


class Chat:
    """What is common to a private chat, a group and a channel."""

    def __init__(self, remote: Remote, identifier: int) -> None:
        self._remote = remote
        self._path = f"/sandbox/chats/{identifier}"
        self._heard = 0
        self.id = identifier

    def messages(self) -> list[Message]:
        """Everything in the chat that was not deleted, oldest first."""
        return [
            _message(item["message"], by_bot=item["by_bot"])
            for item in self._history()
            if not item["deleted"]
        ]

    def received(self) -> list[str]:
        """The texts of the bot's messages, oldest first, as they stand now."""
        return [message.text for message in self.messages() if message.from_bot]

    def hears(self, part: str = "", within: float = 10.0) -> Message:
        """The bot's next message with `part` in it, after what was last said or heard here."""
        deadline = time.monotonic() + within
        since = 0
        while True:
            left = deadline - time.monotonic()
            page = self._remote.get(f"{self._path}/messages", since=since, wait=max(0.0, left))
            for item in page["items"]:
                found = _message(item["message"], by_bot=item["by_bot"])
                if found.from_bot and found.message_id > self._heard and part in found.text:
                    self._heard = found.message_id
                    return found
            if left <= 0:
                raise TimeoutError(
                    f"no message with {part!r} within {within} s; received: {self.received()}"
                )
            since = page["next"]

    def _history(self) -> list[JsonObject]:
        items: list[JsonObject] = self._remote.get(f"{self._path}/messages")["items"]
        return sorted(items, key=lambda item: int(item["message"]["message_id"]))

    def _write(self, **fields: object) -> Message:
        message = _message(self._remote.post(f"{self._path}/messages", **fields))
        self._heard = max(self._heard, message.message_id)
        return message


class User(Chat):
    """A person, and the private chat with the bot."""

    def __init__(self, remote: Remote, shown: JsonObject) -> None:
        super().__init__(remote, int(shown["id"]))
        self.name = str(shown["first_name"])

    def says(
        self,
        text: str,
        *,
        forwarded_from: "User | None" = None,
        entities: list[JsonObject] | None = None,
        extra: JsonObject | None = None,
    ) -> Message:
        """Writes to the bot; `extra` are raw fields of the Bot API's `Message`."""
        origin = None if forwarded_from is None else forwarded_from.id
        return self._write(text=text, forwarded_from=origin, entities=entities, extra=extra)

    def sends_sticker(self, emoji: str = "🙂") -> Message:
        """Sends a sticker instead of a text."""
        return self._write(sticker=emoji)

    def edits(self, message: Message, text: str) -> Message:
        """Changes a message after it was sent."""
        return self._write(edit=message.message_id, text=text)

    def presses(self, button: str, under: Message | None = None) -> Press:
        """Presses a button by its text or data, under the newest message that has it."""
        message_id = None if under is None else under.message_id
        path = f"{self._path}/presses"
        press = self._remote.post(path, button=button, message_id=message_id)
        return Press(str(press["id"]), self._remote)

    def blocks(self) -> None:
        """Blocks the bot: it gets a `my_chat_member` update, its messages a 403."""
        self._remote.post(self._path, bot_status="kicked")

    def unblocks(self) -> None:
        """Takes the block away; the bot gets an update again."""
        self._remote.post(self._path, bot_status="member")

    def deletes_account(self) -> None:
        """The account is gone: 403 `user is deactivated`, and no update tells of it."""
        self._remote.post(f"/sandbox/people/{self.id}", deactivated=True)


class Group(Chat):
    """A group or supergroup with the bot in it."""

    def writes(self, text: str, by: User) -> Message:
        """A member writes."""
        return self._write(text=text, by=by.id)

    def throws_bot_out(self, by: User) -> None:
        """403 from now on."""
        self._remote.post(self._path, bot_status="kicked", by=by.id)

    def upgrades_to(self, new: "Group") -> None:
        """The group lives on under the id of `new`: 400 with `migrate_to_chat_id`."""
        self._remote.post(self._path, upgraded_to=new.id)


class Channel(Chat):
    """A channel with the bot in it."""

    def posts(self, text: str) -> Message:
        """A post appears; it has no sender."""
        return self._write(text=text)


def _message(raw: JsonObject, *, by_bot: bool = False) -> Message:
    rows = raw.get("reply_markup", {}).get("inline_keyboard", [])
    buttons = [
        Button(
            text=button["text"],
            data=button.get("callback_data"),
            url=button.get("url"),
            copy_text=button.get("copy_text", {}).get("text"),
        )
        for row in rows
        for button in row
    ]
    return Message(raw["message_id"], raw.get("text", ""), by_bot, buttons, raw)
