"""The same work by many threads at the same moment, each in the application's context."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask

Result = TypeVar("Result")


def at_once(app: Flask, count: int, work: Callable[[int], Result]) -> list[Result | Exception]:
    """Calls `work(0)` to `work(count - 1)` in as many threads; what each returned, or raised."""
    start = Barrier(count)

    def one(number: int) -> Result | Exception:
        with app.app_context():
            start.wait(20)
            try:
                return work(number)
            except Exception as error:
                return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))
