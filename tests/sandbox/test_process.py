"""The sandbox as a process: starting, stopping, keeping its data through a kill -9."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from sandbox.client import Sandbox
from sandbox.running import InProcess
from tests.sandbox.conftest import Bot

ROOT = Path(__file__).resolve().parents[2]


def bot_of(sandbox: Sandbox) -> Bot:
    return Bot(f"{sandbox.url}/bot{sandbox.token}", requests.Session())


def test_everything_survives_a_killed_process(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"
    with Sandbox.start(process=True, data=data) as before:
        anna = before.user("Anna", language_code="ru", username="anna")
        anna.says("one")
        anna.says("two")
        bot = bot_of(before)
        [first, second] = bot.ask("getUpdates")
        bot.ask("getUpdates", offset=second["update_id"])
        sent = bot.ask("sendMessage", chat_id=anna.id, text="answer")
        bot.ask("setMyCommands", commands=[{"command": "help", "description": "Help"}])
        before.user("Boris").says("hi")
        assert isinstance(before.running, InProcess)
        before.running.process.kill()
        before.running.process.wait()
    with Sandbox.start(data=data) as after:
        bot = bot_of(after)
        [again, boris] = bot.ask("getUpdates")
        assert again == second and boris["update_id"] == second["update_id"] + 1
        assert bot.ask("getMyCommands") == [{"command": "help", "description": "Help"}]
        where = {"chat_id": anna.id, "message_id": sent["message_id"]}
        assert bot.ask("editMessageText", **where, text="edited")["text"] == "edited"
        next_one = bot.ask("sendMessage", chat_id=anna.id, text="next")
        assert next_one["message_id"] == sent["message_id"] + 1
        history = after.remote.get(f"/sandbox/chats/{anna.id}/messages")["items"]
        assert [item["message"]["text"] for item in history] == ["one", "two", "edited", "next"]
        assert after.user("Vera").id not in {
            p["id"] for p in after.remote.get("/sandbox/people")["items"][:-1]
        }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_within_a_second_whatever_goes_on(number: signal.Signals) -> None:
    with Sandbox.start(process=True) as sandbox:
        assert isinstance(sandbox.running, InProcess)
        process = sandbox.running.process
        anna = sandbox.user(wrote_first=True)
        sandbox.fault("hang")
        with pytest.raises(requests.ReadTimeout):
            given = {"chat_id": anna.id, "text": "x"}
            url = f"{sandbox.url}/bot{sandbox.token}/sendMessage"
            requests.post(url, given, timeout=0.2)
        began = time.monotonic()
        os.kill(process.pid, number)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 1


def test_it_ends_with_the_process_that_began_it() -> None:
    with Sandbox.start(process=True) as sandbox:
        assert isinstance(sandbox.running, InProcess)
        process = sandbox.running.process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(5) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host=0.0.0.0"], "no passwords"),
        (["--port={taken}"], "choose another --port"),
        (["--token=nonsense"], "a token looks like"),
        (["--data={garbage}"], "choose another --data"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_a_line(
    sandbox: Sandbox, tmp_path: Path, arguments: list[str], words: str
) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"this is not a database at all " * 99)
    taken = sandbox.url.rpartition(":")[2]
    given = [a.format(taken=taken, garbage=garbage) for a in arguments]
    command = [sys.executable, "-m", "sandbox", "--port=0", *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert done.returncode == 2
    assert words in done.stderr and "Traceback" not in done.stderr


def test_data_of_another_layout_is_begun_anew(tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"
    with Sandbox.start(data=data) as sandbox:
        sandbox.user()
    with sqlite3.connect(data) as db:
        db.execute("PRAGMA user_version = 99")
    with Sandbox.start(data=data) as sandbox:
        assert sandbox.remote.get("/sandbox/people")["items"] == []
