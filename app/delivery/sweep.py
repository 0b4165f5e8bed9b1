"""The sweep: once a second in every worker, whatever the bells may have missed.

It beats the worker's heart, ends what has expired, prolongs the leases of turns under way, probes
a Telegram that was out of reach, and calls the crew when lanes are due. All of it is idempotent
and none of it needs the broker, so any number of workers may sweep, and one alone delivers
everything. It is the whole rescue, too: a lane of a dead worker is due again by itself, and the
sweep gives it back its place in the line.
"""

import os
import socket
import threading
from collections.abc import Callable
from time import monotonic

from sqlalchemy import Connection, text

from app import logs, metrics
from app.delivery import brakes, lanes
from app.delivery.crew import Crew
from app.delivery.engine import DATABASE_AWAY, Courier
from app.models import Status
from app.telegram import BotApi, BotBroken, Ok, Wait

TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 3.0
RENEW_SECONDS = 10.0
LOG_EVERY_SECONDS = 10.0

log = logs.get(__name__)


class Sweep:
    """The sweeping thread of one worker."""

    def __init__(
        self, courier: Courier, crew: Crew, api: BotApi, stopping: threading.Event
    ) -> None:
        self._courier = courier
        self._crew = crew
        self._api = api
        self._stopping = stopping
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._last: dict[str, float] = {}

    def start(self) -> None:
        """Begins to sweep, in a thread that ends with `stopping`."""
        threading.Thread(target=self._run, name="sweep", daemon=True).start()

    def tick(self) -> None:
        """Sweeps once."""
        with self._courier.connect() as connection:
            if self._due("heartbeat", HEARTBEAT_SECONDS):
                _beat(connection, self._name)
            if self._due("renewal", RENEW_SECONDS) and (leases := self._courier.leases()):
                lanes.renew(connection, leases)
            lanes.rescue(connection)
            _expire(connection)
            if brakes.claim_probe(connection):
                self._probe(connection)
            due = lanes.next_due(connection)
        if due is not None and due <= 0:
            self._crew.call()

    def _run(self) -> None:
        log.info("sweeping")
        self._guarded(self._welcome)
        while not self._stopping.is_set():
            self._guarded(self.tick)
            self._stopping.wait(TICK_SECONDS)
        self._guarded(self._farewell)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except DATABASE_AWAY as error:
            if self._due("complaint", LOG_EVERY_SECONDS):
                log.warning("the sweep lost the database", error=type(error).__name__)
        except Exception:
            log.exception("the sweep failed")

    def _due(self, what: str, seconds: float) -> bool:
        """Whether `what` was last done so long ago, or never; then it counts as done now."""
        now = monotonic()
        if now - self._last.get(what, -seconds) < seconds:
            return False
        self._last[what] = now
        return True

    def _probe(self, connection: Connection) -> None:
        outcome = self._api.get_me(brakes.PROBE_SECONDS)
        match outcome:
            case Ok() | Wait():
                brakes.release(connection)
                log.info("Telegram answers again")
            case BotBroken():
                brakes.rejected(connection)
                log.error("Telegram still refuses the bot's token", code=outcome.code)
            case _:
                brakes.unreached_still(connection)

    def _welcome(self) -> None:
        with self._courier.connect() as connection:
            brakes.probe_soon(connection)

    def _farewell(self) -> None:
        with self._courier.connect() as connection:
            connection.execute(
                text("DELETE FROM heartbeat WHERE name = :name"), {"name": self._name}
            )


def _beat(connection: Connection, name: str) -> None:
    connection.execute(
        text("""
          INSERT INTO heartbeat (name, kind, started_at, at) VALUES (:name, 'worker', now(), now())
          ON CONFLICT (name) DO UPDATE SET at = now()
        """),
        {"name": name},
    )
    connection.execute(text("DELETE FROM heartbeat WHERE at < now() - interval '1 hour'"))


def _expire(connection: Connection) -> None:
    while ended := lanes.expire(connection):
        metrics.finished.labels(Status.EXPIRED.value).inc(len(ended))
        for message_id in ended:
            log.info("expired", message_id=message_id)
        if len(ended) < lanes.EXPIRY_BATCH:
            break
