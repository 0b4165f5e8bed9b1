"""The arithmetic of pace: slots on a line, evenly spaced. Pure; times are seconds of any clock.

The line is a GCRA (ITU-T I.371) of burst one: each message moves the time of the next by one
interval, and a line that was idle begins now. Where the line is kept, one for each chat and one
for the bot, is the business of `lanes` and `budget`.
"""

from dataclasses import dataclass

# How much of the bot's line a process takes at a time, in seconds: one slot at Telegram's own
# rate, many where the rate is lifted, so that the database need not be asked for each message.
BATCH_SECONDS = 0.05
# A slot that was not used for so long is let go; used late, it would make a burst.
STALE_SECONDS = 0.5
# The first of a batch whose last slot is not stale.
LATE_SECONDS = STALE_SECONDS + BATCH_SECONDS


@dataclass(frozen=True, slots=True)
class Slots:
    """Consecutive slots of a line: `count` of them, the first at `first`."""

    first: float
    interval: float
    count: int

    def after_first(self) -> "Slots":
        """These without the first."""
        return Slots(self.first + self.interval, self.interval, self.count - 1)

    def usable(self, now: float) -> bool:
        """Whether there is one left, and the last of them is not stale."""
        last = self.first + self.interval * (self.count - 1)
        return self.count > 0 and last > now - STALE_SECONDS


def batch_size(rate: float) -> int:
    """How many slots to take at a time, of a line with `rate` slots a second."""
    return max(1, int(rate * BATCH_SECONDS))
