"""Runs a PostgreSQL server of our own on a Unix socket.

Its clients are known by their system user (peer authentication), so no password exists; root,
as whom PostgreSQL refuses to run, starts it as `nobody`. All that root writes lies beside the
data folder, never in it: what `nobody` owns, `nobody` could replace.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from embedded.binaries import PostgresPrograms, find_postgres
from embedded.errors import EmbeddedError
from embedded.place import give, place_for_other_than_root
from embedded.processes import command_of
from embedded.server import Server

SUPERUSER = "postgres"
ROLE = DATABASE = "gonets"
BUILTIN_LOCALES_SINCE = 17
FAST_RECOVERABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres(Server):
    """A PostgreSQL server with its cluster in a folder of DATA_DIR, or in /var/lib/gonets."""

    name = "PostgreSQL"
    # "Fast" and "immediate" shutdown: https://www.postgresql.org/docs/18/server-shutdown.html
    clean_stop = ((signal.SIGINT, 1.5), (signal.SIGQUIT, 1.0), (signal.SIGKILL, 3.0))

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        super().__init__(place_for_other_than_root(data_dir, "postgres"))
        self._durable = durable
        self._found: PostgresPrograms | None = None

    def url(self, database: str = DATABASE) -> str:
        """A SQLAlchemy URL of one database, as the role that owns it."""
        host = quote(str(self.place.sockets))
        return f"postgresql+psycopg2://{ROLE}@/{quote(database)}?host={host}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of one that nobody is connected to; gives its URL."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(ROLE), sql.Identifier(template or "template1")
        )
        self._administer(statement)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database if it is there, and end who is connected to it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._administer(statement.format(sql.Identifier(name)))

    def stop(self, immediate: bool = False) -> None:
        """Stop cleanly; or, `immediate`ly, as in a crash that the next start recovers from."""
        if immediate:
            self._end(self.clean_stop[1:])
        super().stop()

    def ready(self) -> bool:
        if not super().ready():
            return False
        self._make_role_and_database()
        return True

    @property
    def _programs(self) -> PostgresPrograms:
        self._found = self._found or find_postgres(self.place.owner)
        return self._found

    def _prepare(self) -> None:
        self._refuse_other_versions()
        if not self.place.data.exists():
            self._make_cluster()
        (self.place.home / "hba.conf").write_text("local all all peer map=gonets\n")
        user = pwd.getpwuid(os.geteuid()).pw_name.replace('"', '""')
        names = (SUPERUSER, ROLE)
        (self.place.home / "ident.conf").write_text(
            "".join(f'gonets "{user}" {name}\n' for name in names)
        )
        for file in ("hba.conf", "ident.conf"):
            (self.place.home / file).chmod(0o644)
        self._forget_reused_number()

    def _command(self) -> Sequence[str | Path]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.place.sockets}"',
            "hba_file": str(self.place.home / "hba.conf"),
            "ident_file": str(self.place.home / "ident.conf"),
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            # What people write and send stays out of the log: no statements, no values.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            **({} if self._durable else FAST_RECOVERABLE),
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [self._programs.postgres, "-D", self.place.data, *words]

    def _answers(self) -> bool:
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _try_again(self) -> bool:
        """After a kill, the children of the dead server need a moment to be gone."""
        if "is still in use" not in self._last_words().rpartition("FATAL")[2]:
            return False
        self._spawn()
        return True

    def _refuse_other_versions(self) -> None:
        marker = self.place.data / "PG_VERSION"
        made_by = marker.read_text().strip() if marker.exists() else ""
        if made_by and made_by != str(self._programs.version):
            raise EmbeddedError(
                f"The data in {self.place.data} were made by PostgreSQL {made_by}, and the server"
                f" found here is {self._programs.version}. Dump them with the old one (pg_dump),"
                " move the folder away, start again and restore; or install the old one."
            )

    def _make_cluster(self) -> None:
        """Run initdb in a draft folder, so that a cluster is whole or not there."""
        draft = self.place.home / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        give(draft, self.place.owner, mode=0o700)
        lc = "C" if sys.platform == "darwin" else "C.UTF-8"
        command: list[str | Path] = [
            self._programs.initdb,
            "-D",
            draft,
            "-U",
            SUPERUSER,
            "-E",
            "UTF8",
        ]
        command += ["--auth-local=peer", "--auth-host=reject", f"--locale={lc}"]
        if self._programs.version >= BUILTIN_LOCALES_SINCE:
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._durable:
            command += ["--no-sync"]
        self._run(command)
        draft.rename(self.place.data)

    def _run(self, command: Sequence[str | Path]) -> None:
        owner = None if self.place.owner.is_us else self.place.owner
        made = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            user=owner.uid if owner else None,
            group=owner.gid if owner else None,
            extra_groups=[] if owner else None,
        )
        if made.returncode:
            raise EmbeddedError(f"initdb failed:\n{made.stdout.strip()}")

    def _forget_reused_number(self) -> None:
        """PostgreSQL does not start while the process that `postmaster.pid` names is alive; after
        a crash and a reboot that number may be another program's. Ours is known to be gone.
        """
        file = self.place.data / "postmaster.pid"
        if not file.exists():
            return
        number = file.read_text().partition("\n")[0]
        if number.isdecimal() and str(self.place.data) not in command_of(int(number)):
            file.unlink(missing_ok=True)

    def _make_role_and_database(self) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,))
            if cursor.fetchone():
                return
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
            owned = sql.SQL("CREATE DATABASE {} OWNER {}")
            cursor.execute(owned.format(sql.Identifier(DATABASE), sql.Identifier(ROLE)))

    def _administer(self, statement: sql.Composed) -> None:
        with closing(self._connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def _connect(self) -> Connection:
        connection = psycopg2.connect(
            host=str(self.place.sockets), dbname="postgres", user=SUPERUSER, connect_timeout=3
        )
        connection.autocommit = True
        return connection
