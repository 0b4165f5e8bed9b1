"""The control API under `/sandbox/`: finding the call, reading its fields, answering in JSON.

For tests and for the chat page; the package's docstring lists its calls. No authentication: it
belongs on loopback, and what a browser sends from a foreign site is refused by the server.
"""

import re
from collections.abc import Callable, Coroutine
from typing import Any

from sandbox import fields
from sandbox.control_chats import ChatCalls
from sandbox.control_rules import RuleCalls
from sandbox.faults import Faults
from sandbox.fields import BadFields, Fields, Handler, NotThere, Routes
from sandbox.http import Answer, JsonObject, Request, Response, json_response
from sandbox.methods import Bot
from sandbox.people import Impossible


class Control:
    """Answers `/sandbox/…`; `outage` and `reset` are acts of the server that owns the sockets."""

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
        routes = self.routes() + ChatCalls(bot).routes() + RuleCalls(bot, faults).routes()
        self._routes = [(verb, _pattern(path), handler) for verb, path, handler in routes]

    def routes(self) -> Routes:
        """The calls about the sandbox as a whole."""
        return [
            ("GET", "/?", self._about),
            ("POST", "/reset", self._start_over),
            ("POST", "/outage", self._go_dark),
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

    def _about(self, given: Fields, _: int) -> JsonObject:
        given.end()
        return {
            "bot": self._bot.me.as_user(),
            "commands": self._bot.commands,
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

    def _go_dark(self, given: Fields, _: int) -> JsonObject:
        seconds = given.need("seconds", float)
        given.end()
        self._outage(seconds)
        return {"seconds": seconds}


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(f"/sandbox{path}".replace("{id}", r"(-?\d{1,18})"))


def _refusal(error: Exception) -> Response:
    status = {NotThere: 404, Impossible: 409}.get(type(error), 400)
    return json_response(status, {"error": str(error)})
