"""The control API under `/sandbox/`: people and chats, what they do, the journal, faults, limits.

For tests and for the chat page; the package's docstring lists its calls. No authentication: it
belongs on loopback, and requests that a browser sends from a foreign site are refused.
"""

import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from dataclasses import fields as fields_of
from typing import Any

from sandbox import fields, journal
from sandbox.faults import Faults
from sandbox.fields import BadFields, Fields
from sandbox.http import Answer, JsonObject, Request, Response, json_response
from sandbox.limits import Rates
from sandbox.methods import Bot, Press
from sandbox.people import Impossible, People, forwarded_from, sticker
from sandbox.world import Chat, Person

LONGEST_WAIT = 60.0  # seconds a reading call may hold on
_PAGE = 100_000

Result = object | Coroutine[Any, Any, object]
Handler = Callable[[Fields, int], Result]


class NotThere(Exception):
    """No such person, chat, fault or path."""


class Control:
    """Answers `/sandbox/…`; `outage` and `reset` come from the server that owns the sockets."""

    def __init__(
        self,
        bot: Bot,
        faults: Faults,
        outage: Callable[[float], None],
        reset: Callable[[], None],
    ) -> None:
        self._bot = bot
        self._faults = faults
        self._outage = outage
        self._reset = reset
        self._people = People(bot)
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            (verb, re.compile(f"/sandbox{path}".replace("{id}", r"(-?\d{1,18})")), handler)
            for verb, path, handler in (
                ("GET", "/?", self._about),
                ("POST", "/reset", self._start_over),
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
                ("GET", "/updates", self._list_updates),
                ("POST", "/updates", self._inject),
                ("POST", "/updates/jump", self._jump),
                ("GET", "/calls", self._calls),
                ("GET", "/accepted", self._accepted),
                ("DELETE", "/journal", self._forget),
                ("GET", "/faults", self._list_faults),
                ("POST", "/faults", self._add_fault),
                ("DELETE", "/faults", self._clear_faults),
                ("GET", "/faults/{id}", self._read_fault),
                ("DELETE", "/faults/{id}", self._remove_fault),
                ("GET", "/limits", self._read_limits),
                ("POST", "/limits", self._set_limits),
                ("POST", "/settings", self._set_settings),
                ("POST", "/outage", self._go_dark),
            )
        ]

    def answer(self, request: Request) -> Answer:
        """The answer to a request whose path begins with `/sandbox`."""
        try:
            handler, identifier = self._route(request)
            given = fields.read(request)
            result = handler(given, identifier)
        except (BadFields, Impossible, NotThere, ValueError, TypeError) as error:
            return _refusal(error)
        if isinstance(result, Coroutine):
            return self._later(result)
        return json_response(200, result)

    async def _later(self, work: Coroutine[Any, Any, object]) -> Response:
        try:
            return json_response(200, await work)
        except (BadFields, NotThere) as error:
            return _refusal(error)

    def _route(self, request: Request) -> tuple[Handler, int]:
        for verb, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and verb == request.verb:
                return handler, int(match.group(1)) if match.groups() else 0
        raise NotThere(f"the sandbox has no {request.verb} {request.path}")

    # The sandbox as a whole

    def _about(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {
            "bot": self._bot.me.as_user(),
            "people": len(self._bot.world.people),
            "pending_updates": len(self._bot.updates.pending()),
            "last": self._bot.journal.last,
            "faults_fired": self._faults.fired,
            "limits": self._bot.limits.report(),
        }

    def _start_over(self, given: Fields, _: int) -> JsonObject:
        given.end()
        self._reset()
        return {}

    def _set_settings(self, given: Fields, _: int) -> JsonObject:
        self._bot.count_utf16 = given.take("count_utf16", bool, self._bot.count_utf16)
        given.end()
        return {"count_utf16": self._bot.count_utf16}

    def _go_dark(self, given: Fields, _: int) -> JsonObject:
        seconds = given.need("seconds", float)
        given.end()
        self._outage(seconds)
        return {"seconds": seconds}

    # People and chats

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

    # What they do

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
        wait = _seconds(given)
        given.end()
        press = self._bot.presses.get(str(identifier))
        if press is None:
            raise NotThere(f"no button was pressed under the number {identifier}")
        if wait and press.answer is None:
            await press.bell.wait(wait)
        return _shown_press(press)

    async def _read_chat(self, given: Fields, identifier: int) -> JsonObject:
        since, wait = given.take("since", int, 0), _seconds(given)
        given.end()
        chat = self._chat(identifier)
        if wait and chat.revision <= since:
            await chat.bell.wait(wait)
        return {
            "chat": self._shown_chat(chat),
            "items": [asdict(entry) for entry in chat.changed_since(since)],
            "next": chat.revision,
        }

    # Updates

    def _list_updates(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {"items": self._bot.updates.pending(), "next_id": self._bot.updates.next_id}

    def _inject(self, given: Fields, _: int) -> JsonObject:
        update = given.need("update", dict)
        given.end()
        return {"update_id": self._bot.updates.inject(update)}

    def _jump(self, given: Fields, _: int) -> JsonObject:
        to = given.need("to", int)
        given.end()
        self._bot.updates.jump(to)
        return {"next_id": to}

    # The journal

    def _calls(self, given: Fields, _: int) -> JsonObject:
        since, limit = given.take("since", int, 0), given.take("limit", int, _PAGE)
        method = given.take("method", str, "").lower()
        given.end()
        items = journal.after(self._bot.journal.calls, since, limit)
        if method:
            items = [item for item in items if item["method"].lower() == method]
        return {"items": items, "next": items[-1]["n"] if items else since}

    async def _accepted(self, given: Fields, _: int) -> JsonObject:
        since, limit = given.take("since", int, 0), given.take("limit", int, _PAGE)
        wait = _seconds(given)
        given.end()
        if wait:
            await self._bot.journal.more_than(since, wait)
        items = journal.after(self._bot.journal.accepted, since, limit)
        return {"items": items, "next": items[-1]["n"] if items else since}

    def _forget(self, given: Fields, _: int) -> JsonObject:
        given.end()
        self._bot.journal.clear()
        return {"last": self._bot.journal.last}

    # Faults and limits

    def _list_faults(self, given: Fields, _: int) -> JsonObject:
        given.end()
        items = [rule.report() for rule in self._faults.rules]
        return {"items": items, "fired": self._faults.fired}

    def _add_fault(self, given: Fields, _: int) -> JsonObject:
        return self._faults.add(given.rest()).report()

    def _clear_faults(self, given: Fields, _: int) -> JsonObject:
        given.end()
        self._faults.clear()
        return {"fired": self._faults.fired}

    def _read_fault(self, given: Fields, identifier: int) -> JsonObject:
        given.end()
        for rule in self._faults.rules:
            if rule.id == identifier:
                return rule.report()
        raise NotThere(f"there is no fault {identifier}")

    def _remove_fault(self, given: Fields, identifier: int) -> JsonObject:
        report = self._read_fault(given, identifier)
        self._faults.remove(identifier)
        return report

    def _read_limits(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return self._bot.limits.report()

    def _set_limits(self, given: Fields, _: int) -> JsonObject:
        rates = self._bot.limits.rates
        for name in (item.name for item in fields_of(Rates)):
            setattr(rates, name, given.take(name, type(getattr(rates, name)), getattr(rates, name)))
        hold = given.take("hold", float, 0.0)
        given.end()
        if hold:
            self._bot.limits.hold(time.monotonic(), hold)
        return self._bot.limits.report()

    # Looking things up

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


def _seconds(given: Fields) -> float:
    return min(given.take("wait", float, 0.0), LONGEST_WAIT)


def _refusal(error: Exception) -> Response:
    status = {NotThere: 404, Impossible: 409}.get(type(error), 400)
    return json_response(status, {"error": str(error)})
