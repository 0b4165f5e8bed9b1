"""The admin zone: it is there for admins only, says nothing of texts, and leaves a trail."""

import re
from html import unescape

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import accounts, messages
from app.services.messages import Draft
from tests.conftest import PASSWORD, Member, NewMember
from tests.web.conftest import Reader, SignedIn, Visitor
from tests.web.test_forgery import FORMS, pages

CANARY = "canary-7f3a-text-of-a-message"


def same_page(page: str, path: str) -> str:
    """A page without what differs from request to request."""
    page = re.sub(r'name="form_token" value="[^"]+"', "", page)
    return page.replace(path, "PATH").replace(path.partition("?")[0], "PATH")


def test_for_everybody_else_there_is_no_admin_zone(
    app: Flask, reader: Reader, visitor: Visitor
) -> None:
    for somebody in (reader, visitor):
        unknown = same_page(somebody.reads("/admin/no-such-page").text, "/admin/no-such-page")
        for path in pages(app, "GET"):
            if path.startswith("/admin"):
                answer = somebody.reads(path)
                assert answer.status_code == 404, path
                assert same_page(answer.text, path) == unknown, path
        for path in FORMS:
            if path.startswith("/admin"):
                assert somebody.posts(path).status_code == 404, path
                for method in ("GET", "PUT", "DELETE", "OPTIONS", "HEAD"):
                    answer = somebody.client.open(path, method=method)
                    assert answer.status_code == 404, (method, path)
                    assert "Allow" not in answer.headers


def test_whoever_is_no_admin_any_more_is_out_at_once(admin: Reader, database: Engine) -> None:
    assert admin.reads("/admin").status_code == 200
    with database.connect() as rows:
        rows.execute(text("UPDATE account SET is_admin = false"))
    assert admin.reads("/admin").status_code == 404
    assert "/admin" not in admin.reads("/cabinet").text


def test_a_disabled_account_is_out_at_once_and_may_come_back(
    admin: Reader, reader: Reader, visitor: Visitor
) -> None:
    reader.links()
    number = reader.person.id
    page = admin.follows(admin.posts(f"/admin/accounts/{number}/disable")).text
    assert "The account is disabled; its sessions have ended." in page
    assert reader.reads("/cabinet").status_code == 303
    assert reader.member.post("/v1/messages", {"text": "hello"}).status_code == 401
    fields = {"username": "alice", "password": PASSWORD}
    assert visitor.posts("/cabinet/sign-in", fields).status_code == 401
    assert "disabled" in admin.reads("/admin/accounts").text
    admin.posts(f"/admin/accounts/{number}/enable")
    assert visitor.posts("/cabinet/sign-in", fields).status_code == 303


def test_nobody_disables_themselves(admin: Reader) -> None:
    answer = admin.posts(f"/admin/accounts/{admin.person.id}/disable")
    assert answer.status_code == 409
    assert "You cannot disable your own account." in answer.text
    assert admin.reads("/admin").status_code == 200


def test_sessions_of_an_account_are_ended(admin: Reader, reader: Reader) -> None:
    admin.posts(f"/admin/accounts/{reader.person.id}/end-sessions")
    assert reader.reads("/cabinet").status_code == 303
    assert reader.member.get("/v1/users/me").status_code == 401


def test_a_reset_password_is_shown_once_and_is_the_only_one(
    admin: Reader, reader: Reader, visitor: Visitor
) -> None:
    where = f"/admin/accounts/{reader.person.id}"
    answer = admin.posts(f"{where}/reset-password")
    assert answer.status_code == 200
    page = answer.text
    found = re.search(r'id="new-password"[^>]*>([^<]+)<', page)
    assert found is not None
    made = unescape(found[1])
    assert len(made) == 20
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.headers.getlist("Set-Cookie")
    assert made not in admin.reads(where).text
    assert reader.reads("/cabinet").status_code == 303
    old = {"username": "alice", "password": PASSWORD}
    assert visitor.posts("/cabinet/sign-in", old).status_code == 401
    assert visitor.posts("/cabinet/sign-in", old | {"password": made}).status_code == 303


def test_an_admin_who_resets_their_own_password_sees_it_before_they_are_signed_out(
    admin: Reader,
) -> None:
    where = f"/admin/accounts/{admin.person.id}"
    assert 'id="new-password"' in admin.posts(f"{where}/reset-password").text
    assert admin.reads(where).status_code in (303, 404)


@pytest.mark.parametrize("doing", ["", "/disable", "/enable", "/end-sessions", "/reset-password"])
def test_an_account_that_is_not_there_is_an_unknown_page(admin: Reader, doing: str) -> None:
    path = f"/admin/accounts/999999{doing}"
    assert (admin.posts(path) if doing else admin.reads(path)).status_code == 404


def test_everything_an_admin_does_stands_in_the_trail(admin: Reader, reader: Reader) -> None:
    number = reader.person.id
    for doing in ("disable", "enable", "end-sessions", "reset-password"):
        admin.posts(f"/admin/accounts/{number}/{doing}")
    admin.posts("/admin/pause")
    admin.posts("/admin/resume")
    page = admin.reads("/admin/audit").text
    rows = re.findall(r"<td>([^<]+)</td><td><bdi>(\w+)</bdi></td>", page)
    assert rows[:6] == [
        ("resumed delivery", "boss"),
        ("paused delivery", "boss"),
        ("had the password reset", "boss"),
        ("had all sessions ended", "boss"),
        ("was enabled", "boss"),
        ("was disabled", "boss"),
    ]
    only = admin.reads(f"/admin/audit?account={number}").text
    assert "had the password reset" in only and "paused delivery" not in only


