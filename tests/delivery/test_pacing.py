"""Slots on a line: arithmetic only."""

import pytest

from app.delivery.pacing import STALE_SECONDS, Slots, batch_size


def test_slots_are_evenly_spaced() -> None:
    slots = Slots(10.0, 0.5, 3)
    times = []
    while slots.count:
        times.append(slots.first)
        slots = slots.after_first()
    assert times == [10.0, 10.5, 11.0]


def test_slots_are_usable_until_the_last_of_them_is_stale() -> None:
    slots = Slots(10.0, 0.5, 3)
    assert slots.usable(11.0 + STALE_SECONDS - 0.01)
    assert not slots.usable(11.0 + STALE_SECONDS + 0.01)
    assert not Slots(10.0, 0.5, 0).usable(0.0)


@pytest.mark.parametrize(("rate", "size"), [(0.1, 1), (30, 1), (40, 2), (1000, 50), (1e5, 5000)])
def test_a_lifted_rate_takes_many_slots_at_a_time(rate: float, size: int) -> None:
    assert batch_size(rate) == size
