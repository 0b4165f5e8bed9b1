"""The yardstick for latency: one empty Celery task on the same broker, and when it ran.

`celery -A tests.benchmarks.empty worker --pool threads`; each run notes its time in a list.
"""

import os
import time

import redis
from celery import Celery

BROKER = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")
celery = Celery("empty", broker=BROKER)
celery.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1)
notes = redis.Redis.from_url(BROKER.replace("redis+socket://", "unix://"))


@celery.task(name="empty")
def empty(number: int) -> None:
    """Does nothing, and notes when."""
    now = time.time()
    notes.hset("empty-task-ran", str(number), repr(now))
