"""A load of HTTP requests over kept-alive connections, and what their answers took.

It runs in a process of its own (`python -m tests.benchmarks.load`), so that the client's work is
not the server's, and is lean: requests are bytes made beforehand, answers are read no further than
their length. Bounded in time, and only ever against the loopback.
"""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: raw requests in turn, over how many connections, for how many seconds."""

    port: int
    requests: list[str]
    connections: int
    seconds: float
    # At most so many requests a second in all; 0 is as fast as it goes.
    rate: float = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: answers a second, latencies in milliseconds, answers by status."""

    per_second: float
    p50: float
    p99: float
    statuses: dict[str, int]

    @property
    def errors(self) -> int:
        return sum(n for status, n in self.statuses.items() if not status.startswith("2"))


def run(load: Load) -> Outcome:
    """Runs `load` in a child process and waits for its outcome."""
    child = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        check=True,
        timeout=load.seconds + 60,
    )
    return Outcome(**json.loads(child.stdout))


def one(port: int, raw: str) -> tuple[str, float]:
    """Sends one request; its status, and the time (of `time.time()`) of its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw.encode())
        head = connection.recv(65536)
        return head[9:12].decode(), time.time()


@contextmanager
def running(load: Load) -> Iterator[None]:
    """Runs `load` beside what happens within the block, whose end it does not wait for."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdin is not None
    child.stdin.write(json.dumps(asdict(load)))
    child.stdin.close()
    try:
        yield
    finally:
        child.kill()
        child.wait()


def request(method: str, path: str, headers: dict[str, str], body: str = "") -> str:
    """One raw HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body.encode())}"] if body else []
    return "\r\n".join(lines) + "\r\n\r\n" + body


async def _connection(
    load: Load, mine: Sequence[bytes], end: float, seen: list[tuple[float, str]]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    pause = load.connections / load.rate if load.rate else 0
    turn = 0
    while (begun := time.perf_counter()) < end:
        writer.write(mine[turn % len(mine)])
        turn += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = _length(head)
        if length:
            await reader.readexactly(length)
        took = time.perf_counter() - begun
        seen.append((took, head[9:12].decode()))
        if pause > took:
            await asyncio.sleep(pause - took)
    writer.close()


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 : lowered.index(b"\r\n", at)]) if at >= 0 else 0


async def _all(load: Load) -> list[tuple[float, str]]:
    seen: list[tuple[float, str]] = []
    raw = [r.encode() for r in load.requests]
    end = time.perf_counter() + load.seconds
    shares = [raw[i :: load.connections] or raw for i in range(load.connections)]
    await asyncio.gather(*(_connection(load, share, end, seen) for share in shares))
    return seen


def _main() -> None:
    load = Load(**json.load(sys.stdin))
    begun = time.perf_counter()
    seen = asyncio.run(_all(load))
    elapsed = time.perf_counter() - begun
    latencies = sorted(took * 1000 for took, _ in seen)
    statuses: dict[str, int] = {}
    for _, status in seen:
        statuses[status] = statuses.get(status, 0) + 1
    outcome = Outcome(
        per_second=len(seen) / elapsed,
        p50=latencies[len(latencies) // 2],
        p99=latencies[int(len(latencies) * 0.99)],
        statuses=statuses,
    )
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    _main()
