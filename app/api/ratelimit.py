"""The RateLimit headers of sends: the day's quota of messages, as its owner may reckon with it.

draft-ietf-httpapi-ratelimit-headers-10. That the quota holds is the lane's (`delivery.outbox`).
"""

from datetime import timedelta

from app import clock
from app.errors import QuotaUsedUp
from app.extensions import settings

DAY = 86400


def after(used: int) -> dict[str, str]:
    """The headers of an answer after which `used` messages of today's quota are used."""
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return _headers(settings().messages_per_day - used, (midnight - now).total_seconds())


def used_up(error: QuotaUsedUp) -> dict[str, str]:
    """The headers of the refusal."""
    return _headers(0, error.retry_after or DAY)


def _headers(remaining: int, seconds: float) -> dict[str, str]:
    return {
        "RateLimit-Policy": f'"day";q={settings().messages_per_day};w={DAY}',
        "RateLimit": f'"day";r={max(0, remaining)};t={max(1, round(seconds))}',
    }
