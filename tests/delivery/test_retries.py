"""What follows from an outcome, by table."""

from dataclasses import replace
from typing import Any

import pytest

from app.delivery.retries import Decision, backoff, decide
from app.models import Status
from app.telegram import (
    Ambiguous,
    BotBroken,
    ChatGone,
    Moved,
    NotSent,
    OtherPoller,
    Outcome,
    Refused,
    Sent,
    TooLong,
    Wait,
)

STAY = Decision(failures=3)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Sent(200, None, 7), Decision(status=Status.SENT, sent_id=7)),
        (Wait(429, "", 5.0), replace(STAY, delay=5.0, counted=False)),
        (Wait(429, "", 60.0), replace(STAY, delay=60.0, counted=False)),
        # Hours are asked about again after a minute.
        (Wait(429, "", 10072.0), replace(STAY, delay=60.0, counted=False)),
        (NotSent(None, ""), Decision(failures=4, delay=4.5)),
        (NotSent(500, ""), Decision(failures=4, delay=4.5)),
        (OtherPoller(409, ""), Decision(failures=4, delay=4.5)),
        (Ambiguous(None, ""), Decision(failures=4, delay=4.5, ambiguous=True)),
        (ChatGone(403, ""), STAY),
        (Moved(400, "", -100), STAY),
        (TooLong(400, "too long"), replace(STAY, halve=True)),
        (Refused(400, "no"), replace(STAY, status=Status.FAILED, reason="no")),
        (BotBroken(401, ""), replace(STAY, delay=1.0)),
    ],
)
def test_what_follows_from_an_outcome(outcome: Outcome, expected: Decision) -> None:
    assert decide(outcome, failures=3, halved=False, last=True, chance=0.5) == expected


def test_a_part_that_others_follow_leaves_the_message_queued() -> None:
    decision = decide(Sent(200, None, 7), failures=3, halved=False, last=False, chance=0.5)
    assert decision == Decision(status=Status.QUEUED, sent_id=7, failures=0)


def test_a_part_that_is_too_long_even_halved_fails() -> None:
    decision = decide(TooLong(400, "too long"), failures=0, halved=True, last=True, chance=0.5)
    assert decision == Decision(status=Status.FAILED, reason="too long")


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_what_may_have_been_sent_is_repeated_after_two_to_five_seconds(chance: float) -> None:
    decision = decide(Ambiguous(), failures=0, halved=False, last=True, chance=chance)
    assert decision.delay == 2.0 + 3.0 * chance


def test_what_is_ambiguous_again_and_again_is_repeated_ever_more_rarely() -> None:
    decision = decide(Ambiguous(), failures=9, halved=False, last=True, chance=1.0)
    assert decision.delay == 300.0


@pytest.mark.parametrize(
    ("failures", "ceiling"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (10_000, 300)]
)
def test_the_schedule_doubles_its_ceiling_up_to_five_minutes(failures: int, ceiling: Any) -> None:
    assert backoff(failures, 0.0) == 1.0
    assert backoff(failures, 1.0) == ceiling
