"""`./dev run` from outside: a real supervisor over stand-ins for the parts."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.embedded.conftest import ROOT, a_folder, copy, processes_with

STOP_SECONDS = 10

RUN = "import sys; from pathlib import Path; from embedded.run import run; " + (
    "sys.exit(run(Path(sys.argv[1])))"
)

# Answers 200 to everything; stands in for web and for the sandbox.
WEB = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write((os.environ.get("TELEGRAM_API_URL", "") + " " + self.path).encode())
    def log_message(self, *words): pass
port = sys.argv[sys.argv.index("--port") + 1] if "--port" in sys.argv else os.environ["PORT"]
print("serving on", port, flush=True)
HTTPServer(("127.0.0.1", int(port)), Answer).serve_forever()
"""

PROCFILE = f"""\
# the parts
web: exec {sys.executable} web.py
worker: echo "flower is $FLOWER_BASIC_AUTH"; exec sleep 600
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def hear_hangups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass
class Project:
    """A project folder with stand-ins, and the runs started in it."""

    folder: Path
    port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "Procfile").write_text(PROCFILE)
        (self.folder / "web.py").write_text(WEB)
        (self.folder / "sandbox").mkdir()
        (self.folder / "sandbox" / "__main__.py").write_text(WEB)
        self.write_flask('echo "migrated $1 $2 $3 $4"')

    def write_flask(self, does: str) -> None:
        flask = self.folder / ".venv" / "bin" / "flask"
        flask.parent.mkdir(parents=True, exist_ok=True)
        flask.write_text(f"#!/bin/sh\n{does}\n")
        flask.chmod(0o755)

    def run(self, **settings: str) -> subprocess.Popen[str]:
        environment = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME")}
        environment |= {"PYTHONPATH": str(ROOT), "PORT": str(self.port)}
        environment |= {"SANDBOX_PORT": str(self.sandbox_port)} | settings
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.folder)],
            env=environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A run hears SIGHUP unless it was ignored before, as under nohup(1); the tests may be.
            preexec_fn=hear_hangups,
        )
        self.started.append(process)
        return process

    def left(self) -> dict[int, str]:
        return processes_with(str(self.folder))


@pytest.fixture
def project() -> Iterator[Project]:
    with a_folder() as folder:
        project = Project(folder)
        yield project
        for process in project.started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
        for pid in project.left():
            os.kill(pid, signal.SIGKILL)


# Settings that leave nothing to start but the parts.
OUTSIDE = {
    "DATABASE_URL": "postgresql://gonets@127.0.0.1:1/gonets",
    "REDIS_URL": "redis://127.0.0.1:1",
    "TELEGRAM_BOT_TOKEN": "12345:token",
}


def read_until(process: subprocess.Popen[str], pattern: str, within: float = 30) -> str:
    """What a run says up to the line that matches; fails if that line does not come."""
    assert process.stdout
    said = ""
    out_of_time = threading.Timer(within, process.kill)
    out_of_time.start()
    try:
        for line in process.stdout:
            said += line
            if re.search(pattern, line):
                return said
    finally:
        out_of_time.cancel()
    raise AssertionError(f"it ended, or took {within} s, without saying {pattern!r}:\n{said}")


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> str:
    process.send_signal(number)
    said, _ = process.communicate(timeout=STOP_SECONDS)
    return said


def test_everything_starts_says_where_it_is_and_stops_without_a_trace(project: Project) -> None:
    run = project.run()
    said = read_until(run, "Ctrl-C stops everything")
    assert "migrated --app wsgi db upgrade" in said
    assert f"http://127.0.0.1:{project.port}/" in said
    assert "the sandbox, because no TELEGRAM_BOT_TOKEN is set" in said
    assert f"http://127.0.0.1:{project.sandbox_port}/" in said
    assert f"user gonets, password in {project.folder}/var/flower_basic_auth" in said
    assert "web      | serving on" in said
    assert "everything is stopped" in stop(run)
    assert run.returncode == 0
    assert not project.left()


def test_secrets_are_made_once_for_the_owners_eyes_and_given_to_the_parts(
    project: Project,
) -> None:
    first = read_until(project.run(**OUTSIDE), r"flower is")
    var = project.folder / "var"
    kept = {name: (var / name).read_text() for name in ("secret_key", "flower_basic_auth")}
    assert f"flower is {kept['flower_basic_auth']}" in first
    assert len(kept["secret_key"]) >= 32
    assert all((var / name).stat().st_mode & 0o777 == 0o600 for name in kept)
    stop(project.started[0])
    again = project.run(**OUTSIDE)
    assert f"flower is {kept['flower_basic_auth']}" in read_until(again, "flower is")
    stop(again)
    assert {name: (var / name).read_text() for name in kept} == kept


def test_parts_talk_to_the_sandbox_only_without_a_bot_token(project: Project) -> None:
    address = f"http://127.0.0.1:{project.port}/"
    outside = {name: url for name, url in OUTSIDE.items() if name != "TELEGRAM_BOT_TOKEN"}
    run = project.run(**outside)
    read_until(run, "Ctrl-C")
    with urllib.request.urlopen(address) as answer:
        assert answer.read().decode() == f"http://127.0.0.1:{project.sandbox_port} /"
    stop(run)
    run = project.run(**OUTSIDE, TELEGRAM_API_URL="http://elsewhere")
    said = read_until(run, "Ctrl-C")
    assert "sandbox" not in said
    with urllib.request.urlopen(address) as answer:
        assert answer.read().decode() == "http://elsewhere /"
    stop(run)


def test_env_file_is_read_and_the_environment_wins(project: Project) -> None:
    (project.folder / ".env").write_text("FLOWER_BASIC_AUTH=me:from-file\nREDIS_URL=\n")
    run = project.run(**OUTSIDE)
    assert "flower is me:from-file" in read_until(run, "flower is")
    stop(run)
    run = project.run(**OUTSIDE, FLOWER_BASIC_AUTH="me:from-environment")
    assert "flower is me:from-environment" in read_until(run, "flower is")
    stop(run)
    run = project.run(**OUTSIDE, FLOWER_BASIC_AUTH="")
    assert "flower is gonets:" in read_until(run, "flower is")
    stop(run)


def test_part_that_died_is_restarted_and_it_is_said(project: Project) -> None:
    run = project.run(**OUTSIDE)
    read_until(run, "Ctrl-C")
    (worker,) = [pid for pid, command in project.left().items() if command.startswith("sleep")]
    os.kill(worker, signal.SIGKILL)
    said = read_until(run, "flower is", within=5)
    assert "dev      | worker died (SIGKILL), restarting in 0.5 s" in said
    stop(run)
    assert not project.left()


def test_database_that_died_is_restarted(project: Project, made: Path) -> None:
    copy(made, project.folder / "var")
    run = project.run(REDIS_URL="redis://127.0.0.1:1", TELEGRAM_BOT_TOKEN="12345:token")
    read_until(run, "Ctrl-C")
    (server,) = [pid for pid, command in project.left().items() if "bin/postgres -D" in command]
    os.kill(server, signal.SIGKILL)
    read_until(run, "PostgreSQL died, restarting", within=5)
    deadline = time.monotonic() + 10
    while not any("bin/postgres -D" in command for command in project.left().values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop(run)
    assert not project.left()


def test_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(project: Project) -> None:
    first = project.run(**OUTSIDE)
    read_until(first, "Ctrl-C")
    second = project.run(**OUTSIDE)
    said, _ = second.communicate(timeout=10)
    assert second.returncode == 1
    assert f"Gonets already runs in {project.folder}/var" in said
    assert f"(process {first.pid})" in said
    assert first.poll() is None
    stop(first)


def test_busy_port_is_refused_by_the_name_of_its_setting(project: Project) -> None:
    with socket.create_server(("127.0.0.1", project.port)):
        run = project.run(**OUTSIDE)
        said, _ = run.communicate(timeout=10)
    assert run.returncode == 1
    assert f"127.0.0.1:{project.port}" in said
    assert "Set PORT to a free port" in said


@pytest.mark.parametrize("value", ["http", "0", "65536", "-1", "٨٠"])
def test_impossible_port_is_refused_by_the_name_of_its_setting(
    project: Project, value: str
) -> None:
    run = project.run(**OUTSIDE, FLOWER_PORT=value)
    said, _ = run.communicate(timeout=10)
    assert run.returncode == 1
    assert "FLOWER_PORT" in said


def test_failing_migration_is_said_and_nothing_stays(project: Project) -> None:
    project.write_flask("echo 'no such thing'; exit 3")
    run = project.run(**OUTSIDE)
    said, _ = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "migrate  | no such thing" in said
    assert "The database could not be migrated" in said
    assert not project.left()


def test_part_that_cannot_start_ends_the_run(project: Project) -> None:
    (project.folder / "Procfile").write_text("web: echo 'PORT is odd'; exit 1\n")
    run = project.run(**OUTSIDE)
    said, _ = run.communicate(timeout=20)
    assert run.returncode == 1
    assert "web      | PORT is odd" in said
    assert "web does not start" in said
    assert not project.left()


def test_killed_run_leaves_nothing_that_the_next_one_trips_over(
    project: Project, made: Path
) -> None:
    copy(made, project.folder / "var")
    first = project.run()
    read_until(first, "Ctrl-C")
    first.kill()
    first.communicate()
    second = project.run()
    read_until(second, "Ctrl-C")
    stop(second)
    assert second.returncode == 0
    assert not project.left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopping_while_starting_stops_everything(project: Project, number: signal.Signals) -> None:
    project.write_flask("echo migrating; exec sleep 600")
    run = project.run(**OUTSIDE)
    read_until(run, "migrate  | migrating")
    stop(run, number)
    assert run.returncode == 0
    assert not project.left()


def test_reader_that_stopped_reading_keeps_nobody_from_stopping(project: Project) -> None:
    (project.folder / "Procfile").write_text(f"{PROCFILE}talker: exec yes\n")
    run = project.run(**OUTSIDE)
    read_until(run, "talker")
    run.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run.returncode == 0
    assert not project.left()


def test_procfile_that_cannot_be_read_is_said_with_its_line(project: Project) -> None:
    (project.folder / "Procfile").write_text("web: exec sleep 1\nwhat is this\n")
    run = project.run(**OUTSIDE)
    said, _ = run.communicate(timeout=10)
    assert run.returncode == 1
    assert "Procfile, line 2" in said
