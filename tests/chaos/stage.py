"""The real parts of a run: servers, sandbox, web, workers, poller, and people with linked chats.

    with Stage.open() as stage:
        anna, boris = stage.people(2)
        web, workers = stage.web(), stage.workers(2)

Everything listens on the loopback or on Unix sockets of a folder of its own, which is removed at
the end. PostgreSQL is durable here: what it has committed must outlive its crash.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import create_engine, text

from app import config, create_app
from app.services import accounts, chats, passwords, sessions, tokens
from app.services.accounts import Registration
from app.services.people import Person, TelegramPerson, Visitor
from embedded import Servers
from sandbox.client import Sandbox, User, wait_for
from tests.chaos.history import Attempt, History, Post, Row
from tests.running import Part, Running, migrate

HERE = Visitor("192.0.2.7")
PASSWORD = "correct horse battery"
OPEN = "('held', 'queued', 'sending')"


@dataclass(frozen=True, slots=True)
class Member:
    """A registered person with a linked chat and a send token."""

    person: Person
    chat: User
    token: str

    @property
    def id(self) -> int:
        return self.person.id


class Stage:
    """What a scenario plays on. Made by `Stage.open`."""

    def __init__(self, servers: Servers, sandbox: Sandbox, folder: Path) -> None:
        self.servers = servers
        self.sandbox = sandbox
        self.environment = {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SECRET_KEY": "k2v8Q1x7Zp4Wd9Lm3Rt6Yb5Nc0Hf_Gj-Ea",
            "TELEGRAM_BOT_TOKEN": sandbox.token,
            "TELEGRAM_API_URL": sandbox.url,
            "TELEGRAM_CHAT_RATE": "1000",
            "TELEGRAM_BOT_RATE": "10000",
            "REGISTRATIONS_PER_HOUR": "100000",
            "DATA_DIR": str(folder),
        }
        self.app = create_app(config.from_environment(self.environment))
        migrate(self.app)
        self.database = create_engine(
            servers.database_url, isolation_level="AUTOCOMMIT", pool_pre_ping=True
        )
        self.running = Running(self.environment, folder)
        self._people = 0

    @classmethod
    @contextmanager
    def open(cls) -> Iterator["Stage"]:
        """Servers and sandbox in a folder of their own; all that was started is ended after it."""
        folder = Path(tempfile.mkdtemp(prefix="gonets-chaos-", dir="/tmp"))
        if os.geteuid() == 0:
            folder.chmod(0o711)
        hasher = passwords._hasher
        # A few hundred accounts: their passwords are of no interest here.
        passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        try:
            with Servers(folder) as servers, Sandbox.start(process=True) as sandbox:
                stage = cls(servers, sandbox, folder)
                with stage.running:
                    yield stage
                stage.database.dispose()
        finally:
            passwords._hasher = hasher
            shutil.rmtree(folder, ignore_errors=True)

    # Parts

    def web(self, **settings: str) -> Part:
        """A web server that answers."""
        return self.running.web(2, **settings)

    def worker(self, **settings: str) -> Part:
        """A worker; it may not be ready yet."""
        return self.running.worker(**settings)

    def workers(self, count: int = 2, **settings: str) -> list[Part]:
        """Workers that deliver."""
        started = [self.worker(**settings) for _ in range(count)]
        for part in started:
            part.says("sweeping")
        return started

    def clear(self, but: Sequence[Part]) -> None:
        """After a scenario: its parts end, the servers serve, Telegram is as it should be."""
        for part in self.running.parts:
            if part.alive and part not in but:
                part.kill()
        self.running.parts = list(but)
        self.servers.valkey.thaw()
        self.servers.valkey.start()
        self.sandbox.clear_faults()

    # People

    def people(self, count: int, *, linked: bool = True) -> list[Member]:
        """So many more persons, each with a chat of their own, linked or not."""
        with self.app.app_context():
            return [self._person(linked=linked) for _ in range(count)]

    def _person(self, *, linked: bool) -> Member:
        self._people += 1
        name = f"person{self._people}"
        user = self.sandbox.user(name.capitalize(), wrote_first=True)
        person = accounts.register(Registration(name, PASSWORD, name.capitalize()), HERE)
        if linked:
            invitation = tokens.link_invitation(person)
            assert chats.link_by_token(invitation.token, TelegramPerson(user.id, name))
        issued = tokens.issue_send_token(person, "chaos", HERE)
        assert issued.token is not None
        return Member(person, user, issued.token)

    def relink(self, member: Member) -> User:
        """Links another chat in place of the member's own."""
        user = self.sandbox.user("Elsewhere", wrote_first=True)
        with self.app.app_context():
            invitation = tokens.fresh_link_invitation(member.person, HERE)
            assert chats.link_by_token(invitation.token, TelegramPerson(user.id, "Elsewhere"))
        return user

    def sign_in(self, member: Member) -> str:
        """An access token of a new session."""
        with self.app.app_context():
            return sessions.begin(member.person, HERE).access

    # What there is to see

    def ask(self, query: str, **values: Any) -> list[Any]:
        """Rows of the database, seen from outside."""
        with self.database.connect() as connection:
            return list(connection.execute(text(query), values).all())

    def waiting(self, members: Sequence[Member]) -> int:
        """How many messages of theirs have not ended."""
        found = self.ask(
            f"SELECT count(*) FROM message WHERE account_id = ANY(:ids) AND status IN {OPEN}",
            ids=[member.id for member in members],
        )
        return int(found[0][0])

    def comes_to_rest(self, members: Sequence[Member], within: float) -> bool:
        """Waits until all of their messages have ended; false when that takes too long."""
        return comes_true(lambda: self.waiting(members) == 0, within)

    def rows(self, members: Sequence[Member]) -> list[Row]:
        """Their outgoing messages."""
        ids = [member.id for member in members]
        attempts: dict[int, list[Attempt]] = {}
        for message_id, *values in self.ask(
            "SELECT message_id, part, extract(epoch FROM attempt.at)::float, outcome, code,"
            " description FROM attempt JOIN message ON message.id = message_id"
            " WHERE account_id = ANY(:ids) ORDER BY attempt.id",
            ids=ids,
        ):
            attempts.setdefault(message_id, []).append(Attempt(*values))
        found = self.ask(
            "SELECT id, account_id, seq, text, status, parts, parts_sent, possible_duplicate,"
            " telegram_message_ids FROM message"
            " WHERE account_id = ANY(:ids) AND direction = 'out' ORDER BY id",
            ids=ids,
        )
        rows = [Row(*columns) for columns in found]
        return [replace(row, attempts=tuple(attempts.get(row.id, ()))) for row in rows]

    def history(
        self, members: Sequence[Member], posts: Sequence[Post], since: int, talkers: set[int]
    ) -> History:
        """What client, database and receiver saw of these people after line `since`.

        Chats of `talkers` also have answers of the bot, which nobody posted.
        """
        ours = {member.chat.id for member in members} | {post.chat for post in posts}
        wanted = {text for post in posts for text in post.expected}
        journal = [
            line
            for line in self.sandbox.journal(since)
            if line.text in wanted or line.chat_id in ours - talkers
        ]
        return History(
            list(posts), self.rows(members), journal, self.sandbox.calls("sendMessage", since)
        )


def comes_true(condition: Callable[[], bool], within: float) -> bool:
    """Waits for `condition`; false when that takes more than `within` seconds."""
    try:
        return wait_for(condition, within)
    except TimeoutError:
        return False
