"""Signing up, in and out: forms that say what is wrong, and a session like the API's."""

import re

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from tests.client import client_of
from tests.conftest import PASSWORD, Clock, MakeApp, Member
from tests.web.conftest import Reader, Visitor


def test_signing_up_begins_a_session_and_leads_to_linking(visitor: Visitor) -> None:
    answer = visitor.posts(
        "/cabinet/sign-up", {"username": "dora", "password": PASSWORD, "name": "Дора"}
    )
    assert answer.location == "/cabinet/telegram"
    assert "Your Telegram chat" in visitor.follows(answer).text
    assert "Hello, <bdi>Дора</bdi>" in visitor.reads("/cabinet").text


def test_without_a_name_the_username_is_the_name(visitor: Visitor) -> None:
    visitor.posts("/cabinet/sign-up", {"username": "dora", "password": PASSWORD, "name": ""})
    assert "Hello, <bdi>dora</bdi>" in visitor.reads("/cabinet").text


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"username": "alice"}, "username", "This username is taken"),
        ({"username": "аliсе"}, "username", "Use Latin or Cyrillic letters"),
        ({"username": "a"}, "username", "A username has 2 to 64 characters."),
        ({"username": "admin"}, "username", "This username is reserved."),
        ({"name": "x" * 101}, "name", "Needs 1 to 100 characters"),
        ({"name": "two\nlines"}, "name", "Must be one line"),
        ({"password": "short"}, "password", "A password has at least 8 characters."),
        ({"password": "password1"}, "password", "This password is too common"),
        ({"password": "nul\0nul\0nul"}, "password", "and no NUL."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(
    alice: Member, visitor: Visitor, fields: dict[str, str], field: str, words: str
) -> None:
    typed = {"username": "dora", "password": PASSWORD, "name": "Дора"} | fields
    answer = visitor.posts("/cabinet/sign-up", typed)
    assert answer.status_code in (409, 422)
    beside = re.search(rf'<small id="{field}-error"[^>]*>([^<]*)', answer.text)
    assert beside is not None and words in beside[1]
    assert f'aria-describedby="{field}-error' in answer.text
    assert typed["name"] in answer.text
    assert typed["password"] not in answer.text


def test_closed_registration_is_said_and_kept(make_app: MakeApp) -> None:
    closed = make_app(REGISTRATION="closed")
    visitor = Visitor(client_of(closed), closed)
    assert "Registration is closed" in visitor.reads("/cabinet/sign-up").text
    assert "sign-up" not in visitor.reads("/").text.partition("<main")[2]
    answer = visitor.posts("/cabinet/sign-up", {"username": "dora", "password": PASSWORD})
    assert answer.status_code == 403


def test_signing_in_leads_to_the_cabinet(alice: Member, visitor: Visitor) -> None:
    answer = visitor.posts("/cabinet/sign-in", {"username": "Alice", "password": PASSWORD})
    assert answer.location == "/cabinet"
    assert "Алиса" in visitor.follows(answer).text
    assert visitor.reads("/").location == "/cabinet"
    assert visitor.reads("/cabinet/sign-in").location == "/cabinet"


@pytest.mark.parametrize("username", ["alice", "nobody", "x" * 300, "nul\0", ""])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(
    alice: Member, visitor: Visitor, username: str
) -> None:
    answer = visitor.posts("/cabinet/sign-in", {"username": username, "password": "wrong one"})
    assert answer.status_code == 401
    assert "Wrong username or password." in answer.text
    assert "wrong one" not in answer.text


def test_wrong_passwords_are_counted_with_those_of_the_api(alice: Member, visitor: Visitor) -> None:
    for _ in range(5):
        visitor.posts("/cabinet/sign-in", {"username": "alice", "password": "wrong one"})
        visitor.client.post("/v1/auth/login", json={"username": "alice", "password": "wrong one"})
    answer = visitor.posts("/cabinet/sign-in", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 600
    assert "Too many wrong attempts. Try again in 15 min." in answer.text
    assert 'value="alice"' in answer.text


def test_somebody_who_is_not_signed_in_is_asked_to_and_brought_back(
    alice: Member, visitor: Visitor
) -> None:
    asked = visitor.reads("/cabinet/messages?status=failed&q=%D0%B4")
    assert asked.location.startswith("/cabinet/sign-in?next=/cabinet/messages")
    page = visitor.reads(asked.location).text
    hidden = re.search(r'name="next" value="([^"]+)"', page)
    assert hidden is not None
    wanted = hidden[1].replace("&amp;", "&")
    fields = {"username": "alice", "password": PASSWORD, "next": wanted}
    assert visitor.posts("/cabinet/sign-in", fields).location == wanted


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/cabinet//evil.example",
        "/cabinet/../v1",
        "javascript:alert(1)",
        "/v1/messages",
        "/cabinetevil",
        "/cabinet\r\nSet-Cookie: a=b",
    ],
)
def test_nobody_is_sent_to_a_page_that_is_not_ours(
    alice: Member, visitor: Visitor, path: str
) -> None:
    fields = {"username": "alice", "password": PASSWORD, "next": path}
    assert visitor.posts("/cabinet/sign-in", fields).location == "/cabinet"


