"""No form is believed that another site sent, and no page lets anything of another site in."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.client import Client, client_of
from tests.conftest import PASSWORD, Member
from tests.web.conftest import Reader, SignedIn, Visitor

# Every form of the pages, with fields that would do something.
FORMS = {
    "/cabinet/sign-out": {},
    "/cabinet/language": {"language": "ru"},
    "/cabinet/send": {"text": "forged"},
    "/cabinet/send/preview": {"text": "forged"},
    "/cabinet/messages/1/retry": {},
    "/cabinet/messages/1/cancel": {},
    "/cabinet/telegram/code": {"code": "ABCDEFGH"},
    "/cabinet/telegram/token": {},
    "/cabinet/telegram/unlink": {},
    "/cabinet/tokens": {"name": "forged"},
    "/cabinet/tokens/1/revoke": {},
    "/cabinet/account/profile": {"name": "Forged"},
    "/cabinet/account/greeting": {"name": "Forged"},
    "/cabinet/account/password": {"current_password": PASSWORD, "new_password": "another one"},
    "/cabinet/account/sessions/1/end": {},
    "/cabinet/account/delete": {"password": PASSWORD},
    "/admin/pause": {},
    "/admin/resume": {},
    "/admin/accounts/1/disable": {},
    "/admin/accounts/1/enable": {},
    "/admin/accounts/1/end-sessions": {},
    "/admin/accounts/1/reset-password": {},
}
BEFORE_SIGNING_IN = {
    "/cabinet/sign-in": {"username": "alice", "password": PASSWORD},
    "/cabinet/sign-up": {"username": "mallory", "password": PASSWORD},
}


def pages(app: Flask, method: str) -> Iterator[str]:
    """The addresses of the pages that answer `method`, with 1 for an id."""
    for rule in app.url_map.iter_rules():
        if re.match(r"/(cabinet|admin)", rule.rule) and method in (rule.methods or ()):
            yield re.sub(r"<[^>]+>", "1", rule.rule)


def test_every_form_is_in_the_list(app: Flask) -> None:
    assert set(pages(app, "POST")) == {*FORMS, *BEFORE_SIGNING_IN}


def test_nothing_that_is_got_changes_anything(app: Flask) -> None:
    for path in FORMS:
        if path not in set(pages(app, "GET")):
            assert client_of(app).get(path).status_code in (404, 405)


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("guessed", {}),
        (None, {"Origin": "https://evil.example"}),
        (None, {"Origin": "null"}),
        (None, {"Sec-Fetch-Site": "cross-site"}),
        (None, {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_a_forged_form_is_refused(
    admin: Reader, token: str | None, headers: dict[str, str]
) -> None:
    given = admin.token("/cabinet/send") if token is None else token
    for path, fields in FORMS.items():
        fields = fields | {"form_token": given}
        answer = admin.client.post(path, data=fields, headers=headers)
        # To a request of another site there is no admin zone, either.
        assert answer.status_code == (404 if headers and path.startswith("/admin") else 403), path
        assert answer.mimetype == "text/html"


@pytest.mark.parametrize("path", BEFORE_SIGNING_IN)
@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}])
def test_a_forged_sign_in_is_refused(
    alice: Member, visitor: Visitor, path: str, headers: dict[str, str]
) -> None:
    token = visitor.token() if headers else "guessed"
    fields = BEFORE_SIGNING_IN[path] | {"form_token": token}
    answer = visitor.client.post(path, data=fields, headers=headers)
    assert answer.status_code == 403
    # One that was open for too long comes back filled in; a foreign one does not.
    assert (f'value="{fields["username"]}"' in answer.text) == (not headers)
    assert PASSWORD not in answer.text


def test_the_token_of_another_session_is_refused(
    reader: Reader, bob: Member, signed_in: SignedIn
) -> None:
    foreign = signed_in(bob).token("/cabinet/send")
    fields = {"text": "forged", "form_token": foreign}
    assert reader.client.post("/cabinet/send", data=fields).status_code == 403


def test_a_bearer_token_opens_no_page(client: Client, alice: Member) -> None:
    assert client.get("/cabinet", headers=alice.headers).status_code == 303


def test_our_own_pages_may_post(reader: Reader) -> None:
    ours = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    answer = reader.posts("/cabinet/send", {"text": "mine"}, headers=ours)
    assert answer.status_code == 303


@pytest.mark.parametrize("mimetype", ["application/json", "text/plain"])
def test_only_a_form_is_read(reader: Reader, mimetype: str) -> None:
    answer = reader.client.post(
        "/cabinet/send",
        data='{"text": "mine"}',
        content_type=mimetype,
        headers={"X-CSRF-TOKEN": reader.token("/cabinet/send")},
    )
    assert answer.status_code == 415


@pytest.mark.parametrize("token", ["right", "wrong"])
def test_a_field_that_is_there_twice_is_refused(reader: Reader, token: str) -> None:
    given = reader.token("/cabinet/send") if token == "right" else token
    fields = {"form_token": given, "text": ["one", "two"]}
    answer = reader.client.post("/cabinet/send", data=fields)
    assert answer.status_code == 400 and answer.mimetype == "text/html"


def test_every_page_has_a_policy_without_anything_inline(admin: Reader, app: Flask) -> None:
    for path in [*pages(app, "GET"), "/", "/cabinet/nothing"]:
        answer = admin.reads(path)
        if answer.mimetype != "text/html" or answer.status_code == 303:
            continue
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert answer.headers["Cache-Control"] == "no-store", path
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|<style", answer.text), path
        assert "hx-on" not in answer.text and "javascript:" not in answer.text, path


def test_no_page_asks_another_host_for_anything(admin: Reader, app: Flask) -> None:
    for path in [*pages(app, "GET"), "/"]:
        fetched = re.findall(r'(?:src|srcset|<link[^>]+href)="([^"]+)"', admin.reads(path).text)
        assert all(address.startswith("/static/") for address in fetched), path


def test_static_files_may_be_kept_and_change_their_address_with_their_contents(
    visitor: Visitor,
) -> None:
    page = visitor.reads("/").text
    for address in re.findall(r'"(/static/[^"]+)"', page):
        with visitor.reads(address) as answer:
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"], address
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert re.search(r"\?v=[0-9a-f]{12}$", address)
    assert visitor.reads("/static/../pages.py").status_code == 404
