"""A real browser before a real deployment: web, worker, bot and sandbox as processes.

One deployment serves all tests of this folder; each test brings its own people. A page fails its
test for any script error, any request to another host, any violated policy.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page
from sqlalchemy import Engine, text

from app import config, create_app
from app.services import accounts, chats, sessions, tokens
from app.services.accounts import Registration
from app.services.people import Person, TelegramPerson, Visitor
from app.web import pages
from embedded import Servers
from sandbox.client import Sandbox, User, wait_for
from tests.conftest import PASSWORD
from tests.running import Running

WIDE, NARROW = (1200, 800), (390, 780)


@dataclass
class Deployment:
    """Everything that runs, and hands for the tests."""

    url: str
    app: Flask
    database: Engine
    sandbox: Sandbox
    running: Running

    def registers(self, username: str, name: str, *, is_admin: bool = False) -> Person:
        with self.app.app_context():
            registration = Registration(username, PASSWORD, name)
            return accounts.register(registration, Visitor("127.0.0.1"), is_admin=is_admin)

    def links(self, person: Person, chat: User, title: str = "") -> None:
        """Links a chat, as the bot would when it gets the token."""
        with self.app.app_context():
            invitation = tokens.link_invitation(person)
            telegram = TelegramPerson(chat.id, title or person.name, None, "ru")
            assert chats.link_by_token(invitation.token, telegram)

    def cookie(self, person: Person) -> str:
        """The access token of a new session."""
        with self.app.app_context():
            visitor = Visitor("127.0.0.1", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")
            return sessions.begin(person, visitor, access_seconds=pages.ACCESS_SECONDS).access


@pytest.fixture(scope="package")
def deployment(
    chromium: Browser,
    environment: dict[str, str],
    migrated: Engine,
    servers: Servers,
    sandbox_server: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    with migrated.connect() as rows:
        rows.execute(text("TRUNCATE account, heartbeat, poison_update, hit CASCADE"))
        rows.execute(text("DELETE FROM bot; INSERT INTO bot (id) VALUES (1)"))
    sandbox_server.reset()
    folder = tmp_path_factory.mktemp("deployment")
    settings = environment | {"DATA_DIR": str(folder)}
    with Running(settings, folder) as running:
        running.worker()
        running.bot()
        web = running.web()
        wait_for(lambda: _bot_name(migrated), 20, "the bot's name")
        app = create_app(config.from_environment(settings))
        yield Deployment(web.url, app, migrated, sandbox_server, running)


def _bot_name(database: Engine) -> str | None:
    with database.connect() as rows:
        name: str | None = rows.execute(text("SELECT username FROM bot")).scalar_one()
        return name


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, deployment: Deployment) -> Iterator[OpenPage]:
    """Opens a browser of somebody's own: `open_page(language="ru", person=anna, dark=True)`."""
    problems: list[str] = []
    with ExitStack() as stack:

        def open_one(
            *,
            language: str = "en",
            person: Person | None = None,
            size: tuple[int, int] = WIDE,
            dark: bool = False,
            scripts: bool = True,
        ) -> Page:
            context = chromium.new_context(
                base_url=deployment.url,
                locale={"en": "en-GB", "ru": "ru-RU"}[language],
                timezone_id="Europe/Moscow",
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                permissions=["clipboard-read", "clipboard-write"],
                java_script_enabled=scripts,
            )
            stack.callback(context.close)
            context.set_default_timeout(10_000)
            if person is not None:
                _sign_in(context, deployment, person)
            _watch(context, problems)
            page = context.new_page()
            page.on("dialog", lambda question: question.accept())
            return page

        yield open_one
    assert problems == []


def _sign_in(context: BrowserContext, deployment: Deployment, person: Person) -> None:
    value = deployment.cookie(person)
    context.add_cookies([{"name": "access", "value": value, "url": deployment.url}])


def _watch(context: BrowserContext, problems: list[str]) -> None:
    def heard(line: ConsoleMessage) -> None:
        # A page that is refused (404, 422 …) is named here by Chromium; tests look at those.
        is_status = line.text.startswith("Failed to load resource: the server responded with")
        if line.type in ("error", "warning") and not is_status:
            problems.append(line.text)

    def asked(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            problems.append(f"request to {url}")

    context.on("console", heard)
    context.on("weberror", lambda failure: problems.append(str(failure.error)))
    context.on("request", lambda request: asked(request.url))


_numbers = count(1)


@pytest.fixture
def new_person(deployment: Deployment) -> Callable[..., Person]:
    """Somebody with an account of their own: `new_person("Анна", linked=chat)`."""

    def new(name: str = "Anna", *, linked: User | None = None, is_admin: bool = False) -> Person:
        person = deployment.registers(f"somebody{next(_numbers)}", name, is_admin=is_admin)
        if linked is not None:
            deployment.links(person, linked)
        return person

    return new


SCREENSHOTS = Path(__file__).parents[3] / "docs" / "screenshots"
