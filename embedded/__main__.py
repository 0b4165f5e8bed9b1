"""What `./dev` calls: `python -m embedded run`, `python -m embedded flask …`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from embedded import environment as env
from embedded.errors import EmbeddedError
from embedded.run import run

PROJECT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Do what the first argument says; gives the exit status."""
    try:
        match arguments:
            case ["run"]:
                return run(PROJECT)
            case ["flask", *rest]:
                _become_flask(rest)
    except EmbeddedError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    sys.stderr.write("usage: python -m embedded run | flask ARGUMENTS\n")
    return 2


def _become_flask(arguments: list[str]) -> NoReturn:
    """Run a flask command with the environment of the Gonets that runs."""
    settings = env.read(PROJECT)
    environment = env.recall(PROJECT / settings.get("DATA_DIR", "var"))
    os.execvpe("flask", ["flask", "--app", "wsgi", *arguments], environment)


sys.exit(main(sys.argv[1:]))
