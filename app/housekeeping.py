"""What every worker does beside delivering: erasing what is to be erased, pruning what is over.

A thread with a clock of its own, started with the worker. The work is `services.retention`; all of
it is idempotent and in small batches, so several workers may do it at once. Not for anything that
must happen once or at a time.
"""

import random
import threading

from flask import Flask

from app import logs
from app.services import retention

# An erasure has already ended every credential; this is how soon the rows begin to go.
ERASE_SECONDS = 10.0
PRUNE_SECONDS = 3600.0

log = logs.get(__name__)


def start(app: Flask, stopping: threading.Event) -> None:
    """Begins, in a thread that ends with `stopping`."""
    threading.Thread(target=_run, args=(app, stopping), name="housekeeping", daemon=True).start()


def _run(app: Flask, stopping: threading.Event) -> None:
    # Workers that start together need not prune together.
    until_prune = random.uniform(60.0, 600.0)
    while not stopping.wait(ERASE_SECONDS):
        until_prune -= ERASE_SECONDS
        try:
            with app.app_context():
                retention.erase_some()
                if until_prune <= 0:
                    retention.prune_old()
                    until_prune = PRUNE_SECONDS
        except Exception as error:
            # Whatever it was, the next round tries again; delivery must not notice.
            log.warning("housekeeping failed", error=type(error).__name__)
