"""The wire: where parameters may stand, wrong tokens and paths, connections, who is let in."""

import json
import re
import socket
import threading
from urllib.parse import urlencode, urlsplit

import pytest
import requests

from sandbox.client import Sandbox, User
from sandbox.server import NotLoopback, Server, Settings
from tests.sandbox.conftest import Bot

TEXT = 'a+b=1 & 100% <b>"Привет"</b> 😀\nnext line'


def raw(sandbox: Sandbox, *requests_: bytes, answers: int) -> bytes:
    """Writes bytes to the sandbox and reads until so many answers have come or it hangs up."""
    address = urlsplit(sandbox.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as line:
        for request in requests_:
            line.sendall(request)
        got = b""
        while got.count(b"HTTP/1.1 ") < answers or not got.endswith(b"}\n"):
            more = line.recv(65536)
            if not more:
                break
            got += more
        return got


@pytest.mark.parametrize("way", ["query", "query by GET", "form", "json", "multipart"])
def test_parameters_may_stand_anywhere(sandbox: Sandbox, bot: Bot, anna: User, way: str) -> None:
    given = {"chat_id": str(anna.id), "text": TEXT}
    url = f"{bot.url}/sendMessage"
    answer = {
        "query": lambda: requests.post(url, params=given, timeout=5),
        "query by GET": lambda: requests.get(url, params=given, timeout=5),
        "form": lambda: requests.post(url, data=given, timeout=5),
        "json": lambda: requests.post(url, json={**given, "chat_id": anna.id}, timeout=5),
        "multipart": lambda: requests.post(
            url, files={name: (None, value) for name, value in given.items()}, timeout=5
        ),
    }[way]()
    assert answer.json()["result"]["text"] == TEXT
    assert [line.text for line in sandbox.journal()] == [TEXT]


def test_4096_emoji_pass_through_the_url(anna: User, bot: Bot) -> None:
    given = {"chat_id": str(anna.id), "text": "😀" * 4096}
    answer = requests.post(f"{bot.url}/sendMessage", params=given, timeout=5)
    assert len(answer.json()["result"]["text"]) == 4096


def test_raw_utf8_in_a_form_is_read(anna: User, bot: Bot) -> None:
    body = f"chat_id={anna.id}&text=Привет".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = requests.post(f"{bot.url}/sendMessage", body, headers=headers, timeout=5)
    assert answer.json()["result"]["text"] == "Привет"


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"[" * 5000])
def test_a_broken_json_body_is_a_400(bot: Bot, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = requests.post(f"{bot.url}/sendMessage", body, headers=headers, timeout=5)
    assert answer.status_code == 400 and answer.json()["ok"] is False


def test_bytes_that_are_no_utf8_are_a_400(bot: Bot, anna: User) -> None:
    answer = requests.get(f"{bot.url}/sendMessage?chat_id={anna.id}&text=%ff", timeout=5)
    assert answer.json()["description"] == "Bad Request: strings must be encoded in UTF-8"


def test_method_names_are_read_in_any_case(bot: Bot) -> None:
    assert bot.ask("GETME") == bot.ask("getMe")


def test_the_bot_introduces_itself_fully(bot: Bot) -> None:
    me = bot.ask("getMe")
    assert me["is_bot"] is True and me["username"] == "gonets_sandbox_bot"
    assert set(me) >= {"id", "first_name", "can_join_groups", "supports_inline_queries"}


def test_a_wrong_token_is_a_401(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/bot1:wrong/getMe", timeout=5)
    assert answer.status_code == 401
    assert answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert [call.code for call in sandbox.calls("getMe")] == [401]


def test_unknown_methods_and_paths_are_404(sandbox: Sandbox, bot: Bot) -> None:
    assert bot.refusal("sendLove") == (404, "Not Found: method not found")
    for path in ("/nothing", "/bot", "/bots", f"/bot{sandbox.token}"):
        answer = requests.get(sandbox.url + path, timeout=5)
        assert answer.status_code in (401, 404) and answer.json()["ok"] is False


def test_healthz_answers(sandbox: Sandbox) -> None:
    assert requests.get(f"{sandbox.url}/healthz", timeout=5).status_code == 200


def test_requests_on_one_connection_are_answered_in_order(sandbox: Sandbox) -> None:
    one = f"GET /bot{sandbox.token}/getMe HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    bad = f"GET /bot{sandbox.token}/nope HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    got = raw(sandbox, one + bad + one, answers=3)
    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"404", b"200"]


def test_a_request_in_small_pieces_is_put_together(sandbox: Sandbox, anna: User) -> None:
    body = urlencode({"chat_id": anna.id, "text": "piece by piece"}).encode()
    head = (
        f"POST /bot{sandbox.token}/sendMessage HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
        "\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
    ).encode()
    whole = head + body
    raw(sandbox, *(whole[i : i + 7] for i in range(0, len(whole), 7)), answers=1)
    assert sandbox.journal()[0].text == "piece by piece"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"GET /" + b"x" * 300_000, b"431"),
    ],
)
def test_what_is_no_request_is_refused_and_hung_up_on(
    sandbox: Sandbox, request_: bytes, status: bytes
) -> None:
    assert raw(sandbox, request_, answers=1).startswith(b"HTTP/1.1 " + status)


def test_many_connections_send_at_once_and_nothing_gets_mixed_up(
    sandbox: Sandbox, bot: Bot
) -> None:
    people = [sandbox.user(f"P{i}", wrote_first=True) for i in range(40)]

    def send(person: User) -> None:
        with requests.Session() as session:
            for i in range(5):
                given = {"chat_id": person.id, "text": f"{person.name} {i}"}
                answer = session.post(f"{bot.url}/sendMessage", given, timeout=30).json()
                assert answer["result"]["chat"]["id"] == person.id

    threads = [threading.Thread(target=send, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for person in people:
        assert person.received() == [f"{person.name} {i}" for i in range(5)]


def test_another_site_cannot_use_the_control_api(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/sandbox/people"
    body = json.dumps({"first_name": "Mallory"})
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example:8081"},
    ):
        assert requests.post(url, body, headers=headers, timeout=5).status_code == 403
    same = {"Origin": sandbox.url, "Sec-Fetch-Site": "same-origin"}
    assert requests.post(url, body, headers=same, timeout=5).status_code == 200


def test_it_opens_to_other_machines_only_when_told(sandbox: Sandbox) -> None:
    with pytest.raises(NotLoopback):
        Server(Settings(host="0.0.0.0"))
    Server(Settings(host="0.0.0.0", any_host=True))
