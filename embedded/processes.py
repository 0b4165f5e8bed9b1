"""Processes that must not outlive us: starting them, knowing them again, ending them.

Not a supervisor: nothing here watches or restarts (see `embedded.supervisor`).
"""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from embedded.errors import InUse

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
PROC = Path("/proc")


@dataclass(frozen=True)
class Owner:
    """The system user a process runs as and its files belong to."""

    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        return self.uid == os.geteuid()


def ourselves() -> Owner:
    return Owner(os.geteuid(), os.getegid())


def spawn(
    command: Sequence[str | Path],
    *,
    output: int | IO[bytes],
    cwd: Path,
    env: Mapping[str, str],
    owner: Owner | None = None,
    when_we_die: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that Ctrl-C reaches us only; nothing to read.

    Args:
        output: where its standard output and errors go.
        owner: the user it runs as; ourselves without one.
        when_we_die: what the kernel sends it when we are gone without a word (Linux only).
    """
    other = owner is not None and not owner.is_us
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env=env,
        start_new_session=True,
        user=owner.uid if owner and other else None,
        group=owner.gid if owner and other else None,
        extra_groups=[] if other else None,
        preexec_fn=_leash(when_we_die),
    )


def _leash(when_we_die: signal.Signals) -> Callable[[], None] | None:
    """What ties a child to us. The kernel ties it to the *thread* that forked it (prctl(2)), so a
    child of a passing thread goes without: it would die with that thread.
    """
    on_main_thread = threading.current_thread() is threading.main_thread()
    if not sys.platform.startswith("linux") or not on_main_thread:
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(PR_SET_PDEATHSIG, int(when_we_die), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie


def birth(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None when there is none."""
    try:
        if not PROC.joinpath("self/stat").exists():
            state, _, started = _ps(pid, "stat=,lstart=").partition(" ")
            return None if state.startswith("Z") else started.strip() or None
        state, *fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return None if state in "ZX" else f"{boot} {fields[18]}"
    except OSError:
        return None


def command_of(pid: int) -> str:
    """The command line a process was started with; empty when there is none."""
    try:
        if not PROC.joinpath("self/stat").exists():
            return _ps(pid, "command=")
        return (PROC / str(pid) / "cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def _ps(pid: int, columns: str) -> str:
    """What ps(1) knows of a process, where there is no /proc."""
    answer = subprocess.run(["ps", "-o", columns, "-p", str(pid)], capture_output=True, text=True)
    return answer.stdout.strip()


class PidFile:
    """Remembers one process across our own death."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, pid: int) -> None:
        self._path.write_text(f"{pid} {birth(pid) or ''}\n")

    def pid(self) -> int | None:
        """The process that was written down, if that very one still lives."""
        try:
            number, _, born = self._path.read_text().strip().partition(" ")
            pid = int(number)
        except (OSError, ValueError):
            return None
        return pid if born and birth(pid) == born else None

    def clear(self) -> None:
        self._path.unlink(missing_ok=True)


class Lock:
    """One holder of a folder at a time; the kernel lets go of it when the holder dies."""

    def __init__(self, path: Path, *, refusal: str) -> None:
        self._path = path
        self._refusal = refusal
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take it, or keep it.

        Raises:
            InUse: another process has it; its number is in the message.
        """
        if self._file:
            return
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise InUse(f"{self._refusal} (process {holder}).") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file:
            self._file.close()
        self._file = None


def end(pid: int, steps: Iterable[tuple[signal.Signals, float]], *, group: bool = False) -> bool:
    """Send each signal in turn, and give it its seconds to work.

    Args:
        group: signal the whole process group that `pid` leads.

    Returns:
        Whether the process is gone.
    """
    send = os.killpg if group else os.kill
    for step, seconds in steps:
        with contextlib.suppress(ProcessLookupError):
            send(pid, step)
            send(pid, signal.SIGCONT)  # a frozen process hears nothing else
        if gone(pid, within=seconds):
            return True
    return False


def gone(pid: int, *, within: float) -> bool:
    """Wait up to `within` seconds for a process, ours or not, to be gone."""
    deadline = time.monotonic() + within
    while birth(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
