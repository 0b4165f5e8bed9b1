"""The Celery task of delivery: what a bell starts. It carries nothing; the database knows."""

from kombu.transport.redis import Channel

from app.delivery.bell import TASK
from app.delivery.station import station
from app.extensions import celery

# A worker whose broker dies while it acknowledges a bell would give the bell back, over the dead
# connection, and Celery 5.7 ends the worker over that error. Bells may be lost.
Channel.do_restore = False


@celery.task(name=TASK)
def drain() -> None:
    """Takes turns until nothing is due."""
    station().crew.drain()
