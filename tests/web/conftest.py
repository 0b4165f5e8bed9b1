"""People who use the pages: they read what stands there and press its buttons."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from flask import Flask

from app import identity
from app.services import chats, people, sessions, tokens
from app.services.people import Person, TelegramPerson
from app.web import pages
from tests.client import Answer, Client, client_of
from tests.conftest import Member, NewMember

_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


@dataclass
class Visitor:
    """Somebody with a browser: a cookie jar, and the form token of the page before them."""

    client: Client
    app: Flask

    def reads(self, path: str, **options: Any) -> Answer:
        return self.client.get(path, **options)

    def token(self, page: str = "/cabinet/sign-in") -> str:
        found = _TOKEN.search(self.client.get(page, follow_redirects=True).text)
        assert found is not None
        return unescape(found[1])

    def posts(self, path: str, fields: dict[str, str] | None = None, **options: Any) -> Answer:
        """Fills in and sends a form of the pages, with its token."""
        form = {"form_token": self.token()} | (fields or {})
        return self.client.post(path, data=form, **options)

    def follows(self, answer: Answer) -> Answer:
        """The page that a form's answer leads to."""
        assert answer.status_code == 303, answer.text
        return self.client.get(answer.location)


@dataclass
class Reader(Visitor):
    """A member at the pages."""

    member: Member

    @property
    def person(self) -> Person:
        return self.member.person

    def links(self, telegram_id: int = 7001, title: str = "Алиса в Telegram") -> None:
        """Links a chat, as the bot would."""
        with self.app.app_context():
            invitation = tokens.link_invitation(self.person)
            telegram = TelegramPerson(telegram_id, title, "alice_tg", "ru")
            assert chats.link_by_token(invitation.token, telegram)


SignedIn = Callable[..., Reader]


@pytest.fixture
def visitor(app: Flask, client: Client) -> Visitor:
    """Somebody whom nobody knows yet."""
    return Visitor(client, app)


@pytest.fixture
def signed_in(app: Flask) -> SignedIn:
    """Puts a member's session into a browser: `signed_in(alice)`."""

    def sign_in(member: Member) -> Reader:
        client = client_of(app)
        with app.app_context():
            issued = sessions.begin(
                member.person, people.Visitor("192.0.2.1"), access_seconds=pages.ACCESS_SECONDS
            )
            client.set_cookie(identity.access_cookie(), issued.access)
        return Reader(client, app, member)

    return sign_in


@pytest.fixture
def reader(alice: Member, signed_in: SignedIn) -> Reader:
    """Alice at the pages."""
    return signed_in(alice)


@pytest.fixture
def admin(new_member: NewMember, signed_in: SignedIn) -> Reader:
    """An admin at the pages."""
    return signed_in(new_member("boss", is_admin=True))
