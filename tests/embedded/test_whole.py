"""The whole of Gonets under `./dev run`, as a newcomer meets it; one start serves all its tests."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.embedded.conftest import ROOT, a_folder, processes_with
from tests.embedded.test_run import free_port, read_until, stop

pytestmark = pytest.mark.slow

# The settings are the tests' own, whatever .env and the environment of whoever runs them say.
NEUTRAL = dict.fromkeys(
    re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE), ""
)


@dataclass
class Whole:
    """A running `./dev run`."""

    process: subprocess.Popen[str]
    data_dir: Path
    ports: dict[str, int]
    told: str

    def url(self, port: str, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[port]}{path}"


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    ports = {name: free_port() for name in ("PORT", "SANDBOX_PORT", "FLOWER_PORT")}
    with a_folder() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded", "run"],
            cwd=ROOT,
            env={
                **os.environ,
                **NEUTRAL,
                "DATA_DIR": str(folder / "var"),
                **{name: str(port) for name, port in ports.items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            told = read_until(process, "Ctrl-C stops everything", within=90)
            yield Whole(process, folder / "var", ports, told)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def status_of(url: str, basic_auth: str = "") -> int:
    request = urllib.request.Request(url)
    if basic_auth:
        word = base64.b64encode(basic_auth.encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code
    except OSError:
        return 0


def wait_until(url: str, status: int, within: float = 30, **how: str) -> None:
    deadline = time.monotonic() + within
    while (got := status_of(url, **how)) != status:
        assert time.monotonic() < deadline, f"{url} answers {got}"
        time.sleep(0.1)


def test_everything_is_ready_and_says_so(whole: Whole) -> None:
    assert "Gonets is ready" in whole.told
    with urllib.request.urlopen(whole.url("PORT", "/readyz")) as answer:
        parts = json.load(answer)["parts"]
    assert {name: part["status"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")


def test_walk_through_of_the_readme_works_as_pasted(whole: Whole) -> None:
    chapter = (ROOT / "README.md").read_text().partition("## A walk through it with curl")[2]
    script = re.findall(r"```sh\n(.*?)```", chapter, re.DOTALL)[0]
    for port, usual in (("PORT", "8000"), ("SANDBOX_PORT", "8081")):
        assert f"http://127.0.0.1:{usual}" in script
        script = script.replace(f":{usual}", f":{whole.ports[port]}")
    pasted = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, timeout=60)
    assert pasted.returncode == 0, pasted.stderr
    told = [json.loads(line) for line in pasted.stdout.splitlines()]
    assert len(told) == 5, "each answer is a line of its own"
    assert told[3]["status"] == "sent"
    with urllib.request.urlopen(whole.url("SANDBOX_PORT", "/sandbox/accepted")) as answer:
        journal = answer.read().decode()
    assert "Анна, я получил от тебя сообщение:\\nThe backup is done." in journal


def test_flower_wants_the_password_that_was_made_for_it(whole: Whole) -> None:
    password = (whole.data_dir / "flower_basic_auth").read_text()
    wait_until(whole.url("FLOWER_PORT", "/healthcheck"), 200)
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks"):
        assert status_of(whole.url("FLOWER_PORT", path)) == 401, path
    # What SECURITY.md names as open.
    assert status_of(whole.url("FLOWER_PORT", "/metrics")) == 200
    assert status_of(whole.url("FLOWER_PORT", "/workers"), basic_auth="gonets:wrong") == 401
    assert status_of(whole.url("FLOWER_PORT", "/workers"), basic_auth=password) == 200


def test_no_secret_is_on_a_command_line_or_said(whole: Whole) -> None:
    commands = " ".join(processes_with(str(whole.data_dir)).values())
    for name in ("secret_key", "flower_basic_auth"):
        secret = (whole.data_dir / name).read_text().strip().rpartition(":")[2]
        assert secret not in commands
        assert secret not in whole.told


def test_admin_is_made_beside_the_running_one(whole: Whole) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "embedded", "flask", "create-admin", "chief", "--password-stdin"],
        input="a long enough one, 1917\n",
        cwd=ROOT,
        env={**os.environ, **NEUTRAL, "DATA_DIR": str(whole.data_dir)},
        capture_output=True,
        text=True,
    )
    assert "chief is an admin now" in made.stdout, made.stderr


@pytest.mark.parametrize("part", ["gunicorn wsgi:app", "celery --quiet -A worker", "bot.py"])
def test_killed_part_is_back_within_seconds(whole: Whole, part: str) -> None:
    victim = min(
        pid for pid, command in processes_with(str(whole.data_dir)).items() if part in command
    )
    os.kill(victim, signal.SIGKILL)
    read_until(whole.process, r"died \(SIGKILL\), restarting in 0.5 s", within=5)
    wait_until(whole.url("PORT", "/readyz"), 200)
    assert not psutil.pid_exists(victim)


def test_stop_leaves_nothing_and_takes_less_than_ten_seconds(whole: Whole) -> None:
    began = time.monotonic()
    said = stop(whole.process)
    assert "everything is stopped" in said
    assert "flower" not in said
    assert time.monotonic() - began < 10
    assert whole.process.returncode == 0
    assert not processes_with(str(whole.data_dir))
