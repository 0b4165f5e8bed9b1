"""What follows from an outcome: pure; the randomness is an argument, time is not needed.

Only Telegram's refusal of a text ends a message here. Whatever may pass (the network, Telegram
being down, a flood, a blocked chat, our own bad token) keeps it waiting at the head of its lane,
until it expires; being told to wait (429) does not count as an attempt.
"""

from dataclasses import dataclass, replace

from app.models import Status
from app.telegram import (
    Ambiguous,
    BotBroken,
    ChatGone,
    Moved,
    Outcome,
    Refused,
    Sent,
    TooLong,
    Wait,
)

# Full jitter below a ceiling that doubles: 1, 2, 4 … 300 seconds.
LONGEST_DELAY = 300.0
# A message that was perhaps sent may still appear in the chat: its repetition waits for it.
AMBIGUOUS_DELAY = 2.0
AMBIGUOUS_SPREAD = 3.0
# Telegram has asked for hours. It is done as told for so long, then one message asks again:
# a flood may have ended earlier, and its 429 costs nothing.
LONGEST_WAIT = 60.0
# Our token is refused: the whole bot stops (`brakes`); the lane goes on when the bot does.
BROKEN_DELAY = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of the message and its lane. Delays are seconds.

    `failures`: failures in a row of the present part. `counted`: it was an attempt.
    `ambiguous`: it may have been sent, and will be sent again.
    """

    status: Status = Status.QUEUED
    delay: float = 0.0
    failures: int = 0
    counted: bool = True
    ambiguous: bool = False
    sent_id: int | None = None
    halve: bool = False
    reason: str | None = None


def decide(outcome: Outcome, *, failures: int, halved: bool, last: bool, chance: float) -> Decision:
    """What follows from the outcome of sending one part.

    `failures` are those of this part so far; `halved`: it has been cut shorter already; `last`:
    no part follows; `chance` is a random number from 0 to 1.
    """
    stay = Decision(failures=failures)
    match outcome:
        case Sent(message_id=number):
            return Decision(status=Status.SENT if last else Status.QUEUED, sent_id=number)
        case Wait(seconds=seconds):
            return replace(stay, delay=min(seconds, LONGEST_WAIT), counted=False)
        case Moved() | ChatGone():
            return stay
        case BotBroken():
            return replace(stay, delay=BROKEN_DELAY)
        case TooLong() if not halved:
            return replace(stay, halve=True)
        case TooLong() | Refused():
            return replace(stay, status=Status.FAILED, reason=outcome.description)
        case Ambiguous():
            at_least = AMBIGUOUS_DELAY + AMBIGUOUS_SPREAD * chance
            delay = max(at_least, backoff(failures + 1, chance))
            return Decision(delay=delay, failures=failures + 1, ambiguous=True)
    return Decision(delay=backoff(failures + 1, chance), failures=failures + 1)


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row: 1 at least, at random up to a ceiling."""
    ceiling = min(LONGEST_DELAY, 2.0 ** min(failures - 1, 16))
    return 1.0 + chance * (ceiling - 1.0)
