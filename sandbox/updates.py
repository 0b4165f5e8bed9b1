"""The queue of updates a bot has not confirmed yet, and the one long poll that may wait on it.

Imitates the real server where bots feel it: unconfirmed updates come again, an offset confirms
everything below it, an offset far beyond the newest update is ignored (tdlib `TQueue.cpp`:
"from_id is in the future"), the newer of two polls wins, `allowed_updates` persists. Not
imitated: the 24 hours after which updates die, and the brake on polls that repeat their offset.
"""

import asyncio
import random
from collections import deque

from sandbox import refusals
from sandbox.http import JsonObject
from sandbox.store import Store

LONGEST_POLL = 50.0  # seconds; the server caps `timeout` there
LARGEST_BATCH = 100
TOO_FAR = 10  # an offset this far beyond the end is taken for another server's
NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}


class Updates:
    """Sequential ids from a random start, as on the real server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: deque[JsonObject] = deque()
        self._poll: asyncio.Future[None] | None = None
        self.next_id = random.randint(10**8, 9 * 10**8)
        self.allowed: list[str] = []
        self.webhook = ""
        self._load()

    def add(self, kind: str, payload: object) -> int | None:
        """Queues an update unless `allowed_updates` excludes its kind; returns its id."""
        wanted = kind in self.allowed if self.allowed else kind not in NOT_BY_DEFAULT
        return self.inject({kind: payload}) if wanted else None

    def inject(self, update: JsonObject) -> int:
        """Queues an update as it is, however strange; with the next id unless it has its own."""
        update = dict(update)
        given = update.get("update_id")
        identifier = given if isinstance(given, int) else self.next_id
        update = {"update_id": identifier, **update}
        self._queue.append(update)
        self._store.put("update", identifier, update)
        self.next_id = max(self.next_id, identifier + 1)
        self._remember()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        return identifier

    def jump(self, to: int) -> None:
        """Lets the ids go on from `to`, up or down: after a week of silence, on another server."""
        self.next_id = to
        self._remember()

    def pending(self) -> list[JsonObject]:
        """What the bot has not confirmed yet."""
        return list(self._queue)

    def allow(self, kinds: list[str]) -> None:
        """Sets `allowed_updates` for the updates to come; an empty list means the default."""
        self.allowed = kinds
        self._remember()

    def set_webhook(self, url: str, *, drop_pending: bool) -> None:
        """Sets or (with an empty url) removes the webhook; a waiting poll ends with a 409."""
        self.webhook = url
        if drop_pending:
            self._drop(len(self._queue))
        if url:
            self._end_poll(refusals.ended_by_webhook())
        self._remember()

    async def get(self, offset: int, limit: int, timeout: float) -> list[JsonObject]:
        """What `getUpdates` answers: confirms below `offset`, then waits up to `timeout` seconds.

        Raises `Refusal` 409 when a newer poll or a webhook takes over, or a webhook is set.
        """
        if self.webhook:
            raise refusals.webhook_is_active()
        self._end_poll(refusals.another_poller())
        self._confirm(offset)
        if not self._queue and timeout > 0:
            await self._wait(min(timeout, LONGEST_POLL))
        size = limit if 0 < limit <= LARGEST_BATCH else LARGEST_BATCH
        return [self._queue[i] for i in range(min(size, len(self._queue)))]

    def clear(self) -> None:
        """An empty queue with the default kinds and no webhook; the ids go on."""
        self._drop(len(self._queue))
        self.allowed = []
        self.webhook = ""
        self._remember()

    async def _wait(self, seconds: float) -> None:
        poll = self._poll = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(poll, seconds)
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None

    def _end_poll(self, refusal: refusals.Refusal) -> None:
        if self._poll is not None and not self._poll.done():
            self._poll.set_exception(refusal)
        self._poll = None

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            self._drop(max(0, len(self._queue) + offset))
            return
        if offset > self.next_id + TOO_FAR:
            return
        while self._queue and self._queue[0]["update_id"] < offset:
            self._drop(1)

    def _drop(self, count: int) -> None:
        for _ in range(count):
            self._store.remove("update", self._queue.popleft()["update_id"])

    def _remember(self) -> None:
        self._store.put(
            "polling",
            0,
            {"next_id": self.next_id, "allowed": self.allowed, "webhook": self.webhook},
        )

    def _load(self) -> None:
        for _, saved in self._store.items("polling"):
            self.next_id = saved["next_id"]
            self.allowed = saved["allowed"]
            self.webhook = saved["webhook"]
        self._queue.extend(update for _, update in self._store.items("update"))
