"""One Bot API call from request to answer: path, token, method, journal, faults.

The methods themselves stand in `methods.py`, what a fault makes of an answer in `mishaps.py`.
"""

import asyncio
import hmac
import time
from collections.abc import Coroutine
from typing import Any

from sandbox import mishaps, parameters, refusals
from sandbox.faults import Fault, Faults
from sandbox.http import Answer, Ending, Request, Response, json_response
from sandbox.journal import Call, Journal
from sandbox.methods import METHODS, Bot
from sandbox.parameters import Parameters
from sandbox.refusals import Refusal


class BotApi:
    """Answers everything below `/bot<TOKEN>/`."""

    def __init__(self, token: str, bot: Bot, journal: Journal, faults: Faults) -> None:
        self._prefix = f"/bot{token}/".encode()
        self._bot = bot
        self._journal = journal
        self._faults = faults
        self._late: set[asyncio.Task[Response]] = set()

    def answer(self, request: Request) -> Answer:
        """The answer to a request whose path begins with `/bot`."""
        token_part, _, method = request.path.rpartition("/")
        try:
            given = parameters.read(request)
            chat = given.chat_or_none()
        except Refusal as refusal:
            return refusal.response()
        call = self._journal.arrived(time.time(), method, chat, given.values)
        try:
            self._check(request.verb, token_part, method)
        except Refusal as refusal:
            return _refused(call, refusal)
        fault = self._faults.hitting(call)
        if fault is None:
            return self._answer_truly(call, given)
        call.fault, call.fault_id = fault.kind, fault.id
        return self._survive_the_client(self._answer_under(fault, call, given))

    def stop(self) -> None:
        """Drops the calls that a fault still holds up."""
        for task in self._late:
            task.cancel()

    def _check(self, verb: str, token_part: str, method: str) -> None:
        if not token_part.startswith("/bot") or verb not in ("GET", "POST"):
            raise refusals.not_found()
        if not hmac.compare_digest(f"{token_part}/".encode(), self._prefix):
            raise refusals.unauthorized()
        if method.lower() not in METHODS:
            raise refusals.unknown_method()

    def _answer_truly(self, call: Call, given: Parameters) -> Answer:
        """The documented behaviour, at once where nothing has to be waited for."""
        if call.method.lower() == "getupdates":
            return self._poll(call, given)
        try:
            result = METHODS[call.method.lower()](self._bot, call, given)
        except Refusal as refusal:
            return _refused(call, refusal)
        return _settled(call, json_response(200, {"ok": True, **result}))

    async def _poll(self, call: Call, given: Parameters) -> Response:
        try:
            updates = await self._bot.get_updates(given)
        except Refusal as refusal:
            return _refused(call, refusal)
        return _settled(call, json_response(200, {"ok": True, "result": updates}))

    async def _answer_under(self, fault: Fault, call: Call, given: Parameters) -> Response:
        truth = None
        if fault.accepted:
            truth = await _awaited(self._answer_truly(call, given))
        await asyncio.sleep(fault.delay)
        if fault.kind == "delay":
            late = truth or await _awaited(self._answer_truly(call, given))
            return _settled(call, late)
        if fault.kind == "hang":
            await asyncio.Event().wait()
        if fault.kind == "flood" and fault.bot_wide and fault.retry_after:
            self._bot.limits.hold(time.monotonic(), fault.retry_after)
        return _settled(call, mishaps.response(fault, truth))

    async def _survive_the_client(self, work: Coroutine[Any, Any, Response]) -> Response:
        """Telegram finishes a call whose client has hung up: a late message is a message."""
        task = asyncio.get_running_loop().create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return Response(0, ending=Ending.RESET)
            raise


async def _awaited(answer: Answer) -> Response:
    return answer if isinstance(answer, Response) else await answer


def _refused(call: Call, refusal: Refusal) -> Response:
    call.description = refusal.description
    return _settled(call, refusal.response())


def _settled(call: Call, response: Response) -> Response:
    call.code = response.status or None
    call.answered_at = time.time()
    return response
