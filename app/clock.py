"""The only place that asks what time it is.

Everything else takes a time as an argument or calls `now()` here, so a test moves one name. It is
not the engine's clock: leases and due times are compared inside PostgreSQL, whose clock all
processes share.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, timezone-aware, in UTC."""
    return datetime.now(UTC)
