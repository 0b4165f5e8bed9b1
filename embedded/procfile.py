"""The parts of the program as the Procfile names them: the one place that has their commands."""

import re
from pathlib import Path

from embedded.errors import EmbeddedError


def read(file: Path) -> dict[str, str]:
    """Name and shell command of each part, in order.

    Raises:
        EmbeddedError: the file or a line of it cannot be read.
    """
    try:
        lines = file.read_text().splitlines()
    except OSError as problem:
        raise EmbeddedError(f"{file} cannot be read: {problem.strerror}.") from None
    parts = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        found = re.fullmatch(r"([A-Za-z0-9_-]+):\s*(\S.*)", line)
        if not found:
            raise EmbeddedError(f"{file}, line {number}: not of the form `name: command`.")
        parts[found[1]] = found[2]
    return parts
