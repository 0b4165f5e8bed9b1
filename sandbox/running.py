"""Starting a sandbox from a test: in a thread of its own, or as a process that can be killed."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Protocol

from sandbox.server import Server, Settings

READY_WITHIN = 15.0  # seconds
STOPPED_WITHIN = 5.0


class Running(Protocol):
    """A sandbox that runs somewhere."""

    port: int
    control_port: int

    def stop(self) -> None:
        """Ends it; a second time is harmless."""


class InThread:
    """A sandbox on an event loop in a thread of its own: starts in milliseconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop
        self._stopped = asyncio.Event()
        self._ready = threading.Event()
        self._failure: Exception | None = None
        self.port = 0
        self.control_port = 0
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._thread.start()
        self._ready.wait(READY_WITHIN)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stops the server and waits for its thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopped.set)
            self._thread.join(STOPPED_WITHIN)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._failure = error
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = Server(self._settings)
        await server.start()
        self.port, self.control_port = server.port, server.control_port or server.port
        self._ready.set()
        await self._stopped.wait()
        await server.stop()


class InProcess:
    """`python -m sandbox` as a child process that can be killed, and that ends with its parent."""

    def __init__(self, settings: Settings) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", *_arguments(settings)],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.port = self._announced("sandbox")
        self.control_port = self._announced("sandbox control")

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def _announced(self, what: str) -> int:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(rf"{what}: http://[^/]*:(\d+)/", line)
        if found is None:
            self.process.kill()
            raise RuntimeError(f"the sandbox did not start: {line!r}")
        return int(found.group(1))


def _arguments(settings: Settings) -> list[str]:
    arguments = [
        f"--host={settings.host}",
        f"--port={settings.port}",
        f"--control-port={settings.control_port or 0}",
        f"--token={settings.token}",
        f"--username={settings.username}",
        "--until-stdin-closes",
    ]
    if settings.data is not None:
        arguments.append(f"--data={settings.data}")
    if not settings.rates.enforced:
        arguments.append("--no-limits")
    return arguments
