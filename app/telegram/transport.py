"""One HTTP POST to the Bot API: form body, kept-alive connections, an end that is certain.

urllib3's own timeouts bound the wait for the next byte, not the call: a server that drips a byte
a second would hold a call for ever. Here every read gets only what is left until the call's
deadline. And since nobody can guess afterwards whether a request that failed had reached
Telegram, the connection itself notes the moment before a request's first byte is written.
"""

import io
import socket
import threading
from http.client import HTTPResponse
from time import monotonic
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.contrib.socks import SOCKSProxyManager
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, make_headers, parse_url

from app.telegram.outcomes import Answer, NoAnswer

CONNECT_SECONDS = 5.0
# A connection that idled longer is not used again: the server may be closing it at this moment,
# and whether a request lost to that race had arrived cannot be known.
IDLE_SECONDS = 20.0
CONNECTIONS_KEPT = 32

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "gonets"}


class _Call(threading.local):
    """The call that this thread makes: when it must be over, and whether it was begun."""

    deadline = 0.0
    begun = False


_call = _Call()


class Transport:
    """The connections of one process to one Bot API server; any number of threads may use it."""

    def __init__(self, proxy: str = "") -> None:
        """`proxy`: http://, https:// or socks5://[user:password@]host:port, or nothing."""
        self._pool = _pool(proxy)

    def post(self, url: str, fields: dict[str, Any], deadline: float) -> Answer | NoAnswer:
        """Posts `fields` as a form; never raises for what the network or the server does.

        `deadline` is a reading of `time.monotonic()`: the call is over by then, whatever happens.
        """
        left = deadline - monotonic()
        if left <= 0:
            return NoAnswer(begun=False, reason="no time was left for the call")
        _call.deadline, _call.begun = deadline, False
        body = urlencode({name: _plain(value) for name, value in fields.items()})
        timeout = Timeout(connect=min(CONNECT_SECONDS, left), read=left)
        try:
            answer = self._pool.request(
                "POST", url, body=body, headers=_HEADERS, timeout=timeout, retries=False
            )
        except (HTTPError, OSError) as error:
            return NoAnswer(_call.begun, _words(error))
        return Answer(answer.status, answer.data, answer.headers.get("Retry-After"))


class _PunctualReader(io.RawIOBase):
    """A socket's bytes, until the call's deadline."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = _call.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PunctualResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        file: Any = self.fp
        self.fp = io.BufferedReader(_PunctualReader(sock, file.detach()))


class _Punctual(HTTPConnection):
    """What is mixed into each of urllib3's connection classes."""

    response_class = _PunctualResponse
    _idle_since = 0.0

    @property
    def is_connected(self) -> bool:
        return super().is_connected and monotonic() - self._idle_since < IDLE_SECONDS

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(CONNECT_SECONDS)
        _call.begun = True
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        response = super().getresponse()
        self._idle_since = monotonic()
        return response


def _pool(proxy: str) -> urllib3.PoolManager:
    kept = CONNECTIONS_KEPT
    pool: urllib3.PoolManager
    if not proxy:
        pool = urllib3.PoolManager(maxsize=kept)
    elif proxy.startswith("socks"):
        pool = SOCKSProxyManager(proxy, maxsize=kept)
    else:
        auth = parse_url(proxy).auth
        headers = make_headers(proxy_basic_auth=auth) if auth else None
        pool = urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=kept)
    kinds: dict[str, Any] = dict(pool.pool_classes_by_scheme)
    pool.pool_classes_by_scheme = {scheme: _punctual(kind) for scheme, kind in kinds.items()}
    return pool


def _punctual(pool_class: Any) -> Any:
    connection = type("PunctualConnection", (_Punctual, pool_class.ConnectionCls), {})
    return type(pool_class.__name__, (pool_class,), {"ConnectionCls": connection})


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _words(error: BaseException) -> str:
    """What went wrong, without the URL that urllib3 puts into its messages: it has the token."""
    cause = error.__cause__ or error.__context__ or error
    system = getattr(cause, "strerror", None)
    return f"{type(error).__name__}: {system}" if system else type(error).__name__
