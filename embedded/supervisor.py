"""Keeps parts running: starts them, passes on what they say, restarts what died, ends them all.

Knows nothing of what the parts are for. One thread and one loop: whoever waits for something calls
`tick` until it has happened.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from embedded.errors import EmbeddedError
from embedded.output import Output
from embedded.processes import PidFile, end, spawn

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 2.0  # seconds before a restart
SETTLED_AFTER = 10.0  # seconds of life after which a part is no longer considered failing
TICK = 0.2
ECHO = 0.5  # seconds within which a second signal is the first one's echo, as timeout(1) makes
LONGEST_LINE = 65536


class Stop(BaseException):
    """Somebody asked us to stop (SIGTERM, SIGINT, SIGHUP)."""


class Part(Protocol):
    """Something that runs and can be started again."""

    @property
    def name(self) -> str: ...

    @property
    def running(self) -> bool: ...

    def launch(self) -> None: ...


class Program:
    """A command of ours in a process group of its own, that says things."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        pid_file: Path,
    ) -> None:
        self.name = name
        self._command = command
        self._cwd = cwd
        self._env = env
        self._pid_file = PidFile(pid_file)
        self._process: subprocess.Popen[bytes] | None = None
        self._unfinished = b""
        self.silent = False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def buried(self) -> bool:
        """Whether there is nothing of it: not yet, or no longer."""
        return self._process is None

    @property
    def status(self) -> int | None:
        """The exit status; a signal's number below zero; None while it runs."""
        return self._process.poll() if self._process else None

    def launch(self) -> None:
        self.silent = False
        self._process = spawn(self._command, output=subprocess.PIPE, cwd=self._cwd, env=self._env)
        os.set_blocking(self.descriptor, False)
        self._pid_file.write(self._process.pid)

    @property
    def descriptor(self) -> int:
        assert self._process and self._process.stdout
        return self._process.stdout.fileno()

    def read(self) -> list[bytes]:
        """The lines it said since the last time; `silent` once it can say no more."""
        try:
            said = os.read(self.descriptor, LONGEST_LINE)
        except BlockingIOError:
            return []
        self.silent = not said
        *whole, self._unfinished = (self._unfinished + said).split(b"\n")
        if self.silent or len(self._unfinished) > LONGEST_LINE:
            whole, self._unfinished = [*whole, self._unfinished], b""
        return [line for line in whole if line]

    def last_words(self) -> list[bytes]:
        """What it said before it died, a line without an end too."""
        lines = [] if self.silent else self.read()
        rest, self._unfinished = self._unfinished, b""
        return [*lines, rest] if rest else lines

    def ask_to_stop(self) -> None:
        """SIGTERM to the one process that we started: it tells its own as it sees fit."""
        if self._process and self.running:
            self._process.terminate()

    def end_group(self) -> None:
        """SIGKILL to the whole process group; that of one that died may live on without it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def bury(self) -> None:
        """Once it died: end what is left of its group, and forget it."""
        self.end_group()
        if self._process:
            self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
        self._process = None
        self._pid_file.clear()


@dataclass
class _Watch:
    """How a part has been doing."""

    part: Part
    started: float
    pause: float = FIRST_PAUSE
    deaths: int = 0
    due: float | None = None  # when to start it again


@dataclass
class Supervisor:
    """The parts, in the order in which they were added."""

    output: Output
    _watches: list[_Watch] = field(default_factory=list)
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _asked: float | None = None  # when somebody first asked us to stop
    _asked_again: bool = False

    def listen_to_signals(self) -> None:
        """From now on `tick` raises Stop once one of the stopping signals came."""

        def ask(*_: object) -> None:
            now = time.monotonic()
            self._asked = self._asked or now
            self._asked_again = now - self._asked > ECHO

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup(1)
            signal.signal(signal.SIGHUP, ask)

    def add(self, part: Part) -> None:
        """Watch a part from now on; one that does not run yet is started."""
        self._watches.append(_Watch(part, time.monotonic()))
        if not part.running:
            self._launch(part)

    def tick(self, seconds: float = TICK) -> None:
        """Pass on what was said for some seconds, then restart what died.

        Raises:
            Stop: somebody asked for it.
        """
        self._listen(seconds)
        if self._asked:
            raise Stop
        for watch in self._watches:
            self._look_after(watch)

    def wait(self, done: Callable[[], bool], within: float) -> bool:
        """Tick until something is so, or for `within` seconds; says whether it is."""
        deadline = time.monotonic() + within
        while not (so := done()) and time.monotonic() < deadline:
            self.tick(0.02)
        return so

    def run_once(self, program: Program) -> int:
        """Run a program to its end, while the parts are looked after; its exit status."""
        self._launch(program)
        try:
            while program.running:
                self.tick(0.02)
            return program.status or 0
        finally:
            self._bury(program)

    def deaths(self) -> dict[str, int]:
        """How often each part has died so far."""
        return {watch.part.name: watch.deaths for watch in self._watches}

    def end(self, names: Iterable[str], within: float) -> None:
        """Ask programs to stop, give them `within` seconds (none once somebody asks to stop
        again), and end the whole groups of those that are left.
        """
        wanted = set(names)
        watches = [w for w in self._watches if w.part.name in wanted]
        self._watches = [w for w in self._watches if w not in watches]
        programs = [w.part for w in watches if isinstance(w.part, Program)]
        for program in programs:
            program.ask_to_stop()
        deadline = time.monotonic() + within
        while any(p.running for p in programs) and time.monotonic() < deadline:
            self._listen(0.02)
            if self._asked_again:
                break
        for program in programs:
            if program.running:
                self.output.line("dev", f"{program.name} did not stop in time, ending it")
                program.end_group()
            self._bury(program)

    def _look_after(self, watch: _Watch) -> None:
        now, part = time.monotonic(), watch.part
        if part.running:
            if now - watch.started > SETTLED_AFTER:
                watch.pause = FIRST_PAUSE
        elif watch.due is None:
            watch.deaths += 1
            watch.due = now + watch.pause
            how = ""
            if isinstance(part, Program):
                how = _describe(part.status)
                self._bury(part)
            self.output.line("dev", f"{part.name} died{how}, restarting in {watch.pause:g} s")
            watch.pause = min(watch.pause * 2, LONGEST_PAUSE)
        elif now >= watch.due:
            watch.due, watch.started = None, now
            self._launch(part)

    def _launch(self, part: Part) -> None:
        try:
            part.launch()
        except (OSError, EmbeddedError) as problem:
            self.output.line("dev", f"{part.name} does not start: {problem}")
            return
        if isinstance(part, Program):
            self._selector.register(part.descriptor, selectors.EVENT_READ, part)

    def _listen(self, seconds: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._selector.select(seconds):
            self._hear(key.data)

    def _hear(self, program: Program) -> None:
        for line in program.read():
            self.output.line(program.name, line)
        if program.silent:
            self._selector.unregister(program.descriptor)

    def _bury(self, program: Program) -> None:
        if program.buried:
            return
        for line in program.last_words():
            self.output.line(program.name, line)
        with contextlib.suppress(KeyError):
            self._selector.unregister(program.descriptor)
        program.bury()


def end_leftovers(folder: Path, within: float) -> list[str]:
    """End what a killed supervisor left behind, with whole groups; gives the names."""
    found = []
    for file in sorted(folder.glob("*.pid")):
        pid_file = PidFile(file)
        if pid := pid_file.pid():
            found.append(file.stem)
            end(pid, [(signal.SIGTERM, within), (signal.SIGKILL, 1.0)], group=True)
        pid_file.clear()
    return found


def _describe(status: int | None) -> str:
    if status is None:
        return ""
    if status < 0:
        return f" ({signal.Signals(-status).name})"
    return f" (exit status {status})"
