"""The HTTP of the client, against servers that misbehave in every way a network can."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import pytest
from urllib3.connectionpool import HTTPConnectionPool

from app.telegram import transport
from app.telegram.outcomes import Answer, NoAnswer
from app.telegram.transport import Transport

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}'


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on loopback that hands every connection to `serve`; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=(connection,), daemon=True).start()

        def run(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/bot1:token/sendMessage"
        listening.shutdown(socket.SHUT_RDWR)


def read_request(connection: socket.socket) -> bytes:
    """One whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(65536)):
            raise OSError("closed")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def answering(connection: socket.socket) -> None:
    while True:
        read_request(connection)
        connection.sendall(ANSWER)


def post(url: str, seconds: float = 5.0, proxy: str = "", **fields: object) -> Answer | NoAnswer:
    return Transport(proxy).post(url, fields, monotonic() + seconds)


def test_fields_go_as_a_form_and_nothing_into_the_url() -> None:
    seen: list[bytes] = []

    def keep(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(ANSWER)

    with server(keep) as url:
        post(url, text="раз&<b>+ 😀", disable_notification=True)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /bot1:token/sendMessage HTTP/1.1")
    assert b"application/x-www-form-urlencoded" in head
    assert body == (b"text=%D1%80%D0%B0%D0%B7%26%3Cb%3E%2B+%F0%9F%98%80&disable_notification=true")


def test_a_connection_is_used_again() -> None:
    connections: list[socket.socket] = []

    def count(connection: socket.socket) -> None:
        connections.append(connection)
        answering(connection)

    with server(count) as url:
        api = Transport()
        for _ in range(3):
            assert api.post(url, {}, monotonic() + 5) == Answer(200, b'{"ok":true}')
    assert len(connections) == 1


def test_a_connection_that_idled_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connections: list[socket.socket] = []

    def count(connection: socket.socket) -> None:
        connections.append(connection)
        answering(connection)

    with server(count) as url:
        api = Transport()
        api.post(url, {}, monotonic() + 5)
        monkeypatch.setattr(transport, "IDLE_SECONDS", 0.0)
        api.post(url, {}, monotonic() + 5)
    assert len(connections) == 2


def test_a_connection_closed_by_the_server_meanwhile_costs_nothing() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ANSWER)
        connection.close()
        closed.set()

    with server(once) as url:
        api = Transport()
        for _ in range(3):
            assert isinstance(api.post(url, {}, monotonic() + 5), Answer)
            assert closed.wait(5)
            closed.clear()


def nothing(connection: socket.socket) -> None:
    read_request(connection)
    threading.Event().wait(10)


def drip_headers(connection: socket.socket) -> None:
    read_request(connection)
    for byte in ANSWER:
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.05)


def drip_body(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b"x")
        threading.Event().wait(0.05)


def drip_chunks(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n")
        threading.Event().wait(0.05)


def continue_for_ever(connection: socket.socket) -> None:
    read_request(connection)
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        threading.Event().wait(0.05)


@pytest.mark.parametrize(
    "serve", [nothing, drip_headers, drip_body, drip_chunks, continue_for_ever]
)
def test_a_call_is_over_at_its_deadline_however_slowly_the_server_talks(
    serve: Callable[[socket.socket], None],
) -> None:
    with server(serve) as url:
        began = monotonic()
        answer = post(url, seconds=0.5)
        took = monotonic() - began
    assert isinstance(answer, NoAnswer)
    assert answer.begun
    assert 0.4 < took < 1.5


def stall_late(connection: socket.socket) -> None:
    read_request(connection)
    threading.Event().wait(0.4)
    connection.sendall(ANSWER[:20])
    threading.Event().wait(10)


def test_a_server_that_stalls_late_gets_no_second_helping_of_time() -> None:
    with server(stall_late) as url:
        began = monotonic()
        post(url, seconds=0.5)
        assert monotonic() - began < 0.75


def close(connection: socket.socket) -> None:
    read_request(connection)


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def half(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(ANSWER[:-3])


def rubbish(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"\x00\x01 what\r\n\r\n")


@pytest.mark.parametrize("serve", [close, reset, half, rubbish])
def test_a_connection_that_dies_after_the_request_leaves_it_open(
    serve: Callable[[socket.socket], None],
) -> None:
    with server(serve) as url:
        answer = post(url)
    assert isinstance(answer, NoAnswer)
    assert answer.begun


def test_a_refused_connection_carried_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = post(f"http://127.0.0.1:{unused.getsockname()[1]}/bot1:secret/getMe")
    assert answer == NoAnswer(False, "NewConnectionError: Connection refused")


def test_an_unknown_host_carried_nothing_and_is_not_named_with_the_token() -> None:
    answer = post("http://nowhere.invalid/bot1:secret/getMe")
    assert isinstance(answer, NoAnswer)
    assert not answer.begun
    assert "secret" not in answer.reason


def test_a_server_that_never_accepts_carried_nothing() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = []
        for _ in range(4):  # the queue of connections not yet accepted is full then
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        answer = post(f"http://127.0.0.1:{port}/", seconds=0.5)
        for client in waiting:
            client.close()
    assert isinstance(answer, NoAnswer)
    assert not answer.begun


def test_a_server_that_speaks_no_tls_was_told_nothing() -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 this is not TLS\r\n\r\n")

    with server(plain) as url:
        answer = post(url.replace("http:", "https:"))
    assert isinstance(answer, NoAnswer)
    assert not answer.begun


def test_a_call_without_time_left_is_not_made() -> None:
    connections: list[socket.socket] = []
    with server(connections.append) as url:
        assert post(url, seconds=-1) == NoAnswer(False, "no time was left for the call")
    assert not connections


def test_a_proxy_carries_the_call() -> None:
    seen: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(ANSWER)

    with server(proxy) as url:
        at = url.partition("/bot")[0].replace("//", "//user:pass@")
        answer = post("http://telegram.example/bot1:token/getMe", proxy=at)
    assert isinstance(answer, Answer)
    assert seen[0].startswith(b"POST http://telegram.example/bot1:token/getMe HTTP/1.1")
    assert b"proxy-authorization: basic dxnlcjpwyxnz" in seen[0].lower()


def test_a_proxy_that_refuses_to_connect_carried_nothing() -> None:
    def refuse(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    with server(refuse) as url:
        at = url.partition("/bot")[0]
        answer = post("https://telegram.example/bot1:token/getMe", proxy=at)
    assert isinstance(answer, NoAnswer)
    assert not answer.begun


def test_a_socks_proxy_that_is_away_carried_nothing() -> None:
    answer = post("https://telegram.example/bot1:token/getMe", proxy="socks5://127.0.0.1:1")
    assert isinstance(answer, NoAnswer)
    assert not answer.begun


def test_every_scheme_of_proxy_gets_connections_that_keep_the_deadline() -> None:
    for proxy in ("", "http://127.0.0.1:1", "socks5://127.0.0.1:1"):
        for scheme in ("http", "https"):
            pool = Transport(proxy)._pool.pool_classes_by_scheme[scheme]
            assert issubclass(pool, HTTPConnectionPool)
            assert issubclass(pool.ConnectionCls, transport._Punctual)
