"""`./dev chaos`: plays the scenarios and prints what came of them; fails on any violation.

Half of the scenarios mostly wait. They are played at the same time as the others: each half by a
process of its own on servers of its own.
"""

import argparse
import logging
import pickle
import signal
import subprocess
import sys
import time

from tests.chaos import report
from tests.chaos.scenarios import ALL, BUSY, WAITING, Scenario, play
from tests.chaos.scene import Result


def main() -> int:
    """Plays what was asked for; 0 if every promise was kept."""
    logging.disable(logging.WARNING)
    # So that what was started is ended, and folders are removed, when this is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = _options()
    if options.pickled:
        results = play(options.only, options.seed, options.messages)
        sys.stdout.buffer.write(pickle.dumps(results))
        return 0
    began = time.monotonic()
    played: list[tuple[int, Result]] = []
    for seed in range(options.seed, options.seed + options.seeds):
        say(f"seed {seed}: a few minutes …")
        results = _play(options.only, seed, options.messages)
        played += [(seed, result) for result in results]
    say(report.table(played))
    say(report.words(played))
    say(report.bound(sum(result.arrived for _, result in played)))
    say(f"{time.monotonic() - began:.0f} s in all")
    return 0 if all(result.kept for _, result in played) else 1


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n\n")
    sys.stdout.flush()


def _play(only: list[str] | None, seed: int, messages: int) -> list[Result]:
    if only:
        return play(only, seed, messages)
    children = [_Child(scenarios, seed, messages) for scenarios in (BUSY, WAITING)]
    try:
        return [result for child in children for result in child.results()]
    finally:
        for child in children:
            child.end()


class _Child:
    """Some of the scenarios, played by a process of its own on servers of its own."""

    def __init__(self, scenarios: list[Scenario], seed: int, messages: int) -> None:
        arguments = ["--seed", str(seed), "--messages", str(messages), "--pickled"]
        names = [one.__name__ for one in scenarios]
        command = [sys.executable, "-m", "tests.chaos", *arguments, "--only", *names]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def results(self) -> list[Result]:
        """What it came to, once it is over."""
        pickled, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise SystemExit("a process of the run failed; its reason stands above")
        results: list[Result] = pickle.loads(pickled)
        return results

    def end(self) -> None:
        """Ends it early, if it still plays."""
        self._process.terminate()
        self._process.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev chaos", description="Kills, freezes and takes away parts under load."
    )
    parser.add_argument("--seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many of them (1)")
    parser.add_argument("--messages", type=int, default=1000, help="in the largest scenario (1000)")
    parser.add_argument("--only", nargs="+", choices=ALL, metavar="NAME", help=", ".join(ALL))
    parser.add_argument("--pickled", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
