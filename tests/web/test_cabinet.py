"""The rest of the cabinet: linking, tokens, the account, sessions, the chart, the export."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app import clock
from app.services import chats, messages, tokens
from app.services.messages import Draft
from app.services.people import TelegramPerson
from tests.client import client_of
from tests.conftest import PASSWORD, Clock, Member
from tests.web.conftest import Reader, SignedIn, Visitor


def code_for(app: Flask, telegram_id: int = 7001, title: str = "Алиса в Telegram") -> str:
    """The code that the bot gives to a chat."""
    with app.app_context():
        return chats.link_code(TelegramPerson(telegram_id, title))


def name_the_bot(database: Engine, name: str = "gonets_test_bot") -> None:
    with database.connect() as rows:
        rows.execute(text("UPDATE bot SET username = :name"), {"name": name})


def test_the_link_page_offers_every_way(reader: Reader, database: Engine, app: Flask) -> None:
    assert "The bot has not started yet" in reader.reads("/cabinet/telegram").text
    name_the_bot(database)
    page = reader.reads("/cabinet/telegram").text
    with app.app_context():
        invitation = tokens.link_invitation(reader.person)
    assert f'href="https://t.me/gonets_test_bot?start={invitation.token}"' in page
    assert f">{invitation.token}</code>" in page
    assert '<svg viewBox="0 0 ' in page and 'class="qr"' in page
    assert 'name="code"' in page


def test_the_link_page_turns_by_itself(reader: Reader, app: Flask, stopped_clock: Clock) -> None:
    page = reader.reads("/cabinet/telegram").text
    asked = re.search(r'hx-get="([^"]+)"', page)
    assert asked is not None
    poll, htmx = unescape(asked[1]), {"HX-Request": "true"}
    assert reader.reads(poll, headers=htmx).status_code == 204
    stopped_clock.advance(minutes=61)
    renewed = reader.reads(poll, headers=htmx)
    assert renewed.status_code == 200 and "Link token" in renewed.text
    reader.links()
    turned = reader.reads(poll, headers=htmx)
    assert "Linked to <bdi>Алиса в Telegram</bdi>" in turned.text
    assert "Link token" not in turned.text


def test_a_code_of_the_bots_links(reader: Reader, app: Flask) -> None:
    typed = f" {code_for(app)[:4].lower()}-{code_for(app)[4:]} "
    answer = reader.posts("/cabinet/telegram/code", {"code": typed})
    page = reader.follows(answer).text
    assert "Your Telegram chat is linked." in page
    assert "Linked to <bdi>Алиса в Telegram</bdi>" in page


def test_a_wrong_code_is_told_beside_its_field_and_guesses_are_limited(
    reader: Reader, app: Flask
) -> None:
    for guess in range(5):
        answer = reader.posts("/cabinet/telegram/code", {"code": f"ABCDEFG{guess + 2}"})
        assert answer.status_code == 422
        assert re.search(r'id="code-error"[^>]*>This code is wrong', answer.text)
    answer = reader.posts("/cabinet/telegram/code", {"code": code_for(app)})
    assert answer.status_code == 429
    assert "Too many wrong attempts. Try again in 10 min." in answer.text


def test_a_chat_of_somebody_else_is_not_taken(reader: Reader, bob: Member, app: Flask) -> None:
    with app.app_context():
        token = tokens.link_invitation(bob.person).token
        chats.link_by_token(token, TelegramPerson(7002, "Bob"))
    answer = reader.posts("/cabinet/telegram/code", {"code": code_for(app, 7002)})
    assert answer.status_code == 409
    assert "This Telegram chat is linked to another account" in answer.text


def test_a_new_token_kills_the_old_one(reader: Reader) -> None:
    def shown() -> str:
        found = re.search(r'id="link-token"[^>]*>([^<]+)<', reader.reads(path).text)
        assert found is not None
        return found[1]

    path = "/cabinet/telegram"
    before = shown()
    assert shown() == before
    reader.follows(reader.posts("/cabinet/telegram/token"))
    assert shown() != before


def test_unlinking_says_what_happens_to_what_waits(reader: Reader, app: Flask) -> None:
    reader.links()
    with app.app_context():
        for _ in range(3):
            messages.send(reader.person, Draft("waits"))
    page = reader.reads("/cabinet/telegram").text
    assert "Messages that wait then are held" in page and "3 messages wait now." in page
    page = reader.follows(reader.posts("/cabinet/telegram/unlink")).text
    assert "The chat is unlinked." in page
    assert "3 messages wait and go out as soon as a chat is linked." in page
    assert "Held" in reader.reads("/cabinet/messages").text
    assert reader.posts("/cabinet/telegram/unlink").status_code == 303


def test_a_linked_account_may_link_another_chat(reader: Reader) -> None:
    reader.links()
    assert "Link token" not in reader.reads("/cabinet/telegram").text
    assert "Link token" in reader.reads("/cabinet/telegram?another=yes").text


def test_a_send_token_is_shown_once_with_a_curl_line_and_works(reader: Reader) -> None:
    made = reader.posts("/cabinet/tokens", {"name": "скрипт <b>", "expires_in": "7d"})
    assert made.status_code == 200
    page = made.text
    found = re.search(r'id="new-token"[^>]*>(gz_[\w-]+)<', page)
    assert found is not None
    secret = found[1]
    line = re.search(r'id="curl-line"[^>]*>([^<]+)<', page)
    assert line is not None
    assert unescape(line[1]) == (
        f"curl -d 'disk full' -H 'Authorization: Bearer {secret}' http://127.0.0.1:8000/v1/send"
    )
    assert made.headers["Cache-Control"] == "no-store"
    assert not made.headers.getlist("Set-Cookie")
    assert secret not in reader.reads("/cabinet/tokens").text
    assert "<bdi>скрипт &lt;b&gt;</bdi>" in page
    sent = client_of(reader.app).post(
        "/v1/send",
        data="disk full",
        content_type="application/x-www-form-urlencoded",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert sent.status_code == 201
    assert "last used" in reader.reads("/cabinet/tokens").text
    revoke = re.search(r'action="(/cabinet/tokens/\d+/revoke)"', page)
    assert revoke is not None
    assert "revoked and no longer works" in reader.follows(reader.posts(revoke[1])).text
    assert "скрипт" not in reader.reads("/cabinet/tokens").text


@pytest.mark.parametrize(
    "fields", [{"name": ""}, {"name": "x" * 101}, {"name": "a", "expires_in": "9d"}]
)
def test_a_token_that_cannot_be_is_told_beside_the_field(
    reader: Reader, fields: dict[str, str]
) -> None:
    answer = reader.posts("/cabinet/tokens", fields)
    assert answer.status_code == 422
    assert "-error" in answer.text


def test_a_token_of_somebody_else_cannot_be_revoked(
    reader: Reader, bob: Member, signed_in: SignedIn, database: Engine
) -> None:
    reader.posts("/cabinet/tokens", {"name": "mine"})
    with database.connect() as rows:
        number = rows.execute(text("SELECT id FROM send_token")).scalar_one()
    assert signed_in(bob).posts(f"/cabinet/tokens/{number}/revoke").status_code == 404


def test_name_and_greeting_are_shown_as_they_will_be_and_saved(reader: Reader) -> None:
    wanted = {"name": "Алиса <3", "greeting": "Эй, {name}!"}
    preview = reader.posts("/cabinet/account/greeting", wanted).text
    assert "Эй, Алиса &lt;3!\n" in preview
    assert "Saved." in reader.follows(reader.posts("/cabinet/account/profile", wanted)).text
    shown = reader.posts("/cabinet/send/preview", {"text": "words"}).text
    assert "Эй, Алиса &lt;3!\nwords" in shown
    reader.posts("/cabinet/account/profile", {"name": "Алиса", "greeting": ""})
    shown = reader.posts("/cabinet/send/preview", {"text": "words"}).text
    assert "Алиса, я получил от тебя сообщение:" in shown


def test_a_name_that_cannot_be_comes_back(reader: Reader) -> None:
    answer = reader.posts("/cabinet/account/profile", {"name": "x" * 101, "greeting": "Эй"})
    assert answer.status_code == 422
    assert "x" * 101 in answer.text and 'value="Эй"' in answer.text
    assert 'id="name-error"' in answer.text


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    reader: Reader, alice: Member, visitor: Visitor
) -> None:
    visitor.posts("/cabinet/sign-in", {"username": "alice", "password": PASSWORD})
    fields = {"current_password": PASSWORD, "new_password": "quite another one"}
    page = reader.follows(reader.posts("/cabinet/account/password", fields)).text
    assert "all other sessions have ended" in page
    assert visitor.reads("/cabinet").status_code == 303


def test_a_wrong_current_password_is_told_beside_its_field(reader: Reader) -> None:
    fields = {"current_password": "wrong one", "new_password": "quite another one"}
    answer = reader.posts("/cabinet/account/password", fields)
    assert re.search(r'id="current_password-error"[^>]*>The current password is wrong', answer.text)
    fields = {"current_password": PASSWORD, "new_password": "short"}
    answer = reader.posts("/cabinet/account/password", fields)
    assert re.search(r'id="new_password-error"[^>]*>A password has at least 8', answer.text)


def test_sessions_are_listed_and_ended(
    reader: Reader, alice: Member, visitor: Visitor, bob: Member, signed_in: SignedIn
) -> None:
    visitor.client.post(
        "/cabinet/sign-in",
        data={"username": "alice", "password": PASSWORD, "form_token": visitor.token()},
        headers={"User-Agent": "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0 <b>"},
    )
    page = reader.reads("/cabinet/account").text
    assert "Firefox on Windows" in page and "this one" in page
    ends = re.findall(r'action="(/cabinet/account/sessions/\d+/end)"', page)
    assert len(ends) == 2  # the newest first, and the one that the API began
    assert signed_in(bob).posts(ends[0]).status_code == 404
    assert visitor.reads("/cabinet").status_code == 200
    reader.posts(ends[0])
    assert visitor.reads("/cabinet").status_code == 303


def test_the_export_is_everything_as_lines_of_json(reader: Reader, app: Flask) -> None:
    with app.app_context():
        messages.send(reader.person, Draft("kept"))
    answer = reader.reads("/cabinet/account/export")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[0]["username"] == "alice"
    assert [line["text"] for line in lines if line["line"] == "message"] == ["kept"]
    for _ in range(4):
        reader.reads("/cabinet/account/export")
    refused = reader.reads("/cabinet/account/export")
    assert refused.status_code == 429 and refused.mimetype == "text/html"


def test_deletion_asks_for_the_password_and_is_at_once(reader: Reader, alice: Member) -> None:
    assert "cannot be undone" in reader.reads("/cabinet/account/delete").text
    wrong = reader.posts("/cabinet/account/delete", {"password": "wrong one"})
    assert 'id="password-error"' in wrong.text
    assert reader.reads("/cabinet").status_code == 200
    answer = reader.posts("/cabinet/account/delete", {"password": PASSWORD})
    assert "is being erased" in reader.follows(answer).text
    assert reader.reads("/cabinet").status_code == 303
    assert alice.get("/v1/users/me").status_code == 401


def test_the_chart_counts_days_as_the_reader_has_them(
    reader: Reader, app: Flask, database: Engine
) -> None:
    assert "No messages in the last 30 days." in reader.reads("/cabinet/chart").text
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with app.app_context():
        ids = [messages.send(reader.person, Draft(str(n))).message.id for n in range(6)]
    when = [
        (ids[0], "sent", now - timedelta(days=40)),
        (ids[1], "failed", midnight - timedelta(hours=20)),
        (ids[2], "expired", midnight - timedelta(hours=20)),
        (ids[3], "cancelled", midnight - timedelta(hours=20)),
        (ids[4], "sent", midnight - timedelta(hours=1)),
        (ids[5], "sent", midnight - timedelta(hours=1)),
    ]
    with database.connect() as rows:
        for number, status, at in when:
            rows.execute(
                text("UPDATE message SET status = :status, created_at = :at WHERE id = :id"),
                {"status": status, "at": at, "id": number},
            )

    def figures() -> list[tuple[str, ...]]:
        page = reader.reads("/cabinet/chart").text
        return re.findall(
            r'<th scope="row">([^<]+)</th><td>(\d+)</td><td>(\d+)</td><td>(\d+)</td>', page
        )

    yesterday = midnight - timedelta(days=1)
    assert figures() == [(f"{yesterday.day} {yesterday:%b %Y}", "2", "0", "2")]
    # Three hours further east the last hour of the day belongs to the next one.
    reader.client.set_cookie("zone", "Europe/Moscow")
    assert figures() == [
        (f"{midnight.day} {midnight:%b %Y}", "2", "0", "0"),
        (f"{yesterday.day} {yesterday:%b %Y}", "0", "0", "2"),
    ]


@pytest.mark.parametrize("zone", ["../../etc/passwd", "", "Mars/Olympus", "x" * 3000, "\0"])
def test_an_unknown_time_zone_is_utc(reader: Reader, zone: str) -> None:
    reader.client.set_cookie("zone", zone)
    page = reader.reads("/cabinet/account")
    assert page.status_code == 200 and " UTC</time>" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/cabinet/sign-in",
        "/cabinet/sign-up",
        "/cabinet",
        "/cabinet/chart",
        "/cabinet/send",
        "/cabinet/messages",
        "/cabinet/telegram",
        "/cabinet/tokens",
        "/cabinet/account",
        "/cabinet/account/delete",
        "/admin",
        "/admin/accounts",
        "/admin/chats",
        "/admin/messages",
        "/admin/audit",
    ],
)
def test_no_english_is_left_on_a_russian_page(admin: Reader, path: str) -> None:
    if path in ("/", "/cabinet/sign-in", "/cabinet/sign-up"):
        admin.client.delete_cookie("access")
    page = admin.reads(path, headers={"Accept-Language": "ru"}).text
    body = re.sub(r"<(pre|code|bdi)[^>]*>.*?</\1>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    words = set(re.findall(r"[A-Za-z]{3,}", re.sub(r"<[^>]+>", " ", body.partition("<body")[2])))
    ours = {"Gonets", "English", "Telegram", "Swagger", "ReDoc", "OpenAPI", "API", "JSON", "Flower"}
    ours |= {"Anna", "POST", "Boss", "boss", "UTC", "name", "worker", "bot", "curl"}
    assert words <= ours, words - ours
