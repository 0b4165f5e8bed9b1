"""One row of the table for each thing measured: its figures, its yardstick's, the ratio, a verdict.

Machines are shared and noisy: every figure is taken in turns with its yardstick, in the same run,
and what counts is the median of the ratios of neighbours.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured. `ratios` decide: their median against `target`, from below or above."""

    number: str
    what: str
    ours: Sequence[float]
    yardstick: Sequence[float]
    ratios: Sequence[float]
    target: float
    at_least: bool
    unit: str
    note: str = ""
    # Whatever else must hold, such as no error; the note says what.
    sound: bool = True

    @property
    def passed(self) -> bool:
        reached = median(self.ratios)
        good = reached >= self.target if self.at_least else reached <= self.target
        return good and self.sound

    def cells(self) -> list[str]:
        sign = "≥" if self.at_least else "≤"
        return [
            self.number,
            self.what,
            _spread(self.ours, self.unit),
            _spread(self.yardstick, self.unit) if self.yardstick else "–",
            f"{median(self.ratios):.2f} ({min(self.ratios):.2f}–{max(self.ratios):.2f})",
            f"{sign} {self.target:g}",
            "pass" if self.passed else "**short**",
            self.note,
        ]


HEAD = ["#", "what", "ours", "yardstick", "ratio", "target", "verdict", "note"]


def in_turns(
    ours: Callable[[], float], yardstick: Callable[[], float], turns: int
) -> tuple[list[float], list[float]]:
    """Both measured in turns: ours, yardstick, ours, …"""
    pairs = [(ours(), yardstick()) for _ in range(turns)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def ratios(ours: Sequence[float], yardstick: Sequence[float]) -> list[float]:
    """Neighbour by neighbour."""
    return [a / b for a, b in zip(ours, yardstick, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def markdown(rows: Sequence[Row]) -> str:
    """The table, as it stands in docs/benchmarks.md."""
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine() -> str:
    """The machine, in a line."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _spread(values: Sequence[float], unit: str) -> str:
    return f"{median(values):.4g} ({min(values):.4g}–{max(values):.4g}) {unit}".strip()
