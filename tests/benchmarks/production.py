"""An environment with what is installed for production and nothing else, made in a second.

Where the benchmarks run, the tests' packages are installed as well, and structlog and kombu import
two of them, rich and yaml, when they find them. The links lead to the same files: nothing is
installed twice, and nothing is another version.
"""

import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tests.running import ROOT


def environment(folder: Path) -> str:
    """Makes it in `folder`; returns its Python."""
    venv.create(folder, with_pip=False)
    packages = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    for each in _locked():
        for file in each.files or []:
            top = Path(file.parts[0])
            if top.name not in {"..", "__pycache__"} and not (packages / top).exists():
                (packages / top).symlink_to(Path(str(each.locate_file(top))))
    return str(folder / "bin" / "python")


def _locked() -> Iterator[Distribution]:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, pinned, _ = line.partition("==")
        if pinned and not line.startswith((" ", "#")):
            with suppress(PackageNotFoundError):  # locked, but not needed by this Python
                yield distribution(name)
