"""Hashing, checking and choosing passwords. It knows no account and no database.

argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane: about 20 ms). Passwords are taken as
they are, whole: no truncation, no normalisation (ASVS 6.2.8).
"""

import threading
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Invalid, Sentence, Unavailable
from app.services import names

MAX_BYTES = 1024
# How many a process hashes at once, and for how long (s) one more waits for its turn. One is fifty
# a second; with more, whoever posts a message meanwhile waits for the processor (benchmark 10).
CONCURRENT = 1
PATIENCE = 10


def hasher() -> PasswordHasher:
    """The hasher that everything here uses."""
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)


_hasher = hasher()
_places = threading.BoundedSemaphore(CONCURRENT)
_COMMON = Path(__file__).with_name("common_passwords.txt")


def hash(password: str) -> str:
    """The argon2id hash to store. Raises `Unavailable` when too many are being hashed."""
    with _Place():
        return _hasher.hash(password)


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one that `stored` was made from.

    With no stored hash (no such account), and for what cannot be a password, it takes the same time
    and says no. Raises `Unavailable` when too many are being hashed.
    """
    if stored is None or not is_possible(password):
        stored, password = None, ""
    with _Place():
        try:
            return _hasher.verify(stored or _nobodys(), password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(stored: str) -> bool:
    """Whether `stored` was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def check_new(password: str, username: str, shortest: int, field: str = "password") -> None:
    """Raises `Invalid` unless `password` may be chosen: `shortest` characters to 1,024 bytes, not a
    common one, not one character throughout, not the username."""
    if len(password) < shortest:
        short = Sentence("A password has at least {least} characters.", least=shortest)
        raise Invalid(fields={field: [short]})
    if not is_possible(password):
        long = Sentence("A password has at most {most} bytes, and no NUL.", most=MAX_BYTES)
        raise Invalid(fields={field: [long]})
    if names.lookalike(password) == names.lookalike(username):
        raise Invalid(fields={field: ["The password must not be the username."]})
    if password.casefold() in _common() or len(set(password)) == 1:
        raise Invalid(fields={field: ["This password is too common; others will try it."]})


def pattern(shortest: int) -> str:
    """What documents can say of `check_new` in ECMA-262's terms: whatever matches may be chosen,
    but for the common ones; beyond 256 characters only ASCII is sure to fit."""
    bounds = f"[\\x01-\\x7f]{{{shortest},{MAX_BYTES}}}|[^\\x00]{{{shortest},{MAX_BYTES // 4}}}"
    return rf"^(?!([\s\S])\1*$)(?:{bounds})$"


def is_possible(password: str) -> bool:
    """Whether any account can have this password: what cannot be one is not worth hashing."""
    return names.is_storable(password) and len(password.encode()) <= MAX_BYTES


class _Place:
    """One of the few places where hashing goes on."""

    def __enter__(self) -> None:
        if not _places.acquire(timeout=PATIENCE):
            raise Unavailable("Too many sign-ins at once; try again in a moment.")

    def __exit__(self, *_: object) -> None:
        _places.release()


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
