"""The Celery worker: `python worker.py`, and what `celery -A worker …` and Flower look at.

Delivery begins before the broker is reached and goes on without it.

`celery -A worker worker` runs one as well, with Celery's options; but its command line keeps all
its commands in memory, Flower's and a shell's among them: 11 MB.
"""

import _thread
import os
import sys
import threading
import time
from typing import Any

from celery.bootsteps import StartStopStep
from celery.signals import setup_logging, worker_shutdown, worker_shutting_down

from app import create_app, housekeeping
from app.config import BadSetting
from app.delivery.station import station
from app.extensions import celery

try:
    flask_app = create_app(serves=False)
except BadSetting as error:
    sys.exit(f"gonets: {error}")

__all__ = ["celery"]

# A worker that was told to end is gone by then, come what may.
GONE_SECONDS = 29.5


@setup_logging.connect(weak=False)
def _leave_the_logs_alone(**_: Any) -> None:
    """Whoever hears this signal configures logging in Celery's stead: `create_app` has done it."""


class Delivery(StartStopStep):
    """Begins when Celery has taken over SIGTERM (earlier, one would end a call without its record)
    and does not wait for the broker, which is the consumer's business, the last step of all."""

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self._station = station()

    def start(self, _worker: Any) -> None:
        self._station.start()
        housekeeping.start(flask_app, self._station.stopping)


celery.steps["worker"].add(Delivery)


# Celery sends this from its signal handler, a second one in the middle of the first: with a lock
# that its own thread cannot take twice, that would be the end of both.
_told_to_end: Any = worker_shutting_down
_told_to_end.lock = threading.RLock()


@worker_shutting_down.connect(weak=False)
def _stop(**_: Any) -> None:
    # In a signal handler, and in the middle of another: nothing here may take a lock.
    if not station().stopping.is_set():
        _thread.start_new_thread(_end_at_last, ())
    station().stop()


def _end_at_last() -> None:
    """Calls keep their deadlines, but a name server that hangs knows none. (Not by SIGALRM: the
    first process of a container hears no signal that it has no handler for.)"""
    time.sleep(GONE_SECONDS)
    os._exit(1)


@worker_shutdown.connect(weak=False)
def _join(**_: Any) -> None:
    station().join()


def main() -> int:
    """Runs a worker until it is told to end; returns its exit status. How it runs stands in
    `app.config`; it wants to know nothing of other workers, which the database tells apart."""
    worker: Any = celery.Worker(
        quiet=True, loglevel="WARNING", without_gossip=True, without_mingle=True
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
