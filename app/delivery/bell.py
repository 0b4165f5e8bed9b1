"""The bell: tells the workers, by way of the broker, that something is due.

It carries nothing and may be lost: every worker's sweep finds what it missed within a second or
two. So nobody waits for the broker. `ring()` only sets an event; one thread of the process
publishes a wake-up for each time it finds the event set, and rests a little after each: the first
message of a burst is heard at once, the rest of it in a few rings, and a broker that is away or
hangs costs a request nothing.
"""

import os
import threading
import time

from app import logs, metrics
from app.extensions import celery

TASK = "gonets.drain"
# A wake-up that nobody took for so long has long been done by a sweep.
EXPIRES_SECONDS = 30
# After a wake-up the next one waits for so long: publishing costs as much as accepting a message.
REST_SECONDS = 0.02
# After a failure nothing is published for so long: a dead broker is asked rarely.
PAUSE_SECONDS = 1.0
LOG_EVERY_SECONDS = 10.0

log = logs.get(__name__)


class Bell:
    """One process's bell: an event, and the thread that publishes while it is set."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Starts anew, as a forked child must: the parent's thread is not in it."""
        self._rung = threading.Event()
        self._starting = threading.Lock()
        self._started = False
        self._complained = -LOG_EVERY_SECONDS

    def ring(self) -> None:
        """Wakes a worker, soon; returns at once and never fails."""
        if not self._started:
            with self._starting:
                if not self._started:
                    threading.Thread(target=self._publish_all, name="bell", daemon=True).start()
                    self._started = True
        self._rung.set()

    def load(self) -> tuple[object, ...]:
        """Imports and makes what publishing needs, as the first ring would, and reaches nobody: for
        a server that does it before it forks. Returns what was made."""
        return celery.amqp.send_task_message, celery.connection_for_write().transport

    def _publish_all(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            try:
                celery.send_task(TASK, expires=EXPIRES_SECONDS)
            except Exception as error:  # whatever a broker's client may raise: the thread lives on
                metrics.bells.labels("failed").inc()
                self._complain(error)
                time.sleep(PAUSE_SECONDS)
            else:
                metrics.bells.labels("rung").inc()
                time.sleep(REST_SECONDS)

    def _complain(self, error: Exception) -> None:
        if time.monotonic() - self._complained >= LOG_EVERY_SECONDS:
            self._complained = time.monotonic()
            log.warning("the broker is away; the sweep delivers", error=type(error).__name__)


_bell = Bell()
os.register_at_fork(after_in_child=_bell.forget)
ring = _bell.ring
load = _bell.load
