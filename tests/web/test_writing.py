"""Writing in the cabinet: what is shown is what Telegram gets, and nothing typed is lost."""

import re
from html import unescape

import psycopg2
import pytest
from sqlalchemy import Engine, text

from app.delivery import splitting
from app.services import messages, sessions
from tests.client import client_of
from tests.conftest import PASSWORD, MakeApp, Member
from tests.web.conftest import Reader, SignedIn, Visitor


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
    reader = Reader(client_of(small), small, alice)
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
        raise psycopg2.OperationalError("gone")

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
