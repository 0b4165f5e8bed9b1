"""GET /v1/messages: order, pages, cursors, filters, search."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.api.schemas import STATUSES
from app.models import Status
from app.services import chats, messages
from app.services.people import TelegramPerson
from tests.api.answers import assert_problem
from tests.conftest import Member


@pytest.fixture
def history(alice: Member) -> list[int]:
    """Alice's messages of the texts `number 0` to `number 6`, oldest first."""
    return [alice.post("/v1/messages", {"text": f"number {n}"}).json["id"] for n in range(7)]


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [message["id"] for message in answer.json["items"]]


def test_newest_first(alice: Member, history: list[int]) -> None:
    answer = alice.get("/v1/messages")
    assert ids(answer) == history[::-1]
    assert answer.json["next_cursor"] is None
    assert "attempts" not in answer.json["items"][0]


def test_pages_follow_each_other_whatever_arrives_in_between(
    alice: Member, history: list[int]
) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        query = "limit=2" + (f"&cursor={cursor}" if cursor else "")
        page = alice.get(f"/v1/messages?{query}")
        seen += ids(page)
        cursor = page.json["next_cursor"]
        alice.post("/v1/messages", {"text": "meanwhile"})
    assert seen == history[::-1]


def test_fifty_by_default_and_a_hundred_at_most(alice: Member, database: Engine) -> None:
    mine = alice.post("/v1/messages", {"text": "one of many"}).json["id"]
    with database.connect() as connection:
        connection.execute(
            text("""
              INSERT INTO message (account_id, direction, text, status, created_at)
              SELECT account_id, 'in', 'x', 'received', now()
              FROM message, generate_series(1, 104) WHERE message.id = :id
            """),
            {"id": mine},
        )
    assert len(ids(alice.get("/v1/messages"))) == 50
    full = alice.get("/v1/messages?limit=100")
    assert len(ids(full)) == 100
    rest = alice.get(f"/v1/messages?limit=100&cursor={full.json['next_cursor']}")
    assert len(ids(rest)) == 5
    assert rest.json["next_cursor"] is None


def test_a_cursor_is_good_for_its_own_list_only(
    alice: Member, bob: Member, history: list[int]
) -> None:
    cursor = alice.get("/v1/messages?limit=2").json["next_cursor"]
    bob.post("/v1/messages", {"text": "his"})
    assert_problem(bob.get(f"/v1/messages?cursor={cursor}"), 422, "invalid", "cursor")
    filtered = alice.get(f"/v1/messages?cursor={cursor}&direction=out")
    assert_problem(filtered, 422, "invalid", "cursor")
    assert ids(alice.get(f"/v1/messages?cursor={cursor}&limit=1")) == [history[4]]


def test_an_edited_cursor_is_none(alice: Member, history: list[int]) -> None:
    cursor = alice.get("/v1/messages?limit=2").json["next_cursor"]
    changed = "B" if cursor[10] != "B" else "C"
    for edited in (
        cursor[:-1],
        cursor + "A",
        f"{cursor}!",
        cursor[:10] + changed + cursor[11:],
        cursor[::-1],
        "AAAAAAAAAAEAAAAAAAAAAAAAAAA=",
        "7",
        "x" * 10_240,
        "",
        "%00",
        "\u0663",
    ):
        answer = alice.get("/v1/messages", query_string={"cursor": edited})
        assert_problem(answer, 422, "invalid", "cursor")


def test_filters_by_status_and_direction(
    app: Flask, alice: Member, history: list[int], settle: Any
) -> None:
    settle(history[2], status="failed", reason="Bad Request")
    settle(history[3], status="sent")
    with app.app_context():
        chats.link_by_token(alice.get("/v1/tokens/link").json["token"], TelegramPerson(5001))
        owner = chats.owner_of(5001)
        assert owner is not None
        messages.receive(owner.account_id, owner.chat_id, 1, "from the chat")
    assert ids(alice.get("/v1/messages?status=failed")) == [history[2]]
    assert ids(alice.get("/v1/messages?status=sent")) == [history[3]]
    assert ids(alice.get("/v1/messages?status=cancelled")) == []
    (received,) = alice.get("/v1/messages?direction=in").json["items"]
    assert (received["text"], received["status"]) == ("from the chat", "received")
    assert ids(alice.get("/v1/messages?direction=out")) == history[::-1]
    assert ids(alice.get("/v1/messages?direction=in&status=sent")) == []


def test_the_statuses_that_can_be_asked_for_are_all_there_are() -> None:
    assert set(STATUSES) == set(Status)


