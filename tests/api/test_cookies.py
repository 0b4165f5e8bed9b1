"""The cookie session: attributes, CSRF, foreign origins."""

from http.cookies import SimpleCookie
from typing import Any

import pytest
from flask import Flask

from tests.api.answers import assert_problem
from tests.client import Client, client_of
from tests.conftest import PASSWORD, MakeApp, Member

LOGIN = {"username": "alice", "password": PASSWORD}


def cookies_of(answer: Any) -> dict[str, Any]:
    found = SimpleCookie()
    for header in answer.headers.getlist("Set-Cookie"):
        found.load(header)
    return dict(found)


@pytest.fixture
def browser(app: Flask, alice: Member) -> Client:
    """A browser in which Alice has signed in."""
    client = client_of(app)
    assert client.post("/v1/auth/login", json=LOGIN).status_code == 200
    return client


def csrf_of(browser: Client) -> str:
    cookie = browser.get_cookie("csrf")
    assert cookie is not None
    return cookie.value


def send(browser: Client, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post("/v1/messages", json={"text": "by cookie"}, headers=named)


def test_cookies_by_http(client: Client, alice: Member) -> None:
    cookies = cookies_of(client.post("/v1/auth/login", json=LOGIN))
    assert set(cookies) == {"access", "refresh", "csrf"}
    assert all(cookie["samesite"] == "Lax" for cookie in cookies.values())
    assert cookies["access"]["httponly"]
    assert cookies["refresh"]["httponly"]
    assert not cookies["csrf"]["httponly"]
    assert not any(cookie["secure"] for cookie in cookies.values())
    assert cookies["refresh"]["path"] == "/v1/auth"
    assert cookies["access"]["path"] == cookies["csrf"]["path"] == "/"
    assert not any(cookie["domain"] for cookie in cookies.values())


def test_cookies_by_https_are_secure_and_guarded_by_their_names(
    make_app: MakeApp, alice: Member
) -> None:
    client = client_of(make_app(PUBLIC_URL="https://gonets.example"))
    answer = client.post("/v1/auth/login", json=LOGIN, base_url="https://gonets.example")
    cookies = cookies_of(answer)
    assert set(cookies) == {"__Host-access", "__Secure-refresh", "__Host-csrf"}
    assert all(cookie["secure"] for cookie in cookies.values())
    assert cookies["__Secure-refresh"]["path"] == "/v1/auth"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_a_cookie_reads_without_more_and_writes_with_its_csrf_value(browser: Client) -> None:
    assert browser.get("/v1/users/me").status_code == 200
    assert browser.head("/v1/users/me").status_code == 200
    assert_problem(send(browser), 403, "csrf_failed")
    assert_problem(send(browser, X_CSRF_TOKEN="wrong"), 403, "csrf_failed")
    assert_problem(send(browser, X_CSRF_TOKEN="\u00e9".encode().decode("latin-1")), 403)
    assert browser.get("/v1/messages").json["items"] == []
    assert send(browser, X_CSRF_TOKEN=csrf_of(browser)).status_code == 201


def test_every_unsafe_operation_wants_the_csrf_value(browser: Client) -> None:
    for path, item in browser.get("/openapi.json").json["paths"].items():
        for method, operation in item.items():
            unsafe = method in ("post", "patch", "delete")
            if not unsafe or {"cookie": [], "csrf": []} not in operation["security"]:
                continue
            answer = browser.open(path.replace("{", "").replace("}", ""), method=method, json={})
            assert_problem(answer, 403, "csrf_failed")


def test_the_csrf_value_of_another_session_is_none(app: Flask, browser: Client) -> None:
    other = client_of(app)
    other.post("/v1/auth/login", json=LOGIN)
    assert_problem(send(browser, X_CSRF_TOKEN=csrf_of(other)), 403, "csrf_failed")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:81"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=repr,
)
def test_a_foreign_page_cannot_write(
    browser: Client, alice: Member, headers: dict[str, str]
) -> None:
    answer = send(browser, X_CSRF_TOKEN=csrf_of(browser), **headers)
    assert_problem(answer, 403, "foreign_origin")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    basic = browser.post(
        "/v1/messages", json={"text": "x"}, headers=named, auth=("alice", PASSWORD)
    )
    assert_problem(basic, 403, "foreign_origin")
    for path in ("login", "register"):
        account = LOGIN if path == "login" else LOGIN | {"name": "A"}
        answer = browser.post(f"/v1/auth/{path}", json=account, headers=named)
        assert_problem(answer, 403, "foreign_origin")
    assert browser.get("/v1/messages").json["items"] == []


def test_our_own_page_and_a_bearer_token_from_anywhere_may(browser: Client, alice: Member) -> None:
    csrf = csrf_of(browser)
    own = send(browser, X_CSRF_TOKEN=csrf, Origin="http://localhost", Sec_Fetch_Site="same-origin")
    assert own.status_code == 201
    foreign = alice.post("/v1/messages", {"text": "x"}, headers={"Origin": "https://other.example"})
    assert foreign.status_code == 201


def test_a_form_or_plain_text_cannot_write_by_cookie(browser: Client) -> None:
    headers = {"X-CSRF-TOKEN": csrf_of(browser)}
    for path in ("/v1/messages", "/v1/auth/login"):
        for media_type in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ):
            answer = browser.post(
                path, data='{"text": "x"}', content_type=media_type, headers=headers
            )
            assert_problem(answer, 415, "unsupported_media_type")
    line = browser.post("/v1/send", data="x", content_type="text/plain", headers=headers)
    assert_problem(line, 401, "unauthenticated")


def test_refreshing_by_cookie_wants_origin_and_csrf(browser: Client) -> None:
    assert_problem(browser.post("/v1/auth/refresh"), 403, "csrf_failed")
    csrf = {"X-CSRF-TOKEN": csrf_of(browser)}
    foreign = browser.post("/v1/auth/refresh", headers=csrf | {"Origin": "https://evil.example"})
    assert_problem(foreign, 403, "foreign_origin")
    answer = browser.post("/v1/auth/refresh", headers=csrf)
    assert answer.status_code == 200
    assert set(cookies_of(answer)) == {"access", "refresh", "csrf"}
    assert send(browser, X_CSRF_TOKEN=csrf_of(browser)).status_code == 201


def test_a_broken_refresh_cookie_is_refused(client: Client) -> None:
    client.set_cookie("refresh", "garbage", path="/v1/auth")
    assert_problem(client.post("/v1/auth/refresh"), 401, "invalid_token")


def test_signing_in_never_keeps_an_earlier_cookie(browser: Client) -> None:
    before = browser.get_cookie("access")
    browser.post("/v1/auth/login", json=LOGIN)
    after = browser.get_cookie("access")
    assert before is not None
    assert after is not None
    assert before.value != after.value


def test_signing_out_takes_the_cookies_back(browser: Client) -> None:
    access = browser.get_cookie("access")
    answer = browser.post("/v1/auth/logout", headers={"X-CSRF-TOKEN": csrf_of(browser)})
    assert answer.status_code == 204
    gone = cookies_of(answer)
    assert set(gone) == {"access", "refresh", "csrf"}
    assert all(cookie["max-age"] == "0" and cookie.value == "" for cookie in gone.values())
    assert browser.get_cookie("access") is None
    assert browser.get_cookie("refresh", path="/v1/auth") is None
    assert access is not None
    browser.set_cookie("access", access.value)
    assert_problem(browser.get("/v1/users/me"), 401, "invalid_token")
