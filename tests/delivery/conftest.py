"""People who have messages delivered, and eyes on what becomes of them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from time import monotonic
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, Row, text

from app import clock, telegram
from app.delivery import outbox
from app.delivery.engine import Courier
from app.delivery.lanes import Turn
from app.extensions import db, transaction
from app.models import Account, Chat, Lane
from sandbox.client import Sandbox, User, wait_for


@dataclass
class Correspondent:
    """An account with a linked chat, and what is done in its name."""

    app: Flask
    database: Engine
    account_id: int
    chat: User

    def posts(
        self, body: str = "text", *, greeting: str = "", silent: bool = False, ttl: float = 3600
    ) -> int:
        """Has a message accepted and rings the bell; returns its id."""
        parcel = outbox.Parcel(
            text=body,
            greeting=greeting,
            silent=silent,
            expires_at=clock.now() + timedelta(seconds=ttl),
        )
        accepted = self.accepts(parcel)
        if accepted.ring:
            outbox.ring()
        return accepted.id

    def accepts(self, parcel: outbox.Parcel, day_quota: int = 100_000) -> outbox.Accepted:
        """Has a message accepted, in a transaction; rings no bell."""
        with self.app.app_context(), transaction() as session:
            return outbox.accept(session.connection(), self.account_id, parcel, day_quota)

    def does(self, act: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """An act of the outbox on this account, in a transaction: `does(outbox.hold, "why")`."""
        with self.app.app_context(), transaction() as session:
            return act(session, self.account_id, *args, **kwargs)

    def links(self, chat: User | None) -> None:
        """Links another chat, or none, as services do."""
        with self.app.app_context(), transaction() as session:
            outbox.lock(session, self.account_id)
            session.execute(
                text("UPDATE chat SET unlinked_at = now() WHERE account_id = :id"),
                {"id": self.account_id},
            )
            outbox.hold(session, self.account_id, "no_chat")
            if chat is not None:
                session.add(Chat(account_id=self.account_id, telegram_id=chat.id))
                outbox.release(session, self.account_id)
                self.chat = chat

    def message(self, message_id: int) -> Row[Any]:
        """The row of a message."""
        return self._row("SELECT * FROM message WHERE id = :id", message_id)

    def attempts(self, message_id: int) -> Sequence[Row[Any]]:
        """The attempts of a message, oldest first."""
        with self.database.connect() as connection:
            query = text("SELECT * FROM attempt WHERE message_id = :id ORDER BY id")
            return connection.execute(query, {"id": message_id}).all()

    def wakes(self) -> None:
        """Ends whatever the lane waits for."""
        statement = "UPDATE lane SET wake_at = now() WHERE account_id = :id AND wake_at > now()"
        execute(self.database, statement, id=self.account_id)

    def lease_ends(self) -> None:
        """Half a minute passes: the lease of a worker that died or was frozen ends."""
        due = "UPDATE lane SET leased_until = now(), wake_at = now() WHERE wake_at = leased_until"
        execute(self.database, due)

    def lane(self) -> Row[Any]:
        """The row of the account's lane."""
        return self._row("SELECT * FROM lane WHERE account_id = :id", self.account_id)

    def wait_for(self, message_id: int, *statuses: str, within: float = 20) -> Row[Any]:
        """Waits until the message has one of these statuses."""

        def reached() -> Row[Any] | None:
            row = self.message(message_id)
            return row if row.status in statuses else None

        try:
            row = wait_for(reached, within)
        except TimeoutError:
            seen = (self.message(message_id), self.attempts(message_id), self.lane())
            raise AssertionError(f"not {statuses} within {within} s: {seen}") from None
        assert row is not None
        return row

    def _row(self, query: str, row_id: int) -> Row[Any]:
        with self.database.connect() as connection:
            return connection.execute(text(query), {"id": row_id}).one()


NewCorrespondent = Callable[..., Correspondent]


@dataclass
class Worker:
    """A worker that takes its turns one by one, when the test says so."""

    courier: Courier
    # Where a test uses the statements themselves.
    connection: Connection

    def claims(self) -> Turn:
        """Takes the first half of a turn; there must be one to take."""
        turn = self.courier.claim(monotonic())
        assert turn is not None, "nothing is due"
        return turn

    def finishes(self, turn: Turn) -> None:
        """Takes the second half: the call and the record."""
        self.courier.finish(turn)

    def turns(self, limit: int = 1000) -> int:
        """Takes turns until nothing is due now, and at most `limit`; returns how many."""
        for taken in range(limit):
            turn = self.courier.claim(monotonic())
            if turn is None:
                return taken
            self.finishes(turn)
        return limit


@pytest.fixture
def worker(app: Flask) -> Iterator[Worker]:
    yield from workers(app)


@pytest.fixture
def other_worker(app: Flask) -> Iterator[Worker]:
    yield from workers(app)


def workers(app: Flask) -> Iterator[Worker]:
    """One worker, in the manner of a fixture."""
    settings = app.config["SETTINGS"]
    with app.app_context():
        engine = db.engine
    api = telegram.bot_api(settings)
    courier = Courier(engine, api, settings.telegram_chat_rate, threading.Event())
    with courier.connect() as connection:
        yield Worker(courier, connection)


@pytest.fixture
def correspondent(app: Flask, database: Engine, sandbox: Sandbox) -> NewCorrespondent:
    """Somebody new with a chat of their own: `correspondent()`, `correspondent(linked=False)`."""
    numbers = count(1)

    def new(*, linked: bool = True) -> Correspondent:
        number = next(numbers)
        chat = sandbox.user(f"Person {number}", wrote_first=True)
        name = f"person{number}"
        with app.app_context(), transaction() as session:
            account = Account(username=name, username_key=name, name=name, password_hash="-")
            session.add(account)
            session.flush()
            session.add(Lane(account_id=account.id))
            account_id = account.id
        person = Correspondent(app, database, account_id, chat)
        if linked:
            person.links(chat)
        return person

    return new


@pytest.fixture
def anna(correspondent: NewCorrespondent) -> Correspondent:
    return correspondent()


@pytest.fixture
def boris(correspondent: NewCorrespondent) -> Correspondent:
    return correspondent()


def execute(database: Engine, statement: str, **values: Any) -> None:
    """A statement of the test's own."""
    with database.connect() as connection:
        connection.execute(text(statement), values)


def texts(sandbox: Sandbox, person: Correspondent | None = None) -> list[str]:
    """What Telegram accepted, in its order: of all, or for one."""
    return [line.text for line in sandbox.journal() if not person or line.chat_id == person.chat.id]
