"""Logs: no secret, no words of a database error, no line that pretends to be one of ours."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from app import logs

ROOT = Path(__file__).parents[1]
BOT = "123456789:AAExampleExampleExampleExampleExample"


@pytest.mark.parametrize(
    "said",
    [
        f"POST /bot{BOT}/sendMessage",
        f"https://api.telegram.org/bot{BOT.replace(':', '%3A')}/getMe",
        f"token={BOT}",
        "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0LXNpZ25hdHVyZQ",
        "Authorization: Basic YWxpY2U6Y29ycmVjdCBob3JzZQ==",
        "gz_c2VjcmV0LXNlY3JldC1zZWNyZXQ",
        "/start " + "0123456789abcdef" * 4,
        "postgresql://gonets:c2VjcmV0@host/name",
        "https://host/bot1:x/sendMessage?chat_id=1&text=c2VjcmV0%20words",
    ],
)
def test_whatever_looks_like_a_secret_is_taken_out(said: str) -> None:
    redacted = logs.redact(said)
    assert "[redacted]" in redacted
    for secret in ("AAExample", "c2VjcmV0", "YWxpY2U6", "eyJ", "0123456789abcdef"):
        assert secret not in redacted


@pytest.mark.parametrize(
    "said",
    [
        "2026-11-20T22:48:36.174846Z [info] attempt message_id=12345 latency_ms=51",
        "request_id=0c7d7c2e-7a9e-4b43-9a3e-0b7f8b2d7a11",
        "GET /v1/messages/123 200",
        "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert logs.redact(said) == said


PROGRAM = """
import logging, sys, threading
from app import logs
class Settings: log_format = sys.argv[1]
logs.configure(Settings)
log = logs.get("here")
FORGED = "name\\r\\n2026-01-01T00:00:00.000000Z [info     ] signed_in account_id=1\\x1b[2J\\u2028x"
S, T, U, V = ("gz_" + letter * 30 for letter in "stuv")
log.info(FORGED, username=FORGED, nested={"token": S}, error=ValueError(T))
logging.getLogger("library").warning("%s and %s", FORGED, U)
import psycopg2
from sqlalchemy.exc import DataError
def query():
    secret = "top" + "secret"
    raise DataError("INSERT", {"text": secret}, psycopg2.DataError("LINE 1: " + secret))
try:
    try:
        query()
    except Exception as error:
        raise RuntimeError("what we say ourselves") from error
except Exception:
    log.exception("failed")
    logging.getLogger("library").exception("failed")
thread = threading.Thread(target=query, name="t")
thread.start()
thread.join()
raise ValueError(V)
"""


def run(log_format: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, log_format],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    for secret in ("sss", "ttt", "uuu", "vvv", "topsecret"):
        assert secret not in ended.stderr
    return ended.stderr


def test_each_event_of_a_text_log_begins_at_the_margin_and_nothing_else_does() -> None:
    lines = run("text").splitlines()
    events = [line for line in lines if not line.startswith("    ")]
    assert len(events) == 6
    assert all(line.startswith("20") and "Z [" in line for line in events)
    assert not [line for line in events if line.startswith("2026-01-01")]
    assert not [line for line in lines if "\x1b" in line]
    assert any("what we say ourselves" in line for line in lines)
    assert any("in query" in line for line in lines), "where it happened is told"


def test_each_event_of_a_json_log_is_one_object_on_one_line() -> None:
    events = [json.loads(line) for line in run("json").splitlines()]
    assert [event["level"] for event in events] == [
        "info",
        "warning",
        "error",
        "error",
        "critical",
        "critical",
    ]
    assert "psycopg2.errors" in events[2]["exception"] or "DataError" in events[2]["exception"]


HARMLESS = """
import logging, sys
from app import logs
class Settings: log_format = sys.argv[1]
class Unshowable:
    def __repr__(self): raise RuntimeError
logs.configure(Settings)
for n in range(3):
    logs.get("here").info("one", n=n, value=Unshowable())
    logs.get("here").critical("one", n=n)
    logging.getLogger("library").warning("two")
print("done")
"""


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>/dev/null"])
def test_a_log_that_cannot_be_written_harms_nobody(stderr: str, log_format: str) -> None:
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {stderr}', "sh", sys.executable, "-c", HARMLESS, log_format],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
    )
    assert ended.stdout == "done\n"


CROWD = """
import logging, threading
from app import logs
class Settings: log_format = "json"
logs.configure(Settings)
def ours(): [logs.get("here").info("x" * 70_000) for _ in range(40)]
def theirs(): [logging.getLogger("library").info("x" * 70_000) for _ in range(40)]
threads = [threading.Thread(target=each) for each in (ours, ours, theirs)]
[thread.start() for thread in threads]
"""


def test_lines_of_several_threads_stay_whole() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CROWD], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert [len(json.loads(line)["event"]) for line in ended.stderr.splitlines()] == [70_000] * 120


def test_a_level_that_is_disabled_is_disabled_for_our_own_loggers_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs._lines.handler, "stream", sys.stderr)
    logging.disable(logging.INFO)
    try:
        logs.get("here").info("not this")
        logs.get("here").warning("but this")
    finally:
        logging.disable(logging.NOTSET)
    said = capsys.readouterr().err
    assert "but this" in said
    assert "not this" not in said
