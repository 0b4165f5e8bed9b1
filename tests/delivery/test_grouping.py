"""What many threads ask at about the same time is asked once, and each gets its own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from app.delivery import grouping
from app.delivery.grouping import Grouped
from sandbox.client import wait_for


class Doubling:
    """Doubles numbers, all of a group at once; notes the groups, and can be kept waiting."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.ask = Grouped(self._double)

    def _double(self, numbers: list[int]) -> list[int]:
        self.groups.append(numbers)
        assert self.go_on.wait(10)
        if 13 in numbers:
            raise ValueError("thirteen")
        return [2 * number for number in numbers]


@pytest.fixture
def doubling() -> Doubling:
    return Doubling()


def test_who_asks_alone_is_answered_at_once(doubling: Doubling) -> None:
    began = monotonic()
    assert doubling.ask(4) == 8
    assert monotonic() - began < grouping.REST_SECONDS


def test_who_asks_meanwhile_is_served_together(doubling: Doubling) -> None:
    doubling.go_on.clear()
    with ThreadPoolExecutor(8) as threads:
        first = threads.submit(doubling.ask, 1)
        wait_for(lambda: doubling.groups == [[1]])
        others = [threads.submit(doubling.ask, number) for number in range(2, 9)]
        wait_for(lambda: len(doubling.ask._waiting) == 7)
        doubling.go_on.set()
        assert [first.result(), *(other.result() for other in others)] == list(range(2, 17, 2))
    assert [sorted(group) for group in doubling.groups] == [[1], list(range(2, 9))]


def test_what_is_raised_reaches_all_of_the_group_and_nobody_else(doubling: Doubling) -> None:
    doubling.go_on.clear()
    with ThreadPoolExecutor(3) as threads:
        before = threads.submit(doubling.ask, 1)
        wait_for(lambda: doubling.groups)
        together = [threads.submit(doubling.ask, number) for number in (12, 13)]
        wait_for(lambda: len(doubling.ask._waiting) == 2)
        doubling.go_on.set()
        assert before.result() == 2
        for one in together:
            with pytest.raises(ValueError, match="thirteen"):
                one.result()
    assert doubling.ask(14) == 28


def test_nobody_is_forgotten_and_nobody_gets_anothers_answer(
    doubling: Doubling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grouping, "REST_SECONDS", 0.0005)

    def ask(first: int) -> list[int]:
        return [doubling.ask(number) for number in range(first, first + 500)]

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, range(1000, 13_000, 1000)))
    for first, answered in zip(range(1000, 13_000, 1000), answers, strict=True):
        assert answered == [2 * number for number in range(first, first + 500)]
    assert sum(map(len, doubling.groups)) == 6000
    assert len(doubling.groups) < 3000
