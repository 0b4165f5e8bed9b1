"""The people, chats and messages of the sandbox: what Telegram's own servers would know.

A private chat has the id of its person, as on Telegram. Holds state and says what the bot may do
with a chat; what people do stands in `people.py`, what the bot does in `methods.py`.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from sandbox import refusals
from sandbox.bell import Bell
from sandbox.http import JsonObject
from sandbox.store import Store

HISTORY = 2_000  # messages kept in a chat; older ones can no longer be edited


@dataclass(slots=True)
class Person:
    """Somebody with a Telegram account (a bot, if `is_bot`)."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    is_bot: bool = False
    deactivated: bool = False

    def as_user(self) -> JsonObject:
        """The Bot API's `User`."""
        user: JsonObject = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        for name in ("last_name", "username", "language_code"):
            if getattr(self, name):
                user[name] = getattr(self, name)
        return user


@dataclass(slots=True)
class Entry:
    """A message in a chat; `revision` grows with every change, so a page can ask for news."""

    message: JsonObject
    revision: int
    deleted: bool = False
    by_bot: bool = False


@dataclass(slots=True)
class Chat:
    """A private chat, group, supergroup or channel.

    `bot_status` is the bot's own: member, left or kicked (in a private chat kicked means
    blocked). `started`: the person wrote first, without which a bot can not write to a person.
    """

    id: int
    type: str
    title: str = ""
    username: str = ""
    bot_status: str = "member"
    started: bool = False
    removed: bool = False
    upgraded_to: int | None = None
    last_message_id: int = 0
    entries: dict[int, Entry] = field(default_factory=dict)
    revision: int = 0
    bell: Bell = field(default_factory=Bell)

    @property
    def private(self) -> bool:
        """A chat with one person."""
        return self.type == "private"

    @property
    def group(self) -> bool:
        """A chat for which Telegram has the limit of a group."""
        return self.type in ("group", "supergroup", "channel")

    def changed_since(self, revision: int) -> Iterator[Entry]:
        """Messages that are new, edited or deleted after `revision`."""
        return (entry for entry in self.entries.values() if entry.revision > revision)

    def saved(self) -> JsonObject:
        """What the store keeps of the chat itself."""
        return {
            name: getattr(self, name)
            for name in (
                "id", "type", "title", "username", "bot_status", "started", "removed",
                "upgraded_to", "last_message_id", "revision",
            )
        }  # fmt: skip


