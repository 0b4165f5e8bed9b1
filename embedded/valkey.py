"""Runs a Valkey (or Redis) server of our own on a Unix socket: Celery's broker, nothing else.

It runs as whoever started it, root too: only that user can enter the folder of its socket, and
there is no network to reach it by.
"""

import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from embedded.binaries import find_valkey
from embedded.place import place_for
from embedded.server import Server


class Valkey(Server):
    """A Valkey server with its append-only file in a folder of DATA_DIR."""

    name = "Valkey"
    clean_stop = ((signal.SIGTERM, 1.0), (signal.SIGKILL, 3.0))

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        super().__init__(place_for(data_dir, "valkey"))
        self._durable = durable
        self._program: Path | None = None

    @property
    def socket(self) -> Path:
        return self.place.sockets / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    def _prepare(self) -> None:
        self._program = self._program or find_valkey()
        self.place.data.mkdir(mode=0o700, exist_ok=True)

    def _command(self) -> Sequence[str | Path]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.place.data),
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [self._program or find_valkey(), *words]

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(str(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False
