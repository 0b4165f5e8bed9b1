"""Two accounts do whatever can be done, in any order, by every face: neither ever sees a byte of
the other's, and no message reaches a chat that is not its owner's at that moment.

`./dev test tests/security/test_tenancy.py --hypothesis-profile=long` walks for an hour.
"""

import itertools
import json
import secrets
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine

from app import identity
from app.errors import ChatTaken
from app.services import chats, limits, messages
from app.services.people import TelegramPerson
from sandbox.client import Sandbox
from tests.client import Answer, Client, client_of
from tests.conftest import PASSWORD
from tests.delivery.conftest import Worker, workers
from tests.profiles import walks

_numbers = itertools.count(1)
WHO = st.sampled_from([0, 1])
CHAT = st.integers(0, 2)
PICK = st.integers(0, 10**6)

# What shows something of the caller's own; `{other}` is the other's marker.
READS = [
    "/v1/users/me",
    "/v1/users/me/export",
    "/v1/auth/sessions",
    "/v1/tokens/send",
    "/v1/tokens/link",
    "/v1/chat",
    "/v1/messages",
    "/v1/messages?limit=2",
    "/v1/messages?q={other}",
    "/v1/messages?direction=in",
    "/v1/messages?status=held",
]
OLD_READS = [
    "/api/v1/message/?page_size=100",
    "/api/cabinet",
    "/api/messages/",
    "/message/sent",
]
PAGES = [
    "/cabinet",
    "/cabinet/messages",
    "/cabinet/messages?q={other}",
    "/cabinet/tokens",
    "/cabinet/telegram",
    "/cabinet/account",
    "/cabinet/account/export",
]
# What names a thing by its id, and of which kind that is.
BY_ID = [
    ("GET", "/v1/messages/{}", "message"),
    ("DELETE", "/v1/messages/{}", "message"),
    ("POST", "/v1/messages/{}/retry", "message"),
    ("DELETE", "/v1/tokens/send/{}", "send_token"),
    ("DELETE", "/v1/auth/sessions/{}", "session"),
    ("GET", "/cabinet/messages/{}", "message"),
]


