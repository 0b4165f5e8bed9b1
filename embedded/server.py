"""What PostgreSQL and Valkey have in common: one process, known by a file, ended by signals.

A server left behind by a killed supervisor is never taken over: it is stopped cleanly and a new
one is started in its place, so that what runs always has this version's settings.
"""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

from embedded.errors import EmbeddedError
from embedded.place import Place
from embedded.processes import Lock, PidFile, end, spawn

START_SECONDS = 60.0  # recovery after a crash counts as starting
LOG_BYTES = 1_000_000
LOG_LINES_SHOWN = 12

Step = tuple[signal.Signals, float]


class Server(ABC):
    """A server with one place on this machine; at most one process of ours runs it."""

    name: ClassVar[str]
    clean_stop: ClassVar[Sequence[Step]]  # signals, gentle ones first, and their seconds

    def __init__(self, place: Place) -> None:
        self.place = place
        self.log = place.home / "server.log"
        self._pid_file = PidFile(place.home / "server.pid")
        self._lock = Lock(
            place.home / "lock",
            refusal=f"{self.name} in {place.home} is in use by another run of Gonets",
        )
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def _prepare(self) -> None:
        """Make the place ready; nothing runs in it now."""

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The program and its options."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether clients are served."""

    def launch(self) -> None:
        """Start without waiting; `ready` or `await_ready` must follow.

        Raises:
            EmbeddedError: it cannot be started here; InUse: another run has it.
        """
        if self.running:
            return
        self.place.make()
        self._lock.acquire()
        try:
            self._end_leftover()
            self._prepare()
            self._spawn()
        except BaseException:
            self._lock.release()
            raise

    def ready(self) -> bool:
        """Whether clients are served, after `launch`.

        Raises:
            EmbeddedError: it ended instead; the message has the end of its log.
        """
        if self.running:
            return self._answers()
        if self._try_again():
            return False
        raise EmbeddedError(f"{self.name} did not start. {self._last_words()}")

    def await_ready(self) -> None:
        """Wait until clients are served.

        Raises:
            EmbeddedError: they will not be, or not soon enough.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} does not answer. {self._last_words()}")
            time.sleep(0.01)

    def start(self) -> Self:
        """Start and wait until clients are served; what runs already is left alone.

        Raises:
            EmbeddedError: it cannot be started here; InUse: another run has it.
        """
        self.launch()
        self.await_ready()
        return self

    def stop(self) -> None:
        """Stop cleanly, by force if that takes too long."""
        self._end(self.clean_stop)
        self.place.tidy()
        self._lock.release()

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Let it die on the spot, as the kernel would when memory runs out."""
        self._end([(signal.SIGKILL, 5.0)])

    def freeze(self) -> None:
        """Let it hang: it takes connections and says nothing."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self.running else None

    def _spawn(self) -> None:
        self._shorten_log()
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        with self.log.open("ab") as log:
            self._process = spawn(
                self._command(),
                output=log,
                cwd=Path("/"),
                env=environment,
                owner=self.place.owner,
                when_we_die=self.clean_stop[0][0],
            )
        self._pid_file.write(self._process.pid)

    def _try_again(self) -> bool:
        """Whether a start that failed was started again."""
        return False

    def _end_leftover(self) -> None:
        pid = self._pid_file.pid()
        if pid and not end(pid, self.clean_stop):
            raise EmbeddedError(f"{self.name} left by an earlier run (process {pid}) does not end.")

    def _end(self, steps: Sequence[Step]) -> None:
        process = self._process
        if process is None:
            return
        if self.running and not end(process.pid, steps):
            raise EmbeddedError(f"{self.name} (process {process.pid}) does not end.")
        process.wait()
        self._process = None
        self._pid_file.clear()

    def _send(self, number: signal.Signals) -> None:
        if self._process and self.running:
            self._process.send_signal(number)

    def _shorten_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n  ".join([f"Its log, {self.log}, ends so:", *lines])
