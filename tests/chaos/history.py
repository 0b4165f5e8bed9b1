"""What was seen of one run from outside: by the clients, by the receiver, in the database.

Plain values; `checker` judges them. Times are seconds since the epoch, all of one machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.journal import Accepted, Call

SENT = frozenset({"sent"})


@dataclass(frozen=True, slots=True)
class Post:
    """A message that a client asked for, and what it was told.

    `text` is unique in the run; `expected` is what Telegram must get, one text a part. `code` is
    the last HTTP status (None: no answer), `id` the message's in the answer. `fates`: how it may
    end. `former`: the chat that was the account's before, where it may have come as well.
    """

    account: int
    chat: int
    text: str
    expected: tuple[str, ...]
    began: float
    ended: float
    code: int | None
    id: int | None = None
    fates: frozenset[str] = SENT
    retried: bool = False
    former: int | None = None

    @property
    def accepted(self) -> bool:
        return self.code in (200, 201)

    @property
    def refused(self) -> bool:
        """The client was told for certain that nothing was accepted."""
        return self.code is not None and 400 <= self.code < 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of `attempt`."""

    part: int
    at: float
    outcome: str
    code: int | None = None
    description: str | None = None

    @property
    def orphaned(self) -> bool:
        """Its worker died: `at` is when that one last said that the call was under way."""
        return self.description == "the worker that was sending it died"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `message` with its attempts, oldest first."""

    id: int
    account: int
    seq: int
    text: str
    status: str
    parts: int
    parts_sent: int
    possible_duplicate: bool
    telegram_message_ids: Sequence[int]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A time in which an outcome may have been lost on our side: a part died, froze, went away."""

    kind: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class History:
    """One scenario. `shown` is what the API says of messages, by id, as JSON."""

    posts: list[Post]
    rows: list[Row]
    journal: list[Accepted]
    calls: list[Call]
    disturbances: list[Disturbance] = field(default_factory=list)
    shown: dict[int, dict[str, object]] = field(default_factory=dict)
