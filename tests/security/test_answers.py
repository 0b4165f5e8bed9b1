"""What guards every answer: headers on each kind of it, hosts, methods; and a server that speaks
HTTP to strangers: no banner, no HTML, no smuggling."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app import identity
from tests.client import Answer, Client, client_of
from tests.conftest import PASSWORD, MakeApp, Member
from tests.running import ROOT, Part, Running

HTTPS = "https://gonets.example"


def asked(client: Client, method: str, path: str, **more: Any) -> Answer:
    return client.open(path, method=method, buffered=True, **more)


def of_every_kind(client: Client, member: Member) -> Iterator[tuple[str, Answer]]:
    """One answer of each kind that there is."""
    big = {"data": b"x" * 300_000, "content_type": "application/json"}
    plain = {"data": b"x", "content_type": "text/plain"}
    body: dict[str, Any] = {"json": {"text": "hello"}, "headers": member.headers}
    kinds: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/users/me", {"headers": member.headers}),
        ("POST", "/v1/messages", body),
        ("POST", "/v1/messages", {"json": {}, "headers": member.headers}),
        ("POST", "/v1/messages", big | {"headers": member.headers}),
        ("POST", "/v1/messages", plain | {"headers": member.headers}),
        ("DELETE", "/v1/chat", {"headers": member.headers}),
        ("GET", "/v1/users/me", {}),
        ("GET", "/v1/users/me/export", {"headers": member.headers}),
        ("GET", "/v1/tokens/link/qr.svg", {"headers": member.headers}),
        ("OPTIONS", "/v1/messages", {}),
        ("HEAD", "/v1/users/me", {"headers": member.headers}),
        ("TRACE", "/v1/messages", {}),
        ("GET", "/nothing/here", {}),
        ("GET", "/healthz", {}),
        ("GET", "/readyz", {}),
        ("GET", "/metrics", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/docs/", {}),
        ("GET", "/redoc/", {}),
        ("GET", "/docs/static/redoc.js", {}),
        ("GET", "/static/gonets.js", {}),
        ("GET", "/static/nothing.js", {}),
        ("GET", "/", {}),
        ("GET", "/cabinet", {}),
        ("GET", "/cabinet/sign-in", {}),
        ("POST", "/cabinet/sign-in", {}),
        ("GET", "/admin", {}),
        ("GET", "/api/messages/", {"headers": member.headers}),
        ("GET", "/api/messages/", {}),
        ("POST", "/login/", {"json": {"name": "alice", "password": PASSWORD}}),
        ("POST", "/logout/", {}),
        ("GET", "/message/sent", {}),
        ("GET", "/message/nothing", {}),
    ]
    for method, path, more in kinds:
        yield f"{method} {path}", asked(client, method, path, **more)


def directives(answer: Answer) -> dict[str, list[str]]:
    policy = answer.headers["Content-Security-Policy"]
    return {name: rest for name, *rest in (part.split() for part in policy.split(";"))}


def test_every_kind_of_answer_is_guarded_by_its_headers(client: Client, alice: Member) -> None:
    for kind, answer in of_every_kind(client, alice):
        assert answer.headers["X-Content-Type-Options"] == "nosniff", kind
        assert answer.headers["Referrer-Policy"] in ("no-referrer", "same-origin"), kind
        assert answer.headers["X-Request-ID"], kind
        policy = directives(answer)
        assert policy["default-src"] == ["'none'"], kind
        assert policy["frame-ancestors"] == ["'none'"], kind
        assert policy["base-uri"] == ["'none'"], kind
        for name in ("script-src", "default-src", "object-src"):
            sources = policy.get(name, [])
            assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "data:", "https:"} & set(sources)
        for sources in policy.values():
            assert not [source for source in sources if source.startswith("http")], kind
        assert "Access-Control-Allow-Origin" not in answer.headers, kind
        assert "Server" not in answer.headers, kind
        assert "X-Powered-By" not in answer.headers, kind
        if answer.get_data():
            assert answer.mimetype, kind
            text_like = re.match(r"text/|application/javascript", answer.mimetype)
            assert not text_like or "charset=utf-8" in answer.content_type.lower(), kind
        if not re.search(r"/static/|/docs/|/redoc/|/favicon", kind):
            assert answer.headers["Cache-Control"] == "no-store", kind


def test_strict_transport_is_said_by_https_and_by_https_only(
    make_app: MakeApp, client: Client, alice: Member
) -> None:
    secure = client_of(make_app(PUBLIC_URL=HTTPS))
    secure.environ_base["HTTP_HOST"] = "gonets.example"
    for kind, answer in of_every_kind(secure, alice):
        found = re.fullmatch(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])
        assert found, kind
        assert int(found[1]) >= 365 * 86400
    for kind, answer in of_every_kind(client, alice):
        assert "Strict-Transport-Security" not in answer.headers, kind


@pytest.mark.parametrize("https", [True, False])
def test_every_cookie_is_guarded_by_its_name_and_its_attributes(
    make_app: MakeApp, alice: Member, https: bool
) -> None:
    app = make_app(PUBLIC_URL=HTTPS) if https else make_app()
    client, pages = client_of(app), client_of(app)
    for browser in (client, pages) if https else ():
        browser.environ_base["HTTP_HOST"] = "gonets.example"
    login = {"username": "alice", "password": PASSWORD}
    answers = [
        client.post("/v1/auth/login", json=login),
        client.post("/login/", json={"name": "alice", "password": PASSWORD}),
        client.post("/logout/"),
        pages.get("/cabinet/sign-in"),
    ]
    token = re.search(r'name="form_token" value="([^"]+)"', answers[-1].text)
    form = {**login, "form_token": token[1] if token else ""}
    answers.append(pages.post("/cabinet/sign-in", data=form))
    cookies = [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie")]
    assert len(cookies) >= 8
    for cookie in cookies:
        name = cookie.partition("=")[0]
        assert re.search(r"SameSite=(Lax|Strict)", cookie), cookie
        assert ("Secure" in cookie) == https, cookie
        assert ("HttpOnly" in cookie) == ("csrf" not in name), cookie
        assert "Domain=" not in cookie
        if https and name != "token":  # dialect 4's own document names that one
            prefix = "__Host-" if "Path=/;" in cookie + ";" else "__Secure-"
            assert name.startswith(prefix), cookie


@pytest.mark.parametrize(
    "host",
    ["evil.example", "gonets.example.evil.example", "gonets.example@evil", "evil.example:80",
     "a,b", "gonets.example/", "gonets.example evil", "[::", "127.0.0.1.nip.io"],
)  # fmt: skip
def test_with_a_public_url_a_foreign_host_is_refused(make_app: MakeApp, host: str) -> None:
    client = client_of(make_app(PUBLIC_URL=HTTPS), use_cookies=False)
    for path in ("/v1/users/me", "/", "/cabinet/sign-in", "/api/messages/", "/nothing"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, (path, host)
        assert host not in answer.text
    for probe in ("/healthz", "/readyz", "/metrics"):
        assert client.get(probe, headers={"Host": host}).status_code == 200, probe


@pytest.mark.parametrize(
    "host",
    ["gonets.example", "GONETS.example", "gonets.example:443", "localhost:8000", "127.0.0.1:8000",
     "[::1]:8000"],
)  # fmt: skip
def test_our_own_names_and_the_loopback_are_heard(make_app: MakeApp, host: str) -> None:
    client = client_of(make_app(PUBLIC_URL=HTTPS))
    assert client.get("/v1/users/me", headers={"Host": host}).status_code == 401


def test_a_broken_host_is_refused_whatever_is_public(client: Client) -> None:
    for host in ("a,b", "evil example", "x" * 300 + "/"):
        assert client.get("/v1/users/me", headers={"Host": host}).status_code == 400


def test_a_host_that_a_client_makes_up_is_nowhere_in_an_answer(
    make_app: MakeApp, alice: Member
) -> None:
    for app in (make_app(), make_app(TRUSTED_PROXIES="1")):
        client = client_of(app)
        forged = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
        for path in ("/api/v1/message/?page_size=1", "/v1/tokens/link", "/openapi.json"):
            answer = client.get(path, headers={**alice.headers, **forged})
            assert "evil.example" not in answer.text
            assert "evil.example" not in str(answer.headers)


def test_a_cookie_session_of_https_is_none_by_its_plain_name(
    make_app: MakeApp, alice: Member
) -> None:
    client = client_of(make_app(PUBLIC_URL=HTTPS))
    client.environ_base["HTTP_HOST"] = "gonets.example"
    client.set_cookie("access", alice.access, domain="gonets.example")
    assert client.get("/v1/users/me").status_code == 401


def test_a_get_with_a_cookie_changes_nothing_even_from_elsewhere(app: Flask, alice: Member) -> None:
    client = client_of(app)
    with app.app_context():
        client.set_cookie(identity.access_cookie(), alice.access)
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    for rule in app.url_map.iter_rules():
        if rule.methods == {"GET", "HEAD", "OPTIONS"} and "<" not in rule.rule:
            client.get(rule.rule, headers=foreign, buffered=True)
    assert client.get("/v1/users/me").status_code == 200
    assert len(client.get("/v1/auth/sessions").json["items"]) == 1


# Over a real socket


def speak(web: Part, said: bytes) -> bytes:
    """What the server answers to these bytes until it closes or falls silent."""
    heard = b""
    with socket.create_connection(("127.0.0.1", web.port), 5) as connection:
        connection.sendall(said)
        connection.settimeout(0.3)
        try:
            while piece := connection.recv(65536):
                heard += piece
        except TimeoutError:
            pass
    return heard


def request(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


LOGIN_HEAD = ("POST /v1/auth/login HTTP/1.1", "Host: x", "Content-Type: application/json")
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
BROKEN: dict[str, bytes] = {
    "two lengths": request(*LOGIN_HEAD, "Content-Length: 2", "Content-Length: 50", body=b"{}"),
    "length and chunks": request(
        *LOGIN_HEAD, "Content-Length: 4", "Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "odd chunks": request(*LOGIN_HEAD, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + SMUGGLED),
    "bad chunk": request(*LOGIN_HEAD, "Transfer-Encoding: chunked", body=b"zz\r\n\r\n" + SMUGGLED),
    "negative length": request(*LOGIN_HEAD, "Content-Length: -1", body=SMUGGLED),
    "length that is no number": request(*LOGIN_HEAD, "Content-Length: +2", body=b"{}" + SMUGGLED),
    "space before the colon": request(*LOGIN_HEAD, "Content-Length : 2", body=b"{}"),
    "folded header": request(*LOGIN_HEAD, "X-A: b", " c", "Content-Length: 2", body=b"{}"),
    "two hosts": request("GET /v1/users/me HTTP/1.1", "Host: a", "Host: b"),
    "no host": request("GET /v1/users/me HTTP/1.1"),
    "bare garbage": b"\x16\x03\x01\x02\x00garbage\r\n\r\n",
    "bad request line": request("GET  / HTTP/1.1 x", "Host: x"),
    "long line": request("GET /" + "x" * 70_000 + " HTTP/1.1", "Host: x"),
    "long header": request("GET /v1/users/me HTTP/1.1", "Host: x", "X-Long: " + "x" * 70_000),
    "many headers": request(
        "GET /v1/users/me HTTP/1.1", "Host: x", *(f"X-{n}: {n}" for n in range(2000))
    ),
    "NUL in a header": request("GET /v1/users/me HTTP/1.1", "Host: x", "X-A: a\x00b"),
    "line feed in a header": request("GET /v1/users/me HTTP/1.1", "Host: x", "X-A: a\rb"),
}
# As of a client that counts characters: the rest of the text is heard as a request.
TOO_SHORT = request(*LOGIN_HEAD, "Content-Length: 2", body=b"{}leftover\r\n\r\n")


def test_a_server_among_strangers(running: Running) -> None:
    """One server for all of it: banners, broken requests, smuggling."""
    web = running.web(workers=1)
    plain = speak(web, request("GET /v1/users/me HTTP/1.1", "Host: x", "Connection: close"))
    assert plain.startswith(b"HTTP/1.1 401")
    assert b"\r\nserver:" not in plain.lower()
    for method in ("TRACE", "FOO", "PROPFIND"):
        answer = speak(
            web, request(f"{method} /v1/users/me HTTP/1.1", "Host: x", "Connection: close")
        )
        assert answer.startswith(b"HTTP/1.1 405"), method
        assert b"\r\nallow:" in answer.lower()
        assert b"problem+json" in answer
    for kind, said in BROKEN.items():
        answer = speak(web, said)
        statuses = re.findall(rb"^HTTP/1\.[01] (\d+)", answer, re.M)
        assert len(statuses) <= 1, (kind, "a second request was heard", answer)
        # 501 is RFC 9112's word for a transfer coding that nobody knows.
        right = statuses[:1] in ([], [b"501"]) or statuses[0][:1] == b"4"
        assert right, (kind, answer[:300])
        assert b"smuggled" not in answer, kind
        assert b"<html" not in answer.lower(), (kind, answer[:300])
        assert not statuses or b"application/problem+json" in answer, (kind, answer[:300])
        assert b"gunicorn" not in answer.lower()
        assert b"granian" not in answer.lower()
    assert re.findall(rb"^HTTP/1\.1 (\d+)", speak(web, TOO_SHORT), re.M) == [b"422", b"400"]
    assert "Invalid request" in web.log()
    assert "leftover" not in web.log()
    assert "Traceback" not in web.log()


def test_slow_clients_are_sent_away_and_then_others_are_served(
    running: Running, tmp_path: Path
) -> None:
    """As many as there are threads, each dripping a request: sooner or later they all go."""
    hurried = tmp_path / "gunicorn.conf.py"
    ours = (ROOT / "gunicorn.conf.py").read_text()
    hurried.write_text(f"{ours}\nworker_class.reading_seconds = 2.0\n")
    web = running.web(workers=1, GUNICORN_CMD_ARGS=f"-c {hurried} --threads 4")
    healthy = request("GET /healthz HTTP/1.1", "Host: x", "Connection: close")
    slow = [socket.create_connection(("127.0.0.1", web.port), 5) for _ in range(4)]
    slow[0].sendall(request(*LOGIN_HEAD, "Content-Length: 100", body=b"{"))
    slow[1].sendall(request(*LOGIN_HEAD, "Transfer-Encoding: chunked", body=b"5\r\n{"))
    slow[2].sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    slow[3].sendall(b"G")
    began = time.monotonic()
    sent_away: set[int] = set()
    while len(sent_away) < len(slow) and time.monotonic() - began < 10:
        for number, connection in enumerate(slow):
            with suppress(OSError):
                connection.sendall(b"x")  # a byte now and then is not enough
            connection.settimeout(0.1)
            try:
                while connection.recv(65536):
                    pass
                sent_away.add(number)
            except TimeoutError:
                pass
            except OSError:
                sent_away.add(number)
    assert sent_away == {0, 1, 2, 3}, web.log()
    assert speak(web, healthy).startswith(b"HTTP/1.1 200")
    assert "Traceback" not in web.log()
    for connection in slow:
        connection.close()
