"""What people do in the sandbox: write, press buttons, block the bot; each act makes an update.

Used by the control API only. Raises `Impossible` when a real person could not do this either.
"""

import itertools
import random
import time

from sandbox.http import JsonObject
from sandbox.methods import Bot, Press
from sandbox.world import Chat, Person

_STICKER: JsonObject = {
    "file_id": "CAACAgIAAxkBAAE-sandbox", "file_unique_id": "AgADsandbox", "type": "regular",
    "width": 512, "height": 512, "is_animated": False, "is_video": False,
}  # fmt: skip


class Impossible(Exception):
    """A person on Telegram could not do this; the text says why."""


class People:
    """Acts of people towards one bot."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._press_numbers = itertools.count(random.randint(10**17, 9 * 10**17))

    def write(self, chat: Chat, sender: Person | None, content: JsonObject) -> JsonObject:
        """Puts a person's message into a chat and tells the bot; `sender` is None in a channel."""
        self._must_reach_bot(chat)
        if chat.private and not chat.started:
            chat.started = True
        user = None if sender is None else sender.as_user()
        message = self._bot.world.post(chat, user, with_command_entity(content))
        self._bot.updates.add(_kind(chat, edited=False), message)
        return message

    def edit(self, chat: Chat, message_id: int, text: str) -> JsonObject:
        """Changes the text of a message that stands in the chat."""
        self._must_reach_bot(chat)
        message = self._bot.world.message(chat, message_id)
        if message is None:
            raise Impossible(f"chat {chat.id} has no message {message_id}")
        kept = {name: value for name, value in message.items() if name != "entities"}
        edited = with_command_entity({**kept, "edit_date": int(time.time()), "text": text})
        self._bot.world.replace(chat, edited)
        self._bot.updates.add(_kind(chat, edited=True), edited)
        return edited

    def press(
        self, chat: Chat, sender: Person, button: str, message_id: int | None = None
    ) -> Press:
        """Presses a button, by its text or data, under a message or the newest that has it."""
        self._must_reach_bot(chat)
        message, data = self._find_button(chat, button, message_id)
        press = Press(str(next(self._press_numbers)), chat.id, message["message_id"], data)
        self._bot.presses[press.id] = press
        self._bot.updates.add(
            "callback_query",
            {
                "id": press.id,
                "from": sender.as_user(),
                "message": message,
                "chat_instance": str(-chat.id),
                "data": data,
            },
        )
        return press

    def set_bot_status(self, chat: Chat, sender: Person, status: str) -> None:
        """Blocks (`kicked`), unblocks or adds (`member`), removes (`left`) the bot; tells it."""
        if status not in ("member", "left", "kicked"):
            raise Impossible(f"a bot's status is member, left or kicked, not {status!r}")
        before, chat.bot_status = chat.bot_status, status
        self._bot.world.save_chat(chat)
        if before == status:
            return
        self._bot.updates.add(
            "my_chat_member",
            {
                "chat": self._bot.world.shape_of(chat),
                "from": sender.as_user(),
                "date": int(time.time()),
                "old_chat_member": self._membership(before),
                "new_chat_member": self._membership(status),
            },
        )

    def _membership(self, status: str) -> JsonObject:
        member: JsonObject = {"user": self._bot.me.as_user(), "status": status}
        return {**member, "until_date": 0} if status == "kicked" else member

    def _must_reach_bot(self, chat: Chat) -> None:
        if chat.bot_status != "member":
            raise Impossible("the bot is blocked or not in this chat: unblock or add it first")
        person = self._bot.world.people.get(chat.id)
        if person is not None and person.deactivated:
            raise Impossible("this person's account is deleted")

    def _find_button(
        self, chat: Chat, button: str, message_id: int | None
    ) -> tuple[JsonObject, str]:
        entries = [e for e in chat.entries.values() if not e.deleted]
        if message_id is not None:
            entries = [e for e in entries if e.message["message_id"] == message_id]
        for entry in reversed(entries):
            rows = entry.message.get("reply_markup", {}).get("inline_keyboard", [])
            for found in itertools.chain.from_iterable(rows):
                if button in (found.get("text"), found.get("callback_data")):
                    if "callback_data" not in found:
                        raise Impossible(f"the button {button!r} tells the bot nothing")
                    return entry.message, found["callback_data"]
        raise Impossible(f"there is no button {button!r} in chat {chat.id}")


def with_command_entity(content: JsonObject) -> JsonObject:
    """The same content with the `bot_command` entity Telegram adds to a leading command."""
    words = str(content.get("text", "")).split(maxsplit=1)
    if not words or not words[0].startswith("/") or len(words[0]) < 2 or "entities" in content:
        return content
    command = {"type": "bot_command", "offset": 0, "length": len(words[0])}
    return {**content, "entities": [command]}


def sticker(emoji: str) -> JsonObject:
    """The content of a message that is a sticker."""
    return {"sticker": {**_STICKER, "emoji": emoji}}


def forwarded_from(origin: Person) -> JsonObject:
    """What Telegram adds to a forwarded message."""
    now = int(time.time())
    return {
        "forward_origin": {"type": "user", "sender_user": origin.as_user(), "date": now},
        "forward_from": origin.as_user(),
        "forward_date": now,
    }


def _kind(chat: Chat, *, edited: bool) -> str:
    kind = "channel_post" if chat.type == "channel" else "message"
    return f"edited_{kind}" if edited else kind