def test_signing_out_ends_the_session_everywhere_at_once(reader: Reader) -> None:
    assert reader.reads("/v1/users/me").status_code == 200
    cookie = reader.client.get_cookie("access")
    page = reader.follows(reader.posts("/cabinet/sign-out"))
    assert "You are signed out." in page.text
    assert reader.reads("/cabinet").status_code == 303
    assert reader.client.get_cookie("access") is None
    assert cookie is not None
    reader.client.set_cookie("access", cookie.value)
    assert reader.reads("/cabinet").status_code == 303
    assert reader.reads("/v1/users/me").status_code == 401


def test_a_session_of_the_cabinet_lasts_thirty_days_and_no_longer(
    alice: Member, visitor: Visitor, stopped_clock: Clock
) -> None:
    visitor.posts("/cabinet/sign-in", {"username": "alice", "password": PASSWORD})
    stopped_clock.advance(days=29, hours=23)
    assert visitor.reads("/cabinet").status_code == 200
    stopped_clock.advance(hours=2)
    assert visitor.reads("/cabinet").status_code == 303


def test_nothing_from_before_the_sign_in_outlives_it(alice: Member, visitor: Visitor) -> None:
    before = visitor.token()
    visitor.posts("/cabinet/sign-in", {"username": "alice", "password": PASSWORD})
    assert visitor.token() != before
    answer = visitor.client.post("/cabinet/sign-out", data={"form_token": before})
    assert answer.status_code == 403


def test_by_https_the_browser_itself_guards_the_cookies(make_app: MakeApp) -> None:
    app: Flask = make_app(PUBLIC_URL="https://gonets.example")
    client = client_of(app)
    base = "https://gonets.example"
    page = client.get("/cabinet/sign-up", base_url=base)
    held = page.headers["Set-Cookie"]
    assert held.startswith("__Host-page=")
    assert all(word in held for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token is not None
    answer = client.post(
        "/cabinet/sign-up",
        base_url=base,
        data={"username": "dora", "password": PASSWORD, "form_token": token[1]},
        headers={"Origin": base},
    )
    cookies = answer.headers.getlist("Set-Cookie")
    access = next(cookie for cookie in cookies if cookie.startswith("__Host-access="))
    assert all(word in access for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))
    assert answer.headers["Strict-Transport-Security"]


def test_the_language_is_the_accounts_else_the_cookies_else_the_browsers(
    reader: Reader, database: Engine
) -> None:
    russian = {"Accept-Language": "ru"}
    assert '<html lang="ru">' in reader.reads("/cabinet", headers=russian).text
    answer = reader.posts("/cabinet/language", {"language": "en", "back": "/cabinet/tokens"})
    assert answer.location == "/cabinet/tokens"
    assert '<html lang="en">' in reader.reads("/cabinet", headers=russian).text
    with database.connect() as rows:
        assert rows.execute(text("SELECT language FROM account")).scalar_one() == "en"
    reader.posts("/cabinet/sign-out")
    assert '<html lang="en">' in reader.reads("/", headers=russian).text


def test_only_a_language_that_there_is_can_be_chosen(visitor: Visitor) -> None:
    for language in ("", "de", "<script>"):
        answer = visitor.posts("/cabinet/language", {"language": language})
        assert answer.status_code == 422
        assert "<script>" not in answer.text.partition("<main")[2]
