"""Unique secrets and texts go through good runs and bad ones, with real processes; then everything
that is written, counted, queued or answered is searched for them."""

import json
import secrets
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
import requests
from sqlalchemy import Engine, text

from app.delivery import outbox
from app.extensions import db
from embedded import Servers
from sandbox.client import Sandbox, wait_for
from tests import rows
from tests.bot.conftest import CODE_LINE
from tests.running import BIN, Part, Running, free_port

SECONDS = 40
FAULTS = ("cut", "server_error", "bad_gateway", "garbage", "truncated", "cannot_parse", "flood")


def canary(kind: str) -> str:
    return f"canary-{kind}-{secrets.token_hex(8)}"


@dataclass
class Canaries:
    """What must be found nowhere; `texts` may stand in the messages' own table."""

    secrets: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def text(self, kind: str) -> str:
        return self.texts.setdefault(f"text {kind}", canary("text"))

    def keep(self, kind: str, value: str) -> str:
        self.secrets[kind] = value
        return value

    def found_in(self, where: str, *, and_texts: bool = True) -> list[str]:
        sought = self.secrets | (self.texts if and_texts else {})
        return [kind for kind, value in sought.items() if value and value in where]


class Watched:
    """Everything that passes through the broker while it is watched."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[str] = []
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Watched":
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        with redis.Redis.from_url(self.url) as client:
            client.ping()  # something to hear, so that it ends
        self._thread.join(5)

    def _listen(self) -> None:
        with redis.Redis.from_url(self.url) as client, client.monitor() as monitor:
            self._ready.set()
            for command in monitor.listen():
                self.seen.append(str(command))
                if self._stop.is_set():
                    return

    def dump(self) -> str:
        """All that was said, and all that is stored now."""
        with redis.Redis.from_url(self.url) as client:
            stored = [(key, client.dump(key)) for key in client.scan_iter()]
        return "\n".join([*self.seen, *map(str, stored)])


class Web:
    """A client of the running server, which keeps every answer that is a failure."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.failures: list[str] = []

    def asks(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = requests.request(method, self.url + path, timeout=10, **more)
        if answer.status_code >= 400:
            self.failures.append(f"{answer.headers} {answer.text}")
        return answer

    def writes(self, raw: str) -> None:
        """Sends bytes that no HTTP library would, and keeps whatever comes back."""
        where = urlsplit(self.url)
        with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
            connection.sendall(raw.encode())
            connection.shutdown(socket.SHUT_WR)
            while answer := connection.recv(65536):
                self.failures.append(answer.decode())


@contextmanager
def gone(database: Engine, table: str) -> Iterator[None]:
    """While it lasts, a table is not there: a mistake of ours that no code foresees."""
    with database.connect() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
        try:
            yield
        finally:
            connection.execute(text(f"ALTER TABLE {table}_gone RENAME TO {table}"))


def command_line(part: Part) -> str:
    return Path(f"/proc/{part.process.pid}/cmdline").read_text().replace("\0", " ")


def test_no_secret_and_no_text_is_found_where_it_does_not_belong(
    running: Running,
    sandbox: Sandbox,
    servers: Servers,
    database: Engine,
    environment: dict[str, str],
) -> None:
    canaries = Canaries()
    canaries.keep("bot token", sandbox.token)
    canaries.keep("server key", environment["SECRET_KEY"])
    flower_password = canaries.keep("flower password", canary("flower"))
    settings = {"LOG_FORMAT": "json", "FLOWER_BASIC_AUTH": f"admin:{flower_password}"}
    with Watched(servers.redis_url) as broker:
        web = running.web(workers=1, **settings)
        bot, worker = running.bot(**settings), running.worker(**settings)
        port = free_port()
        start = ["-A", "worker", "flower", f"--port={port}", "--address=127.0.0.1"]
        flower = running.start("flower", [str(BIN / "celery"), *start], settings)
        client = Web(web.url)
        live(client, canaries, sandbox, database)
        shown = ask_flower(port, flower_password)
        metrics = client.asks("GET", "/metrics").text + client.asks("GET", "/readyz").text
        parts = (web, bot, worker, flower)
        arguments = "\n".join(map(command_line, parts))
        logs = {part.name: part.log() for part in parts}
        passed = broker.dump()
    assert "canary" in json.dumps(canaries.texts)
    assert "gonets.drain" in passed, "the broker was watched"
    assert "gonets.drain" in shown, "Flower was asked"
    assert any("internal_error" in log for log in logs.values()), "there were bad runs"
    for name, log in logs.items():
        assert canaries.found_in(log) == [], f"in the log of {name}"
        assert "canary" not in log, f"in the log of {name}"
    sinks = {"broker": passed, "Flower": shown, "metrics": metrics, "arguments": arguments}
    sinks["failures"] = "\n".join(client.failures)
    for name, sink in sinks.items():
        assert canaries.found_in(sink) == [], name
        assert "canary-text" not in sink, name
    for table, stored in rows.as_text(database, *db.metadata.tables).items():
        only_secrets = table == "message"
        found = canaries.found_in(str(stored), and_texts=not only_secrets)
        assert found == [], f"in the table {table}"


def live(client: Web, canaries: Canaries, sandbox: Sandbox, database: Engine) -> None:
    """A life with everything that can go well and badly."""
    password = canaries.keep("password", canary("password"))
    member = {"username": "alice", "password": password}
    client.asks("POST", "/v1/auth/register", json={**member, "name": "Alice"})
    session = client.asks("POST", "/v1/auth/login", json=member).json()
    access = canaries.keep("access token", session["access"])
    canaries.keep("refresh token", session["refresh"])
    bearer = {"Authorization": f"Bearer {access}"}
    token = client.asks("POST", "/v1/tokens/send", json={"name": "s"}, headers=bearer).json()
    send_token = canaries.keep("send token", token["token"])
    alice = sandbox.user("Alice")
    link(client, canaries, alice, bearer)

    def send(kind: str, **more: Any) -> None:
        body = {"text": canaries.text(kind), **more}
        client.asks("POST", "/v1/messages", json=body, headers=bearer)

    send("sent")
    client.asks(
        "POST", "/v1/send", data=canaries.text("one-liner"),
        headers={"Authorization": f"Bearer {send_token}", "Content-Type": "text/plain"},
    )  # fmt: skip
    wait_for(lambda: len(sandbox.journal()) >= 2, what="two messages")
    go_wrong_at_telegram(sandbox, send, database)
    go_wrong_in_the_bot(canaries, sandbox, alice)
    go_wrong_over_http(client, canaries, bearer)
    go_wrong_in_the_database(client, canaries, database, bearer)


def link(client: Web, canaries: Canaries, alice: Any, bearer: dict[str, str]) -> None:
    first = client.asks("GET", "/v1/tokens/link", headers=bearer).json()["token"]
    alice.says(canaries.keep("link token", first))
    alice.hears()
    client.asks("DELETE", "/v1/chat", headers=bearer)
    alice.hears()
    alice.says("/code")
    found = CODE_LINE.search(alice.hears().text)
    assert found is not None
    code = canaries.keep("link code", found[1])
    assert client.asks("POST", "/v1/chat", json={"code": code}, headers=bearer).ok


def go_wrong_at_telegram(sandbox: Sandbox, send: Any, database: Engine) -> None:
    def wake() -> None:
        """Ends whatever the lane waits for: a try after a failure, a flood's end."""
        due = "UPDATE lane SET wake_at = now() WHERE leased_until IS NULL AND wake_at > now()"
        with database.connect() as connection:
            connection.execute(text(due))

    for kind in FAULTS:
        fault = sandbox.fault(kind, times=1, contains="canary")

        def fired(fault: Any = fault) -> int:
            wake()
            return int(fault.fired())

        send(kind)
        wait_for(fired, SECONDS, kind)
    sandbox.goes_down(0.5)
    send("while Telegram is down")


def go_wrong_in_the_bot(canaries: Canaries, sandbox: Sandbox, alice: Any) -> None:
    alice.says(canaries.text("received"))
    wrong = canaries.keep("wrong link token", secrets.token_hex(32))
    alice.says(f"/start {wrong}")
    stranger = sandbox.user("Stranger")
    stranger.says(canaries.text("from a stranger"))
    stranger.hears()
    broken = {"message_id": 5, "text": canaries.text("poison"), "chat": canaries.text("poison too")}
    update_id = sandbox.inject({"message": {**broken, "from": {"id": "x"}}})
    wait_for(lambda: not sandbox.pending_updates(), SECONDS, f"update {update_id}")


def go_wrong_over_http(client: Web, canaries: Canaries, bearer: dict[str, str]) -> None:
    wrong = canaries.keep("wrong password", canary("wrong"))
    as_name = canaries.keep("password as username", canary("name"))
    pair = b64encode(f"alice:{wrong}".encode()).decode()
    canaries.keep("Basic pair", pair)
    bad_send_token = canaries.keep("bad send token", f"gz_{secrets.token_urlsafe(32)}")
    bad_code = canaries.keep("wrong code", "QQQQ2222")
    said = canaries.text("in a bad request")
    client.asks("POST", "/v1/auth/login", json={"username": "alice", "password": wrong})
    client.asks("POST", "/v1/auth/login", json={"username": as_name, "password": wrong})
    client.asks("GET", "/v1/users/me", headers={"Authorization": f"Basic {pair}"})
    client.asks(
        "POST", "/v1/send", data=said, headers={"Authorization": f"Bearer {bad_send_token}"}
    )
    client.asks("POST", "/v1/chat", json={"code": bad_code}, headers=bearer)
    client.asks("GET", f"/v1/users/me?access_token={canaries.secrets['access token']}")
    client.asks("GET", f"/v1/messages?cursor={said}", headers=bearer)
    client.asks("POST", f"/nothing/{said}", json={"text": said})
    json_type = bearer | {"Content-Type": "application/json"}
    for body in (
        f'{{"text": "{said}"',
        f'{{"text": "{said}", "text": "{said}"}}',
        f'{{"text": "{said}\\ud800"}}',
        f'{{"text": ["{said}"]}}',
        f'{{"text": "{said * 2000}"}}',
    ):
        client.asks("POST", "/v1/messages", data=body, headers=json_type)
    client.asks("POST", "/message/", json={"name": "alice", "text": said}, headers={"token": "x"})
    form = {"text": said, "type": "Text", "bot_token": bad_send_token}
    client.asks("POST", "/api/send_message", json=form)
    # A length in characters, not bytes: the rest of the body is read as the next request.
    body = f"сервер: {said}\r\n\r\n"
    client.writes(
        f"POST /v1/send HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        f"Authorization: {bearer['Authorization']}\r\nContent-Length: 8\r\n\r\n{body}"
    )


def go_wrong_in_the_database(
    client: Web, canaries: Canaries, database: Engine, bearer: dict[str, str]
) -> None:
    said = canaries.text("without a table")
    password = canaries.keep("password without a table", canary("lost"))
    with gone(database, "message"):
        failed = client.asks("POST", "/v1/messages", json={"text": said}, headers=bearer)
        client.asks("GET", f"/v1/messages?q={said}", headers=bearer)
    assert failed.status_code == 500
    with gone(database, "account"):
        member = {"username": "newcomer", "password": password, "name": said}
        client.asks("POST", "/v1/auth/register", json=member)
        client.asks("POST", "/v1/auth/login", json={"username": "alice", "password": password})


def ask_flower(port: int, password: str) -> str:
    """What Flower shows of workers and tasks; without its password, nothing."""
    url = f"http://127.0.0.1:{port}"

    def up() -> bool:
        try:
            return requests.get(f"{url}/healthcheck", timeout=2).ok
        except requests.ConnectionError:
            return False

    wait_for(up, SECONDS, "Flower")
    for path in ("/", "/api/workers", "/api/tasks", "/tasks", "/broker"):
        assert requests.get(url + path, timeout=5).status_code == 401, path
    auth = ("admin", password)

    def tasks() -> str:
        return requests.get(f"{url}/api/tasks", auth=auth, timeout=5).text

    def has_seen_one() -> bool:
        outbox.ring()  # Flower knows only what happens while it listens
        return "gonets.drain" in tasks()

    wait_for(has_seen_one, SECONDS, "a task in Flower")
    pages = ("/api/workers", "/workers", "/tasks", "/broker", "/metrics")
    shown = [requests.get(url + page, auth=auth, timeout=5).text for page in pages]
    return "\n".join([tasks(), *shown])
