"""One turn: a lane is claimed, the head's next part is sent, the outcome is recorded.

Three steps, and no transaction is open during the second. `claim` commits the mark `sending`
before the call, so a worker that dies leaves a trace of what it may have sent; the record names
the lease, so a worker that comes back too late writes nothing. The connection may be lost at any
time: the outcome of a call is written again and again for as long as it may still count.

One turn is one call. A message of several parts takes as many turns, and between them its lane
waits for its pace like any other.
"""

import random
import secrets
import threading
from datetime import datetime
from time import monotonic, sleep

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import clock, logs, metrics
from app.delivery import brakes, lanes, ledger, splitting
from app.delivery.lanes import Message, Turn
from app.delivery.ledger import Record, Recorded
from app.delivery.retries import decide
from app.models import Status
from app.telegram import Ambiguous, BotApi, BotBroken, ChatGone, Moved, NotSent, Outcome, Wait

# The call is over so long after the claim: the rest of the lease is for the record.
CALL_SECONDS = 25.0
# An outcome is worth writing for so long after the claim; while the process is stopping, shorter:
# it must be gone within 30 seconds.
RECORD_SECONDS = 60.0
RECORD_SECONDS_STOPPING = 27.0
AGAIN_SECONDS = 0.25

DATABASE_AWAY = (DBAPIError, PoolTimeout, psycopg2.Error)

log = logs.get(__name__)


