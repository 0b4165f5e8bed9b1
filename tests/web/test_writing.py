"""Messages in the cabinet: what is shown is what Telegram gets, and nothing typed is lost."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from app.delivery import splitting
from app.services import messages, sessions
from app.services.messages import Draft
from tests.conftest import PASSWORD, MakeApp, Member
from tests.web.conftest import Reader, SignedIn, Visitor


def send(reader: Reader, words: str) -> int:
    """Has a message accepted without the pages; returns its id."""
    with reader.app.app_context():
        return messages.send(reader.person, Draft(words)).message.id


def set_status(database: Engine, message_id: int, status: str, **more: Any) -> None:
    """Puts a message into a state, as the engine would."""
    values = {"status": status} | more
    changes = ", ".join(f"{name} = :{name}" for name in values)
    with database.connect() as rows:
        rows.execute(
            text(f"UPDATE message SET {changes} WHERE id = :id"), values | {"id": message_id}
        )


def textarea(page: str) -> str:
    """What stands in the text box of a page, as a browser would show it."""
    found = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def test_a_sent_message_is_accepted_and_shown(reader: Reader) -> None:
    answer = reader.posts("/cabinet/send", {"text": "disk full"})
    page = reader.follows(answer).text
    assert "The message is accepted." in page
    assert "disk full" in page
    assert "No Telegram chat is linked yet; it goes out as soon as one is." in page
    assert "The message is accepted." not in reader.reads(answer.location).text


def test_line_ends_are_as_typed_and_not_as_browsers_send_them(
    reader: Reader, database: Engine
) -> None:
    reader.posts("/cabinet/send", {"text": "one\r\ntwo\r\n\r\nthree"})
    with database.connect() as rows:
        assert rows.execute(text("SELECT text FROM message")).scalar_one() == "one\ntwo\n\nthree"


def test_one_press_is_one_message_however_often_it_arrives(
    reader: Reader, database: Engine
) -> None:
    page = reader.reads("/cabinet/send").text
    nonce = re.search(r'name="nonce" value="([^"]+)"', page)
    assert nonce is not None
    form = {"text": "disk full", "nonce": nonce[1]}
    first, second = reader.posts("/cabinet/send", form), reader.posts("/cabinet/send", form)
    assert first.location == second.location
    assert "This very message was accepted before." in reader.follows(second).text
    changed = reader.posts("/cabinet/send", form | {"text": "disk full again"})
    assert changed.location != first.location
    with database.connect() as rows:
        assert rows.execute(text("SELECT count(*) FROM message")).scalar_one() == 2


@pytest.mark.parametrize(
    "words", ["short", "\n\nbegins with empty lines", "a " * 5000, "🙂" * 3000]
)
def test_the_preview_is_exactly_what_telegram_gets(reader: Reader, words: str) -> None:
    page = reader.posts("/cabinet/send/preview", {"text": words}).text
    shown = [
        unescape(part) for part in re.findall(r'<p class="bubble"[^>]*>(.*?)</p>', page, re.DOTALL)
    ]
    assert shown == splitting.parts(words, "Алиса, я получил от тебя сообщение:")


def test_the_preview_knows_the_choices(reader: Reader) -> None:
    bare = reader.posts("/cabinet/send/preview", {"text": "words", "bare": "yes"}).text
    assert "сообщение" not in bare and "words" in bare
    silent = reader.posts("/cabinet/send/preview", {"text": "words", "silent": "yes"}).text
    assert "It arrives without a sound." in silent
    assert "Begin to write" in reader.posts("/cabinet/send/preview", {"text": " \n"}).text
    long = reader.posts("/cabinet/send/preview", {"text": "x" * 20001}).text
    assert "longer than one message may be" in long


def test_choices_reach_the_message(reader: Reader, database: Engine) -> None:
    reader.posts("/cabinet/send", {"text": "words", "silent": "yes", "bare": "yes"})
    with database.connect() as rows:
        row = rows.execute(text("SELECT silent, greeting FROM message")).one()
    assert row == (True, "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "needs at least one visible character"),
        ("\u200b", "needs at least one visible character"),
        ("x" * 20001, "has at most 20000 characters; this has 20001"),
        ("bell\x07 & <b>", "Control characters"),
        ("nul\0", "Control characters"),
    ],
)
def test_a_text_that_cannot_be_sent_comes_back_with_the_reason_beside_it(
    reader: Reader, words: str, reason: str
) -> None:
    answer = reader.posts("/cabinet/send", {"text": words, "silent": "yes"})
    assert answer.status_code == 422
    assert re.search(rf'id="text-error"[^>]*>[^<]*{reason}', answer.text)
    assert textarea(answer.text) == words
    assert 'name="silent" value="yes" checked' in answer.text


def test_over_the_quota_the_text_comes_back(
    make_app: MakeApp, alice: Member, signed_in: SignedIn
) -> None:
    reader = signed_in(alice)
    small = make_app(MESSAGES_PER_DAY="1")
    reader = Reader(small.test_client(), small, alice)
    reader.client.set_cookie("access", alice.access)
    reader.posts("/cabinet/send", {"text": "the first"})
    answer = reader.posts("/cabinet/send", {"text": "the second"})
    assert answer.status_code == 429 and answer.headers["Retry-After"]
    assert textarea(answer.text) == "the second"
    assert "used up. Try again in" in answer.text


def test_a_page_that_was_open_too_long_keeps_the_text(reader: Reader) -> None:
    typed = {"text": '\nа < б & "в"', "silent": "yes", "form_token": "of an older session"}
    answer = reader.client.post("/cabinet/send", data=typed)
    assert answer.status_code == 403
    assert "This page was open for too long." in answer.text
    assert textarea(answer.text) == typed["text"]
    again = reader.posts("/cabinet/send", {"text": textarea(answer.text), "silent": "yes"})
    assert again.status_code == 303


def test_whoever_was_signed_out_meanwhile_signs_in_and_goes_on(
    alice: Member, visitor: Visitor
) -> None:
    typed = {"text": "written for <an hour>", "bare": "yes", "form_token": "old"}
    asked = visitor.client.post("/cabinet/send", data=typed)
    assert asked.status_code == 401
    assert "written for &lt;an hour&gt;" in asked.text
    hidden = {
        name: unescape(value)
        for name, value in re.findall(
            r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.text.partition("<main")[2]
        )
    }
    hidden["form_token"] = visitor.token()
    answer = visitor.client.post(
        "/cabinet/sign-in", data=hidden | {"username": "alice", "password": PASSWORD}
    )
    assert answer.status_code == 200
    assert textarea(answer.text) == typed["text"]
    assert 'name="bare" value="yes" checked' in answer.text
    token = re.search(r'name="form_token" value="([^"]+)"', answer.text.partition("<main")[2])
    assert token is not None
    sent = visitor.client.post(
        "/cabinet/send", data={"text": textarea(answer.text), "form_token": token[1]}
    )
    assert "written for &lt;an hour&gt;" in visitor.follows(sent).text


def test_when_the_database_is_away_the_text_is_kept_and_can_be_sent_again(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = {"text": "precious", "form_token": reader.token("/cabinet/send")}

    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "prove", away)
        answer = reader.client.post("/cabinet/send", data=typed)
        assert answer.status_code == 503
        assert answer.mimetype == "text/html" and answer.headers["Retry-After"]
        assert textarea(answer.text) == "precious"
    again = reader.posts("/cabinet/send", {"text": textarea(answer.text)})
    assert again.status_code == 303


def test_a_mistake_of_ours_is_a_page_with_the_request_id_and_the_text(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(messages, "send", broken)
    answer = reader.posts("/cabinet/send", {"text": "precious"})
    assert answer.status_code == 500 and answer.mimetype == "text/html"
    assert answer.headers["X-Request-ID"] in answer.text
    assert "secret words" not in answer.text
    assert textarea(answer.text) == "precious"


def test_more_than_a_body_may_hold_is_a_page_that_says_so(reader: Reader) -> None:
    answer = reader.posts("/cabinet/send", {"text": "x" * 300_000})
    assert answer.status_code == 413 and answer.mimetype == "text/html"
    assert "The request body is too large." in answer.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/cabinet/account/profile", {"name": "Алиса <3", "greeting": "Эй, {name}!"}),
        ("/cabinet/tokens", {"name": "Алиса <3", "expires_in": "7d"}),
    ],
)
def test_other_forms_come_back_filled_in_when_their_page_was_open_too_long(
    reader: Reader, path: str, fields: dict[str, str]
) -> None:
    answer = reader.client.post(path, data=fields | {"form_token": "of an older session"})
    assert answer.status_code == 403
    assert "This page was open for too long." in answer.text
    assert 'value="Алиса &lt;3"' in answer.text


def test_what_another_site_sent_is_not_offered_to_be_sent(reader: Reader) -> None:
    foreign = {"Origin": "https://evil.example"}
    answer = reader.posts("/cabinet/send", {"text": "not mine"}, headers=foreign)
    assert answer.status_code == 403
    assert "not mine" not in answer.text


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


def test_the_list_can_be_narrowed(reader: Reader, database: Engine, app: Flask) -> None:
    reader.links()
    failed, old, done = send(reader, "диск полон"), send(reader, "an old one"), send(reader, "ok")
    set_status(database, failed, "failed")
    set_status(database, done, "sent")
    set_status(database, old, "sent", created_at="2026-01-31 22:30:00+00")
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


def test_a_poll_gets_nothing_until_something_changes(reader: Reader, database: Engine) -> None:
    message_id = send(reader, "disk full")
    for path in ("/cabinet", "/cabinet/messages", f"/cabinet/messages/{message_id}"):
        page = reader.reads(path).text
        asked = re.search(r'hx-get="([^"]+seen=[^"]+)"', page)
        assert asked is not None, path
        poll = unescape(asked[1])
        assert reader.reads(poll, headers={"HX-Request": "true"}).status_code == 204
        set_status(database, message_id, "sending")
        piece = reader.reads(poll, headers={"HX-Request": "true"})
        assert piece.status_code == 200 and "Sending" in piece.text
        assert "<html" not in piece.text
        set_status(database, message_id, "held")


def test_a_settled_message_is_not_polled_any_more(reader: Reader, database: Engine) -> None:
    message_id = send(reader, "disk full")
    set_status(database, message_id, "sent")
    assert "hx-get" not in reader.reads(f"/cabinet/messages/{message_id}").text


def test_the_attempts_are_told_in_plain_words(reader: Reader, database: Engine) -> None:
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
    set_status(database, message_id, "sent", possible_duplicate=True)
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


def test_a_failed_message_is_sent_again_by_a_button(reader: Reader, database: Engine) -> None:
    message_id = send(reader, "disk full")
    assert "Send it again" not in reader.reads(f"/cabinet/messages/{message_id}").text
    set_status(database, message_id, "failed", reason="Bad Request: <b>")
    page = reader.reads(f"/cabinet/messages/{message_id}").text
    assert "Send it again" in page and "Bad Request: &lt;b&gt;" in page
    again = reader.posts(f"/cabinet/messages/{message_id}/retry")
    assert "It is sent again." in reader.follows(again).text
    refused = reader.posts(f"/cabinet/messages/{message_id}/retry")
    assert refused.status_code == 409
    assert "Only a failed, expired or cancelled message can be sent again." in refused.text


def test_a_waiting_message_is_cancelled_by_a_button(reader: Reader, database: Engine) -> None:
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
