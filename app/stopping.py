"""Being told to stop, by a signal handler too: an event that `threading.Event` cannot be.

Its `set` takes a lock. A handler runs in the middle of whatever the main thread was doing, and when
that was setting or waiting for the same event (a supervisor repeats its SIGTERM), both would wait
for ever. Not for anything that is not the end of a process.
"""

import _thread
import threading


class Stopping(threading.Event):
    """Set for good by `tell`, which a signal handler may call."""

    def __init__(self) -> None:
        super().__init__()
        self._told = False

    def tell(self) -> None:
        """Sets it, without a lock: at once for who asks, and within a moment for who waits.

        Also `Thread.start` takes locks; beginning a thread by `_thread` does not.
        """
        self._told = True
        _thread.start_new_thread(self.set, ())

    def is_set(self) -> bool:
        return self._told or super().is_set()
