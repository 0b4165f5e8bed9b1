"""The bell: nobody waits for it, and a broker that is away costs nothing."""

import os
from collections.abc import Iterator
from contextlib import suppress
from operator import methodcaller
from time import monotonic

import pytest
from flask import Flask
from redis import Redis

from app import metrics
from app.delivery import bell as bell_module
from app.delivery import tasks
from app.delivery.bell import Bell
from app.extensions import celery
from embedded import Servers
from sandbox.client import wait_for
from tests.conftest import Logged

# What Celery does in a new process, which its stubs leave out.
reconnect = methodcaller("_after_fork")


@pytest.fixture
def queue(app: Flask, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """The broker, empty, and this process connected to it anew."""
    monkeypatch.setattr(bell_module, "PAUSE_SECONDS", 0.2)
    celery.init_app(app)
    reconnect(celery)  # its connections may lead to the broker of another test
    with Redis.from_url(servers.redis_url) as redis:
        redis.flushall()
        yield redis
    reconnect(celery)


def rung(queue: Redis) -> int:
    length = queue.llen("gonets")
    assert isinstance(length, int)
    return length


def test_a_bell_wakes_a_worker_and_carries_nothing(queue: Redis) -> None:
    Bell().ring()
    wait_for(lambda: rung(queue) == 1)
    payload = str(queue.lrange("gonets", 0, -1))
    assert "gonets.drain" in payload
    assert '"argsrepr": "()"' in payload


def test_a_burst_rings_a_few_times_and_its_last_message_is_heard(queue: Redis) -> None:
    bell, began = Bell(), monotonic()
    while monotonic() - began < 0.4:
        bell.ring()
    took = monotonic() - began
    wait_for(lambda: not bell._rung.is_set())
    assert 1 <= rung(queue) <= took / bell_module.REST_SECONDS + 2
    queue.flushall()
    bell.ring()
    wait_for(lambda: rung(queue) == 1)


def test_a_dead_broker_costs_the_ringer_nothing_and_is_forgotten_when_it_is_back(
    queue: Redis, servers: Servers
) -> None:
    bell, failed = Bell(), metrics.bells.labels("failed")._value
    before = failed.get()
    servers.valkey.kill()
    try:
        began = monotonic()
        for _ in range(100):
            bell.ring()
        assert monotonic() - began < 0.1
        wait_for(lambda: failed.get() > before)
    finally:
        servers.valkey.start()
    bell.ring()
    wait_for(lambda: rung(queue) >= 1)


def test_a_bell_that_was_taken_dies_with_its_broker_and_leaves_the_worker_alive(
    queue: Redis, servers: Servers
) -> None:
    """What Celery does with a connection that it has lost: forget it, then close it."""
    assert tasks.drain.name == bell_module.TASK
    Bell().ring()
    connection = celery.connection_for_read()
    (bells,) = celery.amqp.queues.values()
    with connection.Consumer([bells], callbacks=[lambda *_: None]):
        connection.drain_events(timeout=5)
        servers.valkey.kill()
        try:
            with suppress(ConnectionError):
                connection.collect()
            connection.close()
        finally:
            servers.valkey.start()


def test_a_frozen_broker_costs_the_ringer_nothing(queue: Redis, servers: Servers) -> None:
    bell, failed = Bell(), metrics.bells.labels("failed")._value
    before = failed.get()
    servers.valkey.freeze()
    try:
        began = monotonic()
        for _ in range(100):
            bell.ring()
        assert monotonic() - began < 0.1
        wait_for(lambda: failed.get() > before, within=15)
    finally:
        servers.valkey.thaw()
    bell.ring()
    wait_for(lambda: rung(queue) >= 1)


def test_a_dead_broker_is_complained_about_rarely(
    queue: Redis,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    logged: Logged,
) -> None:
    monkeypatch.setattr(bell_module, "PAUSE_SECONDS", 0.01)
    bell, failed = Bell(), metrics.bells.labels("failed")._value
    before = failed.get()
    servers.valkey.kill()
    try:

        def failed_often() -> bool:
            bell.ring()
            return bool(failed.get() > before + 5)

        wait_for(failed_often)
    finally:
        servers.valkey.start()
    assert sum("the broker is away" in entry["event"] for entry in logged) == 1


def test_a_forked_child_rings_with_a_thread_of_its_own(queue: Redis) -> None:
    published = metrics.bells.labels("rung")._value
    before = published.get()
    bell_module.ring()
    wait_for(lambda: published.get() > before)  # its thread is idle again
    child = os.fork()
    if child == 0:
        # No thread of the parent's is here: what is published now, is by a new one.
        at_fork = published.get()
        bell_module.ring()
        with suppress(TimeoutError):
            wait_for(lambda: published.get() > at_fork)
        os._exit(published.get() == at_fork)
    assert os.waitpid(child, 0)[1] == 0
    assert rung(queue) >= 2
