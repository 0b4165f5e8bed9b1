"""One turn: a lane is claimed, the head's next part is sent, the outcome is recorded.

Three steps, and during the second neither a transaction is open nor a connection held. `claim`
commits the mark `sending` before the call, so a worker that dies leaves a trace of what it may have
sent; the record names the lease, so a worker that comes back too late writes nothing. The database
may be lost at any time: the outcome of a call is written again and again for as long as it may
still count. Turns that are claimed or recorded at about the same time share a statement
(`grouping`).

One turn is one call. A message of several parts takes as many turns, and between them its lane
waits for its pace like any other.
"""

import random
import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic, sleep

import psycopg2
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app import clock, logs, metrics
from app.delivery import brakes, lanes, ledger, splitting
from app.delivery.grouping import Grouped
from app.delivery.lanes import Message, Turn
from app.delivery.ledger import Record, Recorded
from app.delivery.pacing import LATE_SECONDS
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
        self._claims = Grouped(self._claim_all)
        self._records = Grouped(self._record_all)
        self._under_way: dict[tuple[int, int], Turn] = {}

    def connect(self) -> Connection:
        """A connection on which every statement is a transaction."""
        return self._single.connect()

    def claim(self, slot: float) -> Turn | None:
        """Begins a turn with the lane that has been due longest; None when none is due, when the
        process is to end, or when `slot`, the time to call at (monotonic), is long past: calls
        that waited together would be made together, faster than the bot's pace."""
        return self._claims(slot)

    def finish(self, turn: Turn) -> None:
        """Sends what the turn is about, and gives the lane back."""
        try:
            if turn.message is None:
                self._give_back(turn)
            else:
                self._deliver(turn, turn.message)
        finally:
            self._under_way.pop(turn.lease, None)

    def leases(self) -> list[tuple[int, int]]:
        """Lane and lease number of the turns under way whose lease may be prolonged."""
        earliest = monotonic() + lanes.LEASE_SECONDS - RECORD_SECONDS
        turns = list(self._under_way.values())
        return [turn.lease for turn in turns if turn.began > earliest]

    def _claim_all(self, slots: list[float]) -> list[Turn | None]:
        now = monotonic()
        timely = [not self._stopping.is_set() and now - slot <= LATE_SECONDS for slot in slots]
        turns = iter(self._claim(sum(timely)))
        return [next(turns, None) if each else None for each in timely]

    def _claim(self, most: int) -> list[Turn]:
        if not most:
            return []
        lease_no = secrets.randbits(63)
        with self.connect() as connection:
            try:
                turns = lanes.claim(connection, lease_no, most=most, began=monotonic())
            except DATABASE_AWAY:
                # Whoever waits for a lane must not wait for this as well.
                threading.Thread(target=self._unclaim, args=(lease_no,), daemon=True).start()
                raise
        self._under_way.update({turn.lease: turn for turn in turns})
        return turns

    def _unclaim(self, lease_no: int) -> None:
        """The claim may have been committed unheard: while its leases last, it can be undone."""
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

    def _deliver(self, turn: Turn, message: Message) -> None:
        texts = splitting.parts(message.text, message.greeting, message.halved_from)
        at, began = clock.now(), monotonic()
        outcome = self.api.send(
            turn.chat_id,
            texts[message.parts_sent],
            silent=message.silent,
            deadline=turn.began + CALL_SECONDS,
        )
        seconds = monotonic() - began
        made = self._consequence(turn, message, texts, outcome, at, seconds)
        recorded = self._record(made, outcome)
        _tell(made, recorded, seconds)
        self._brake(turn, outcome)

    def _consequence(
        self,
        turn: Turn,
        message: Message,
        texts: list[str],
        outcome: Outcome,
        at: datetime,
        seconds: float,
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
            turn=turn,
            message=message,
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

    def _record(self, made: Record, outcome: Outcome) -> Recorded | None:
        """Writes it down, however often the database goes away meanwhile: first together with
        others; if that fails, for whatever reason of theirs or the database's, alone."""
        lost: Exception
        try:
            return self._write(made, outcome, self._record_with_others)
        except Exception as error:
            log.warning("an outcome waits for the database", error=type(error).__name__)
            lost = error
        is_time = True
        while is_time:
            sleep(AGAIN_SECONDS)
            is_time = monotonic() < made.turn.began + self._patience()
            try:
                return self._write(made, outcome, self._record_alone)
            except DATABASE_AWAY as error:
                lost = error
        log.error(
            "an outcome could not be written", message_id=made.message.id, outcome=made.outcome
        )
        raise lost

    def _write(
        self, made: Record, outcome: Outcome, record: Callable[[Record], Recorded | None]
    ) -> Recorded | None:
        match outcome:
            case ChatGone():
                return self._record_block(made)
            case Moved(chat_id=chat_id):
                try:
                    return self._record_move(made, chat_id)
                except IntegrityError:
                    # Somebody else has linked the new chat: this account has none any more.
                    return self._record_block(made)
        return record(made)

    def _record_with_others(self, made: Record) -> Recorded | None:
        # None may only mean that the lane was locked: whoever waits for it keeps no group waiting.
        return self._records(made) or self._record_alone(made)

    def _record_all(self, records: list[Record]) -> list[Recorded | None]:
        with self.connect() as connection:
            return ledger.record_free(connection, records)

    def _record_alone(self, made: Record) -> Recorded | None:
        with self.connect() as connection:
            return ledger.record(connection, made)

    def _record_block(self, made: Record) -> Recorded | None:
        with self._database.begin() as transaction:
            recorded = ledger.record(transaction, made)
            if recorded is not None:
                ledger.block(transaction, made.turn)
            return recorded

    def _record_move(self, made: Record, chat_id: int) -> Recorded | None:
        with self._database.begin() as transaction:
            recorded = ledger.record(transaction, made)
            if recorded is not None:
                ledger.move(transaction, made.turn, made.message, chat_id)
            return recorded

    def _patience(self) -> float:
        return RECORD_SECONDS_STOPPING if self._stopping.is_set() else RECORD_SECONDS

    def _brake(self, turn: Turn, outcome: Outcome) -> None:
        """What the outcome says about the whole bot; as a rule, nothing."""
        match outcome:
            case Wait() | NotSent() | Ambiguous() | BotBroken():
                with self.connect() as connection:
                    _hold_back(connection, turn, outcome)
            case _ if turn.bot_failures:
                with self.connect() as connection:
                    brakes.reached(connection)


def _hold_back(
    connection: Connection, turn: Turn, outcome: Wait | NotSent | Ambiguous | BotBroken
) -> None:
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


def _tell(made: Record, recorded: Recorded | None, seconds: float) -> None:
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
        message_id=made.message.id,
        lane_id=made.turn.lane_id,
        part=made.part,
        outcome=made.outcome,
        code=made.code,
        latency_ms=made.latency_ms,
    )
