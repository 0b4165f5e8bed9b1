"""Rows 8 and 9: the memory of web, worker and bot, and the time of a warm start."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.benchmarks import load, production
from tests.benchmarks.load import Load
from tests.benchmarks.stage import Stage
from tests.benchmarks.table import Row
from tests.running import ROOT, Part, Running, answers, free_port

MESSAGES = 10_000
IDLE_MB = 250


def memory(stage: Stage) -> Iterator[Row]:
    """8: proportional set size of all their processes, idle and after 10,000 messages."""
    with tempfile.TemporaryDirectory(prefix="gz-", dir="/tmp") as name:
        installed = production.environment(Path(name) / "venv")
        with Running(stage.running.environment, Path(name), installed) as running:
            yield from _memory(stage, [running.web(), running.worker(), running.bot()])


def _memory(stage: Stage, parts: list[Part]) -> Iterator[Row]:
    stage.clear()
    people = stage.people(100)
    stage.chats_exist(people)
    parts[1].says("sweeping")
    _probe(parts[0])
    idle = _megabytes(parts)
    posts = [
        load.request(
            "POST",
            "/v1/messages",
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            '{"text": "one of ten thousand"}',
        )
        for token in stage.access_tokens(people)
    ]
    while stage.scalar("SELECT count(*) FROM message") < MESSAGES:
        load.run(Load(parts[0].port, posts, 8, 2.0))
    stage.sandbox.wait_for_messages(MESSAGES, within=180)
    after = _megabytes(parts)
    split = ", ".join(f"{part.name} {_megabytes([part]):.0f}" for part in parts)
    name = "memory of web + worker + bot as installed for production, idle (PSS)"
    yield Row("8", name, [idle], [], [idle], IDLE_MB, False, "MB")
    growth = after / idle - 1
    name = f"growth of it after {MESSAGES} messages"
    yield Row("8", name, [after], [idle], [growth], 0.10, False, "MB", f"after: {split}")


def _probe(web: Part) -> None:
    """Asks each of its processes whether it is ready, while the others are frozen: what a process
    touches at its first request, it has in memory for itself from then on."""
    processes = _tree(web)[1:]
    for asked in processes:
        others = [process for process in processes if process != asked]
        for other in others:
            other.suspend()
        for _ in range(10):
            assert answers(f"{web.url}/readyz")
        for other in others:
            other.resume()


def start() -> Iterator[Row]:
    """9: `./dev run`, warm, from the command until it is ready; in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="gz-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        _started(name)
        warm = [_started(name) for _ in range(3)]
    yield Row("9", "`./dev run`, warm, from command to ready", warm, [], warm, 5, False, "s")


def _started(folder: str) -> float:
    ports = {n: str(free_port()) for n in ("PORT", "SANDBOX_PORT", "FLOWER_PORT")}
    without = ("DATABASE_URL", "REDIS_URL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_API_URL")
    environment = {k: v for k, v in os.environ.items() if k not in without}
    begun = time.monotonic()
    process = subprocess.Popen(
        ["./dev", "run"],
        cwd=ROOT,
        env=environment | ports | {"DATA_DIR": folder},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not answers(f"http://127.0.0.1:{ports['PORT']}/readyz"):
        assert process.poll() is None, "./dev run ended"
        assert time.monotonic() < begun + 120
        time.sleep(0.02)
    taken = time.monotonic() - begun
    process.send_signal(signal.SIGTERM)
    process.wait(15)
    return taken


def _megabytes(parts: list[Part]) -> float:
    processes = [p for part in parts for p in _tree(part)]
    return sum(process.memory_full_info().pss for process in processes) / 2**20


def _tree(part: Part) -> list[psutil.Process]:
    parent = psutil.Process(part.process.pid)
    return [parent, *parent.children(recursive=True)]
