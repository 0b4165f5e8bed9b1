"""The yardstick for POST: a bare Flask route that stores one row and rings once; nothing else.

`gunicorn tests.benchmarks.bare:app`, on the same PostgreSQL and Valkey as what is measured.
"""

import os
import threading

import psycopg2
import redis
from flask import Flask, request

app = Flask(__name__)
_mine = threading.local()


def _connections() -> tuple["psycopg2.extensions.connection", redis.Redis]:
    if not hasattr(_mine, "pair"):
        url = os.environ["DATABASE_URL"].replace("postgresql+psycopg2://", "postgresql://")
        broker = redis.Redis.from_url(os.environ["REDIS_URL"].replace("redis+socket", "unix"))
        _mine.pair = psycopg2.connect(url), broker
    pair: tuple[psycopg2.extensions.connection, redis.Redis] = _mine.pair
    return pair


@app.post("/bare")
def bare() -> tuple[dict[str, int], int]:
    connection, broker = _connections()
    text = request.get_json()["text"]
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO bare (text) VALUES (%s) RETURNING id", (text,))
        row = cursor.fetchone()
    broker.lpush("bare", row[0] if row else 0)
    return {"id": row[0] if row else 0}, 201


@app.get("/ready")
def ready() -> dict[str, str]:
    return {}
