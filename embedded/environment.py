"""The environment that the parts of `./dev run` get: what the person set, and what we fill in.

What is generated (a secret key, Flower's password, the sandbox's token) is made once and kept in
DATA_DIR, for its owner's eyes only. What the settings mean is told in `.env.example`.
"""

import json
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from dotenv import dotenv_values

from embedded.errors import EmbeddedError

RUNNING = "environment.json"
Environment = dict[str, str]


def read(project: Path) -> Environment:
    """The process's environment, with what `.env` adds; an empty value is an absent one, and an
    empty one of the process hides that of `.env`."""
    both = {**dotenv_values(project / ".env"), **os.environ}
    environment = {name: value for name, value in both.items() if value}
    programs = project / ".venv" / "bin"
    environment["PATH"] = f"{programs}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment["PYTHONUNBUFFERED"] = "1"
    environment["FLASK_SKIP_DOTENV"] = "1"  # it has been read
    if os.geteuid() == 0:
        # Celery's word to root, six lines of it at each start; nobody else is on this machine.
        environment["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser"
    return environment


def is_set(environment: Mapping[str, str], name: str) -> bool:
    """Whether a setting has a value, or a file that holds it."""
    return bool(environment.get(name) or environment.get(f"{name}_FILE"))


def port(environment: Mapping[str, str], name: str, default: int) -> int:
    """A port number.

    Raises:
        EmbeddedError: it is none.
    """
    value = environment.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65535:
        raise EmbeddedError(f"{name}: {value!r} is not a port from 1 to 65535.")
    return int(value)


def refuse_busy_port(host: str, number: int, setting: str) -> None:
    """See that a port can be listened on.

    Raises:
        EmbeddedError: it cannot; the message names the setting.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((host, number))
    except OSError as problem:
        raise EmbeddedError(
            f"Cannot listen on {host}:{number} ({problem.strerror or problem})."
            f" Set {setting} to a free port{', or HOST' if setting == 'PORT' else ''}."
        ) from None


def kept(file: Path, make: Callable[[], str]) -> str:
    """The secret in a file, made and written there the first time."""
    if not file.exists():
        write_private(file, make())
    return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    draft = file.with_name(f"{file.name}.draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(text)
    draft.replace(file)


def new_secret_key() -> str:
    return secrets.token_hex(32)


def new_basic_auth() -> str:
    return f"gonets:{secrets.token_urlsafe(18)}"


def new_bot_token() -> str:
    """A token of the shape Telegram's have, for the sandbox's bot."""
    return f"{secrets.randbelow(9 * 10**8) + 10**8}:{secrets.token_hex(18)[:35]}"


def remember(data_dir: Path, environment: Mapping[str, str]) -> None:
    """Keep the environment for the commands that are run beside a running Gonets."""
    ours = {k: v for k, v in environment.items() if os.environ.get(k) != v}
    write_private(data_dir / RUNNING, json.dumps(ours))


def recall(data_dir: Path) -> Environment:
    """The environment of the Gonets that runs in a data folder.

    Raises:
        EmbeddedError: none runs.
    """
    try:
        ours = json.loads((data_dir / RUNNING).read_text())
    except FileNotFoundError:
        raise EmbeddedError(f"Gonets does not run in {data_dir}. Start it: ./dev run") from None
    return {**os.environ, **ours}


def forget(data_dir: Path) -> None:
    (data_dir / RUNNING).unlink(missing_ok=True)
