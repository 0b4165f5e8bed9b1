"""What `./dev run` says: its own lines and those of its parts, each with a name before it.

Writing never waits. Who started us may have stopped reading, and a full pipe must not keep us from
stopping; what does not fit is dropped, the oldest first.
"""

import os
import select
import time

MOST_BYTES = 1_000_000
ATOMIC = 4096  # a pipe that select(2) calls writable takes PIPE_BUF bytes, pipe(7)
NAME_WIDTH = 9


class Output:
    """A writer of lines to a file descriptor."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._waiting = bytearray()

    def line(self, name: str, text: bytes | str) -> None:
        """Say one line for `name`."""
        raw = text.encode() if isinstance(text, str) else text
        self._waiting += f"{name:<{NAME_WIDTH}}| ".encode() + raw + b"\n"
        self._flush()

    def block(self, text: str) -> None:
        """Say several lines as they are."""
        self._waiting += text.encode() + b"\n"
        self._flush()

    def finish(self, within: float) -> None:
        """Give what is still waiting `within` seconds to be read."""
        deadline = time.monotonic() + within
        while self._waiting and time.monotonic() < deadline:
            self._flush(wait=0.05)

    def _flush(self, wait: float = 0) -> None:
        try:
            while self._waiting and select.select([], [self._descriptor], [], wait)[1]:
                written = os.write(self._descriptor, self._waiting[:ATOMIC])
                del self._waiting[:written]
        except OSError:  # nobody reads any more
            self._waiting.clear()
        if len(self._waiting) > MOST_BYTES:
            del self._waiting[: len(self._waiting) - MOST_BYTES]
