"""The short form of the proof: one seed, 150 messages, everything that may happen in one story."""

import pytest

from tests.chaos import report
from tests.chaos.scenarios import play

SEED = 1
MESSAGES = 150


@pytest.mark.slow
def test_promises_are_kept_while_parts_die_freeze_and_go_away() -> None:
    (result,) = play(["storm"], SEED, MESSAGES)
    told = [(SEED, result)]
    assert result.kept, f"\n{report.table(told)}\n{report.words(told)}"
