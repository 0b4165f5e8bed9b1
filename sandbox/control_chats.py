"""The control API's people and chats: who there is, what they write, press and block.

What an act leads to stands in `people.py`; this reads fields and shows results.
"""

from dataclasses import asdict

from sandbox.fields import BadFields, Fields, NotThere, Routes, seconds
from sandbox.http import JsonObject
from sandbox.methods import Bot, Press
from sandbox.people import People, forwarded_from, sticker
from sandbox.world import Chat, Person


class ChatCalls:
    """`/sandbox/people`, `/sandbox/chats`, `/sandbox/presses`."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._people = People(bot)

    def routes(self) -> Routes:
        """Verb, path and handler of each call."""
        return [
            ("GET", "/people", self._list_people),
            ("POST", "/people", self._create_person),
            ("POST", "/people/{id}", self._change_person),
            ("GET", "/chats", self._list_chats),
            ("POST", "/chats", self._create_chat),
            ("POST", "/chats/{id}", self._change_chat),
            ("GET", "/chats/{id}/messages", self._read_chat),
            ("POST", "/chats/{id}/messages", self._write),
            ("POST", "/chats/{id}/presses", self._press),
            ("GET", "/presses/{id}", self._read_press),
        ]

    def _list_people(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {"items": [self._shown(person) for person in self._bot.world.people.values()]}

    def _create_person(self, given: Fields, _: int) -> JsonObject:
        person = Person(
            id=given.take("id", int, self._bot.world.free_person_id()),
            first_name=given.need("first_name", str),
            last_name=given.take("last_name", str, ""),
            username=given.take("username", str, ""),
            language_code=given.take("language_code", str, "en"),
            is_bot=given.take("is_bot", bool, False),
        )
        started = given.take("started", bool, False)
        given.end()
        if person.id <= 0 or person.id in self._bot.world.people or not person.first_name:
            raise BadFields("a person needs a name and a positive id that is not taken")
        self._bot.world.add_person(person, started=started)
        return self._shown(person)

    def _change_person(self, given: Fields, identifier: int) -> JsonObject:
        person = self._person(identifier)
        person.deactivated = given.take("deactivated", bool, person.deactivated)
        person.language_code = given.take("language_code", str, person.language_code)
        given.end()
        self._bot.world.save_person(person)
        return self._shown(person)

    def _list_chats(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {"items": [self._shown_chat(chat) for chat in self._bot.world.chats.values()]}

    def _create_chat(self, given: Fields, _: int) -> JsonObject:
        chat = Chat(
            id=given.take("id", int, self._bot.world.free_group_id()),
            type=given.need("type", str),
            title=given.need("title", str),
            username=given.take("username", str, ""),
            bot_status=given.take("bot_status", str, "member"),
        )
        given.end()
        if not chat.group or chat.id >= 0 or chat.id in self._bot.world.chats:
            raise BadFields(
                "a chat is a group, supergroup or channel with a negative id that is not taken"
            )
        return self._shown_chat(self._bot.world.add_chat(chat))

    def _change_chat(self, given: Fields, identifier: int) -> JsonObject:
        chat = self._chat(identifier)
        status = given.optional("bot_status", str)
        by = given.take("by", int, chat.id)
        chat.removed = given.take("removed", bool, chat.removed)
        chat.upgraded_to = given.take("upgraded_to", int, chat.upgraded_to or 0) or None
        given.end()
        if status is not None:
            self._people.set_bot_status(chat, self._person(by), status)
        self._bot.world.save_chat(chat)
        return self._shown_chat(chat)

    def _write(self, given: Fields, identifier: int) -> JsonObject:
        chat = self._chat(identifier)
        edited = given.optional("edit", int)
        text = given.optional("text", str)
        if edited is not None:
            given.end()
            return self._people.edit(chat, edited, text or "")
        content: JsonObject = {} if text is None else {"text": text}
        if (emoji := given.optional("sticker", str)) is not None:
            content |= sticker(emoji)
        if (origin := given.optional("forwarded_from", int)) is not None:
            content |= forwarded_from(self._person(origin))
        if (entities := given.optional("entities", list)) is not None:
            content["entities"] = entities
        content |= given.take("extra", dict, {})
        sender = None if chat.type == "channel" else given.take("by", int, chat.id)
        given.end()
        if not content:
            raise BadFields("a message needs a text, a sticker or extra fields")
        person = None if sender is None else self._person(sender)
        return self._people.write(chat, person, content)

    def _press(self, given: Fields, identifier: int) -> JsonObject:
        chat = self._chat(identifier)
        person = self._person(given.take("by", int, chat.id))
        button, message_id = given.need("button", str), given.optional("message_id", int)
        given.end()
        return _shown_press(self._people.press(chat, person, button, message_id))

    async def _read_press(self, given: Fields, identifier: int) -> JsonObject:
        wait = seconds(given)
        given.end()
        press = self._bot.presses.get(str(identifier))
        if press is None:
            raise NotThere(f"no button was pressed under the number {identifier}")
        if wait and press.answer is None:
            await press.bell.wait(wait)
        return _shown_press(press)

    async def _read_chat(self, given: Fields, identifier: int) -> JsonObject:
        since, wait = given.take("since", int, 0), seconds(given)
        given.end()
        chat = self._chat(identifier)
        if wait and chat.revision <= since:
            await chat.bell.wait(wait)
            chat = self._chat(identifier)
        return {
            "chat": self._shown_chat(chat),
            "items": [asdict(entry) for entry in chat.changed_since(since)],
            "next": chat.revision,
        }

    def _person(self, identifier: int) -> Person:
        person = self._bot.world.people.get(identifier)
        if person is None:
            raise NotThere(f"there is no person {identifier}")
        return person

    def _chat(self, identifier: int) -> Chat:
        chat = self._bot.world.chats.get(identifier)
        if chat is None:
            raise NotThere(f"there is no chat {identifier}")
        return chat

    def _shown(self, person: Person) -> JsonObject:
        chat = self._bot.world.chats[person.id]
        return {**asdict(person), "started": chat.started, "bot_status": chat.bot_status}

    def _shown_chat(self, chat: Chat) -> JsonObject:
        return {**chat.saved(), **self._bot.world.shape_of(chat)}


def _shown_press(press: Press) -> JsonObject:
    return {"id": press.id, "data": press.data, "answer": press.answer}
