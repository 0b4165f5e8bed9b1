"""`./dev bench [ROW …]`: measures, prints one table, writes it to docs/benchmarks.md.

With row numbers only those are measured, and nothing is written.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import deliveries, footprint, requests
from tests.benchmarks.stage import Stage, stage
from tests.benchmarks.table import Row, machine, markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
Measure = Callable[[Stage], Iterator[Row]]

MEASURES: dict[tuple[str, ...], Measure] = {
    ("1", "2"): requests.posting,
    ("3",): requests.histories,
    ("4",): deliveries.as_fast_as_it_goes,
    ("5",): deliveries.at_telegrams_pace,
    ("6",): deliveries.from_post_to_call,
    ("7",): deliveries.claims,
    ("8",): footprint.memory,
    ("9",): lambda _: footprint.start(),
    ("10",): requests.posting_while_passwords_are_hashed,
}

INTRODUCTION = """# Benchmarks

Written by `./dev bench`, {date}, on {machine}.

An absolute figure is not stable on a shared machine; a ratio in one run is. Each thing is measured
in turns with its yardstick; figures are median (least–most). What they made us do stands in the
decisions [15](decisions/0015-gunicorn-with-threads.md) to
[20](decisions/0020-memory-is-imported-code.md); what follows for who runs it, in
[scaling.md](scaling.md).

"""


def main() -> int:
    wanted = set(sys.argv[1:])
    rows: list[Row] = []
    with stage() as place:
        for numbers, measure in MEASURES.items():
            if wanted and not wanted & set(numbers):
                continue
            for row in measure(place):
                rows.append(row)
                sys.stdout.write(" | ".join(row.cells()) + "\n")
                sys.stdout.flush()
    if not wanted:
        head = INTRODUCTION.format(date=time.strftime("%Y-%m-%d"), machine=machine())
        DOCUMENT.write_text(f"{head}{markdown(rows)}\n", encoding="utf-8")
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
