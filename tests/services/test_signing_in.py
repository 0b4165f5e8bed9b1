"""Signing in: one answer for everything that is wrong, one counter for every way."""

import statistics
import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.errors import TooManyFailures, Unavailable, WrongCredentials
from app.extensions import db
from app.services import accounts, limits, passwords, signing_in
from app.services.people import Person, Visitor
from embedded import Servers
from tests import statements
from tests.conftest import PASSWORD, Clock, Member
from tests.together import at_once

HERE = Visitor("203.0.113.1")


def elsewhere(number: int = 1) -> Visitor:
    return Visitor(f"198.51.100.{number}")


def sign_in(username: str = "alice", password: str = PASSWORD, visitor: Visitor = HERE) -> Person:
    return signing_in.authenticate(username, password, visitor)


def fail(times: int, username: str = "alice", visitor: Visitor = HERE) -> None:
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            sign_in(username, "wrong password", visitor)


def hits(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM hit")) or 0)


@pytest.mark.parametrize("spelling", ["alice", "ALICE", "AIice", "ａｌｉｃｅ"])
def test_the_right_password_lets_in_by_any_spelling_that_looks_alike(
    ctx: Flask, alice: Member, spelling: str
) -> None:
    assert sign_in(spelling).id == alice.person.id


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "wrong password"),
        ("alice", PASSWORD + " "),
        ("alice", PASSWORD.upper()),
        ("alice", ""),
        ("alice", "\x00"),
        ("alice", "\ud800"),
        ("alice", "x" * 2000),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("\x00", PASSWORD),
        ("alice\x00", PASSWORD),
        ("\ud800", PASSWORD),
        ("alice" + "x" * 100_000, PASSWORD),
        ("\ufdfa" * 10_000, PASSWORD),
        ("erased/1", PASSWORD),
    ],
)
def test_everything_else_is_one_and_the_same_refusal(
    ctx: Flask, alice: Member, username: str, password: str
) -> None:
    with pytest.raises(WrongCredentials) as refused:
        sign_in(username, password)
    assert refused.value.detail == WrongCredentials.__doc__
    assert not refused.value.fields


def test_an_account_that_is_shut_is_refused_like_a_wrong_password(
    ctx: Flask, alice: Member, new_member: Callable[..., Member]
) -> None:
    admin = new_member("boss", is_admin=True)
    accounts.disable(admin.person, alice.person.id, HERE)
    with pytest.raises(WrongCredentials):
        sign_in()
    accounts.enable(admin.person, alice.person.id, HERE)
    accounts.erase(sign_in(), HERE)
    with pytest.raises(WrongCredentials):
        sign_in()


def test_there_is_nobody_to_be_in_a_fresh_installation(ctx: Flask) -> None:
    with pytest.raises(WrongCredentials):
        sign_in("admin", "admin")


def test_after_ten_failures_not_even_the_right_password_is_tried(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch, stopped_clock: Clock
) -> None:
    fail(10)
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("a password was tried"))
    with pytest.raises(TooManyFailures) as refused:
        sign_in()
    assert refused.value.retry_after == pytest.approx(900)
    monkeypatch.undo()
    assert sign_in(visitor=elsewhere()).id == alice.person.id


