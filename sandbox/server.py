"""The sandbox as a running server: its sockets, who answers which path, stop, outage and reset.

One event loop and no threads: nothing in here needs a lock, a waiting poll costs nothing, and a
plain call is answered without a task behind it.
"""

import asyncio
import ipaddress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from sandbox.bot_api import BotApi
from sandbox.control import Control
from sandbox.faults import Faults
from sandbox.http import Answer, Connection, Request, json_response
from sandbox.journal import Journal
from sandbox.limits import Limits, Rates
from sandbox.methods import Bot
from sandbox.page import Page
from sandbox.store import Store
from sandbox.updates import Updates
from sandbox.world import Person, World

DEFAULT_TOKEN = "424242:SANDBOX-this-token-opens-nothing-anywhere"
DEFAULT_USERNAME = "gonets_sandbox_bot"
LONGEST_OUTAGE = 600.0  # seconds


@dataclass(slots=True, frozen=True)
class Settings:
    """How a sandbox starts. Port 0 takes a free one; `control_port` None opens no second door.

    The control port serves the same and stays open during an outage.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    token: str = DEFAULT_TOKEN
    username: str = DEFAULT_USERNAME
    data: Path | None = None
    rates: Rates = field(default_factory=Rates)
    any_host: bool = False


class NotLoopback(Exception):
    """The sandbox has no passwords: it opens only to this machine unless told otherwise."""


class Server:
    """One sandbox: `start()` opens it and makes the ports known, `stop()` ends everything."""

    def __init__(self, settings: Settings) -> None:
        if not settings.any_host and not _is_loopback(settings.host):
            raise NotLoopback(
                f"{settings.host} is not this machine alone. The sandbox has no passwords; "
                "say --any-host if everyone who reaches it may use it"
            )
        self._settings = settings
        self._store = Store(settings.data)
        self._bot = Bot(
            me=Person(int(settings.token.partition(":")[0]), "Gonets", is_bot=True),
            world=World(self._store),
            updates=Updates(self._store),
            limits=Limits(replace(settings.rates)),
            journal=Journal(),
            store=self._store,
        )
        self._bot.me.username = settings.username
        self._bot.me.language_code = ""
        for _, commands in self._store.items("commands"):
            self._bot.commands = commands
        self._faults = Faults()
        self._api = BotApi(settings.token, self._bot, self._bot.journal, self._faults)
        self._control = Control(self._bot, self._faults, self._begin_outage, self._reset)
        self._page = Page()
        self._connections: set[Connection] = set()
        self._main: asyncio.Server | None = None
        self._side: asyncio.Server | None = None
        self._outage: asyncio.Task[None] | None = None
        self.port = settings.port
        self.control_port: int | None = None

    async def start(self) -> None:
        """Opens the doors; raises `OSError` if a port is taken."""
        self._main = await self._listen(self.port)
        self.port = _port(self._main)
        if self._settings.control_port is not None:
            self._side = await self._listen(self._settings.control_port)
            self.control_port = _port(self._side)

    async def stop(self) -> None:
        """Closes everything at once, answered or not."""
        if self._outage is not None:
            self._outage.cancel()
        for listener in (self._main, self._side):
            if listener is not None:
                listener.close()
        self._api.stop()
        for connection in list(self._connections):
            connection.reset()
        self._store.close()

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/bot"):
            return self._api.answer(request)
        if path == "/healthz":
            return json_response(200, {"status": "ok"})
        if path == "/" or path.startswith("/page/"):
            return self._page.answer(request)
        if path == "/sandbox" or path.startswith("/sandbox/"):
            if self._foreign(request):
                return json_response(403, {"error": "requests of other sites are not served"})
            return self._control.answer(request)
        return json_response(404, {"ok": False, "error_code": 404, "description": "Not Found"})

    def _foreign(self, request: Request) -> bool:
        """Whether a page of another site sent this through somebody's browser."""
        host = request.headers.get("host", "")
        if not self._settings.any_host and not _is_loopback(urlsplit(f"//{host}").hostname or ""):
            return True
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return True
        origin = request.headers.get("origin")
        return origin is not None and urlsplit(origin).netloc != host

    async def _listen(self, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: Connection(self._answer, self._connections),
            self._settings.host,
            port,
            backlog=1024,
            reuse_address=True,
        )

    def _begin_outage(self, seconds: float) -> None:
        if self._outage is not None:
            self._outage.cancel()
        work = self._be_away(min(seconds, LONGEST_OUTAGE))
        self._outage = asyncio.get_running_loop().create_task(work)

    async def _be_away(self, seconds: float) -> None:
        """As a server that is down: nobody listens, open connections are reset."""
        if self._main is not None:
            self._main.close()
            self._main = None
        for connection in list(self._connections):
            if connection.local_port == self.port and not connection.serves_control:
                connection.reset()
        await asyncio.sleep(seconds)
        self._main = await self._listen(self.port)

    def _reset(self) -> None:
        self._api.stop()
        self._bot.world.clear()
        self._bot.updates.clear()
        self._bot.limits.clear()
        self._bot.limits.rates = replace(self._settings.rates)
        self._bot.count_utf16 = False
        self._bot.journal.clear()
        self._bot.presses.clear()
        self._bot.commands.clear()
        self._faults.clear()
        self._faults.fired.clear()


def _port(listener: asyncio.Server) -> int:
    port: int = listener.sockets[0].getsockname()[1]
    return port


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
