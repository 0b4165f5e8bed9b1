"""How gunicorn serves `wsgi:app`; it reads this file by itself. Settings come from the environment.

Not the place for the application's own settings: those are in app/config.py.
"""

import gc
import json
import mmap
import os
import socket
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.wsgi import Response
from gunicorn.workers.gthread import TConn, ThreadWorker

_host = os.environ.get("HOST", "127.0.0.1")

bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PORT', '8000')}"


# In memory that all workers share, for each of them: one more than the connections that it holds.
# Where nobody is, 0.
_held = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("q")[:64]


class worker_class(ThreadWorker):  # the setting's name
    """psycopg2 blocks the thread it runs in, so threads and not an event loop.

    A client that drips its request a byte a second would hold a thread for hours: after
    `reading_seconds` nothing more is read from it. Answers may take longer.

    Of a proxy's connections, which come at once and stay, the quickest worker would take all, and
    one processor would serve them while the others rest: who holds two more of them than
    another lets that one be quicker by `head_start` (seconds).
    """

    reading_seconds = 20.0
    head_start = 0.001

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._taken: dict[TConn, float] = {}
        self._place = self.age % len(_held)
        _held[self._place] = 1

    def accept(self, listener: socket.socket) -> None:
        if _held[self._place] > 1 + min(filter(None, _held), default=0):
            time.sleep(self.head_start)
        super().accept(listener)

    def leave(self) -> None:
        """The process is gone, however it ended; called in the one that started it."""
        _held[self._place] = 0

    def handle(self, conn: TConn) -> bool:
        self._taken[conn] = time.monotonic()
        try:
            return super().handle(conn)
        finally:
            self._taken.pop(conn, None)

    def notify(self) -> None:
        """Called by the main thread before it waits for what comes next, a second at most."""
        super().notify()
        _held[self._place] = 1 + self.nr_conns if self.alive else 0
        for conn, since in list(self._taken.items()):
            if time.monotonic() - since > self.reading_seconds:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RD)


workers = 2
threads = 16
# The application is imported once, before the workers are forked: a faster start, shared memory.
preload_app = True
# Below the 8 s that `./dev run` gives its parts, and far below the 45 s of docker-compose.yml.
graceful_timeout = 6
keepalive = 5
# Written to by every worker every second; in memory, so that a slow disk kills none.
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None
# No door for gunicornc: by default it would be a file in the home folder of whoever starts this.
control_socket_disable = True
# Nobody's word on where a request comes from, the loopback's neither: TRUSTED_PROXIES decides.
forwarded_allow_ips = ""


class logger_class(Logger):  # the setting's name
    """gunicorn's lines go where all others go: into `app.logs`, which takes secrets out."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """What cannot be parsed may be part of a message (a Content-Length that counts characters
        leaves the rest of the body to be read as a request): who sent it is told, not what."""
        if str(msg).startswith("Invalid request from "):
            msg = str(msg).partition(": ")[0]
        super().warning(msg, *args, **kwargs)


def _refuse(sock: socket.socket, status_int: int, reason: str, mesg: str) -> None:
    """What is no HTTP never reaches the application: it is refused in the shape of its API."""
    problem = {"type": "about:blank", "title": reason, "status": status_int, "code": "malformed"}
    body = json.dumps({**problem, "detail": HTTPStatus(status_int).description or reason})
    head = f"HTTP/1.1 {status_int} {reason}\r\nConnection: close\r\n"
    head += f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    util.write_nonblock(sock, (head + body).encode("latin-1"))


# gunicorn has no setting for its own HTML, nor for the header that names it.
# (A method may not be replaced, say its types: hence a name without one.)
util.write_error = _refuse
_headers_of = Response.default_headers
_any_response: Any = Response
_any_response.default_headers = lambda self: [
    line for line in _headers_of(self) if not line.startswith("Server:")
]


def child_exit(_server: Any, worker: Any) -> None:
    worker.leave()


def when_ready(server: Any) -> None:
    """What was imported and made by now stays for good: the collector need not look at it, in no
    worker, and the memory that it would touch stays shared."""
    module = sys.modules[server.app.app_uri.partition(":")[0]]
    getattr(module, "before_fork", lambda: None)()
    gc.collect()
    gc.freeze()