def test_after_a_quarter_of_an_hour_it_is_tried_again(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    fail(10)
    stopped_clock.advance(minutes=15, seconds=1)
    assert sign_in().id == alice.person.id


def test_an_unknown_username_is_throttled_like_a_known_one(ctx: Flask) -> None:
    fail(10, "nobody")
    with pytest.raises(TooManyFailures):
        sign_in("nobody")


def test_right_passwords_are_not_counted(ctx: Flask, alice: Member, database: Engine) -> None:
    for _ in range(12):
        sign_in()
    assert hits(database) == 1  # her registration


def test_during_an_attack_only_networks_with_an_earlier_sign_in_are_heard(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    sign_in(visitor=HERE)
    for number in range(10):
        fail(10, visitor=elsewhere(number))
    with pytest.raises(TooManyFailures):
        sign_in(visitor=elsewhere(200))
    assert sign_in(visitor=HERE).id == alice.person.id
    fail(10, visitor=HERE)
    with pytest.raises(TooManyFailures):
        sign_in(visitor=HERE)
    stopped_clock.advance(hours=1, seconds=1)
    assert sign_in(visitor=elsewhere(200)).id == alice.person.id


def spray(usernames: int = 100, visitor: Visitor = HERE) -> None:
    for number in range(usernames):
        fail(1, f"name{number}", visitor)


def test_one_password_tried_on_many_usernames_shuts_the_network_for_all_others(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch, stopped_clock: Clock
) -> None:
    spray(99)
    assert sign_in(visitor=elsewhere()).id == alice.person.id
    fail(1, "somebody")
    monkeypatch.setattr(passwords, "verify", lambda *_: pytest.fail("a password was tried"))
    for username in ("alice", "nobody", "\x00"):
        with pytest.raises(TooManyFailures) as refused:
            sign_in(username)
        assert refused.value.retry_after == pytest.approx(900)
    monkeypatch.undo()
    assert sign_in(visitor=elsewhere()).id == alice.person.id


def test_whoever_shares_a_network_with_a_guesser_still_gets_in_where_they_did_before(
    ctx: Flask, alice: Member, new_member: Callable[..., Member], stopped_clock: Clock
) -> None:
    sign_in()
    bob = new_member("bob")
    spray()
    assert sign_in().id == alice.person.id
    with pytest.raises(TooManyFailures):
        sign_in("bob")
    assert sign_in("bob", visitor=elsewhere()).id == bob.person.id
    fail(10)
    with pytest.raises(TooManyFailures):
        sign_in()
    stopped_clock.advance(minutes=15, seconds=1)
    assert sign_in("bob").id == bob.person.id


def test_right_passwords_of_many_are_no_failures_of_their_network(
    ctx: Flask, new_member: Callable[..., Member], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILURES_OF_NETWORK", limits.Limit("failures_network", 2, 900))
    for number in range(4):
        new_member(f"name{number}")
        sign_in(f"name{number}")


def test_a_right_sign_in_asks_the_database_no_more_than_it_must(ctx: Flask, alice: Member) -> None:
    with statements.noted() as sent:
        sign_in()
    # Two limits: a lock, a look, a hit each. Who it is, twice; the hits go, the network is noted.
    assert len(sent) == 10, sent


def test_a_wiped_broker_resets_no_counter(ctx: Flask, alice: Member, servers: Servers) -> None:
    import redis

    fail(10)
    with redis.Redis.from_url(servers.redis_url) as broker:
        broker.flushall()
    with pytest.raises(TooManyFailures):
        sign_in()


def test_no_burst_of_guesses_gets_more_than_ten_tries(
    app: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    real = passwords.verify

    def verify(stored: str | None, password: str) -> bool:
        tried.append(password)
        return real(stored, password)

    monkeypatch.setattr(passwords, "verify", verify)
    results = at_once(app, 30, lambda n: sign_in(password=f"guess {n}"))
    assert len(tried) == 10
    assert sum(isinstance(result, WrongCredentials) for result in results) == 10
    assert sum(isinstance(result, TooManyFailures) for result in results) == 20


def test_right_passwords_that_come_together_are_all_right(app: Flask, alice: Member) -> None:
    results = at_once(app, 24, lambda _: sign_in().id)
    assert results == [alice.person.id] * 24


def test_a_server_too_busy_to_hash_does_not_count_a_failure(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    def busy(*_: object) -> bool:
        raise Unavailable

    before = hits(database)
    monkeypatch.setattr(passwords, "verify", busy)
    with pytest.raises(Unavailable):
        sign_in()
    assert hits(database) == before


def test_an_outdated_hash_is_renewed_at_the_next_sign_in(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch, database: Engine
) -> None:
    from argon2 import PasswordHasher

    def stored() -> str:
        with database.connect() as connection:
            return str(connection.scalar(text("SELECT password_hash FROM account")))

    weak = stored()
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)
    sign_in()
    assert stored() != weak
    assert not passwords.is_outdated(stored())
    assert sign_in().id == alice.person.id


def test_a_password_changed_while_the_old_one_is_tried_stays_changed(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = passwords.verify

    def verify_and_change(stored: str | None, password: str) -> bool:
        right = real(stored, password)
        monkeypatch.setattr(passwords, "verify", real)
        accounts.set_password(alice.person, "another horse", HERE)
        return right

    monkeypatch.setattr(passwords, "is_outdated", lambda _: True)
    monkeypatch.setattr(passwords, "verify", verify_and_change)
    with pytest.raises(WrongCredentials):
        sign_in()
    monkeypatch.undo()
    assert sign_in(password="another horse").id == alice.person.id


def test_no_transaction_is_open_while_a_password_is_hashed(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    session = db.session()  # this thread's; another one hashes

    class Watching:
        def __init__(self, real: object) -> None:
            self.real = real

        def __getattr__(self, name: str) -> object:
            seen.append(session.in_transaction())
            return getattr(self.real, name)

    monkeypatch.setattr(passwords, "_hasher", Watching(passwords._hasher))
    db.session.execute(text("SELECT 1"))  # what was asked before; its transaction is still open
    accounts.change_password(
        alice.person, PASSWORD, "another horse", HERE, keep_session=None, name="Alice"
    )
    accounts.register(accounts.Registration("carol", PASSWORD), HERE)
    sign_in("carol")
    assert db.session() is session
    assert len(seen) >= 4
    assert not any(seen)


def test_refusals_stand_in_the_trail_without_what_was_typed(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    fail(1)
    fail(1, "my-secret-password")
    with database.connect() as connection:
        rows = connection.execute(
            text("SELECT * FROM audit_event WHERE kind = 'sign_in_refused' ORDER BY id")
        ).all()
    assert [row.account_id for row in rows] == [alice.person.id, None]
    assert [row.network for row in rows] == [HERE.network, HERE.network]
    assert "my-secret-password" not in str(rows)


@pytest.fixture
def real_hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "_hasher", passwords.hasher())
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


def test_an_unknown_username_takes_as_long_as_a_wrong_password(
    ctx: Flask,
    real_hasher: None,
    new_member: Callable[..., Member],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "PASSWORD_FROM_NETWORK", limits.Limit("password_network", 999, 9))
    new_member("alice")
    sign_in()  # whatever is made once is made
    taken: dict[str, list[float]] = {"alice": [], "nobody": []}
    for _ in range(25):
        for username, times in taken.items():
            began = time.perf_counter()
            with pytest.raises(WrongCredentials):
                sign_in(username, "wrong password")
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in taken.values())
    assert known > 0.005, "that was no argon2"
    assert unknown == pytest.approx(known, rel=0.35)
