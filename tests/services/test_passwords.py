"""Passwords: what may be chosen, and that the hasher is the one that the promises speak of."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from app.errors import Invalid, Unavailable
from app.services import passwords
from tests.running import ROOT


@pytest.fixture
def real_hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", passwords.hasher())
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


def test_the_hash_is_argon2id_as_strong_as_owasp_asks(real_hasher: None) -> None:
    found = extract_parameters(passwords.hash("correct horse"))
    assert found.type is Type.ID
    assert found.memory_cost >= 19456
    assert found.time_cost >= 2
    assert found.parallelism >= 1
    assert found.salt_len >= 16
    assert found.hash_len >= 16


def test_a_hash_made_with_less_is_outdated(real_hasher: None) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("correct horse")
    assert passwords.is_outdated(weak)
    assert not passwords.is_outdated(passwords.hash("correct horse"))


@pytest.mark.parametrize("length", [64, 72, 100, 128, 1024])
def test_long_passwords_count_to_their_last_character(length: int) -> None:
    password = "a1" * (length // 2)
    passwords.check_new(password, "alice", 8)
    stored = passwords.hash(password)
    assert passwords.verify(stored, password)
    assert not passwords.verify(stored, password[:-1])
    assert not passwords.verify(stored, password[:63])
    assert not passwords.verify(stored, password + " ")
    assert not passwords.verify(stored, password.upper())


def test_a_password_is_taken_as_it_is_not_normalised() -> None:
    composed, decomposed = "m\u00fcnchen-1", "mu\u0308nchen-1"
    assert passwords.verify(passwords.hash(composed), composed)
    assert not passwords.verify(passwords.hash(composed), decomposed)


@pytest.mark.parametrize(
    "password",
    [
        "12345678",
        "password",
        "PassWord",
        "qwertyuiop",
        "aaaaaaaa",
        "        ",
        "short77",
        "",
        "with\x00nul",
        "lone\ud800surrogate",
        "x" * 1023 + "ё",
        "ё" * 513,
        "Alice-in-Wonder",
        "AIice-in-Wonder",
    ],
)
def test_common_short_long_and_impossible_passwords_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        passwords.check_new(password, "alice-in-wonder", 8, "psw")
    assert list(refused.value.fields) == ["psw"]


@pytest.mark.parametrize(
    "password",
    [
        "Saniaqwe123",
        "password1234",
        "some_password",
        "желаемый_пароль",
        "        x",
        "all lower case words",
        "83920174658392017465",
        "ё" * 255 + "я",
    ],
)
def test_the_documented_examples_and_unusual_passwords_are_accepted(password: str) -> None:
    passwords.check_new(password, "alice", 8)


def test_every_common_password_of_the_list_is_refused() -> None:
    common = [word for word in sorted(passwords._common()) if len(word) >= 8]
    assert len(common) > 3000
    accepted = []
    for password in common:
        try:
            passwords.check_new(password, "alice", 8)
        except Invalid:
            continue
        accepted.append(password)
    assert accepted == []


def test_a_megabyte_is_refused_without_hashing_it() -> None:
    began = time.process_time()
    with pytest.raises(Invalid):
        passwords.check_new("x1" * 500_000, "alice", 8)
    assert not passwords.verify(passwords.hash("correct horse"), "x1" * 500_000)
    assert time.process_time() - began < 0.1


def test_no_more_than_a_few_are_hashed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.05)
    entered, leave = threading.Barrier(passwords.CONCURRENT + 1), threading.Event()

    class Slow:
        def hash(self, password: str) -> str:
            entered.wait(10)
            leave.wait(10)
            return "hash"

    monkeypatch.setattr(passwords, "_hasher", Slow())
    threads = [
        threading.Thread(target=passwords.hash, args=("x",)) for _ in range(passwords.CONCURRENT)
    ]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with pytest.raises(Unavailable):
        passwords.hash("one too many")
    leave.set()
    for thread in threads:
        thread.join(10)


HASH_IN_MANY_THREADS = """
import re, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from app.services import passwords

def megabytes():
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\\s+(\\d+)", status)[1]) / 1024

everybody = threading.Barrier(16)

def hash_some(_):
    everybody.wait(10)
    for _ in range(3):
        passwords.hash("correct horse")

before = megabytes()
with ThreadPoolExecutor(16) as threads:
    list(threads.map(hash_some, range(16)))
print(megabytes() - before)
"""


HASH_IN_A_CHILD = """
import os
from app.services import passwords

stored = passwords.hash("correct horse")
child = os.fork()
if child == 0:
    os._exit(0 if passwords.verify(stored, "correct horse") else 1)
print(os.waitpid(child, 0)[1])
"""


def test_a_process_that_was_forked_after_the_first_hash_can_hash_as_well() -> None:
    command = [sys.executable, "-c", HASH_IN_A_CHILD]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert said.stdout == "0\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux")
def test_a_process_that_hashes_in_many_threads_does_not_keep_the_memory_of_each() -> None:
    command = [sys.executable, "-c", HASH_IN_MANY_THREADS]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert float(said.stdout) < 19456 / 1024 + 12


def test_nobodys_password_is_nobodys() -> None:
    assert not passwords.verify(None, "nobody has this password")
    assert not passwords.verify(None, "")
