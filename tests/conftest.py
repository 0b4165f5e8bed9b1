"""What every test may ask for: real servers, a clean database, the sandbox, people.

One PostgreSQL, one Valkey and one sandbox serve the whole session; each test begins with empty
tables. Tests of the embedded servers and of the sandbox themselves need none of it and get none.
Processes that really start and die are in tests/running.py, the browser is in tests/browsing.py.
"""

from collections.abc import Callable, Generator, Iterator, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from structlog.testing import capture_logs

from app import clock, config, create_app
from app.extensions import db
from app.services import accounts, passwords, sessions
from app.services.accounts import Registration
from app.services.people import Person, Visitor
from embedded import Servers
from sandbox.client import Sandbox
from tests.client import Answer, Client, client_of
from tests.running import Running, migrate

pytest_plugins = ["tests.browsing"]

SECRET_KEY = "k2v8Q1x7Zp4Wd9Lm3Rt6Yb5Nc0Hf_Gj-Ea"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    with Servers.ephemeral() as running:
        yield running


@pytest.fixture(scope="session")
def sandbox_server() -> Iterator[Sandbox]:
    with Sandbox.start(process=True) as running:
        yield running


@pytest.fixture
def sandbox(sandbox_server: Sandbox) -> Sandbox:
    """A sandbox with nobody in it, no faults, no limits."""
    sandbox_server.reset()
    return sandbox_server


@pytest.fixture(scope="session")
def environment(
    servers: Servers, sandbox_server: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The settings of the tests, as they would stand in the environment."""
    return {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "SECRET_KEY": SECRET_KEY,
        "TELEGRAM_BOT_TOKEN": sandbox_server.token,
        "TELEGRAM_API_URL": sandbox_server.url,
        "TELEGRAM_CHAT_RATE": "1000",
        "TELEGRAM_BOT_RATE": "10000",
        "REGISTRATIONS_PER_HOUR": "10000",
        "DATA_DIR": str(tmp_path_factory.mktemp("var")),
    }


@pytest.fixture(scope="session")
def migrated(environment: dict[str, str]) -> Engine:
    """The database at the head of the migrations; an engine of the tests' own for it."""
    app = create_app(config.from_environment(environment))
    migrate(app)
    return create_engine(app.config["SQLALCHEMY_DATABASE_URI"], isolation_level="AUTOCOMMIT")


@pytest.fixture
def database(migrated: Engine) -> Engine:
    """The database with empty tables, for looking at rows from outside."""
    names = [t.name for t in reversed(db.metadata.sorted_tables) if t.name != "bot"]
    fresh = "; ".join([*(f"DELETE FROM {name}" for name in names), "DELETE FROM bot"])
    with migrated.connect() as connection:
        connection.execute(text(f"{fresh}; INSERT INTO bot (id) VALUES (1)"))
    return migrated


MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def _apps(environment: dict[str, str]) -> dict[tuple[tuple[str, str], ...], Flask]:
    return {}


@pytest.fixture
def make_app(
    environment: dict[str, str],
    database: Engine,
    _apps: dict[tuple[tuple[str, str], ...], Flask],
) -> Iterator[MakeApp]:
    """Applications by their settings: `make_app(PUBLIC_URL="https://example.org")`."""
    used: list[Flask] = []

    def make(**settings: str) -> Flask:
        key = tuple(sorted(settings.items()))
        if key not in _apps:
            _apps[key] = create_app(config.from_environment(environment | settings))
            _apps[key].test_client_class = Client
        used.append(_apps[key])
        return _apps[key]

    yield make
    for app in used:
        with app.app_context():
            db.engine.dispose()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


Logged = list[MutableMapping[str, Any]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What our own loggers say while the test runs, by whichever thread."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
def ctx(app: Flask) -> Iterator[Flask]:
    """Within the application's context: for calling services directly."""
    with app.app_context():
        yield app


@pytest.fixture
def client(app: Flask) -> Client:
    """Somebody anonymous, with a cookie jar."""
    return client_of(app)


@pytest.fixture(autouse=True, scope="session")
def _quick_hashing() -> Iterator[None]:
    """argon2 with the least of everything: its real parameters have a test of their own."""
    real = passwords._hasher
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    yield
    passwords._hasher = real


@dataclass
class Clock:
    """The application's clock, standing at a moment that the test moves."""

    moment: datetime = field(default_factory=clock.now)

    def now(self) -> datetime:
        return self.moment

    def advance(self, **units: float) -> None:
        """Moves it: `advance(minutes=10, seconds=1)`."""
        self.moment += timedelta(**units)


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stops `app.clock`; the database's own clock goes on."""
    stopped = Clock()
    monkeypatch.setattr(clock, "now", stopped.now)
    return stopped


@dataclass
class Member:
    """A registered person with a session, who speaks to the API by Bearer token."""

    person: Person
    access: str
    refresh: str
    client: Client

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self.client.get(path, headers=self.headers, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> Answer:
        headers = self.headers | kwargs.pop("headers", {})
        return self.client.post(path, json=json, headers=headers, **kwargs)

    def patch(self, path: str, json: Any = None, **kwargs: Any) -> Answer:
        return self.client.patch(path, json=json, headers=self.headers, **kwargs)

    def delete(self, path: str, json: Any = None, **kwargs: Any) -> Answer:
        return self.client.delete(path, json=json, headers=self.headers, **kwargs)


NewMember = Callable[..., Member]


@pytest.fixture
def new_member(app: Flask) -> NewMember:
    """Registers somebody and signs them in: `new_member("dora", name="Дора")`."""

    def new(username: str, name: str | None = None, *, is_admin: bool = False) -> Member:
        registration = Registration(username, PASSWORD, name or username.capitalize())
        with app.app_context():
            person = accounts.register(registration, Visitor("192.0.2.1"), is_admin=is_admin)
            issued = sessions.begin(person, Visitor("192.0.2.1"))
        return Member(person, issued.access, issued.refresh, client_of(app, use_cookies=False))

    return new


@pytest.fixture
def alice(new_member: NewMember) -> Member:
    """The one whose story most tests tell."""
    return new_member("alice", "Алиса")


@pytest.fixture
def bob(new_member: NewMember) -> Member:
    """Somebody else, who must never see anything of Alice's."""
    return new_member("bob", "Bob")


Settle = Callable[..., None]


@pytest.fixture
def settle(database: Engine) -> Settle:
    """Gives a message another state, as the delivery engine would: `settle(7, status="sent")`."""

    def settle(message_id: int, **columns: Any) -> None:
        assignments = ", ".join(f"{name} = :{name}" for name in columns)
        with database.connect() as connection:
            connection.execute(
                text(f"UPDATE message SET {assignments} WHERE id = :id"),
                {"id": message_id, **columns},
            )

    return settle


@pytest.fixture
def running(
    environment: dict[str, str], database: Engine, servers: Servers, tmp_path: Path
) -> Iterator[Running]:
    """Starts web, worker and bot as real processes on the test's database; ends them after it."""
    with Running(environment | {"DATA_DIR": str(tmp_path)}, tmp_path) as processes:
        yield processes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the processes of its test have said."""
    report = yield
    processes = getattr(item, "funcargs", {}).get("running")
    if report.when == "call" and report.failed and isinstance(processes, Running):
        report.sections += [(f"Output of {part.name}", part.log()) for part in processes.parts]
    return report
