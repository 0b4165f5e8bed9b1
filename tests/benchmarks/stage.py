"""Where benchmarks happen: durable PostgreSQL, Valkey, the sandbox, people with chats."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, create_engine, text

from app import config, create_app
from app.services import sessions, tokens
from app.services.people import Person, Visitor, person_of
from embedded import Servers
from sandbox.client import Sandbox
from sandbox.limits import Rates
from tests.running import Running, migrate

HERE = Visitor("127.0.0.1")
# Above Telegram's own ids of real people in tests, below 2^52.
FIRST_CHAT = 70_000_000


@dataclass
class Stage:
    """Everything that a benchmark may use."""

    app: Flask
    running: Running
    sandbox: Sandbox
    environment: dict[str, str]
    database: Connection

    def sql(self, statement: str, **parameters: object) -> None:
        """Runs a statement, committed."""
        self.database.execute(text(statement), parameters)

    def scalar(self, statement: str, **parameters: object) -> int:
        """The one number that a query answers."""
        return int(self.database.execute(text(statement), parameters).scalar_one())

    def clear(self) -> None:
        """Empty tables, an empty sandbox without limits."""
        self.sql("TRUNCATE account CASCADE")
        self.sql("TRUNCATE heartbeat, hit, notice, link_code, poison_update, audit_event CASCADE")
        self.sql("DELETE FROM bot")
        self.sql("INSERT INTO bot (id) VALUES (1)")
        self.sandbox.reset()
        self.sandbox.limits(Rates(enforced=False))

    def people(self, count: int, prefix: str = "p") -> list[Person]:
        """Accounts with linked chats, made in a few statements."""
        self.sql(
            """
            WITH made AS (
              INSERT INTO account (username, username_key, name, password_hash, created_at)
              SELECT :prefix || n, :prefix || n, 'Name', '', now()
              FROM generate_series(1, :count) AS n RETURNING id)
            , laned AS (
              INSERT INTO lane (account_id, chat_id, hold_reason)
              SELECT id, :first + id, NULL FROM made)
            INSERT INTO chat (account_id, telegram_id, linked_at)
            SELECT id, :first + id, now() FROM made
            """,
            prefix=prefix,
            count=count,
            first=FIRST_CHAT,
        )
        rows = self.database.execute(
            text("SELECT * FROM account WHERE username LIKE :pattern ORDER BY id"),
            {"pattern": f"{prefix}%"},
        )
        return [person_of(row) for row in rows]

    def chats_exist(self, people: list[Person]) -> None:
        """Makes their chats known to the sandbox, as if each had written to the bot."""
        for person in people:
            self.sandbox.user("N", id=FIRST_CHAT + person.id, wrote_first=True)

    def access_tokens(self, people: list[Person]) -> list[str]:
        """A session for each of them."""
        with self.app.app_context():
            return [sessions.begin(person, HERE).access for person in people]

    def send_tokens(self, people: list[Person]) -> list[str]:
        """A send token for each of them."""
        with self.app.app_context():
            return [tokens.issue_send_token(p, "bench", HERE).token or "" for p in people]

    def queue(self, each: int, prefix: str = "p") -> None:
        """So many messages for each of these accounts, ready to be sent, made in one statement."""
        self.sql(
            """
            INSERT INTO message (account_id, lane_id, seq, direction, text, greeting, status,
                                 created_at, expires_at)
            SELECT account.id, lane.id, lane.next_seq + n, 'out', 'message ' || n, 'Name:',
                   'queued', now(), now() + interval '1 day'
            FROM account JOIN lane ON lane.account_id = account.id,
                 generate_series(0, :each - 1) AS n
            WHERE account.username LIKE :pattern ORDER BY n, account.id
            """,
            each=each,
            pattern=f"{prefix}%",
        )
        self.sql(
            "UPDATE lane SET next_seq = next_seq + :each, wake_at = now() FROM account"
            " WHERE account.id = account_id AND username LIKE :pattern",
            each=each,
            pattern=f"{prefix}%",
        )


@contextmanager
def stage() -> Iterator[Stage]:
    """Starts it all; at the end nothing is left."""
    with (
        tempfile.TemporaryDirectory(prefix="gz-", dir="/tmp") as name,
        Sandbox.start(process=True) as sandbox,
    ):
        folder = Path(name)
        folder.chmod(0o711)
        (folder / "metrics").mkdir()
        with Servers(folder) as servers:
            environment = {
                "DATABASE_URL": servers.database_url,
                "REDIS_URL": servers.redis_url,
                "SECRET_KEY": "b8x2Qm7Zt4Wc9Lr3Ks6Yv5Nd0Hg_Pj-Fa1",
                "TELEGRAM_BOT_TOKEN": sandbox.token,
                "TELEGRAM_API_URL": sandbox.url,
                "TELEGRAM_CHAT_RATE": "1000",
                "TELEGRAM_BOT_RATE": "100000",
                "MESSAGES_PER_DAY": "100000000",
                "DATA_DIR": str(folder),
                "LOG_FORMAT": "json",  # as docker-compose.yml has it
            }
            app = create_app(config.from_environment(environment))
            migrate(app)
            engine = create_engine(servers.database_url, isolation_level="AUTOCOMMIT")
            metered = environment | {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
            with Running(metered, folder) as running, engine.connect() as connection:
                yield Stage(app, running, sandbox, metered, connection)
            engine.dispose()
