"""The supervisor by itself: restarts, pauses, stubborn parts, long and unfinished lines."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.output import Output
from embedded.processes import birth, gone
from embedded.supervisor import Program, Stop, Supervisor, end_leftovers


class Heard(Output):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def line(self, name: str, text: bytes | str) -> None:
        self.said.append(f"{name}: {text if isinstance(text, str) else text.decode()}")


@pytest.fixture
def output() -> Heard:
    return Heard()


@pytest.fixture
def supervisor(output: Heard) -> Iterator[Supervisor]:
    supervisor = Supervisor(output)
    yield supervisor
    supervisor.end(supervisor.deaths(), within=0)


@pytest.fixture
def handlers() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def program(tmp_path: Path, does: str, name: str = "part") -> Program:
    return Program(
        name,
        ["/bin/sh", "-c", does],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        pid_file=tmp_path / f"{name}.pid",
    )


def test_pause_before_a_restart_grows_to_two_seconds_and_no_further(
    supervisor: Supervisor, output: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    clock = iter(range(10_000))
    monkeypatch.setattr("embedded.supervisor.time.monotonic", lambda: now + 0.1 * next(clock))
    supervisor.add(program(tmp_path, "exit 7"))
    supervisor.wait(lambda: supervisor.deaths()["part"] == 5, within=1000)
    pauses = [line.rpartition("in ")[2] for line in output.said]
    assert pauses == ["0.5 s", "1 s", "2 s", "2 s", "2 s"]
    assert output.said[0].startswith("dev: part died (exit status 7)")


def test_part_that_ignores_the_request_to_stop_is_ended_with_its_whole_group(
    supervisor: Supervisor, output: Heard, tmp_path: Path
) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo $!; while :; do sleep 600; done"
    supervisor.add(program(tmp_path, stubborn))
    supervisor.wait(lambda: bool(output.said), within=10)
    child = int(output.said[0].removeprefix("part: "))
    supervisor.end(["part"], within=0.2)
    assert output.said[-1] == "dev: part did not stop in time, ending it"
    assert gone(child, within=5)


def test_second_request_to_stop_waits_for_nobody_but_an_echo_of_the_first_is_none(
    supervisor: Supervisor, output: Heard, tmp_path: Path, handlers: None
) -> None:
    supervisor.listen_to_signals()
    insisting = "trap 'sleep 0.6; kill -TERM $PPID' TERM; echo up; while :; do sleep 0.05; done"
    supervisor.add(program(tmp_path, insisting))
    supervisor.wait(lambda: bool(output.said), within=10)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Stop):
        supervisor.tick(0)
    began = time.monotonic()
    supervisor.end(["part"], within=8)
    assert 0.5 < time.monotonic() - began < 5


def test_last_words_of_a_part_are_passed_on(
    supervisor: Supervisor, output: Heard, tmp_path: Path
) -> None:
    supervisor.add(program(tmp_path, "printf 'one\\ntwo'; exit 1"))
    supervisor.wait(lambda: supervisor.deaths()["part"] == 1, within=10)
    assert output.said[:2] == ["part: one", "part: two"]


def test_line_without_an_end_is_passed_on_in_pieces(
    supervisor: Supervisor, output: Heard, tmp_path: Path
) -> None:
    supervisor.add(program(tmp_path, "head -c 300000 /dev/zero | tr '\\0' x; sleep 600"))
    supervisor.wait(lambda: sum(map(len, output.said)) > 200_000, within=10)


def test_run_once_gives_the_exit_status_and_what_was_said(
    supervisor: Supervisor, output: Heard, tmp_path: Path
) -> None:
    assert supervisor.run_once(program(tmp_path, "echo done; exit 5")) == 5
    assert output.said == ["part: done"]


def test_what_a_killed_supervisor_left_is_ended_and_a_reused_number_is_not(tmp_path: Path) -> None:
    left = program(tmp_path, "exec sleep 600", name="left")
    left.launch()
    pid = int((tmp_path / "left.pid").read_text().split()[0])
    (tmp_path / "reused.pid").write_text(f"{os.getpid()} another birth\n")
    assert end_leftovers(tmp_path, within=5) == ["left"]
    assert birth(pid) is None
    assert not list(tmp_path.glob("*.pid"))
    left.bury()


def test_output_that_nobody_reads_holds_nobody_up() -> None:
    reader, writer = os.pipe()
    output = Output(writer)
    began = time.monotonic()
    for number in range(3000):
        output.line("part", f"{number} " + "x" * 1000)
    output.finish(within=0.2)
    assert time.monotonic() - began < 5
    os.close(reader)
    output.line("part", "nobody is there")
    os.close(writer)


def test_output_reaches_a_reader_whole_and_in_order() -> None:
    reader, writer = os.pipe()
    output = Output(writer)
    output.line("web", "first")
    output.line("web", b"second")
    output.finish(within=1)
    os.close(writer)
    with os.fdopen(reader) as read:
        assert read.read() == "web      | first\nweb      | second\n"
