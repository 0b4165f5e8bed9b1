"""Being told to stop by a signal, whatever it has interrupted."""

import signal
import threading

import pytest

from app.stopping import Stopping


@pytest.fixture
def stopping() -> Stopping:
    return Stopping()


def test_it_is_set_at_once_for_who_asks_and_soon_for_who_waits(stopping: Stopping) -> None:
    waiting = threading.Thread(target=stopping.wait)
    waiting.start()
    assert not stopping.is_set()
    stopping.tell()
    assert stopping.is_set()
    waiting.join(5)
    assert not waiting.is_alive()
    assert stopping.wait(0)


def test_a_signal_handler_may_tell_whatever_it_interrupts(stopping: Stopping) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: stopping.tell())
    try:
        # As `set` and `wait` do for a moment; the event's own lock, in this very thread.
        with vars(stopping)["_cond"]:
            signal.raise_signal(signal.SIGUSR1)
            assert stopping.is_set()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stopping.wait(5)
