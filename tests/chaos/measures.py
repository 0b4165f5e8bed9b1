"""What a run's figures are: which kills hit a send, and how long its message had to wait then."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from sandbox.journal import Call
from tests.chaos.checker import FOUND_WITHIN, RECORDED_WITHIN
from tests.chaos.history import History


def kills_in_flight(history: History, kills: list[float]) -> int:
    """How many of these moments fell into a call whose outcome was then lost."""
    return len({moment for moment, _ in _hits(history, kills)})


def kills_in_flight_so_far(history: History, kills: list[float], now: float) -> int:
    """As `kills_in_flight`, before the lanes of dead workers are found: their messages say
    `sending` although the receiver has long answered."""
    sending = {row.text for row in history.rows if row.status == "sending"}
    orphans = {text for post in history.posts if post.text in sending for text in post.expected}
    hit = {moment for moment, _ in _hits(history, kills)}
    for call in history.calls:
        if (
            call.parameters.get("text") in orphans
            and (call.answered_at or now) < now - RECORDED_WITHIN
        ):
            hit |= {moment for moment in kills if call.at <= moment <= (call.answered_at or 0)}
    return len(hit)


def longest_pause(history: History, kills: list[float]) -> float:
    """Seconds from a kill until a message that it hit was taken up again: the longest, or 0."""
    return max((pause for _, pause in _hits(history, kills)), default=0.0)


def _hits(history: History, kills: list[float]) -> Iterator[tuple[float, float]]:
    """Each kill that hit a call, once for each message, with the seconds until it went on.

    Two things must come together: the receiver saw the call under way at that moment, and the row
    says of an attempt, begun before and followed by another after it, that its worker died. So a
    call of another worker's that was under way at the same moment does not count.
    """
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in history.calls:
        calls[str(call.parameters.get("text"))].append(call)
    rows = {row.text: row for row in history.rows}
    for post in history.posts:
        row = rows.get(post.text)
        attempts = row.attempts if row else ()
        lost = [(one.at, later.at) for one, later in pairwise(attempts) if one.orphaned]
        for text in post.expected:
            for call in calls[text]:
                for moment in kills:
                    if not call.at <= moment <= (call.answered_at or moment):
                        continue
                    found = [
                        later - moment
                        for at, later in lost
                        if at <= moment < later < moment + FOUND_WITHIN
                    ]
                    if found:
                        yield moment, min(found)