class Tenant:
    """One account: its marker is in everything it says and owns."""

    def __init__(self, client: Client, pages: Client) -> None:
        number = next(_numbers)
        self.client, self.pages = client, pages
        self.username = f"tenant.{'abcdefghjk'[number % 10]}{number}"
        self.marker = f"marker{secrets.token_hex(8)}"
        self.ids: dict[str, list[int]] = {"message": [], "send_token": [], "session": []}
        self.send_tokens: list[str] = []
        self.said = itertools.count()

    @property
    def login(self) -> dict[str, str]:
        return {"username": self.username, "password": PASSWORD}

    @property
    def basic(self) -> dict[str, str]:
        pair = b64encode(f"{self.username}:{PASSWORD}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def signs_in(self) -> None:
        answer = self.client.post("/v1/auth/login", json=self.login)
        self.access, self.refresh = answer.json["access"], answer.json["refresh"]
        self.pages.set_cookie(identity.access_cookie(), self.access)

    def text(self) -> str:
        return f"{self.marker} says {next(self.said)}"

    def headers_for(self, path: str) -> dict[str, str]:
        """The caller's credential as the face of `path` takes it."""
        return self.basic if path.startswith(("/message/sent", "/bot")) else self.bearer

    def asks(self, method: str, path: str, body: Any = None) -> Answer:
        if path.startswith("/cabinet"):
            return self.pages.open(path, method=method, buffered=True)
        headers = self.headers_for(path)
        return self.client.open(path, method=method, json=body, headers=headers, buffered=True)


class TwoTenants(RuleBasedStateMachine):
    app: Flask
    sandbox: Sandbox
    worker: Worker

    @initialize()
    def begin(self) -> None:
        self.worker.turns()  # what the last two have left behind
        self.tenants = []
        for _ in range(2):
            jar = client_of(self.app)
            tenant = Tenant(client_of(self.app, use_cookies=False), jar)
            named = tenant.login | {"name": f"{tenant.marker} named"}
            assert tenant.client.post("/v1/auth/register", json=named).status_code == 201
            with self.app.app_context():
                tenant.signs_in()
            self.tenants.append(tenant)
        self.chats = [self.sandbox.user("Somebody", wrote_first=True).id for _ in range(3)]
        self.owner: dict[int, Tenant | None] = dict.fromkeys(self.chats)
        self.seen = self.sandbox.last()

    # Telegram

    def _telegram(self, chat: int, tenant: Tenant) -> TelegramPerson:
        return TelegramPerson(chat, f"{tenant.marker} chat", None, "ru")

    def _linked(self, tenant: Tenant, chat: int) -> None:
        for other, owner in self.owner.items():
            if owner is tenant:
                self.owner[other] = None
        self.owner[chat] = tenant

    @rule(who=WHO, chat=CHAT, by=st.sampled_from([0, 1, 2]))
    def links_by_token(self, who: int, chat: int, by: int) -> None:
        tenant, telegram_id = self.tenants[who], self.chats[chat]
        path = (
            "/v1/tokens/link",
            "/api/v1/get_telegram_token/",
            "/api/users/get-telegram-token/",
        )[by]
        answer = self._told(tenant, tenant.asks("GET", path))
        token = answer.json.get("token") or answer.json["telegram_token"]
        with self.app.app_context():
            try:
                linked = chats.link_by_token(token, self._telegram(telegram_id, tenant))
            except ChatTaken:
                assert self.owner[telegram_id] not in (None, tenant)
                return
        assert linked is not None
        assert self.owner[telegram_id] in (None, tenant)
        self._linked(tenant, telegram_id)

    @rule(who=WHO, chat=CHAT, by=st.sampled_from([0, 1, 2]))
    def links_by_code(self, who: int, chat: int, by: int) -> None:
        tenant, telegram_id = self.tenants[who], self.chats[chat]
        if self.owner[telegram_id] is self.tenants[1 - who]:
            return  # the bot gives a linked chat no code
        with self.app.app_context():
            code = chats.link_code(self._telegram(telegram_id, tenant))
        path, method, name = (
            ("/v1/chat", "POST", "code"),
            ("/api/cabinet/", "POST", "code"),
            ("/bot/verify/", "PATCH", "verification_code"),
        )[by]
        answer = self._told(tenant, tenant.asks(method, path, {name: code}))
        assert answer.status_code in (200, 201), answer.text
        if "bot_token" in answer.json:
            tenant.send_tokens.append(answer.json["bot_token"])
        self._linked(tenant, telegram_id)

    @rule(who=WHO)
    def unlinks(self, who: int) -> None:
        tenant = self.tenants[who]
        answer = self._told(tenant, tenant.asks("DELETE", "/v1/chat"))
        assert answer.status_code == (204 if tenant in self.owner.values() else 404)
        for chat, owner in self.owner.items():
            if owner is tenant:
                self.owner[chat] = None

    @rule(chat=CHAT)
    def leaves(self, chat: int) -> None:
        with self.app.app_context():
            left = chats.leave(self.chats[chat])
        assert left == (self.owner[self.chats[chat]] is not None)
        self.owner[self.chats[chat]] = None

    @rule(chat=CHAT)
    def writes_to_the_bot(self, chat: int) -> None:
        with self.app.app_context():
            owner = chats.owner_of(self.chats[chat])
            expected = self.owner[self.chats[chat]]
            assert (owner is None) == (expected is None)
            if owner is not None and expected is not None:
                assert owner.username == expected.username
                number = next(_numbers)
                messages.receive(owner.account_id, owner.chat_id, number, expected.text())

    # Sending

    @rule(who=WHO, by=st.integers(0, 6))
    def sends(self, who: int, by: int) -> None:
        tenant = self.tenants[who]
        text = tenant.text()
        path, body = (
            ("/v1/messages", {"text": text}),
            ("/v1/send", {"text": text}),
            ("/api/v1/message/", {"message": text}),
            ("/api/messages/", {"text": text}),
            ("/message/sent", {"content": text}),
            ("/message/", {"name": tenant.username, "text": text}),
            ("/v1/messages", {"text": text, "greeting": False}),
        )[by]
        headers = {"token": tenant.access} if path == "/message/" else tenant.headers_for(path)
        answer = tenant.client.post(path, json=body, headers=headers)
        assert self._told(tenant, answer).status_code in (200, 201), answer.text
        if path == "/v1/messages":
            tenant.ids["message"].append(answer.json["id"])

    @rule(who=WHO, pick=PICK)
    def sends_with_a_send_token(self, who: int, pick: int) -> None:
        tenant = self.tenants[who]
        if not tenant.send_tokens:
            return
        token = tenant.send_tokens[pick % len(tenant.send_tokens)]
        body = {"text": tenant.text(), "type": "Text", "bot_token": token}
        answer = tenant.client.post("/api/send_message", json=body)
        assert self._told(tenant, answer).status_code in (200, 401)

    @rule()
    def is_delivered(self) -> None:
        self.worker.turns()
        for accepted in self.sandbox.journal(since=self.seen):
            self.seen = max(self.seen, accepted.n)
            owner = self.owner[accepted.chat_id]
            assert owner is not None
            assert owner.marker in accepted.text
            assert self._other(owner).marker not in accepted.text

    # Looking

    @rule(who=WHO, path=st.sampled_from(READS + OLD_READS + PAGES))
    def reads(self, who: int, path: str) -> None:
        tenant = self.tenants[who]
        answer = tenant.asks("GET", path.format(other=self._other(tenant).marker))
        # What was asked for comes back in the search field of a page.
        if "{other}" not in path:
            self._told(tenant, answer)
        else:
            assert self._other(tenant).marker + " " not in answer.text
        assert answer.status_code in (200, 404), answer.text

    @rule(who=WHO, pick=PICK, by=st.sampled_from(BY_ID))
    def tries_an_id(self, who: int, pick: int, by: tuple[str, str, str]) -> None:
        tenant, (method, path, kind) = self.tenants[who], by
        other = self._other(tenant)
        known = tenant.ids[kind] + other.ids[kind]
        if not known:
            return
        tried = known[pick % len(known)]
        answer = self._told(tenant, tenant.asks(method, path.format(tried)))
        if tried in other.ids[kind]:
            assert answer.status_code == 404
            never = tenant.asks(method, path.format(2**61))
            assert self._unmarked(answer) == self._unmarked(never)
        elif kind == "session" and answer.status_code == 204:
            tenant.ids[kind].remove(tried)

    # Credentials

    @rule(who=WHO)
    def makes_a_send_token(self, who: int) -> None:
        tenant = self.tenants[who]
        body = {"name": f"{tenant.marker} token"}
        answer = self._told(tenant, tenant.asks("POST", "/v1/tokens/send", body))
        tenant.send_tokens.append(answer.json["token"])
        tenant.ids["send_token"].append(answer.json["id"])

    @rule(who=WHO, by=st.integers(0, 3))
    def signs_in(self, who: int, by: int) -> None:
        tenant = self.tenants[who]
        old_login = {"login": tenant.username, "psw": PASSWORD}
        named = {"name": tenant.username, "password": PASSWORD}
        path, body = (
            ("/v1/auth/login", tenant.login),
            ("/api/v1/auth/jwt/create/", tenant.login),
            ("/api/auth/", old_login),
            ("/login/", named),
        )[by]
        answer = self._told(tenant, tenant.client.post(path, json=body))
        told = answer.json
        tenant.access = told.get("access") or told.get("access_token") or told["token"]
        listed = tenant.asks("GET", "/v1/auth/sessions").json["items"]
        own = next(entry["id"] for entry in listed if entry["current"])
        tenant.ids["session"] = [i for i in tenant.ids["session"] if i != own]
        spare = [entry["id"] for entry in listed if not entry["current"]]
        tenant.ids["session"] = spare
        with self.app.app_context():
            tenant.pages.set_cookie(identity.access_cookie(), tenant.access)

    @rule(who=WHO)
    def is_renamed(self, who: int) -> None:
        tenant = self.tenants[who]
        greeting = f"{tenant.marker} greets {{name}}:"
        self._told(tenant, tenant.asks("PATCH", "/v1/users/me", {"greeting": greeting}))

    def _other(self, tenant: Tenant) -> Tenant:
        return self.tenants[1 - self.tenants.index(tenant)]

    def _told(self, tenant: Tenant, answer: Answer) -> Answer:
        """`answer`, in which nothing of the other's may be, neither in body nor in headers."""
        marker = self._other(tenant).marker
        assert marker not in answer.text
        assert marker not in json.dumps(list(answer.headers))
        return answer

    def _unmarked(self, answer: Answer) -> str:
        said = answer.text.replace(answer.headers["X-Request-ID"], "ID")
        return said.replace(answer.request.path, "PATH")


@pytest.fixture
def generous(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No limit is in the way of walking on."""
    for name in ("LINK_CODE", "LINK_TOKEN", "EXPORT", "LINK_TOKEN_ISSUE", "SEND_TOKEN_ISSUE"):
        limit = getattr(limits, name)
        monkeypatch.setattr(limits, name, limits.Limit(limit.name, 10**6, limit.window))
    yield


def test_two_tenants_never_meet(
    app: Flask, database: Engine, sandbox: Sandbox, generous: None
) -> None:
    TwoTenants.app, TwoTenants.sandbox = app, sandbox
    for worker in workers(app):
        TwoTenants.worker = worker
        run_state_machine_as_test(TwoTenants, settings=walks(8, steps=40))