def test_filters_by_time_since_included_until_not(
    alice: Member, history: list[int], settle: Any
) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for n, message_id in enumerate(history):
        settle(message_id, created_at=noon + timedelta(hours=n))

    def between(**query: str) -> list[int]:
        return ids(alice.get("/v1/messages", query_string=query))

    assert between(since="2026-11-20T14:00:00Z") == history[:1:-1]
    assert between(until="2026-11-20T14:00:00Z") == history[1::-1]
    assert between(since="2026-11-20T14:00:00Z", until="2026-11-20T15:00:00Z") == [history[2]]
    assert between(since="2026-11-20T17:00:00+03:00", until="2026-11-20T18:00:00+03:00") == [
        history[2]
    ]
    assert between(since="2026-11-20t14:00:00.000z", until="2026-11-20T14:00:00.000001Z") == [
        history[2]
    ]
    assert between(since="2026-11-20T14:00:00Z", until="2026-11-20T14:00:00Z") == []
    assert (
        between(since="0001-01-01T00:00:00+23:59", until="9999-12-31T23:59:60-23:59")
        == (history[::-1])
    )


def test_what_is_shown_as_a_time_can_be_asked_for(alice: Member, history: list[int]) -> None:
    created = alice.get(f"/v1/messages/{history[3]}").json["created_at"]
    assert ids(alice.get(f"/v1/messages?since={created}")) == history[:2:-1]
    assert ids(alice.get(f"/v1/messages?until={created}")) == history[2::-1]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("disk", ["disk full on anna's server"]),
        ("DISK ful", ["disk full on anna's server"]),
        ("disk empty", []),
        ("диск", ["диск полон"]),
        ("полон дис", ["диск полон"]),
        ("'; DROP TABLE message; --", []),
        ("100%_\\", ["100% of _it_ \\ done"]),
        ("& | ! ( ) :*", []),
        ("😀", []),
    ],
)
def test_search_by_the_beginnings_of_words(
    alice: Member, bob: Member, words: str, found: list[str]
) -> None:
    for told in ("disk full on anna's server", "диск полон", "100% of _it_ \\ done"):
        alice.post("/v1/messages", {"text": told})
    bob.post("/v1/messages", {"text": "disk full too"})
    answer = alice.get("/v1/messages", query_string={"q": words})
    assert answer.status_code == 200
    assert [message["text"] for message in answer.json["items"]] == found


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("limit", "0"), ("limit", "-1"), ("limit", "101"), ("limit", "1000000000"), ("limit", ""),
        ("limit", "abc"), ("limit", "1_0"), ("limit", "1e1"), ("limit", "+5"), ("limit", " 5"),
        ("limit", "05"), ("limit", "5.0"), ("limit", "\u0665"), ("limit", "5\x00"),
        ("limit", "9" * 5000),
        ("status", "unknown"), ("status", ""), ("status", "Sent"), ("status", "sent,failed"),
        ("direction", "both"), ("direction", ""),
        ("since", "2026-11-20"), ("since", "2026-11-20T12:00:00"), ("since", "yesterday"),
        ("since", "0000-01-01T00:00:00Z"), ("since", "10000-01-01T00:00:00Z"), ("since", "NaN"),
        ("since", "2026-13-01T00:00:00Z"), ("since", "2026-02-30T00:00:00Z"), ("since", ""),
        ("since", "2026-11-20 12:00:00Z"), ("since", "20261120T120000Z"),
        ("since", "2026-11-20T12:00Z"), ("since", "2026-11-20T12:00:00+25:00"),
        ("since", "2026-W47-5T12:00:00Z"), ("since", "1795210994"),
        ("until", "2026-11-20T24:00:00Z"), ("until", "\u0662026-11-20T12:00:00Z"),
        ("q", ""), ("q", "x" * 201), ("q", "nul\x00"),
        ("offset", "5"), ("sort", "password"), ("page", "2"), ("user_id", "1"), ("Limit", "5"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for_is_refused_by_name(
    alice: Member, parameter: str, value: str
) -> None:
    answer = alice.get("/v1/messages", query_string={parameter: value})
    assert_problem(answer, 422, "invalid", parameter)


@pytest.mark.parametrize(
    "query", ["limit=5&limit=6", "limit=5&limit=5", "q=a&q=b", "status=sent&status=sent"]
)
def test_a_parameter_is_there_once(alice: Member, query: str) -> None:
    answer = alice.get(f"/v1/messages?{query}")
    assert_problem(answer, 422, "invalid", query.partition("=")[0])


@pytest.mark.parametrize("query", ["q=%ff", "q=%c3%28", "q=%", "q=%zz", "%ff=1", "q=%ed%a0%80"])
def test_a_query_is_utf8(alice: Member, query: str) -> None:
    assert_problem(alice.get(f"/v1/messages?{query}"), 422, "invalid")


def test_since_is_not_after_until(alice: Member) -> None:
    reversed_ = {"since": "2026-11-20T12:00:01Z", "until": "2026-11-20T12:00:00Z"}
    answer = alice.get("/v1/messages", query_string=reversed_)
    assert_problem(answer, 422, "invalid", "until")
