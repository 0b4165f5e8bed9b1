"""The short form of the proof: one seed, 150 messages, everything that may happen in one story.

Played by a process of its own, as `./dev chaos` would: the other tests keep their application.
"""

import subprocess
import sys

import pytest

from tests.running import ROOT

LONGEST = 240.0  # seconds; about 60 on two idle cores


@pytest.mark.slow
def test_promises_are_kept_while_parts_die_freeze_and_go_away() -> None:
    command = [sys.executable, "-m", "tests.chaos", "--only", "storm", "--messages", "150"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as played:
        try:
            told, _ = played.communicate(timeout=LONGEST)
        finally:
            played.terminate()  # not by force: it has parts of its own to end
    assert played.returncode == 0, told
