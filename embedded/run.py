"""`./dev run`: the whole of Gonets on one machine, from nothing to ready, and down again.

Starts what the settings leave to us (PostgreSQL, Valkey, the sandbox), migrates, starts the parts
of the Procfile, says where everything is, and stays to look after them until it is told to stop.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from embedded import environment as env
from embedded import migrations, procfile
from embedded.errors import EmbeddedError
from embedded.output import Output
from embedded.place import make_data_dir
from embedded.postgres import Postgres
from embedded.processes import Lock
from embedded.readiness import Readiness
from embedded.server import START_SECONDS, Server
from embedded.supervisor import Program, Stop, Supervisor, end_leftovers
from embedded.valkey import Valkey

PARTS_SECONDS = 8.0  # what parts get to end by themselves
SANDBOX_SECONDS = 0.3
WHOLE_SECONDS = 20.0  # after which we call it ready without, say, a Telegram that answers
READY_SECONDS = 30.0  # after which we say that it is not, and go on
DEATHS_BEFORE_READY = 3
LOCAL = "127.0.0.1"


class Run:
    """One run of everything in one DATA_DIR."""

    def __init__(self, project: Path, output: Output) -> None:
        self.began = time.monotonic()
        self.environment = env.read(project)
        self.parts = procfile.read(project / "Procfile")
        self.data_dir = project / self.environment.get("DATA_DIR", "var")
        self.host = self.environment.get("HOST", LOCAL)
        self.port = env.port(self.environment, "PORT", 8000)
        self.sandbox_port = env.port(self.environment, "SANDBOX_PORT", 8081)
        self.flower_port = env.port(self.environment, "FLOWER_PORT", 5555)
        self.sandboxed = not env.is_set(self.environment, "TELEGRAM_BOT_TOKEN")
        self.output = output
        self.supervisor = Supervisor(output)
        self.servers: list[Server] = []
        self._project = project

    @property
    def local_url(self) -> str:
        """Where web is reached from this machine."""
        host = {"0.0.0.0": LOCAL, "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{LOCAL}:{self.sandbox_port}"

    def say(self, text: str) -> None:
        self.output.line("dev", text)

    def start(self) -> None:
        """From nothing to ready.

        Raises:
            EmbeddedError: something cannot be started; the message says what to do.
            Stop: somebody asked for it.
        """
        self.supervisor.listen_to_signals()
        self._clear_leftovers()
        self._refuse_busy_ports()
        self._fill_in_secrets()
        self._launch_servers()
        if self.sandboxed:
            self._start_sandbox()
        self._await_servers()
        self._migrate()
        env.remember(self.data_dir, self.environment)
        for name, command in self.parts.items():
            self.supervisor.add(self._program(name, ["/bin/sh", "-c", command]))
        self._await_ready()

    def watch(self) -> None:
        """Look after everything until somebody asks to stop (Stop)."""
        while True:
            self.supervisor.tick()

    def end(self) -> None:
        """Stop everything: parts, then the sandbox they talk to, then the servers."""
        self.say("stopping")
        env.forget(self.data_dir)
        self.supervisor.end(self.parts, within=PARTS_SECONDS)
        self.supervisor.end(["sandbox"], within=SANDBOX_SECONDS)
        for server in self.servers:
            server.stop()
        self.say("everything is stopped")

    def _clear_leftovers(self) -> None:
        programs = self.data_dir / "parts"
        programs.mkdir(mode=0o700, exist_ok=True)
        for name in end_leftovers(programs, within=2.0):
            self.say(f"ended {name}, left by an earlier run")
        shutil.rmtree(self.data_dir / "metrics", ignore_errors=True)
        (self.data_dir / "metrics").mkdir(mode=0o700)

    def _refuse_busy_ports(self) -> None:
        env.refuse_busy_port(self.host, self.port, "PORT")
        if "flower" in self.parts:
            env.refuse_busy_port(LOCAL, self.flower_port, "FLOWER_PORT")
        if self.sandboxed:
            env.refuse_busy_port(LOCAL, self.sandbox_port, "SANDBOX_PORT")

    def _fill_in_secrets(self) -> None:
        fill = self.environment
        if not env.is_set(fill, "SECRET_KEY"):
            fill["SECRET_KEY"] = env.kept(self.data_dir / "secret_key", env.new_secret_key)
        if not fill.get("FLOWER_BASIC_AUTH"):
            fill["FLOWER_BASIC_AUTH"] = env.kept(self._flower_secret, env.new_basic_auth)
        if self.sandboxed:
            token = env.kept(self.data_dir / "sandbox_token", env.new_bot_token)
            fill |= {"TELEGRAM_BOT_TOKEN": token, "TELEGRAM_API_URL": self.sandbox_url}
        fill |= {
            "DATA_DIR": str(self.data_dir),
            "HOST": self.host,
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "FLOWER_PORT": str(self.flower_port),
            "PROMETHEUS_MULTIPROC_DIR": str(self.data_dir / "metrics"),
        }

    @property
    def _flower_secret(self) -> Path:
        return self.data_dir / "flower_basic_auth"

    def _launch_servers(self) -> None:
        """Start those servers whose address nobody gave us; they get ready while we go on."""
        if not env.is_set(self.environment, "REDIS_URL"):
            valkey = Valkey(self.data_dir)
            self.environment["REDIS_URL"] = valkey.url
            self._launch(valkey)
        if not env.is_set(self.environment, "DATABASE_URL"):
            postgres = Postgres(self.data_dir)
            self.environment["DATABASE_URL"] = postgres.url()
            self._launch(postgres)

    def _launch(self, server: Server) -> None:
        self.servers.append(server)
        server.launch()

    def _start_sandbox(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--host", LOCAL]
        command += ["--port", str(self.sandbox_port)]
        command += ["--token", self.environment["TELEGRAM_BOT_TOKEN"]]
        command += ["--data", str(self.data_dir / "sandbox.json")]
        self.supervisor.add(self._program("sandbox", command))

    def _await_servers(self) -> None:
        for server in self.servers:
            if not self.supervisor.wait(server.ready, within=START_SECONDS):
                raise EmbeddedError(f"{server.name} does not answer; its log is {server.log}.")
            self.supervisor.add(server)

    def _migrate(self) -> None:
        if migrations.at_head(self.environment, self._project / "migrations" / "versions"):
            return
        self.say("migrating the database")
        command = ["/bin/sh", "-c", "exec flask --app wsgi db upgrade"]
        if self.supervisor.run_once(self._program("migrate", command)):
            raise EmbeddedError("The database could not be migrated; the reason stands above.")

    def _program(self, name: str, command: list[str]) -> Program:
        pid_file = self.data_dir / "parts" / f"{name}.pid"
        return Program(name, command, cwd=self._project, env=self.environment, pid_file=pid_file)

    def _await_ready(self) -> None:
        asked = [Readiness(f"{self.local_url}/readyz")]
        if self.sandboxed:
            asked.append(Readiness(f"{self.sandbox_url}/healthz"))
        try:
            if not self._wait(lambda: all(one.whole for one in asked), WHOLE_SECONDS):
                self._wait(lambda: all(one.ready for one in asked), READY_SECONDS)
        finally:
            for one in asked:
                one.give_up()
        ready = all(one.ready for one in asked)
        self._tell(ready, "; ".join(one.said for one in asked if not one.whole))

    def _wait(self, done: Callable[[], bool], until: float) -> bool:
        """Wait for something until so many seconds after the start."""

        def done_or_hopeless() -> bool:
            for name, deaths in self.supervisor.deaths().items():
                if deaths >= DEATHS_BEFORE_READY:
                    raise EmbeddedError(f"{name} does not start; the reason stands above.")
            return done()

        within = self.began + until - time.monotonic()
        return self.supervisor.wait(done_or_hopeless, within=within)

    def _tell(self, ready: bool, missing: str) -> None:
        seconds = time.monotonic() - self.began
        state = "Gonets is ready" if ready else "Gonets runs, but is not ready"
        telegram = "the bot of TELEGRAM_BOT_TOKEN"
        if self.sandboxed:
            telegram = f"{self.sandbox_url}/  the sandbox, because no TELEGRAM_BOT_TOKEN is set"
        user = self.environment["FLOWER_BASIC_AUTH"].partition(":")[0]
        kept = self._flower_secret if self._flower_secret.exists() else "FLOWER_BASIC_AUTH"
        lines = [
            "",
            f"{state}, {seconds:.1f} s after the start.",
            *([f"But: {missing}."] if missing else []),
            "",
            f"  pages     {self.local_url}/",
            f"  API       {self.local_url}/docs/  also /redoc/ and /openapi.json",
            f"  Telegram  {telegram}",
            f"  Flower    http://{LOCAL}:{self.flower_port}/  user {user}, password in {kept}",
            f"  data      {self.data_dir}",
            "  admin     ./dev flask create-admin YOUR_NAME",
            "",
            "Ctrl-C stops everything.",
            "",
        ]
        self.output.block("\n".join(lines))


def run(project: Path) -> int:
    """Run everything until told to stop; gives the exit status."""
    os.umask(0o077)  # what the parts write is nobody else's business
    output = Output()
    try:
        the_run = Run(project, output)
        make_data_dir(the_run.data_dir)
        lock = Lock(
            the_run.data_dir / "lock",
            refusal=f"Gonets already runs in {the_run.data_dir}; stop it first, or set DATA_DIR,"
            " PORT, SANDBOX_PORT and FLOWER_PORT for another one",
        )
        lock.acquire()
        return _run_and_end(the_run)
    except EmbeddedError as problem:
        output.line("dev", str(problem))
        return 1
    finally:
        output.finish(within=0.5)


def _run_and_end(the_run: Run) -> int:
    try:
        the_run.start()
        the_run.watch()
    except Stop:
        return 0
    except EmbeddedError as problem:
        the_run.say(str(problem))
        return 1
    finally:
        the_run.end()
    return 0
