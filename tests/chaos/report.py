"""What a run prints: one table, and the words that belong to it."""

from collections.abc import Sequence

from tests.chaos.checker import KINDS
from tests.chaos.scene import Result

FINDINGS_SHOWN = 12
_SHORT = {
    "unexpected": "unexp.",
    "cross_tenant": "foreign",
    "inversions": "order",
    "duplicates_explained": "twice, told",
    "duplicates_unexplained": "twice, untold",
    "status_mismatch": "untrue",
}


def table(results: Sequence[tuple[int, Result]]) -> str:
    """Seed and result of each scenario, one a line, and the sums."""
    head = [
        "seed",
        "scenario",
        "posted",
        "arrived",
        "kills hit/all",
        *(_SHORT.get(k, k) for k in KINDS),
    ]
    head += ["drain s", "pause s", "slowest POST s", "took s", "verdict"]
    lines = [head, *(_line(str(seed), result) for seed, result in results)]
    if results:
        lines.append(_sum([result for _, result in results]))
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def words(results: Sequence[tuple[int, Result]]) -> str:
    """What was noted, and what was found."""
    said = []
    for seed, result in results:
        name = f"{result.name} ({seed})"
        said += [f"{name}: {note}" for note in result.notes]
        said += [f"{name}: BROKEN: {words}" for words in result.broken]
        found = result.verdict.findings
        said += [f"{name}: FOUND: {words}" for words in found[:FINDINGS_SHOWN]]
        if len(found) > FINDINGS_SHOWN:
            said.append(f"{name}: and {len(found) - FINDINGS_SHOWN} findings more")
    return "\n".join(said)


def bound(arrived: int) -> str:
    """What none of so many shows: the rule of three."""
    return (
        f"{arrived} messages arrived. 0 of n bounds a rate at 3/n with 95 % confidence: what never"
        f" happened to them happens to fewer than {3 / max(arrived, 1):.3%}."
    )


def _line(seed: str, result: Result) -> list[str]:
    return [
        seed,
        result.name,
        str(result.messages),
        str(result.arrived),
        f"{result.kills_in_flight}/{result.kills}" if result.kills else "-",
        *(str(result.verdict.counts[kind]) for kind in KINDS),
        f"{result.drain:.0f}",
        f"{result.pause:.0f}" if result.kills else "-",
        f"{result.slowest_post:.2f}",
        f"{result.seconds:.0f}",
        "kept" if result.kept else "BROKEN",
    ]


def _sum(results: Sequence[Result]) -> list[str]:
    kills, hits = sum(r.kills for r in results), sum(r.kills_in_flight for r in results)
    return [
        "",
        "all",
        str(sum(result.messages for result in results)),
        str(sum(result.arrived for result in results)),
        f"{hits}/{kills}",
        *(str(sum(result.verdict.counts[kind] for result in results)) for kind in KINDS),
        f"{max(result.drain for result in results):.0f}",
        f"{max(result.pause for result in results):.0f}",
        f"{max(result.slowest_post for result in results):.2f}",
        f"{sum(result.seconds for result in results):.0f}",
        "kept" if all(result.kept for result in results) else "BROKEN",
    ]
