"""Figures of one person's messages: by day for a chart, and how many wait. It changes nothing.

How the whole service does is not here but in `stats` and `administration`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from sqlalchemy import func, select, text

from app import clock
from app.extensions import db
from app.models import OPEN, Direction, Lane, Message, Status
from app.services.people import Person

DAYS = 30
_FAILED = (Status.FAILED, Status.EXPIRED)
# All time zones differ from UTC by whole quarters of an hour.
_QUARTER = timedelta(minutes=15)
_ORIGIN = text("timestamptz '2000-01-01 00:00:00+00'")


@dataclass(frozen=True, slots=True)
class Day:
    """What became of the messages accepted on one day."""

    date: date
    sent: int = 0
    failed: int = 0
    waiting: int = 0


def daily(person: Person, zone: tzinfo, days: int = DAYS) -> list[Day]:
    """The last `days` days up to today, as days begin in `zone`; cancelled messages are left out.

    `failed` counts the expired ones, too.
    """
    today = clock.now().astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    counts: dict[date, dict[str, int]] = {}
    for quarter, status, number in _quarters(person, datetime.combine(first, time(), zone)):
        of_day = counts.setdefault(quarter.astimezone(zone).date(), {})
        of_day[status] = of_day.get(status, 0) + number
    return [
        _day(first + timedelta(days=n), counts.get(first + timedelta(days=n), {}))
        for n in range(days)
    ]


def waiting(person: Person) -> int:
    """How many of a person's messages are held, queued or being sent."""
    # By the lane: the index of open messages begins with it.
    lane = select(Lane.id).where(Lane.account_id == person.id).scalar_subquery()
    mine = select(func.count()).where(Message.lane_id == lane, Message.status.in_(OPEN))
    return db.session.scalar(mine) or 0


def _quarters(person: Person, since: datetime) -> Iterator[tuple[datetime, str, int]]:
    # Ids grow with time, and (account, id) is an index: older messages are not read at all.
    oldest = select(Message.id).where(Message.created_at >= since)
    oldest = oldest.order_by(Message.created_at).limit(1)
    quarter = func.date_bin(_QUARTER, Message.created_at, _ORIGIN)
    query = (
        select(quarter, Message.status, func.count())
        .where(Message.account_id == person.id, Message.direction == Direction.OUT)
        .where(Message.id >= oldest.scalar_subquery(), Message.created_at >= since)
        .group_by(quarter, Message.status)
    )
    for row in db.session.execute(query):
        yield row[0], row[1], row[2]


def _day(of: date, counts: dict[str, int]) -> Day:
    return Day(
        date=of,
        sent=counts.get(Status.SENT, 0),
        failed=sum(counts.get(status, 0) for status in _FAILED),
        waiting=sum(counts.get(status, 0) for status in OPEN),
    )