def test_no_page_of_the_zone_has_the_text_of_a_message(
    app: Flask, admin: Reader, reader: Reader, database: Engine
) -> None:
    reader.links()
    with app.app_context():
        accounts.change(reader.person, greeting=f"greeting {CANARY}")
        messages.send(reader.person, Draft(CANARY))
        messages.receive(reader.person.id, 7001, 5, CANARY)
    number = str(reader.person.id)
    for path in pages(app, "GET"):
        if path.startswith("/admin"):
            for address in (path, path.replace("1", number), f"{path}?account={number}"):
                assert CANARY not in admin.reads(address).text, address
    page = admin.reads("/admin/messages").text
    assert "Queued" in page and "Received" in page and "alice" in page


def test_messages_are_found_by_status_and_account(
    app: Flask, admin: Reader, reader: Reader, database: Engine
) -> None:
    with app.app_context():
        messages.send(reader.person, Draft("hers"))
        other = messages.send(admin.person, Draft("his")).message.id
    with database.connect() as rows:
        rows.execute(text("UPDATE message SET status = 'failed' WHERE id = :id"), {"id": other})

    def numbers(query: str) -> list[str]:
        page = admin.reads(f"/admin/messages?{query}").text
        return re.findall(r'<th scope="row">(\d+)</th>', page)

    assert len(numbers("")) == 2
    assert numbers("status=failed") == [str(other)]
    assert numbers(f"account={reader.person.id}&status=failed") == []
    assert admin.reads("/admin/messages?status=lost").status_code == 422
    assert admin.reads("/admin/messages?account=x").status_code == 422
    assert admin.reads("/admin/messages?before=" + "9" * 30).status_code == 422


def test_accounts_are_searched_by_look_alike_names_and_paged(
    admin: Reader, new_member: NewMember
) -> None:
    for number in range(52):
        new_member(f"robot{number:02}")
    new_member("Сова")

    def names(path: str) -> list[str]:
        return re.findall(r'<th scope="row"><a [^>]+><bdi>(.*?)</bdi>', admin.reads(path).text)

    assert names("/admin/accounts?q=c0ba") == ["Сова"]
    assert names("/admin/accounts?q=сова") == ["Сова"]
    assert names("/admin/accounts?q=R0BOT5") == ["robot51", "robot50"]
    assert names("/admin/accounts?q=<script>") == []
    first = names("/admin/accounts")
    assert first[0] == "Сова" and len(first) == 50
    older = re.search(r'href="([^"]+)" rel="next"', admin.reads("/admin/accounts").text)
    assert older is not None
    assert names(unescape(older[1])) == ["robot02", "robot01", "robot00", "boss"]


def test_chats_are_listed_with_whose_they_are(admin: Reader, reader: Reader) -> None:
    reader.links(title="<b>Алиса</b>")
    page = admin.reads("/admin/chats").text
    assert "<bdi>&lt;b&gt;Алиса&lt;/b&gt;</bdi>" in page and "alice" in page


def test_delivery_health_tells_what_waits_and_what_was_tried(
    app: Flask, admin: Reader, reader: Reader, database: Engine
) -> None:
    reader.links()
    with app.app_context():
        number = messages.send(reader.person, Draft("waits")).message.id
    with database.connect() as rows:
        for outcome in ("sent", "sent", "wait", "refused"):
            rows.execute(
                text(
                    "INSERT INTO attempt (message_id, part, at, outcome, latency_ms)"
                    " VALUES (:id, 1, now(), :outcome, 5)"
                ),
                {"id": number, "outcome": outcome},
            )
        rows.execute(
            text(
                "INSERT INTO heartbeat (name, kind, started_at, at)"
                " VALUES ('worker-here', 'worker', now(), now()),"
                " ('worker-gone', 'worker', now(), now() - interval '1 minute')"
            )
        )
        rows.execute(text("UPDATE lane SET wake_at = now() - interval '90 seconds'"))
    page = admin.reads("/admin", headers={"HX-Request": "true"}).text
    figures = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    assert figures["Queued"] == "1"
    assert figures["429 in half an hour"] == "1"
    assert figures["Oldest due"] == "2 min"
    assert "the oldest due message has waited" in page
    assert page.count("<rect") == 3
    processes = re.findall(r'<code>([\w-]+)</code> <span class="chip (\w+)">', page)
    assert processes == [("worker-gone", "bad"), ("worker-here", "good")]


def test_delivery_is_paused_and_resumed(admin: Reader, database: Engine) -> None:
    def is_paused() -> bool:
        with database.connect() as rows:
            return rows.execute(text("SELECT paused_at FROM bot")).scalar_one() is not None

    page = admin.follows(admin.posts("/admin/pause")).text
    assert is_paused() and "Delivery is paused since" in page and "Resume delivery" in page
    page = admin.follows(admin.posts("/admin/resume")).text
    assert not is_paused() and "Pause delivery" in page


def test_flower_is_linked_at_the_host_of_the_page(admin: Reader) -> None:
    assert 'href="http://localhost:5555/"' in admin.reads("/admin").text


def test_an_admin_in_the_cabinet_sees_only_their_own(
    admin: Reader, alice: Member, signed_in: SignedIn
) -> None:
    reader = signed_in(alice)
    with reader.app.app_context():
        number = messages.send(alice.person, Draft(CANARY)).message.id
    assert admin.reads(f"/cabinet/messages/{number}").status_code == 404
    assert CANARY not in admin.reads("/cabinet/messages").text
