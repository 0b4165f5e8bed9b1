"""Real processes of the product for tests: started, waited for, killed, frozen, ended.

    worker = running.worker()
    worker.kill()            # SIGKILL to its whole group
    web = running.web()
    urlopen(web.url + "/readyz")

Each has its output in a file, shown when a wait fails. Not a supervisor: nothing is restarted.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.error import URLError

from flask import Flask
from flask_migrate import Migrate, upgrade

from app.extensions import db

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@dataclass
class Part:
    """One running process group."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, to the whole group at once."""
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def terminate(self, within: float = 30) -> int:
        """SIGTERM, and its exit status; fails when it takes longer than `within` seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def log(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def says(self, words: str, within: float = 20) -> None:
        """Waits until its output has these words."""
        deadline = time.monotonic() + within
        while words not in self.log():
            assert self.alive, f"{self.name} ended:\n{self.log()}"
            assert time.monotonic() < deadline, f"{self.name} never said {words!r}:\n{self.log()}"
            time.sleep(0.02)


class Running:
    """The processes that one test has started."""

    def __init__(
        self, environment: dict[str, str], folder: Path, python: str = sys.executable
    ) -> None:
        self.environment = environment
        self.python = python
        self.folder = folder
        self.parts: list[Part] = []

    def web(self, workers: int = 2, **settings: str) -> Part:
        """A web server on a free port, ready to answer."""
        port = free_port()
        settings = {"HOST": "127.0.0.1", "PORT": str(port)} | settings
        command = [self.python, "-m", "gunicorn", "wsgi:app", "-w", str(workers)]
        part = self.start("web", command, settings)
        part.port = port
        self.wait(part, lambda: answers(f"{part.url}/healthz"))
        return part

    def worker(self, **settings: str) -> Part:
        """A Celery worker; it is ready when its sweep has begun."""
        return self.start(f"worker{len(self.parts)}", [self.python, "worker.py"], settings)

    def bot(self, **settings: str) -> Part:
        """The poller."""
        return self.start("bot", [self.python, "bot.py"], settings)

    def start(self, name: str, command: list[str], settings: dict[str, str]) -> Part:
        """Any command with the test's settings, in a process group of its own."""
        output = self.folder / f"{name}-{len(self.parts)}.log"
        environment = {**os.environ, **self.environment, **settings, "PYTHONUNBUFFERED": "1"}
        with output.open("wb") as sink:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        part = Part(name, process, output)
        self.parts.append(part)
        return part

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self.parts:
            try:
                os.killpg(part.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            part.process.wait(10)

    def wait(self, part: Part, ready: Callable[[], bool], within: float = 20) -> None:
        """Waits until the part is ready; fails with its output when it is not, or ended."""
        deadline = time.monotonic() + within
        while not ready():
            assert part.alive, f"{part.name} ended:\n{part.log()}"
            assert time.monotonic() < deadline, f"{part.name} is not ready:\n{part.log()}"
            time.sleep(0.02)


def migrate(app: Flask) -> None:
    """Brings the database of `app` to the head of the migrations, as `flask db upgrade` does."""
    Migrate(app, db)
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether GET `url` is answered with success."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
