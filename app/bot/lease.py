"""Which poller polls: the lease in the database, kept by a thread, and the sign of life.

Two pollers of one bot would end each other's calls for ever (Telegram: the newer poll wins, the
older gets a 409), so the second one waits here. The lease is believed for as long as it was asked
for, counted from before the question: a poller that was frozen, or lost the database, knows by
itself that it may have been replaced.
"""

import os
import secrets
import socket
import threading
from time import monotonic

from flask import Flask

from app import logs
from app.services import polling

log = logs.get(__name__)

LEASE_SECONDS = 20.0
RENEW_SECONDS = 4.0
# A waiting poller asks this often, so it takes over within this time of the lease's end.
WAIT_SECONDS = 1.0


class Lease:
    """This process's claim to be the one poller; from the start a thread tries to get it."""

    def __init__(self, app: Flask) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._app = app
        self._until = float("-inf")
        self._holder = ""
        self._complained = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    @property
    def held(self) -> bool:
        """Whether this process may poll, now."""
        return monotonic() < self._until

    def give_back(self, seconds: float) -> None:
        """Lets the next poller begin at once; waits for that so many seconds at most."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._check_in()
            self._stop.wait(RENEW_SECONDS if self.held else WAIT_SECONDS)
        self._until = float("-inf")
        try:
            with self._app.app_context():
                polling.leave(self.name)
        except Exception as error:  # it ends by itself
            log.warning("lease_not_returned", error=type(error).__name__)

    def _check_in(self) -> None:
        asked = monotonic()
        try:
            with self._app.app_context():
                holder = polling.claim(self.name, LEASE_SECONDS)
                self._until = asked + LEASE_SECONDS if holder == self.name else float("-inf")
                polling.beat(self.name, active=self.held)
        except Exception as error:  # the database may be away; what is held runs on until its end
            if not self._complained:
                log.warning("lease_unknown", error=type(error).__name__)
            self._complained = True
            return
        self._complained = False
        if holder != self._holder:
            self._tell(holder)
        self._holder = holder

    def _tell(self, holder: str) -> None:
        if holder == self.name:
            log.info("polling_begins", poller=self.name)
        else:
            log.info("waiting: another poller is active", poller=holder)
