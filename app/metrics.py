"""What is counted, for Prometheus: accepted, finished, attempts, how long they took.

Names only, and how they are kept when several processes count: with PROMETHEUS_MULTIPROC_DIR set,
prometheus_client keeps them in files of that folder, and any process can answer for all. What the
database knows (waiting messages, oldest due age) is not counted here but asked (services.stats).
"""

import os
import socket
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS_DIR = os.environ.get("PROMETHEUS_MULTIPROC_DIR")

if MULTIPROCESS_DIR:
    # Process ids repeat from container to container; with the host's name they do not.
    _HOST = socket.gethostname().replace("_", "-")
    _values: Any = values
    _values.ValueClass = _values.MultiProcessValue(lambda: f"{_HOST}-{os.getpid()}")

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)

accepted = Counter("gonets_messages_accepted", "Messages accepted over HTTP")
received = Counter("gonets_messages_received", "Messages written to the bot in linked chats")
finished = Counter("gonets_messages_finished", "Messages that ended", ["outcome"])
attempts = Counter("gonets_send_attempts", "Calls to the Bot API for messages", ["outcome"])
flooded = Counter("gonets_telegram_flood_answers", "Answers 429 of the Bot API")
call_seconds = Histogram("gonets_send_call_seconds", "Time of one Bot API call", buckets=_SECONDS)
delivery_seconds = Histogram(
    "gonets_delivery_seconds", "From acceptance to the last part sent", buckets=_SECONDS
)
bells = Counter("gonets_bells_rung", "Wake-ups published to the broker", ["result"])
auth_failures = Counter("gonets_auth_failures", "Refused credentials", ["scheme"])


def registry() -> CollectorRegistry:
    """What all processes have counted, or this one where they keep no common files."""
    if not MULTIPROCESS_DIR:
        return REGISTRY
    result = CollectorRegistry()
    collect: Any = MultiProcessCollector
    collect(result)
    return result
