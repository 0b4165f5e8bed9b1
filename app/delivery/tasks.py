"""The Celery task of delivery: what a bell starts. It carries nothing; the database knows."""

from app.delivery.bell import TASK
from app.delivery.station import station
from app.extensions import celery


@celery.task(name=TASK)
def drain() -> None:
    """Takes turns until nothing is due."""
    station().crew.drain()