class Courier:
    """Takes turns, for any number of threads; knows which ones are under way in this process."""

    def __init__(
        self, database: Engine, api: BotApi, chat_rate: float, stopping: threading.Event
    ) -> None:
        """`chat_rate`: messages a second to one chat. `stopping`: the process is to end."""
        self._database = database
        self._single = database.execution_options(isolation_level="AUTOCOMMIT")
        self.api = api
        self._spacing = 1.0 / chat_rate
        self._stopping = stopping
        self._under_way: dict[int, Turn] = {}

    def connect(self) -> Connection:
        """A connection for `claim` and `finish`: each of their statements is a transaction."""
        return self._single.connect()

    def claim(self, connection: Connection) -> Turn | None:
        """Begins a turn with the lane that has been due longest; None when none is due."""
        lease_no = secrets.randbits(63)
        try:
            turn = lanes.claim(connection, lease_no, began=monotonic())
        except DATABASE_AWAY:
            self._unclaim(lease_no)
            raise
        if turn is not None:
            self._under_way[turn.lease_no] = turn
        return turn

    def finish(self, connection: Connection, turn: Turn) -> None:
        """Sends what the turn is about, and gives the lane back.

        It survives the loss of `connection`, which is then `invalidated` and of no more use.
        """
        try:
            if turn.message is None:
                self._give_back(turn)
            else:
                self._deliver(connection, turn, turn.message)
        finally:
            self._under_way.pop(turn.lease_no, None)

    def leases(self) -> list[tuple[int, int]]:
        """Lane and lease number of the turns under way whose lease may be prolonged."""
        earliest = monotonic() + lanes.LEASE_SECONDS - RECORD_SECONDS
        turns = list(self._under_way.values())
        return [(turn.lane_id, turn.lease_no) for turn in turns if turn.began > earliest]

    def _unclaim(self, lease_no: int) -> None:
        """The claim may have been committed unheard: while its lease lasts, it can be undone."""
        until = monotonic() + lanes.LEASE_SECONDS
        while monotonic() < until and not self._stopping.is_set():
            try:
                with self.connect() as fresh:
                    lanes.unclaim(fresh, lease_no)
                    return
            except DATABASE_AWAY:
                sleep(AGAIN_SECONDS)

    def _give_back(self, turn: Turn) -> None:
        with self._database.begin() as transaction:
            lanes.tidy(transaction, turn)
        if turn.expired_id is not None:
            metrics.finished.labels(Status.EXPIRED.value).inc()
            log.info("expired", message_id=turn.expired_id)

    def _deliver(self, connection: Connection, turn: Turn, message: Message) -> None:
        texts = splitting.parts(message.text, message.greeting, message.halved_from)
        at, began = clock.now(), monotonic()
        outcome = self.api.send(
            turn.chat_id,
            texts[message.parts_sent],
            silent=message.silent,
            deadline=turn.began + CALL_SECONDS,
        )
        seconds = monotonic() - began
        made = self._consequence(message, texts, outcome, at, seconds)
        recorded = self._record(connection, turn, message, outcome, made)
        _tell(turn, message, made, recorded, seconds)
        if not connection.invalidated:
            self._brake(connection, turn, outcome)

    def _consequence(
        self, message: Message, texts: list[str], outcome: Outcome, at: datetime, seconds: float
    ) -> Record:
        decision = decide(
            outcome,
            failures=message.failures,
            halved=message.halved_from is not None,
            last=message.parts_sent + 1 == len(texts),
            chance=random.random(),
        )
        halved_from = message.parts_sent if decision.halve else message.halved_from
        if decision.halve:
            texts = splitting.parts(message.text, message.greeting, halved_from)
        return Record(
            decision=decision,
            outcome=outcome.name,
            code=outcome.code,
            description=outcome.description,
            part=message.parts_sent + 1,
            parts=len(texts),
            halved_from=halved_from,
            at=at,
            latency_ms=round(seconds * 1000),
            spacing=self._spacing,
        )

    def _record(
        self, connection: Connection, turn: Turn, message: Message, outcome: Outcome, made: Record
    ) -> Recorded | None:
        """Writes it down, however often the database goes away meanwhile."""
        try:
            return self._record_once(connection, turn, message, outcome, made)
        except DATABASE_AWAY as error:
            log.warning("an outcome waits for the database", error=type(error).__name__)
            lost = error
        while monotonic() < turn.began + self._patience():
            sleep(AGAIN_SECONDS)
            try:
                with self.connect() as fresh:
                    return self._record_once(fresh, turn, message, outcome, made)
            except DATABASE_AWAY as error:
                lost = error
        log.error("an outcome could not be written", message_id=message.id, outcome=made.outcome)
        raise lost

    def _record_once(
        self, connection: Connection, turn: Turn, message: Message, outcome: Outcome, made: Record
    ) -> Recorded | None:
        match outcome:
            case ChatGone():
                return self._record_block(turn, message, made)
            case Moved(chat_id=chat_id):
                try:
                    with self._database.begin() as transaction:
                        recorded = ledger.record(transaction, turn, message, made)
                        if recorded is not None:
                            ledger.move(transaction, turn, message, chat_id)
                        return recorded
                except IntegrityError:
                    # Somebody else has linked the new chat: this account has none any more.
                    return self._record_block(turn, message, made)
        return ledger.record(connection, turn, message, made)

    def _record_block(self, turn: Turn, message: Message, made: Record) -> Recorded | None:
        with self._database.begin() as transaction:
            recorded = ledger.record(transaction, turn, message, made)
            if recorded is not None:
                ledger.block(transaction, turn)
            return recorded

    def _patience(self) -> float:
        return RECORD_SECONDS_STOPPING if self._stopping.is_set() else RECORD_SECONDS

    def _brake(self, connection: Connection, turn: Turn, outcome: Outcome) -> None:
        match outcome:
            case Wait(seconds=seconds):
                if brakes.flooded(connection, turn.chat_id, seconds):
                    log.warning("Telegram holds the whole bot", seconds=seconds)
            case NotSent() | Ambiguous():
                if brakes.unreached(connection):
                    log.warning("Telegram is out of reach, everything waits")
            case BotBroken():
                brakes.rejected(connection)
                log.error("Telegram refuses the bot's token, everything waits", code=outcome.code)
            case _ if turn.bot_failures:
                brakes.reached(connection)


def _tell(
    turn: Turn, message: Message, made: Record, recorded: Recorded | None, seconds: float
) -> None:
    """One line in the log for each outcome, and the counters."""
    metrics.attempts.labels(made.outcome).inc()
    metrics.call_seconds.observe(seconds)
    if not made.decision.counted:
        metrics.flooded.inc()
    if recorded is not None and recorded.status in (Status.SENT, Status.FAILED):
        metrics.finished.labels(recorded.status.value).inc()
    if recorded is not None and recorded.status is Status.SENT:
        metrics.delivery_seconds.observe(recorded.age)
    log.info(
        "attempt" if recorded is not None else "attempt of a turn that was no longer ours",
        message_id=message.id,
        lane_id=turn.lane_id,
        part=made.part,
        outcome=made.outcome,
        code=made.code,
        latency_ms=made.latency_ms,
    )