class World:
    """Everybody and everything; each change goes to the store at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.people: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        # Random, so that two sandboxes do not give the same ids; beyond 32 bits, as on Telegram.
        self._last_person_id = random.randrange(5 * 10**9, 7 * 10**9)
        self._last_group_id = -random.randrange(10**12, 2 * 10**12)
        self._load()

    def add_person(self, person: Person, *, started: bool = False) -> Person:
        """Adds a person with the private chat that has the same id."""
        self.people[person.id] = person
        self.chats[person.id] = Chat(person.id, "private", started=started)
        self.save_person(person)
        self.save_chat(self.chats[person.id])
        return person

    def add_chat(self, chat: Chat) -> Chat:
        """Adds a group or channel."""
        self.chats[chat.id] = chat
        self.save_chat(chat)
        return chat

    def free_person_id(self) -> int:
        """An id nobody has had."""
        self._last_person_id = max(self._last_person_id, *self.people, 0) + 1
        return self._last_person_id

    def free_group_id(self) -> int:
        """A negative id no chat has had."""
        self._last_group_id = min(self._last_group_id, *self.chats, 0) - 1
        return self._last_group_id

    def shape_of(self, chat: Chat) -> JsonObject:
        """The Bot API's `Chat`."""
        shape: JsonObject = {"id": chat.id, "type": chat.type}
        person = self.people.get(chat.id)
        if chat.private and person is not None:
            for name in ("first_name", "last_name", "username"):
                if getattr(person, name):
                    shape[name] = getattr(person, name)
            return shape
        shape["title"] = chat.title
        if chat.username:
            shape["username"] = chat.username
        return shape

    def find_chat(self, reference: int | str) -> Chat | None:
        """A chat by its id, or by `@username` of a group or channel."""
        if isinstance(reference, int):
            return self.chats.get(reference)
        wanted = reference.removeprefix("@").lower()
        return next((c for c in self.chats.values() if c.username.lower() == wanted), None)

    def chat_open_to_bot(self, reference: int | str) -> Chat:
        """The chat the bot wants to write to; raises the `Refusal` Telegram would give."""
        chat = self.find_chat(reference)
        if chat is None or (chat.private and not chat.started):
            raise refusals.bad_request("chat not found")
        person = self.people.get(chat.id)
        if person is not None and person.deactivated:
            raise refusals.forbidden("user is deactivated")
        if chat.upgraded_to is not None:
            raise refusals.upgraded(chat.upgraded_to)
        if chat.removed:
            raise refusals.forbidden("the group chat was deleted")
        if chat.bot_status == "kicked":
            kind = "group" if chat.type == "group" else chat.type
            blocked = "bot was blocked by the user"
            raise refusals.forbidden(
                blocked if chat.private else f"bot was kicked from the {kind} chat"
            )
        if chat.bot_status == "left":
            raise refusals.forbidden(f"bot is not a member of the {chat.type} chat")
        return chat

    def post(
        self, chat: Chat, sender: JsonObject | None, content: JsonObject, *, by_bot: bool = False
    ) -> JsonObject:
        """Puts a message into a chat; returns the Bot API's `Message`. No sender in a channel."""
        chat.last_message_id += 1
        message: JsonObject = {"message_id": chat.last_message_id}
        if sender is not None:
            message["from"] = sender
        else:
            message["sender_chat"] = self.shape_of(chat)
        message |= {"chat": self.shape_of(chat), "date": int(time.time()), **content}
        self._put(chat, Entry(message, 0, by_bot=by_bot))
        if len(chat.entries) > HISTORY:
            oldest = next(iter(chat.entries))
            del chat.entries[oldest]
            self._store.remove(f"message {chat.id}", oldest)
        return message

    def replace(self, chat: Chat, message: JsonObject) -> None:
        """Puts a changed message in the place of the old one."""
        before = chat.entries[message["message_id"]]
        self._put(chat, Entry(message, 0, by_bot=before.by_bot))

    def remove(self, chat: Chat, message_id: int) -> None:
        """Deletes a message; a mark stays, so that a page learns of it."""
        entry = chat.entries[message_id]
        self._put(chat, Entry(entry.message, 0, deleted=True, by_bot=entry.by_bot))

    def message(self, chat: Chat, message_id: int) -> JsonObject | None:
        """A message that is still there."""
        entry = chat.entries.get(message_id)
        return None if entry is None or entry.deleted else entry.message

    def save_person(self, person: Person) -> None:
        """Keeps a changed person."""
        self._store.put("person", person.id, asdict(person))

    def save_chat(self, chat: Chat) -> None:
        """Keeps a changed chat and tells those who watch it."""
        chat.revision += 1
        self._store.put("chat", chat.id, chat.saved())
        chat.bell.ring()

    def clear(self) -> None:
        """Nobody and nothing; those who watch a chat learn that it is gone."""
        for chat in self.chats.values():
            chat.bell.ring()
        self.people.clear()
        self.chats.clear()
        self._store.clear()

    def _put(self, chat: Chat, entry: Entry) -> None:
        entry.revision = chat.revision + 1
        message_id = entry.message["message_id"]
        chat.entries[message_id] = entry
        self._store.put(f"message {chat.id}", message_id, asdict(entry))
        self.save_chat(chat)

    def _load(self) -> None:
        for key, saved in self._store.items("person"):
            self.people[key] = Person(**saved)
        for key, saved in self._store.items("chat"):
            chat = self.chats[key] = Chat(**saved)
            for message_id, values in self._store.items(f"message {key}"):
                chat.entries[message_id] = Entry(**values)
