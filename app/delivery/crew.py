"""The crew: how many turns a process takes at once, and when it begins and stops taking them.

A drain takes turns until nothing is due. A bell starts one; whenever a drain finds that more is
due than it has taken, it calls another, until all are at work: so one bell wakes as much as there
is to do, and many bells no more than that. A drain ends after 20 seconds even if more is due, and
calls its successor; one drain stays a little for what is due within a second.
"""

import threading
from time import monotonic

from app import logs
from app.delivery.budget import Budget
from app.delivery.engine import DATABASE_AWAY, Courier
from app.delivery.lanes import next_due

DRAIN_SECONDS = 20.0
LINGER_SECONDS = 1.0
# What is due but just being taken by somebody else is looked at again after so long.
LOOK_AGAIN_SECONDS = 0.01

log = logs.get(__name__)


class Crew:
    """At most `size` drains at once in this process, whoever starts them."""

    def __init__(
        self, courier: Courier, budget: Budget, size: int, stopping: threading.Event
    ) -> None:
        self._courier = courier
        self._budget = budget
        self._free = threading.BoundedSemaphore(size)
        self._size = size
        self._lingering = threading.Lock()
        self._stopping = stopping

    def drain(self) -> None:
        """Takes turns in this thread until nothing is due; at once over when all are at work."""
        if not self._stopping.is_set() and self._free.acquire(blocking=False):
            self._drain()

    def call(self) -> None:
        """Starts one more drain, in a thread of its own, unless all are at work."""
        if not self._stopping.is_set() and self._free.acquire(blocking=False):
            threading.Thread(target=self._drain, name="drain", daemon=True).start()

    def join(self, seconds: float) -> bool:
        """Waits until no drain is at work, for `seconds` at most; whether none is."""
        until = monotonic() + seconds
        ended = 0
        while ended < self._size and self._free.acquire(timeout=max(0.0, until - monotonic())):
            ended += 1
        if ended:
            self._free.release(ended)
        return ended == self._size

    def _drain(self) -> None:
        try:
            more = self._take_turns()
        except DATABASE_AWAY as error:
            # The sweep calls the next drain when the database is back.
            log.warning("a drain lost the database", error=type(error).__name__)
            more = False
        except Exception:
            log.exception("a drain failed")
            more = False
        finally:
            self._free.release()
        if more:
            self.call()

    def _take_turns(self) -> bool:
        """Takes turns; returns whether there may be more of them to take."""
        until = monotonic() + DRAIN_SECONDS
        while monotonic() < until:
            slot = self._budget.wait(self._stopping)
            if slot is None:
                return False
            turn = self._courier.claim(slot)
            if turn is None:
                self._budget.give_back(slot)
                if not self._linger():
                    return False
                continue
            if turn.more:
                self.call()
            self._courier.finish(turn)
        return True

    def _linger(self) -> bool:
        """Waits for what is due soon; False when nothing is, or another drain waits for it."""
        if not self._lingering.acquire(blocking=False):
            return False
        try:
            with self._courier.connect() as connection:
                seconds = next_due(connection)
            if seconds is None or seconds > LINGER_SECONDS:
                return False
            return not self._stopping.wait(max(seconds, LOOK_AGAIN_SECONDS))
        finally:
            self._lingering.release()
