"""Moments, days and durations in people's words and in their time zone.

The browser's zone comes in a cookie that the pages' script sets; without one it is UTC, and says
so. Nothing here asks the clock: the present is an argument.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from flask import Request
from markupsafe import Markup

from app.languages import Language

COOKIE = "zone"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def zone_of(request: Request) -> tzinfo:
    """The time zone of the browser that sent `request`; UTC when it is not known."""
    name = request.cookies.get(COOKIE, "")
    return ZoneInfo(name) if name in _zones() else UTC


def moment(
    language: Language, zone: tzinfo, at: datetime, now: datetime, *, seconds: bool = False
) -> Markup:
    """A `<time>`: the time of day, with the date unless it is today."""
    local = at.astimezone(zone)
    words = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    if zone is UTC:
        words += " UTC"
    if local.date() != now.astimezone(zone).date():
        words = f"{day(language, local.date())}, {words}"
    exact = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    title = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"
    return Markup('<time datetime="{}" title="{}">{}</time>').format(exact, title, words)


def day(language: Language, of: date) -> str:
    """A date: 20 Nov 2026."""
    return f"{of.day} {language.say(MONTHS[of.month - 1])} {of.year}"


def duration(language: Language, seconds: float) -> Markup:
    """A length of time in its two largest units at most: 12 s, 3 min, 1 h 5 min, 2 d."""
    whole = max(1, round(seconds))
    if whole < 60:
        return language.say("{n} s", n=whole)
    minutes = round(whole / 60)
    if minutes < 60:
        return language.say("{n} min", n=minutes)
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        said = language.say("{n} h", n=hours)
        return said + " " + language.say("{n} min", n=minutes) if minutes else said
    return language.say("{n} d", n=round(hours / 24))


def start_of(wanted: date, zone: tzinfo) -> datetime:
    """The moment at which a day begins in `zone`."""
    return datetime.combine(wanted, time(), zone)


def end_of(wanted: date, zone: tzinfo) -> datetime:
    """The moment at which the day after it begins in `zone`."""
    return datetime.combine(wanted + timedelta(days=1), time(), zone)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
