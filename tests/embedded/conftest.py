"""Folders and users for tests that start real servers and real supervisors."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedded import Servers
from embedded.processes import birth

ROOT = Path(__file__).resolve().parents[2]
AS_ROOT = os.geteuid() == 0


@contextmanager
def a_folder() -> Iterator[Path]:
    """A folder that every user can pass through (pytest's own are closed), with a short name."""
    path = Path(tempfile.mkdtemp(prefix="gz-", dir="/tmp"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with a_folder() as path:
        yield path


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A DATA_DIR whose first start is over; tests take a copy, it is faster than a first start."""
    with a_folder() as folder:
        with Servers(folder / "data", durable=False):
            pass
        yield folder / "data"


def copy(made: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", str(made), str(to)], check=True)
    return to


def processes_with(text: str) -> dict[int, str]:
    """Living processes that have a text in their command or environment: what was left running."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if (text in command or text in environment) and birth(int(entry.name)):
                found[int(entry.name)] = command
    return found


@pytest.fixture
def as_other_user(folder: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs Python code as an ordinary user, from a test that runs as root."""
    if not AS_ROOT:
        pytest.skip("only root can become another user")
    user = pwd.getpwnam("nobody")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), packages]),
        "HOME": str(folder),
    }

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_python_for(user, environment), "-c", code],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
            cwd="/",
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def _python_for(user: pwd.struct_passwd, environment: dict[str, str]) -> str:
    """An interpreter that the user can run and that can import what is installed for this one."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        try:
            tried = subprocess.run(
                [python, "-c", "import psycopg2, embedded"],
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                cwd="/",
                env=environment,
                capture_output=True,
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    pytest.skip("no Python here that an ordinary user can run")
