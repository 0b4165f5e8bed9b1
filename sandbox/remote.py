"""JSON calls to a sandbox over kept-alive connections, one per thread."""

import http.client
import json
import threading
from types import TracebackType
from urllib.parse import urlencode, urlsplit

from sandbox.http import JsonObject

PATIENCE = 90.0  # seconds; longer than any call the control API holds


class SandboxError(Exception):
    """The sandbox refused a control call; the text says why."""


class Remote:
    """Calls below one base URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._address = urlsplit(self.url).netloc
        self._local = threading.local()

    def get(self, path: str, **query: object) -> JsonObject:
        """Reads; query parameters that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(self, path: str, **fields: object) -> JsonObject:
        """Does something; fields that are None are left out."""
        given = {name: value for name, value in fields.items() if value is not None}
        return self._call("POST", path, given)

    def send(self, path: str, fields: JsonObject) -> JsonObject:
        """Does something with exactly these fields, nulls too."""
        return self._call("POST", path, fields)

    def delete(self, path: str) -> JsonObject:
        """Takes something away."""
        return self._call("DELETE", path, None)

    def close(self) -> None:
        """Closes this thread's connection."""
        connection = self._local.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def _call(self, verb: str, path: str, fields: JsonObject | None) -> JsonObject:
        body = None if fields is None else json.dumps(fields).encode()
        headers = {"Content-Type": "application/json"} if body else {}
        kept = "connection" in self._local.__dict__
        try:
            return self._once(verb, path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionError):
            self.close()
            if not kept:
                raise
            return self._once(verb, path, body, headers)

    def _once(
        self, verb: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> JsonObject:
        if "connection" not in self._local.__dict__:
            self._local.connection = http.client.HTTPConnection(self._address, timeout=PATIENCE)
        connection: http.client.HTTPConnection = self._local.connection
        with _ClosedOnError(self):
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            value = json.loads(answer.read())
        if answer.status != 200:
            raise SandboxError(str(value.get("error", value)))
        found: JsonObject = value
        return found


class _ClosedOnError:
    """A connection in the middle of a failed exchange cannot be used again."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def __enter__(self) -> None:
        return

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._remote.close()
