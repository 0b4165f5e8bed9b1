"""How delivery does at this moment, for its operators; pausing and resuming it.

What a probe asks stands in `stats`; what an admin does to accounts, in `administration`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app import clock
from app.delivery import outbox
from app.extensions import db, transaction
from app.models import Attempt, Bot, Heartbeat
from app.services import audit, stats
from app.services.people import Person, Visitor

# The last half hour of a bot that sends as fast as Telegram lets it: 30 a second.
MINUTES = 30
ATTEMPTS = MINUTES * 60 * 30


@dataclass(frozen=True, slots=True)
class Process:
    """A worker or a poller, and when it was last heard of."""

    name: str
    kind: str
    started_at: datetime
    at: datetime
    alive: bool


@dataclass(frozen=True, slots=True)
class Minute:
    """What the calls to Telegram of one minute came to, by outcome."""

    at: datetime
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How delivery does at this moment. Rates are per second, over the last minute."""

    readiness: stats.Readiness
    gauges: stats.Gauges
    paused_at: datetime | None
    processes: list[Process]
    minutes: list[Minute]
    sent_rate: float
    floods: int


def delivery() -> Delivery:
    """Everything that the page of delivery health shows."""
    now = clock.now()
    minutes = _minutes(now)
    recent = now - timedelta(minutes=1)
    calls = _newest_attempts().subquery()
    sent = select(func.count()).where(calls.c.outcome == "sent", calls.c.at > recent)
    last_minute = db.session.scalar(sent) or 0
    return Delivery(
        readiness=stats.readiness(),
        gauges=stats.gauges(),
        paused_at=db.session.scalar(select(Bot.paused_at)),
        processes=_processes(now),
        minutes=minutes,
        sent_rate=last_minute / 60,
        floods=sum(minute.outcomes.get("wait", 0) for minute in minutes),
    )


def pause(visitor: Visitor, admin: Person | None = None) -> None:
    """Stops all sending until `resume`; messages are accepted and wait. `admin` is who did it,
    null for the command line."""
    with transaction() as session:
        outbox.pause(session)
        _note(session, "delivery_paused", visitor, admin)


def resume(visitor: Visitor, admin: Person | None = None) -> None:
    """Lets the messages go out again."""
    with transaction() as session:
        outbox.resume(session)
        _note(session, "delivery_resumed", visitor, admin)
    outbox.ring()


def _note(session: Session, kind: str, visitor: Visitor, admin: Person | None) -> None:
    admin_id = admin.id if admin else None
    audit.record(session, kind, admin_id, visitor, actor_id=admin_id)


def _newest_attempts() -> Select[Any]:
    """The newest calls by their ids: no index has their times, and none is needed for this."""
    newest = select(Attempt.at, Attempt.outcome).order_by(Attempt.id.desc()).limit(ATTEMPTS)
    recent = newest.subquery()
    return select(recent.c.at, recent.c.outcome)


def _minutes(now: datetime) -> list[Minute]:
    """The last half hour minute by minute, oldest first."""
    recent = _newest_attempts().subquery()
    minute = func.date_trunc("minute", recent.c.at)
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES - 1)
    counts = select(minute, recent.c.outcome, func.count()).where(recent.c.at >= first)
    outcomes: dict[datetime, dict[str, int]] = {
        first + timedelta(minutes=n): {} for n in range(MINUTES)
    }
    for at, outcome, number in db.session.execute(counts.group_by(minute, recent.c.outcome)):
        outcomes.setdefault(at, {})[outcome] = number
    return [Minute(at, of_minute) for at, of_minute in outcomes.items()]


def _processes(now: datetime) -> list[Process]:
    rows = db.session.scalars(select(Heartbeat).order_by(Heartbeat.kind, Heartbeat.name))
    return [
        Process(row.name, row.kind, row.started_at, row.at, now - row.at <= stats.SILENCE)
        for row in rows
    ]
