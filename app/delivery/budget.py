"""The whole bot's pace, kept in one row for all processes: who may call Telegram, and when.

Messages take slots on a line, strictly spaced at the bot's rate, a few at a time. The bot's own
replies to people go ahead of the line and push it back: they wait only when the line is a second
long, that is, when they themselves would break Telegram's limit. Messages therefore never take
slots further ahead than that.

Losing the last few slots in a crash costs nothing, so their commits do not wait for the disk.
"""

import threading
from collections.abc import Callable
from time import monotonic

from sqlalchemy import Connection, text

from app.delivery.pacing import Slots, batch_size

# How far ahead messages take slots, and how long the line may be before replies wait as well.
LINE_SECONDS = 0.8
REPLY_LINE_SECONDS = 1.0

_TAKE = text("""
  UPDATE bot SET
    paced_until = greatest(paced_until, now()) + make_interval(secs => :length)
  WHERE set_config('synchronous_commit', 'off', true) = 'off'
    AND (paced_until IS NULL OR paced_until <= now() + make_interval(secs => :ahead))
  RETURNING extract(epoch FROM greatest(old.paced_until, now()) - now()) AS wait
""")

_REPLY = text("""
  WITH chat_pace AS (
    UPDATE lane SET
      paced_until = greatest(paced_until, now()) + make_interval(secs => :spacing)
    FROM chat
    WHERE chat.telegram_id = :chat_id AND chat.unlinked_at IS NULL
      AND lane.account_id = chat.account_id
  )
  UPDATE bot SET
    paced_until = greatest(paced_until, now()) + make_interval(secs => :interval)
  WHERE set_config('synchronous_commit', 'off', true) = 'off'
  RETURNING extract(epoch FROM greatest(old.paced_until, now()) - now()) AS line
""")


class Budget:
    """One process's share of the bot's pace; its threads use it together."""

    def __init__(self, rate: float, connect: Callable[[], Connection]) -> None:
        """`rate`: messages a second by the whole bot. `connect`: opens a connection on which every
        statement is a transaction."""
        self._connect = connect
        self._interval = 1.0 / rate
        self._batch = batch_size(rate)
        self._lock = threading.Lock()
        self._taken: list[Slots] = []

    def wait(self, stopping: threading.Event) -> float | None:
        """Waits for a slot and returns its time, for `give_back`; None once `stopping` is set."""
        while not stopping.is_set():
            slot = self._take(stopping)
            if slot is None:
                stopping.wait(LINE_SECONDS / 4)
            elif not stopping.wait(max(0.0, slot - monotonic())):
                return slot
        return None

    def give_back(self, slot: float) -> None:
        """A slot that was not needed: whoever asks next gets it, if that is soon."""
        with self._lock:
            self._taken.append(Slots(slot, self._interval, 1))

    def _take(self, stopping: threading.Event) -> float | None:
        """The time of a slot (of `monotonic`), or None while the line is too long."""
        with self._lock:
            # Those before it may have waited long for a database that is away.
            if stopping.is_set():
                return None
            while self._taken and not self._taken[-1].usable(monotonic()):
                self._taken.pop()
            slots = self._taken.pop() if self._taken else self._reserve()
            if slots is None:
                return None
            if slots.count > 1:
                self._taken.append(slots.after_first())
            return slots.first

    def _reserve(self) -> Slots | None:
        length = self._interval * self._batch
        with self._connect() as connection:
            wait = connection.scalar(_TAKE, {"length": length, "ahead": LINE_SECONDS})
        if wait is None:
            return None
        return Slots(monotonic() + float(wait), self._interval, self._batch)


def reply_slot(connection: Connection, chat_id: int, *, bot_rate: float, chat_rate: float) -> float:
    """Takes a slot for a reply of the bot; returns how many seconds to wait before it is sent.

    The reply counts for its chat as well: the next message to it keeps its distance. `bot_rate`
    and `chat_rate` are messages a second.
    """
    pace = {"chat_id": chat_id, "interval": 1.0 / bot_rate, "spacing": 1.0 / chat_rate}
    line = connection.scalar(_REPLY, pace)
    return max(0.0, float(line or 0.0) - REPLY_LINE_SECONDS)
