"""Messages in the cabinet: the list, its filters, and one message with what became of it."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import messages
from app.services.messages import Draft
from tests.conftest import Member, Settle
from tests.web.conftest import Reader, SignedIn


def send(reader: Reader, words: str) -> int:
    """Has a message accepted without the pages; returns its id."""
    with reader.app.app_context():
        return messages.send(reader.person, Draft(words)).message.id


def rows(page: str) -> Iterator[str]:
    """The excerpts of a list of messages, in their order."""
    for found in re.findall(r'<bdi class="excerpt">(.*?)</bdi>', page, re.DOTALL):
        yield unescape(found)


def test_the_list_has_the_newest_first_both_ways_page_by_page(
    reader: Reader, app: Flask, alice: Member
) -> None:
    reader.links()
    for number in range(27):
        send(reader, f"message {number}")
    with app.app_context():
        messages.receive(alice.person.id, 7001, 5, "an answer")
    page = reader.reads("/cabinet/messages").text
    assert list(rows(page)) == ["an answer", *(f"message {n}" for n in range(26, 2, -1))]
    assert "Received" in page
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    second = reader.reads(unescape(older[1])).text
    assert list(rows(second)) == ["message 2", "message 1", "message 0"]
    assert 'rel="next"' not in second and 'rel="first"' in second


def test_the_list_can_be_narrowed(reader: Reader, settle: Settle, app: Flask) -> None:
    reader.links()
    failed, old, done = send(reader, "диск полон"), send(reader, "an old one"), send(reader, "ok")
    settle(failed, status="failed")
    settle(done, status="sent")
    settle(old, status="sent", created_at="2026-01-31 22:30:00+00")
    with app.app_context():
        messages.receive(reader.person.id, 7001, 5, "an answer")

    def narrowed(query: str) -> list[str]:
        return list(rows(reader.reads(f"/cabinet/messages?{query}").text))

    assert narrowed("status=failed") == ["диск полон"]
    assert narrowed("direction=in") == ["an answer"]
    assert narrowed("q=Диск") == ["диск полон"]
    assert narrowed("since=2026-01-31&until=2026-01-31") == ["an old one"]
    assert narrowed("until=2026-01-30") == []
    # The day is one of the reader's own time zone.
    reader.client.set_cookie("zone", "Europe/Moscow")
    assert narrowed("since=2026-02-01&until=2026-02-01") == ["an old one"]
    assert "1 Feb 2026, 01:30" in reader.reads("/cabinet/messages?until=2026-02-01").text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("direction=sideways", "direction"),
        ("since=yesterday", "since"),
        ("until=0000-00-00", "until"),
        ("since=99999-01-01", "since"),
        ("until=9999-12-31", "until"),
        ("since=2026-02-02&until=2026-02-01", "until"),
        ("q=%00", "q"),
        ("q=" + "x" * 201, "q"),
        ("cursor=garbage", "cursor"),
    ],
)
def test_a_filter_that_makes_no_sense_is_said_and_is_no_mistake_of_ours(
    reader: Reader, query: str, field: str
) -> None:
    send(reader, "not shown")
    answer = reader.reads(f"/cabinet/messages?{query}")
    assert answer.status_code == 422
    assert "not shown" not in answer.text
    assert "Please look at the marked fields." in answer.text


def test_a_poll_gets_nothing_until_something_changes(reader: Reader, settle: Settle) -> None:
    message_id = send(reader, "disk full")
    for path in ("/cabinet", "/cabinet/messages", f"/cabinet/messages/{message_id}"):
        page = reader.reads(path).text
        asked = re.search(r'hx-get="([^"]+seen=[^"]+)"', page)
        assert asked is not None, path
        poll = unescape(asked[1])
        assert reader.reads(poll, headers={"HX-Request": "true"}).status_code == 204
        settle(message_id, status="sending")
        piece = reader.reads(poll, headers={"HX-Request": "true"})
        assert piece.status_code == 200 and "Sending" in piece.text
        assert "<html" not in piece.text
        settle(message_id, status="held")


def test_a_settled_message_is_not_polled_any_more(reader: Reader, settle: Settle) -> None:
    message_id = send(reader, "disk full")
    settle(message_id, status="sent")
    assert "hx-get" not in reader.reads(f"/cabinet/messages/{message_id}").text


def test_the_attempts_are_told_in_plain_words(
    reader: Reader, database: Engine, settle: Settle
) -> None:
    message_id = send(reader, "disk full")
    calls: list[tuple[str, int | None, str | None]] = [
        ("wait", 429, "Too Many Requests: retry after 12"),
        ("not_sent", 502, "Bad Gateway"),
        ("ambiguous", None, "the connection was <cut>"),
        ("something new", 299, None),
        ("sent", 200, None),
    ]
    with database.connect() as table:
        for outcome, code, description in calls:
            table.execute(
                text(
                    "INSERT INTO attempt (message_id, part, at, outcome, code, description,"
                    " latency_ms) VALUES (:id, 1, now(), :outcome, :code, :description, 80)"
                ),
                {"id": message_id, "outcome": outcome, "code": code, "description": description},
            )
    settle(message_id, status="sent", possible_duplicate=True)
    page = reader.reads(f"/cabinet/messages/{message_id}").text
    told = [page.index(words) for words in (
        "Telegram asked to wait 12 s.",
        "Telegram could not take it just then",
        "The answer was lost",
        "the connection was &lt;cut&gt;",
        "something new",
        "Telegram has it.",
    )]  # fmt: skip
    assert told == sorted(told)
    assert "It may stand in the chat twice" in page


def test_a_failed_message_is_sent_again_by_a_button(reader: Reader, settle: Settle) -> None:
    message_id = send(reader, "disk full")
    assert "Send it again" not in reader.reads(f"/cabinet/messages/{message_id}").text
    settle(message_id, status="failed", reason="Bad Request: <b>")
    page = reader.reads(f"/cabinet/messages/{message_id}").text
    assert "Send it again" in page and "Bad Request: &lt;b&gt;" in page
    again = reader.posts(f"/cabinet/messages/{message_id}/retry")
    assert "It is sent again." in reader.follows(again).text
    refused = reader.posts(f"/cabinet/messages/{message_id}/retry")
    assert refused.status_code == 409
    assert "Only a failed, expired or cancelled message can be sent again." in refused.text


def test_a_waiting_message_is_cancelled_by_a_button(reader: Reader) -> None:
    message_id = send(reader, "disk full")
    assert "Cancel it" in reader.reads(f"/cabinet/messages/{message_id}").text
    cancelled = reader.posts(f"/cabinet/messages/{message_id}/cancel")
    assert "Cancelled" in reader.follows(cancelled).text
    refused = reader.posts(f"/cabinet/messages/{message_id}/cancel")
    assert refused.status_code == 409
    assert "disk full" in refused.text


@pytest.mark.parametrize("doing", ["", "/retry", "/cancel"])
def test_a_message_of_somebody_else_does_not_exist(
    reader: Reader, bob: Member, signed_in: SignedIn, doing: str
) -> None:
    message_id = send(reader, "Alice's own")
    eve = signed_in(bob)
    answers = []
    for number in (message_id, 999999999):
        path = f"/cabinet/messages/{number}{doing}"
        answer = eve.posts(path) if doing else eve.reads(path)
        assert answer.status_code == 404
        page = answer.text.replace(f"/messages/{number}", "/messages/N")
        answers.append(re.sub(r'name="form_token" value="[^"]+"', "", page))
    assert answers[0] == answers[1]
    assert "Alice" not in answers[0]


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "abc", "1" * 30, "٣", "1%20", "%00", "01"])
def test_an_odd_number_of_a_message_is_an_unknown_page(reader: Reader, number: str) -> None:
    send(reader, "one")
    answer = reader.reads(f"/cabinet/messages/{number}")
    assert answer.status_code == 404 and answer.mimetype == "text/html"
