"""What reached the sandbox: every call, and every message accepted. The truth for delivery tests.

`calls` has a line for each Bot API call, refused and faulted ones too; `accepted` one for each
message that a person can see in a chat. Both share one running number, so "before" and "after"
can be told across them. Kept in memory only, newest 200,000 of each.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from sandbox.bell import Bell
from sandbox.http import JsonObject

KEPT = 200_000


@dataclass(slots=True)
class Call:
    """One call as it arrived. `code` is None while it is unanswered or if it never was."""

    n: int
    at: float
    method: str
    chat_id: int | str | None
    parameters: JsonObject
    code: int | None = None
    description: str | None = None
    answered_at: float | None = None
    fault: str | None = None
    fault_id: int | None = None
    limit: str | None = None
    accepted: int | None = None


@dataclass(slots=True)
class Accepted:
    """One accepted message: `text` as it arrived, `call` the number of the call that brought it.

    `faults` names the faults that hit that call: the sender may not have learned of its success.
    """

    n: int
    at: float
    chat_id: int
    message_id: int
    text: str
    call: int
    silent: bool
    faults: list[str] = field(default_factory=list)


_Line = TypeVar("_Line", Call, Accepted)


class Journal:
    """The two lists, their shared running number, and a bell for those who wait for a line."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=KEPT)
        self.accepted: deque[Accepted] = deque(maxlen=KEPT)
        self.last = 0
        self._bell = Bell()

    def arrived(
        self, at: float, method: str, chat_id: int | str | None, parameters: JsonObject
    ) -> Call:
        """Writes down a call before anything is done about it."""
        call = Call(self._number(), at, method, chat_id, parameters)
        self.calls.append(call)
        return call

    def accept(self, call: Call, at: float, chat_id: int, message_id: int, text: str) -> Accepted:
        """Writes down the message that a call has put into a chat."""
        silent = call.parameters.get("disable_notification") in (True, "true", "True", "1", 1)
        line = Accepted(self._number(), at, chat_id, message_id, text, call.n, silent)
        call.accepted = line.n
        if call.fault is not None:
            line.faults.append(call.fault)
        self.accepted.append(line)
        self._bell.ring()
        return line

    def clear(self) -> None:
        """Forgets all lines. The running number goes on, so cursors stay valid."""
        self.calls.clear()
        self.accepted.clear()

    async def more_than(self, since: int, seconds: float) -> None:
        """Returns when a message after number `since` was accepted, or when the time is over."""
        if not (self.accepted and self.accepted[-1].n > since):
            await self._bell.wait(seconds)

    def _number(self) -> int:
        self.last += 1
        return self.last


def after(lines: Sequence[_Line], since: int, limit: int) -> list[JsonObject]:
    """The lines numbered above `since`, oldest first, at most `limit`, as JSON."""
    newer: list[_Line] = []
    for line in reversed(lines):
        if line.n <= since:
            break
        newer.append(line)
    newer.reverse()
    return [asdict(line) for line in newer[:limit]]
