"""Hashing, checking and choosing passwords. It knows no account and no database.

argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane: about 20 ms). Passwords are taken as
they are, whole: no truncation, no normalisation (ASVS 6.2.8).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import Invalid, Sentence, Unavailable
from app.services import names

MAX_BYTES = 1024
# How many a process hashes at once, and for how long (s) one more waits for its turn. One is fifty
# a second; with more, whoever posts a message meanwhile waits for the processor (benchmark 10).
CONCURRENT = 1
PATIENCE = 10

Result = TypeVar("Result")


def hasher() -> PasswordHasher:
    """The hasher that everything here uses."""
    return PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1, type=Type.ID)


_hasher = hasher()
_COMMON = Path(__file__).with_name("common_passwords.txt")


def hash(password: str) -> str:
    """The argon2id hash to store. Raises `Unavailable` when too many are being hashed."""
    return _in_turn(partial(_hasher.hash, password))


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one that `stored` was made from.

    With no stored hash (no such account), and for what cannot be a password, it takes the same time
    and says no. Raises `Unavailable` when too many are being hashed.
    """
    if stored is None or not is_possible(password):
        stored, password = None, ""
    return _in_turn(partial(_matches, stored or _nobodys(), password)) and stored is not None


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


@cache
def _hashing() -> ThreadPoolExecutor:
    """Threads of their own: the C library keeps what hashing took for the thread that hashed, so
    with the web's sixteen a process grew by 250 MB."""
    return ThreadPoolExecutor(CONCURRENT, "hashing")


# A parent's threads are not in its children.
os.register_at_fork(after_in_child=_hashing.cache_clear)


def _in_turn(work: Callable[[], Result]) -> Result:
    """What `work` returns, done by one of the threads that hash, when it is its turn."""
    done = _hashing().submit(work)
    try:
        return done.result(PATIENCE)
    except TimeoutError:
        if done.cancel():
            raise Unavailable("Too many sign-ins at once; try again in a moment.") from None
        return done.result()


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
