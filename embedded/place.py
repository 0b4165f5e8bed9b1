"""Where a server keeps its data and its socket, and as which user it runs.

Usually both are under DATA_DIR. Two things move them: PostgreSQL refuses to run as root, and the
user it runs as instead may not be able to reach DATA_DIR; and the name of a Unix socket may be no
longer than about a hundred bytes. No folder that was there before is ever opened up.
"""

import hashlib
import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from embedded.binaries import open_room
from embedded.errors import EmbeddedError
from embedded.processes import Owner, ourselves

LONGEST_SOCKET = 103  # bytes: sun_path of unix(7) is 108 on Linux, 104 on macOS, with a NUL
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432")


@dataclass(frozen=True)
class Place:
    """`home` and everything directly in it is ours; `data` and `sockets` belong to `owner`."""

    home: Path
    sockets: Path
    owner: Owner

    @property
    def data(self) -> Path:
        return self.home / "data"

    def make(self) -> None:
        """Make the folders that are missing.

        Raises:
            EmbeddedError: a folder for the socket was made by somebody else.
        """
        self.home.mkdir(mode=0o700, exist_ok=True)
        passable = 0o711 if not self.owner.is_us else 0o700
        self.home.chmod(passable)
        if self.sockets.parent != self.home:
            _make_private(self.sockets.parent, passable)
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        give(self.sockets, self.owner, mode=0o700 if self.owner.is_us else 0o770)

    def tidy(self) -> None:
        """Take away what must not stay outside of `home`."""
        if self.sockets.parent != self.home:
            for path in (*self.sockets.glob("*"), *self.sockets.glob(".*")):
                path.unlink(missing_ok=True)
            for folder in (self.sockets, self.sockets.parent):
                if folder.exists():
                    folder.rmdir()


def make_data_dir(data_dir: Path) -> None:
    """Make DATA_DIR: private, except that another user may pass through what root makes.

    Raises:
        EmbeddedError: it cannot be made or written.
    """
    try:
        if not data_dir.exists():
            data_dir.mkdir(parents=True)
            data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as problem:
        raise EmbeddedError(f"DATA_DIR {data_dir} cannot be made: {problem.strerror}.") from None
    if not os.access(data_dir, os.W_OK | os.X_OK):
        owner = data_dir.stat().st_uid
        raise EmbeddedError(
            f"DATA_DIR {data_dir} belongs to another user (uid {owner}). Start as that user, or"
            " set DATA_DIR to a folder of your own."
        )


def place_for(data_dir: Path, name: str) -> Place:
    """The place of a server that runs as ourselves."""
    home = data_dir.resolve() / name
    return Place(home, _sockets_for(home), ourselves())


def place_for_other_than_root(data_dir: Path, name: str) -> Place:
    """The place of a server that refuses to run as root.

    Raises:
        EmbeddedError: as root, when there is no other user or no place that user can reach.
    """
    if os.geteuid() != 0:
        return place_for(data_dir, name)
    link = data_dir.resolve() / name
    owner = _owner_of(link / "data") or _nobody()
    home = _reachable_home(link, owner)
    return Place(home, _sockets_for(home), owner)


def give(path: Path, owner: Owner, *, mode: int) -> None:
    """Hand a folder over to its user; root keeps the group, for when it lacks its powers."""
    path.chmod(mode)
    if not owner.is_us:
        os.chown(path, owner.uid, os.getegid())


def _reachable_home(link: Path, owner: Owner) -> Path:
    if link.is_symlink():
        return link.resolve()
    if _can_reach(link.parent, owner):
        return link
    if link.exists():
        raise EmbeddedError(
            f"{link} was made when every user could pass through its parent folders; now the user"
            f" that PostgreSQL runs as (uid {owner.uid}) cannot. Move the project to where it"
            " can, or set DATA_DIR."
        )
    key = hashlib.sha256(os.fsencode(link.parent)).hexdigest()[:12]
    home = open_room() / key / link.name
    home.parent.mkdir(mode=0o711, exist_ok=True)
    home.parent.chmod(0o711)
    link.symlink_to(home)
    return home


def _can_reach(folder: Path, owner: Owner) -> bool:
    """Whether that user can enter a folder; asked by trying, so that every kind of rule counts."""
    try:
        tried = subprocess.run(
            ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
            stderr=subprocess.DEVNULL,
            cwd="/",
            user=owner.uid,
            group=owner.gid,
            extra_groups=[],
        )
    except PermissionError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and this root may not change its user (a container"
            " without CAP_SETUID?). Start as an ordinary user, or set DATABASE_URL."
        ) from None
    return tried.returncode == 0


def _owner_of(data: Path) -> Owner | None:
    """Whose the data are already: they stay theirs."""
    if not data.exists():
        return None
    found = data.stat()
    return None if found.st_uid == 0 else _owner(found.st_uid)


def _nobody() -> Owner:
    try:
        return _owner(pwd.getpwnam("nobody").pw_uid)
    except KeyError:
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no user `nobody` to run it as. Start"
            " as an ordinary user, or set DATABASE_URL."
        ) from None


def _owner(uid: int) -> Owner:
    return Owner(uid, pwd.getpwuid(uid).pw_gid)


def _sockets_for(home: Path) -> Path:
    near = home / "socket"
    is_short = len(os.fsencode(near)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET
    if is_short and "," not in str(near):  # libpq takes a comma for the end of the host
        return near
    key = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path("/tmp") / f"gonets-{os.geteuid()}-{key}" / "socket"


def _make_private(folder: Path, mode: int) -> None:
    """Make a folder of ours where everyone may make folders, and trust no other's."""
    folder.mkdir(mode=mode, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedError(f"{folder} was made by somebody else; remove it.")
    folder.chmod(mode)
