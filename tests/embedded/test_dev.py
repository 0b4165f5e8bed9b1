"""`./dev` itself: what it installs and when. Python and pip are stand-ins that write down calls."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.embedded.conftest import ROOT

PYTHON = f"""#!/bin/sh
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin; cp "$STAND_INS/venv-python" .venv/bin/python ;;
    *ensurepip*) [ ! -e "$STAND_INS/no-ensurepip" ] ;;
    *) exec {sys.executable} "$@" ;;
esac
"""

VENV_PYTHON = f"""#!/bin/sh
case "$1 $2" in
    "-m pip") echo "$@" >>"$STAND_INS/installed"; sleep 0.2; [ ! -e "$STAND_INS/pip-fails" ] ;;
    "-c "*) exec {sys.executable} "$@" ;;
    *) echo "ran: $*" ;;
esac
"""


class Checkout:
    """A project folder with `dev`, its lock files and the stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.stand_ins = folder / "stand-ins"
        self.folder.mkdir()
        self.stand_ins.mkdir()
        shutil.copy(ROOT / "dev", self.folder)
        for name in ("requirements.txt", "requirements-embedded.txt", "requirements-dev.txt"):
            (self.folder / name).write_text(f"# {name}\n")
        for name, text in (("python3", PYTHON), ("venv-python", VENV_PYTHON)):
            (self.stand_ins / name).write_text(text)
            (self.stand_ins / name).chmod(0o755)

    def dev(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.folder / "dev", *words],
            env={"PATH": f"{self.stand_ins}:/usr/bin:/bin", "STAND_INS": str(self.stand_ins)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=30,
        )

    @property
    def installations(self) -> list[str]:
        log = self.stand_ins / "installed"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if any(os.path.exists(f"{folder}/uv") for folder in ("/usr/bin", "/bin")):
        pytest.skip("uv of the system would be used instead of the stand-in for pip")
    return Checkout(tmp_path)


def test_alone_it_prints_what_it_can_do(checkout: Checkout) -> None:
    told = checkout.dev()
    assert told.returncode == 0
    assert "./dev run" in told.stdout
    assert not (checkout.folder / ".venv").exists()


def test_unknown_command_is_named(checkout: Checkout) -> None:
    told = checkout.dev("rum")
    assert told.returncode == 1
    assert "there is no command 'rum'" in told.stderr


def test_first_run_installs_what_is_locked_by_hash_and_the_second_nothing(
    checkout: Checkout,
) -> None:
    assert checkout.dev("run").stdout == "ran: -m embedded run\n"
    assert checkout.dev("run").stdout == "ran: -m embedded run\n"
    (installation,) = checkout.installations
    assert "--require-hashes" in installation
    assert installation.endswith("-r requirements.txt -r requirements-embedded.txt")


def test_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.dev("run")
    (checkout.folder / "requirements.txt").write_text("# newer\n")
    checkout.dev("run")
    assert len(checkout.installations) == 2


def test_tests_need_what_developers_need_and_get_their_arguments(checkout: Checkout) -> None:
    checkout.dev("run")
    assert checkout.dev("test", "-k", "a b").stdout == "ran: -m pytest -k a b\n"
    assert checkout.installations[-1].endswith("-r requirements-dev.txt")


def test_broken_off_installation_is_begun_anew(checkout: Checkout) -> None:
    (checkout.stand_ins / "pip-fails").touch()
    broken = checkout.dev("run")
    assert broken.returncode == 1
    assert "The installation failed" in broken.stderr
    (checkout.folder / ".venv" / "half").touch()
    (checkout.stand_ins / "pip-fails").unlink()
    assert checkout.dev("run").returncode == 0
    assert not (checkout.folder / ".venv" / "half").exists()


def test_moved_project_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.dev("run")
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved"))
    assert checkout.dev("run").returncode == 0
    assert len(checkout.installations) == 2


def test_python_that_cannot_make_an_environment_is_told_with_the_remedy(
    checkout: Checkout,
) -> None:
    (checkout.stand_ins / "no-ensurepip").touch()
    told = checkout.dev("run")
    assert told.returncode == 1
    assert "apt-get install python3-venv" in told.stderr
    assert not (checkout.folder / ".venv").exists()
    (checkout.stand_ins / "no-ensurepip").unlink()
    assert checkout.dev("run").returncode == 0


def test_two_first_runs_at_once_install_once(checkout: Checkout) -> None:
    results: list[subprocess.CompletedProcess[str]] = []
    runs = [threading.Thread(target=lambda: results.append(checkout.dev("run"))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert [result.stdout for result in results] == ["ran: -m embedded run\n"] * 2
    assert len(checkout.installations) == 1


def test_machine_without_python_is_told_which_one_it_needs(checkout: Checkout) -> None:
    (checkout.stand_ins / "python3").write_text("#!/bin/sh\nexit 1\n")
    for name in ("python3.11", "python3.12", "python3.13", "python3.14"):
        shutil.copy(checkout.stand_ins / "python3", checkout.stand_ins / name)
    told = checkout.dev("run")
    assert told.returncode == 1
    assert told.stderr.startswith("No Python 3.11 or newer found.")
