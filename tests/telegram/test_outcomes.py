"""The classifier: every kind of answer, by table."""

import json
from typing import Any

import pytest

from app.telegram.outcomes import (
    Ambiguous,
    Answer,
    BotBroken,
    ChatGone,
    Moved,
    NoAnswer,
    NotSent,
    Ok,
    OtherPoller,
    Outcome,
    Refused,
    Sent,
    TooLong,
    Wait,
    WebhookActive,
    classify,
    classify_sent,
)


def told(code: int, description: str, **parameters: Any) -> Answer:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    if parameters:
        body["parameters"] = parameters
    return Answer(code, json.dumps(body).encode())


def given(result: Any) -> Answer:
    return Answer(200, json.dumps({"ok": True, "result": result}).encode())


PAGE = b"<html><title>502 Bad Gateway</title></html>"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (given({"message_id": 7}), Sent(200, None, 7)),
        # The rest of a success is not looked at, however strange.
        (given({"message_id": 7, "chat": None, "date": "soon"}), Sent(200, None, 7)),
        (given({"message_id": 0}), Sent(200, None, 0)),
        (given({}), Ambiguous),
        (given({"message_id": "7"}), Ambiguous),
        (given({"message_id": True}), Ambiguous),
        (given(None), Ambiguous),
        (given([]), Ambiguous),
        (Answer(200, b'{"ok":true}'), Ambiguous),
        (Answer(200, b'{"result":{}}'), Ambiguous),
        (Answer(200, b'{"ok":"true","result":{"message_id":1}}'), Ambiguous),
        (Answer(200, b"null"), Ambiguous),
        (Answer(200, b"[]"), Ambiguous),
        (Answer(200, b""), Ambiguous),
        (Answer(200, b'{"ok":true,"result":{"mess'), Ambiguous),
        (Answer(200, b"\xff\xfe"), Ambiguous),
        (Answer(200, b"[" * 100_000), Ambiguous),
        (Answer(204, b""), Ambiguous),
        # Gateways: the connection behind them may have died after the work was done.
        (Answer(502, PAGE), Ambiguous),
        (Answer(503, b""), Ambiguous),
        (Answer(504, PAGE), Ambiguous),
        # Telegram's own word that it failed.
        (told(500, "Internal Server Error"), NotSent(500, "Internal Server Error")),
        (told(502, "Bad Gateway"), NotSent),
        # Proxies that let nothing through.
        (Answer(301, b""), NotSent),
        (Answer(403, PAGE), NotSent),
        (Answer(407, PAGE), NotSent),
        (Answer(431, b""), NotSent),
        (told(429, "Too Many Requests: retry after 5", retry_after=5), Wait(
            429, "Too Many Requests: retry after 5", 5.0)),
        (told(429, "Too Many Requests"), Wait(429, "Too Many Requests", 3.0)),
        (told(429, "Too Many Requests", retry_after="soon"), Wait(429, "Too Many Requests", 3.0)),
        (told(429, "Too Many Requests", retry_after=-1), Wait(429, "Too Many Requests", 3.0)),
        (told(429, "x", retry_after=10072), Wait(429, "x", 10072.0)),
        (Answer(429, PAGE, "9"), Wait(429, "HTTP 429 without a readable answer", 9.0)),
        (Answer(429, PAGE), Wait(429, "HTTP 429 without a readable answer", 3.0)),
        (told(401, "Unauthorized"), BotBroken(401, "Unauthorized")),
        (told(404, "Not Found"), BotBroken),
        (told(421, "Misdirected Request"), BotBroken),
        (Answer(404, PAGE), BotBroken),
        (Answer(401, b""), BotBroken),
        (told(403, "Forbidden: bot was blocked by the user"), ChatGone),
        (told(403, "Forbidden: user is deactivated"), ChatGone),
        (told(403, "Forbidden: bot can't initiate conversation with a user"), ChatGone),
        (told(403, "Forbidden: bot was kicked from the group chat"), ChatGone),
        (told(403, "Forbidden: bot is not a member of the channel chat"), ChatGone),
        (told(403, "Forbidden: the group chat was deleted"), ChatGone),
        (told(400, "Bad Request: chat not found"), ChatGone),
        (told(400, "BAD REQUEST: CHAT NOT FOUND"), ChatGone),
        (told(400, "Bad Request: private chat not found"), ChatGone),
        (told(400, "Bad Request: PEER_ID_INVALID"), ChatGone),
        (told(400, "Bad Request: not enough rights to send text messages to the chat"), ChatGone),
        (told(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1001), Moved(
            400, "Bad Request: group chat was upgraded", -1001)),
        (told(400, "Bad Request: message is too long"), TooLong),
        (told(400, "Bad Request: text is too long"), TooLong),
        (told(400, "Bad Request: MESSAGE_TOO_LONG"), TooLong),
        (told(400, "Bad Request: message text is empty"), Refused),
        (told(400, "Bad Request: can't parse entities"), Refused),
        (told(403, "Forbidden: something new"), Refused),
        (told(406, "Not Acceptable"), Refused),
        (NoAnswer(False, "NewConnectionError: Connection refused"), NotSent(
            None, "NewConnectionError: Connection refused")),
        (NoAnswer(True, "ReadTimeoutError"), Ambiguous(None, "ReadTimeoutError")),
    ],
)  # fmt: skip
def test_what_an_answer_to_a_message_means(answer: Answer | NoAnswer, expected: Any) -> None:
    outcome = classify_sent(answer)
    if isinstance(expected, type):
        assert type(outcome) is expected
    else:
        assert outcome == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (given([{"update_id": 1}]), Ok(200, None, [{"update_id": 1}])),
        (told(400, "Bad Request: message is not modified: same"), Ok),
        (told(409, "Conflict: terminated by other getUpdates request; make sure …"), OtherPoller),
        (told(409, "Conflict: terminated by setWebhook request"), OtherPoller),
        (told(409, "Conflict: can't use getUpdates method while webhook is active"), WebhookActive),
    ],
)
def test_what_an_answer_to_another_call_means(answer: Answer, expected: Any) -> None:
    outcome = classify(answer)
    assert outcome == expected if not isinstance(expected, type) else type(outcome) is expected


def test_a_description_is_redacted_cut_and_storable() -> None:
    token = "123456789:AAE-abcdefghijklmnopqrstuvwxyz01234"
    outcome = classify(told(400, f"Bad\x00 Request: {token} " + "x" * 1000))
    assert outcome.description is not None
    assert token not in outcome.description
    assert "\x00" not in outcome.description
    assert len(outcome.description) == 200


def test_every_outcome_has_a_name_of_its_own() -> None:
    kinds: list[type[Outcome]] = [Ok, Sent, Wait, NotSent, Ambiguous, ChatGone, Moved, TooLong]
    kinds += [Refused, BotBroken, OtherPoller, WebhookActive]
    assert len({kind.name for kind in kinds}) == len(kinds)
