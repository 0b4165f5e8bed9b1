"""The linked chat: reading it, linking it by the bot's code, unlinking it."""

from collections.abc import Callable

import pytest
from flask import Flask

from app.services import chats
from tests.api.answers import assert_problem, without_request_id
from tests.conftest import Clock, Member

Code = Callable[..., str]


def test_without_a_chat_there_is_none(alice: Member) -> None:
    assert_problem(alice.get("/v1/chat"), 404, "no_chat")
    assert_problem(alice.delete("/v1/chat"), 404, "no_chat")


def test_the_bots_code_links_its_chat(alice: Member, code_of_a_chat: Code) -> None:
    answer = alice.post("/v1/chat", {"code": code_of_a_chat(5001, "Алиса")})
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/v1/chat"
    assert set(answer.json) == {
        "id", "telegram_id", "title", "username", "linked_at", "blocked_at",
    }  # fmt: skip
    assert (answer.json["telegram_id"], answer.json["title"]) == (5001, "Алиса")
    assert answer.json["blocked_at"] is None
    assert alice.get("/v1/chat").json == answer.json


@pytest.mark.parametrize(
    "spelled", [str.lower, lambda code: f" {code}\n", lambda code: f"{code[:4]}-{code[4:]}"]
)
def test_the_code_may_be_spelled_as_people_do(
    alice: Member, code_of_a_chat: Code, spelled: Callable[[str], str]
) -> None:
    assert alice.post("/v1/chat", {"code": spelled(code_of_a_chat())}).status_code == 201


def test_wrong_used_and_expired_codes_are_one_answer(
    alice: Member, bob: Member, code_of_a_chat: Code, stopped_clock: Clock
) -> None:
    used = code_of_a_chat()
    assert bob.post("/v1/chat", {"code": used}).status_code == 201
    expired = code_of_a_chat()
    stopped_clock.advance(minutes=10, seconds=1)
    answers = [alice.post("/v1/chat", {"code": code}) for code in ("22222222", used, expired)]
    for answer in answers:
        assert_problem(answer, 422, "wrong_link_code", "code")
    assert len({str(without_request_id(answer)) for answer in answers}) == 1
    assert_problem(alice.get("/v1/chat"), 404, "no_chat")


def test_after_five_wrong_codes_not_even_the_right_one_is_tried(
    alice: Member, bob: Member, code_of_a_chat: Code, stopped_clock: Clock
) -> None:
    code = code_of_a_chat(5001)
    for _ in range(5):
        assert_problem(alice.post("/v1/chat", {"code": "22222222"}), 422, "wrong_link_code")
    assert_problem(alice.post("/v1/chat", {"code": code}), 429, "too_many_failures")
    assert bob.post("/v1/chat", {"code": code}).status_code == 201
    stopped_clock.advance(minutes=10, seconds=1)
    assert alice.post("/v1/chat", {"code": code_of_a_chat(5002)}).status_code == 201


def test_a_chat_belongs_to_one_account_at_a_time(
    alice: Member, bob: Member, code_of_a_chat: Code
) -> None:
    assert alice.post("/v1/chat", {"code": code_of_a_chat(5001)}).status_code == 201
    assert_problem(bob.post("/v1/chat", {"code": code_of_a_chat(5001)}), 409, "chat_taken")
    assert alice.delete("/v1/chat").status_code == 204
    assert bob.post("/v1/chat", {"code": code_of_a_chat(5001)}).status_code == 201
    assert_problem(alice.get("/v1/chat"), 404, "no_chat")


def test_another_chat_takes_the_place_of_the_former(alice: Member, code_of_a_chat: Code) -> None:
    alice.post("/v1/chat", {"code": code_of_a_chat(5001)})
    alice.post("/v1/chat", {"code": code_of_a_chat(5002)})
    assert alice.get("/v1/chat").json["telegram_id"] == 5002


def test_what_waits_is_held_while_there_is_no_chat(alice: Member, code_of_a_chat: Code) -> None:
    held = alice.post("/v1/messages", {"text": "early"}).json
    assert held["status"] == "held"
    alice.post("/v1/chat", {"code": code_of_a_chat()})
    assert alice.get(f"/v1/messages/{held['id']}").json["status"] == "queued"
    alice.delete("/v1/chat")
    unlinked = alice.get(f"/v1/messages/{held['id']}").json
    assert (unlinked["status"], unlinked["reason"]) == ("held", "no_chat")


def test_a_blocked_chat_says_since_when(app: Flask, alice: Member, code_of_a_chat: Code) -> None:
    alice.post("/v1/chat", {"code": code_of_a_chat(5001)})
    with app.app_context():
        chats.blocked(5001)
    assert alice.get("/v1/chat").json["blocked_at"].endswith("Z")


@pytest.mark.parametrize("code", [None, 12345678, ["K7QM2XWP"], {"code": "x"}, True])
def test_a_code_is_text(alice: Member, code: object) -> None:
    assert_problem(alice.post("/v1/chat", {"code": code}), 422, "invalid", "code")


@pytest.mark.parametrize("code", ["", "\x00", "\ud800", "x" * 100_000, "ß" * 8, "'; DROP TABLE"])
def test_no_code_breaks_anything(alice: Member, code: str) -> None:
    assert_problem(alice.post("/v1/chat", {"code": code}), 422, "wrong_link_code", "code")
