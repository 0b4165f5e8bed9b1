"""Tasks that wait in line: one line a chat, in order, spaced; chats never wait for each other.

In memory and bounded. A chat's tasks are served one at a time, a few at once and then one for each
`spacing`, as Telegram bears it; one that must be tried again keeps its place. Threads share it.
"""

import heapq
import threading
from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Generic, TypeVar

Task = TypeVar("Task")

# "Short bursts" are fine, says Telegram's FAQ; it gives no number. A press has two answers, its
# note and the changed message; more at once would leave no room for the network's jitter.
BURST = 2


@dataclass(slots=True)
class _Line(Generic[Task]):
    tasks: deque[Task] = field(default_factory=deque)
    # The time when the next task would be due if there were no bursts (a GCRA's arrival time).
    arrival: float = 0.0


class Lines(Generic[Task]):
    """`put` tasks in, `take` them in any thread, then say `done` or `again` for each."""

    def __init__(self, spacing: float, most: int) -> None:
        """`spacing`: seconds between two tasks of a chat; `most` tasks wait in all."""
        self._spacing = spacing
        self._most = most
        self._lines: dict[int, _Line[Task]] = {}
        self._due: list[tuple[float, int]] = []
        self._changed = threading.Condition()
        self.waiting = 0

    def put(self, chat_id: int, task: Task) -> bool:
        """Adds `task` to the end of the chat's line; false if there is no room."""
        with self._changed:
            if self.waiting >= self._most:
                return False
            line = self._lines.setdefault(chat_id, _Line())
            line.tasks.append(task)
            self.waiting += 1
            if len(line.tasks) == 1:
                self._queue(chat_id, line)
            return True

    def take(self) -> tuple[int, Task]:
        """Waits for a task that is due; its chat gets no other one until `done` or `again`."""
        with self._changed:
            while not self._due or self._due[0][0] > monotonic():
                self._changed.wait(self._due[0][0] - monotonic() if self._due else None)
            _, chat_id = heapq.heappop(self._due)
            line = self._lines[chat_id]
            line.arrival = max(line.arrival, monotonic()) + self._spacing
            return chat_id, line.tasks[0]

    def done(self, chat_id: int) -> None:
        """The task taken for this chat is over."""
        with self._changed:
            line = self._lines[chat_id]
            line.tasks.popleft()
            self.waiting -= 1
            if line.tasks:
                self._queue(chat_id, line)
            else:
                self._forget_idle()

    def again(self, chat_id: int, seconds: float) -> None:
        """The task taken for this chat is to be tried once more after so many seconds."""
        with self._changed:
            self._queue(chat_id, self._lines[chat_id], monotonic() + seconds)

    def _queue(self, chat_id: int, line: _Line[Task], earliest: float = 0.0) -> None:
        due = max(earliest, line.arrival - (BURST - 1) * self._spacing)
        heapq.heappush(self._due, (due, chat_id))
        self._changed.notify()

    def _forget_idle(self) -> None:
        """Drops the lines whose pace no longer matters, once there are many."""
        if len(self._lines) > self._most:
            now = monotonic()
            self._lines = {
                chat_id: line
                for chat_id, line in self._lines.items()
                if line.tasks or line.arrival > now
            }
