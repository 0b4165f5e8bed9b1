"""How the service is: readiness part by part, what waits, and for how long. It changes nothing.

Counters of what happened stand in `metrics`; here is what only the database can say.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

import redis
from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.errors import Sentence
from app.extensions import db, settings
from app.models import OPEN, Bot, Heartbeat, Lane, Message

# A part that has not been heard of for this long is away.
SILENCE = timedelta(seconds=15)
# The oldest message that could be sent has waited this long: something is wrong.
LATE = timedelta(seconds=60)
BROKER_TIMEOUT = 0.3


class Health(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the service: `ok`, `degraded` (work goes on without it), `failed`; and why."""

    status: Health
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`, `degraded` or `unready`, and each part's state."""

    status: str
    parts: dict[str, Part] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is waiting now. Ages are seconds."""

    waiting: dict[str, int]
    due_lanes: int
    oldest_due_age: float


def readiness() -> Readiness:
    """Asks every part. Without the database, or with a rejected bot token, it is `unready`;
    without broker, worker or bot it is `degraded`: messages are accepted and will go out."""
    checks: dict[str, Callable[[], Part]] = {
        "database": _database,
        "broker": _broker,
        "worker": lambda: _heard_of("worker"),
        "bot": lambda: _heard_of("bot"),
        "telegram": _telegram,
        "delivery": _delivery,
    }
    parts: dict[str, Part] = {}
    for name, check in checks.items():
        try:
            parts[name] = check()
        except SQLAlchemyError:
            db.session.rollback()
            parts[name] = Part(Health.FAILED, "the database does not answer")
            if name == "database":
                break
    states = {part.status for part in parts.values()}
    if Health.FAILED in states:
        return Readiness("unready", parts)
    return Readiness("degraded" if Health.DEGRADED in states else "ready", parts)


def gauges() -> Gauges:
    """What waits, by status, and how long the oldest lane that could be served has been due."""
    counts = select(Message.status, func.count()).where(Message.status.in_(OPEN))
    waiting = {status.value: 0 for status in OPEN}
    waiting |= {row[0]: row[1] for row in db.session.execute(counts.group_by(Message.status))}
    due, oldest = db.session.execute(
        select(func.count(), func.min(Lane.wake_at)).where(_is_due())
    ).one()
    age = (clock.now() - oldest).total_seconds() if oldest else 0.0
    return Gauges(waiting, due, max(0.0, age))


def _is_due() -> Any:
    now = clock.now()
    free = or_(Lane.leased_until.is_(None), Lane.leased_until < now)
    return Lane.wake_at.is_not(None) & (Lane.wake_at <= now) & free


def _database() -> Part:
    db.session.execute(text("SELECT 1"))
    return Part(Health.OK)


def _broker() -> Part:
    # Celery's name for a Unix socket is not redis-py's.
    url = settings().redis_url.replace("redis+socket://", "unix://")
    try:
        with redis.Redis.from_url(
            url, socket_timeout=BROKER_TIMEOUT, socket_connect_timeout=BROKER_TIMEOUT
        ) as client:
            client.ping()
    except redis.RedisError:
        return Part(Health.DEGRADED, "away; the workers' sweep delivers without it")
    return Part(Health.OK)


def _heard_of(kind: str) -> Part:
    last = db.session.scalar(select(func.max(Heartbeat.at)).where(Heartbeat.kind == kind))
    if last is None or clock.now() - last > SILENCE:
        silent = Sentence("no {kind} has been heard of for {n} s", kind=kind, n=SILENCE.seconds)
        return Part(Health.DEGRADED, silent)
    return Part(Health.OK)


def _telegram() -> Part:
    bot = db.session.execute(select(Bot.hold_reason, Bot.held_until)).one()
    if bot.hold_reason == "bot_rejected":
        return Part(Health.FAILED, "Telegram rejects TELEGRAM_BOT_TOKEN")
    if bot.held_until is not None and bot.held_until > clock.now():
        return Part(Health.DEGRADED, Sentence("sending waits: {reason}", reason=bot.hold_reason))
    return Part(Health.OK)


def _delivery() -> Part:
    if db.session.scalar(select(Bot.paused_at)) is not None:
        return Part(Health.DEGRADED, "paused by an operator")
    age = gauges().oldest_due_age
    if age > LATE.total_seconds():
        late = Sentence("the oldest due message has waited {n} s", n=round(age))
        return Part(Health.DEGRADED, late)
    return Part(Health.OK)
