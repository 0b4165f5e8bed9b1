"""Scripted faults: each kind as a client sees it, which calls are hit, and what is written down."""

import json
import threading
import time
from typing import Any

import pytest
import requests

from sandbox.client import Sandbox, User, wait_for
from sandbox.faults import KINDS
from tests.sandbox.conftest import Bot

REFUSALS: dict[str, tuple[int, str]] = {
    "server_error": (500, "Internal Server Error"),
    "unauthorized": (401, "Unauthorized"),
    "not_found": (404, "Not Found"),
    "conflict": (409, "Conflict: terminated by other getUpdates request"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "deactivated": (403, "Forbidden: user is deactivated"),
    "kicked": (403, "Forbidden: bot was kicked from the group chat"),
    "chat_not_found": (400, "Bad Request: chat not found"),
    "too_long": (400, "Bad Request: message is too long"),
    "cannot_parse": (400, "Bad Request: can't parse entities"),
}
TESTED_BY_THEMSELVES = {
    "delay", "hang", "flood", "error", "migrate", "cut_body", "cut", "reset", "drip",
    "bare_message", "truncated",
}  # fmt: skip
BODIES = {
    "bad_gateway": (502, "text/html"),
    "gateway_timeout": (504, "text/html"),
    "garbage": (200, "application/json"),
    "no_ok": (200, "application/json"),
    "null": (200, "application/json"),
    "empty_result": (200, "application/json"),
}


def send(bot: Bot, person: User, text: str = "x", timeout: float = 5) -> requests.Response:
    given = {"chat_id": person.id, "text": text}
    return bot.session.post(f"{bot.url}/sendMessage", data=given, timeout=timeout)


def test_every_kind_is_tested_here() -> None:
    assert set(KINDS) == set(REFUSALS) | set(BODIES) | TESTED_BY_THEMSELVES


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_has_telegrams_shape(sandbox: Sandbox, bot: Bot, anna: User, kind: str) -> None:
    sandbox.fault(kind, times=1)
    code, words = bot.refusal("sendMessage", chat_id=anna.id, text="x")
    assert code == REFUSALS[kind][0] and words.startswith(REFUSALS[kind][1])
    assert sandbox.journal() == []
    assert send(bot, anna).ok
    assert sandbox.faults_fired() == {kind: 1}


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("kind", BODIES)
def test_a_false_answer_leaves_the_sender_in_doubt(
    sandbox: Sandbox, bot: Bot, anna: User, kind: str, accepted: bool
) -> None:
    sandbox.fault(kind, times=1, accepted=accepted)
    answer = send(bot, anna)
    assert (answer.status_code, answer.headers["Content-Type"]) == BODIES[kind]
    assert [line.faults for line in sandbox.journal()] == ([[kind]] if accepted else [])


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_a_cut_connection_says_nothing_about_the_message(
    sandbox: Sandbox, bot: Bot, anna: User, kind: str, accepted: bool
) -> None:
    sandbox.fault(kind, times=1, accepted=accepted)
    with pytest.raises(requests.ConnectionError):
        send(bot, anna)
    assert len(sandbox.journal()) == int(accepted)
    [call] = sandbox.calls("sendMessage")
    assert call.code is None and call.fault == kind


def test_a_flood_answer_can_lack_its_parameters_or_be_huge(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    sandbox.fault("flood", times=1, retry_after=10072)
    huge = send(bot, anna)
    assert huge.json()["parameters"] == {"retry_after": 10072}
    assert huge.headers["Retry-After"] == "10072"
    sandbox.fault("flood", times=1, retry_after=None)
    bare = send(bot, anna)
    assert bare.status_code == 429 and "parameters" not in bare.json()
    assert "Retry-After" not in bare.headers


def test_a_flood_can_hold_the_whole_bot(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    boris = sandbox.user("Boris", wrote_first=True)
    sandbox.fault("flood", chat=anna, times=1, retry_after=30, bot_wide=True)
    assert send(bot, boris).ok
    assert send(bot, anna).status_code == 429
    assert send(bot, boris).json()["parameters"]["retry_after"] in (29, 30)
    assert [call.limit for call in sandbox.refused(429)] == [None, "held"]


def test_an_upgraded_group_gives_its_new_id(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    sandbox.fault("migrate", migrate_to_chat_id=-1001, times=1)
    assert send(bot, anna).json()["parameters"] == {"migrate_to_chat_id": -1001}


def test_any_other_error_can_be_scripted(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    words = "Bad Request: message thread not found"
    sandbox.fault("error", code=400, description=words, parameters={"x": 1}, times=1)
    answer = send(bot, anna).json()
    assert answer["description"] == words and answer["parameters"] == {"x": 1}


def test_a_bare_message_has_its_id_and_nothing_else(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    sandbox.fault("bare_message", times=1)
    [identifier] = [send(bot, anna).json()["result"]]
    assert identifier == {"message_id": sandbox.journal()[0].message_id}


def test_a_truncated_answer_is_whole_http_and_half_json(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    sandbox.fault("truncated", times=1, accepted=True)
    answer = send(bot, anna)
    assert answer.status_code == 200 and answer.text.startswith('{"ok":true')
    with pytest.raises(ValueError):
        json.loads(answer.text)
    assert len(sandbox.journal()) == 1


def test_a_cut_body_breaks_off(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    sandbox.fault("cut_body", times=1, accepted=True)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        send(bot, anna)
    assert len(sandbox.journal()) == 1


def test_a_delay_before_accepting_accepts_late_though_the_client_is_gone(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    sandbox.fault("delay", seconds=0.4, times=1)
    with pytest.raises(requests.ReadTimeout):
        send(bot, anna, timeout=0.1)
    [line] = sandbox.wait_for_messages(1, within=5)
    [call] = sandbox.calls("sendMessage")
    assert line.at - call.at > 0.39 and line.call == call.n and line.faults == ["delay"]


def test_a_delay_after_accepting_has_accepted_at_once(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    sandbox.fault("delay", seconds=0.3, accepted=True, times=1)
    assert send(bot, anna).ok
    [line], [call] = sandbox.journal(), sandbox.calls("sendMessage")
    assert call.answered_at is not None
    assert call.answered_at - line.at > 0.29 > line.at - call.at


def test_a_hanging_call_never_ends_and_nothing_else_suffers(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    boris = sandbox.user("Boris", wrote_first=True)
    sandbox.fault("hang", chat=anna, accepted=True)
    with pytest.raises(requests.ReadTimeout):
        send(bot, anna, timeout=0.2)
    assert send(bot, boris).ok
    assert [line.chat_id for line in sandbox.journal()] == [anna.id, boris.id]


def test_a_reset_ends_the_calls_that_hang(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    sandbox.fault("hang")
    failures: list[Exception] = []

    def hang() -> None:
        try:
            send(bot, anna, timeout=30)
        except requests.ConnectionError as error:
            failures.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    wait_for(lambda: sandbox.calls("sendMessage"), 5, "the call")
    sandbox.reset()
    thread.join(5)
    assert len(failures) == 1


def test_a_dripping_answer_is_slow_and_true(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    sandbox.fault("drip", seconds=0.001, times=1)
    began = time.monotonic()
    assert send(bot, anna).json()["ok"] is True
    assert time.monotonic() - began > 0.2
    sandbox.fault("drip", times=1)
    with pytest.raises(requests.exceptions.ReadTimeout):
        send(bot, anna, timeout=0.2)
    assert len(sandbox.journal()) == 2


def test_an_outage_refuses_connections_and_ends_by_itself(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    assert send(bot, anna).ok
    sandbox.goes_down(0.3)
    with pytest.raises(requests.ConnectionError):
        send(bot, anna)
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(f"{sandbox.url}/healthz", timeout=5)
    assert len(sandbox.journal()) == 1

    def answers() -> bool:
        try:
            return send(bot, anna).ok
        except requests.ConnectionError:
            return False

    wait_for(answers, 5, "the sandbox is back")


def test_a_fault_can_be_aimed(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    boris = sandbox.user("Boris", wrote_first=True)

    def codes(*sends: tuple[User, str]) -> list[int]:
        return [send(bot, person, text).status_code for person, text in sends]

    with sandbox.fault("server_error", chat=anna, contains="now") as fault:
        assert codes((boris, "now"), (anna, "later"), (anna, "now!")) == [200, 200, 500]
        assert fault.fired() == 1
    with sandbox.fault("server_error", nth=[2, 4]):
        assert codes(*[(anna, "x")] * 5) == [200, 500, 200, 500, 200]
    with sandbox.fault("server_error", times=2):
        assert codes(*[(anna, "x")] * 4) == [500, 500, 200, 200]
    with sandbox.fault("unauthorized", method="*"):
        assert bot.call("getMe").status_code == 401
    assert bot.call("getMe").status_code == 200
    assert codes((anna, "x")) == [200]


def test_chance_is_the_same_for_the_same_seed(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    def outcomes(seed: int) -> list[int]:
        with sandbox.fault("server_error", probability=0.5, seed=seed):
            return [send(bot, anna).status_code for _ in range(20)]

    first = outcomes(7)
    assert first == outcomes(7) and {200, 500} == set(first)
    assert first != outcomes(8)


def test_the_first_fault_that_fires_decides_and_faults_are_listed(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    sandbox.fault("server_error", times=1)
    sandbox.fault("bad_gateway", times=1)
    assert [send(bot, anna).status_code for _ in range(3)] == [500, 502, 200]
    listed: list[dict[str, Any]] = sandbox.remote.get("/sandbox/faults")["items"]
    assert [(rule["kind"], rule["fired"]) for rule in listed] == [
        ("server_error", 1),
        ("bad_gateway", 1),
    ]
    sandbox.clear_faults()
    assert sandbox.remote.get("/sandbox/faults")["items"] == []
    assert sandbox.faults_fired() == {"server_error": 1, "bad_gateway": 1}


def test_polling_can_be_broken_too(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    anna.says("hello")
    with sandbox.fault("garbage", method="getUpdates", times=1):
        with pytest.raises(ValueError):
            bot.call("getUpdates").json()
        assert len(bot.ask("getUpdates")) == 1
