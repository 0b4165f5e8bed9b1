"""HTTP/1.1 as far as the sandbox speaks it: one request read from a connection, one answer written.

The sandbox is the receiver in benchmarks and the liar in fault tests, so it needs two things a
ready-made server does not give at once: an answer without a thread or a task behind it, and an
answer that is cut, reset or dripped on purpose. Not a general server: no chunked bodies, no TLS,
no HTTP/2.
"""

import asyncio
import json
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

JsonObject = dict[str, Any]

MAX_HEAD = 256 * 1024  # telebot puts a whole text into the URL: 4096 emoji are 49 kB
MAX_BODY = 16 * 1024 * 1024

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Ending(Enum):
    """What happens to the connection after an answer."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"


@dataclass(slots=True, frozen=True)
class Request:
    """One request: `target` is the path without the query, header names are lower case."""

    verb: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    local_port: int = 0


@dataclass(slots=True)
class Response:
    """One answer; `status` 0 writes nothing at all, `seconds_per_byte` drips it."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    ending: Ending = Ending.KEEP
    seconds_per_byte: float = 0.0
    claimed_length: int | None = None

    def encoded(self, *, head_only: bool, close: bool) -> bytes:
        """The bytes on the wire."""
        length = len(self.body) if self.claimed_length is None else self.claimed_length
        extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        connection = "close" if close else "keep-alive"
        head = (
            f"HTTP/1.1 {self.status} {_REASONS.get(self.status, '')}\r\n"
            f"Server: gonets-sandbox\r\nContent-Type: {self.content_type}\r\n"
            f"Content-Length: {length}\r\n{extra}Connection: {connection}\r\n\r\n"
        )
        return head.encode("latin-1") + (b"" if head_only else self.body)


def json_response(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    """An answer in compact JSON, one line of it."""
    line = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(status, line.encode("utf-8", "replace"), headers=headers or {})


Answer = Response | Coroutine[Any, Any, Response]
Handler = Callable[[Request], Answer]


class Malformed(Exception):
    """The bytes are not a request this server understands."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class _Head:
    verb: str
    path: str
    query: str
    headers: dict[str, str]
    length: int

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


def _read_head(raw: bytes) -> _Head:
    lines = raw.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Malformed(400, "the first line is not a request line")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed(400, "a header has no colon")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise Malformed(411, "send a Content-Length; chunked bodies are not read here")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12:
        raise Malformed(400, "Content-Length is not a number")
    if int(length) > MAX_BODY:
        raise Malformed(413, f"the body is longer than {MAX_BODY} bytes")
    path, _, query = words[1].partition("?")
    if "%" in path:
        path = unquote(path, errors="replace")
    return _Head(words[0].upper(), path, query, headers, int(length))


class Connection(asyncio.Protocol):
    """One client's connection: requests are answered one after another, in order."""

    def __init__(self, handle: Handler, open_connections: "set[Connection]") -> None:
        self._handle = handle
        self._open = open_connections
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self.local_port = 0
        self.serves_control = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.local_port = transport.get_extra_info("sockname")[1]
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._answer_what_arrived()

    def reset(self) -> None:
        """Ends the connection with a TCP reset, as a crashed peer does."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _answer_what_arrived(self) -> None:
        while self._task is None and not self._transport.is_closing():
            try:
                taken = self._next_request()
            except Malformed as error:
                refusal = json_response(error.status, {"ok": False, "description": str(error)})
                refusal.ending = Ending.CLOSE
                self._write(refusal, head_only=False, close=True)
                return
            if taken is None:
                return
            self._answer(*taken)

    def _next_request(self) -> tuple[Request, bool] | None:
        """The next whole request of the buffer and whether the client wants to close after it."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > MAX_HEAD:
                    raise Malformed(431, f"the request's head is longer than {MAX_HEAD} bytes")
                return None
            self._head = _read_head(bytes(self._buffer[:end]))
            del self._buffer[: end + 4]
            if self._head.headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        head = self._head
        if len(self._buffer) < head.length:
            return None
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        self._head = None
        self.serves_control = head.path.startswith("/sandbox")
        request = Request(head.verb, head.path, head.query, head.headers, body, self.local_port)
        return request, head.closes

    def _answer(self, request: Request, close: bool) -> None:
        head_only = request.verb == "HEAD"
        try:
            answer = self._handle(request)
        except Exception:
            answer = _our_own_fault()
        if isinstance(answer, Response) and not answer.seconds_per_byte:
            self._write(answer, head_only=head_only, close=close)
            return
        task = asyncio.get_running_loop().create_task(self._answer_later(answer, head_only, close))
        self._task = task

    async def _answer_later(self, answer: Answer, head_only: bool, close: bool) -> None:
        try:
            response = answer if isinstance(answer, Response) else await answer
        except Exception:
            response = _our_own_fault()
        if response.seconds_per_byte:
            await self._drip(response)
        else:
            self._write(response, head_only=head_only, close=close)
        self._task = None
        self._answer_what_arrived()

    def _write(self, response: Response, *, head_only: bool, close: bool) -> None:
        if self._transport.is_closing():
            return
        close = close or response.ending is not Ending.KEEP
        if response.status:
            self._transport.write(response.encoded(head_only=head_only, close=close))
        if response.ending is Ending.RESET:
            self.reset()
        elif close:
            self._transport.close()

    async def _drip(self, response: Response) -> None:
        for byte in response.encoded(head_only=False, close=True):
            self._transport.write(bytes([byte]))
            await asyncio.sleep(response.seconds_per_byte)
        self._transport.close()


def _our_own_fault() -> Response:
    traceback.print_exc(file=sys.stderr)
    return json_response(
        500,
        {"ok": False, "error_code": 500, "description": "Internal Server Error: sandbox bug"},
    )
