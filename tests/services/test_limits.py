"""Limits: sliding windows in PostgreSQL, exact under parallel attempts."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.errors import TooManyFailures, TooManyRequests
from app.extensions import transaction
from app.services import limits, retention
from app.services.limits import Limit
from tests.conftest import Clock
from tests.together import at_once

THREE = Limit("three", 3, 60)


def take(limit: Limit = THREE, subject: str = "somebody") -> int:
    with transaction() as session:
        return limits.take(session, limit, subject)


def count(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM hit")) or 0)


def test_the_one_after_the_last_has_to_wait_until_the_first_leaves_the_window(
    ctx: Flask, stopped_clock: Clock
) -> None:
    take()
    stopped_clock.advance(seconds=10)
    take()
    take()
    with pytest.raises(TooManyRequests) as refused:
        take()
    assert refused.value.retry_after == pytest.approx(50)
    stopped_clock.advance(seconds=50.1)
    take()
    with pytest.raises(TooManyRequests):
        take()


def test_a_refused_attempt_is_not_counted(
    ctx: Flask, database: Engine, stopped_clock: Clock
) -> None:
    for _ in range(3):
        take()
    for _ in range(5):
        with pytest.raises(TooManyRequests):
            take()
    assert count(database) == 3
    stopped_clock.advance(seconds=60.1)
    take()


def test_subjects_and_limits_do_not_share_their_counts(ctx: Flask) -> None:
    for _ in range(3):
        take()
    take(subject="somebody else")
    take(Limit("another three", 3, 60))


def test_what_is_given_back_never_was(ctx: Flask) -> None:
    for _ in range(10):
        hit = take()
        with transaction() as session:
            limits.give_back(session, [hit])


def test_fifty_at_once_are_counted_one_by_one(app: Flask, database: Engine) -> None:
    results = at_once(app, 50, lambda _: take())
    assert sum(isinstance(result, int) for result in results) == 3
    assert sum(isinstance(result, TooManyRequests) for result in results) == 47
    assert count(database) == 3


def test_a_subject_is_not_readable_in_the_database(ctx: Flask, database: Engine) -> None:
    take(subject="a password typed as a username")
    with database.connect() as connection:
        stored = connection.scalar(text("SELECT subject FROM hit"))
    assert "password" not in stored


def attempt(username: str = "alice", network: str = "203.0.113.1") -> list[int]:
    with transaction() as session:
        return limits.take_password_attempt(session, username, network)


def test_ten_attempts_from_one_network_in_a_quarter_of_an_hour(
    ctx: Flask, stopped_clock: Clock
) -> None:
    for _ in range(10):
        attempt()
    with pytest.raises(TooManyFailures) as refused:
        attempt()
    assert refused.value.retry_after == pytest.approx(900)
    attempt(network="203.0.113.2")
    attempt(username="bob")
    stopped_clock.advance(minutes=15, seconds=1)
    attempt()


def test_a_hundred_attempts_from_anywhere_in_an_hour(ctx: Flask, stopped_clock: Clock) -> None:
    for number in range(100):
        attempt(network=f"203.0.113.{number}")
    with pytest.raises(TooManyFailures) as refused:
        attempt(network="198.51.100.1")
    assert refused.value.retry_after == pytest.approx(3600)
    attempt(username="bob", network="198.51.100.1")
    stopped_clock.advance(hours=1, seconds=1)
    attempt(network="198.51.100.1")


def test_hits_are_pruned_when_no_window_reaches_back_to_them(
    ctx: Flask, database: Engine, stopped_clock: Clock
) -> None:
    attempt()
    take(limits.RECEIVED)
    take(limits.registration())
    retention.prune_old()
    assert count(database) == 4
    stopped_clock.advance(minutes=15, seconds=1)
    retention.prune_old()
    assert count(database) == 3
    stopped_clock.advance(days=1)
    retention.prune_old()
    assert count(database) == 0


def test_every_limit_has_a_window_after_which_it_is_pruned(ctx: Flask) -> None:
    named = {value.name for value in vars(limits).values() if isinstance(value, Limit)}
    named |= {limits.registration().name, limits.username_taken().name}
    assert named == set(limits._WINDOWS)
