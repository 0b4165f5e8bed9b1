"""The geometry of the charts: figures in, rectangles out. No words, no colours, no requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.charts import Day
from app.services.operations import Minute

WIDTH, HEIGHT = 600, 120
GAP = 4
# What stands at the bottom of a bar comes first.
KINDS = ("sent", "waiting", "failed")


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle: what it counts, where it stands."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Stacked bars, one stack a day; `top` is the number that the full height stands for."""

    width: int
    height: int
    top: int
    bars: list[Bar]


def bars(days: Sequence[Day]) -> Chart:
    """The days of one person's messages, from left to right."""
    return _stacked(KINDS, [[getattr(day, kind) for kind in KINDS] for day in days])


def minutes(of_delivery: Sequence[Minute]) -> Chart:
    """The minutes of all calls to Telegram: what was sent, what was told to wait, the rest."""
    stacks = []
    for minute in of_delivery:
        sent, wait = minute.outcomes.get("sent", 0), minute.outcomes.get("wait", 0)
        stacks.append([sent, wait, sum(minute.outcomes.values()) - sent - wait])
    return _stacked(KINDS, stacks)


def _stacked(kinds: Sequence[str], stacks: Sequence[Sequence[int]]) -> Chart:
    top = max((sum(stack) for stack in stacks), default=0)
    step = WIDTH / max(1, len(stacks))
    drawn: list[Bar] = []
    for index, stack in enumerate(stacks):
        floor = float(HEIGHT)
        for kind, count in zip(kinds, stack, strict=True):
            if not count:
                continue
            # The smallest number is still to be seen beside the largest.
            height = max(2.0, HEIGHT * count / top)
            floor = max(0.0, floor - height)
            x, y = round(index * step, 1), round(floor, 1)
            drawn.append(Bar(kind, x, y, round(step - GAP, 1), round(height, 1)))
    return Chart(WIDTH, HEIGHT, top, drawn)
