"""How much one chat gets to hear: what stands between a flood of updates and a flood of replies.

Pure: time comes in as an argument, in seconds of any clock that does not go back. It keeps nothing
but the last times, in memory; Telegram's own limits are kept elsewhere (delivery's budget).
"""

from app.bot.replies import Manner, Say

# A person who tries things out asks quickly; nobody reads more than one answer a second for long.
BURST = 20
INTERVAL = 1.0
# Seconds between two of a kind in one chat.
PAUSES = {Manner.NEUTRAL: 5.0, Manner.RECEIPT: 60.0}
CHATS_KEPT = 10_000


class Throttle:
    """Which replies are worth sending; asked once for each."""

    def __init__(self) -> None:
        self._answered: dict[int, float] = {}
        self._said: dict[tuple[int, Manner], float] = {}

    def allows(self, reply: Say, now: float) -> bool:
        """Whether `reply` is to be sent; if so it counts."""
        self._forget(now)
        kind = (reply.chat_id, reply.manner)
        pause = PAUSES.get(reply.manner)
        if pause is not None and now - self._said.get(kind, float("-inf")) < pause:
            return False
        due = max(self._answered.get(reply.chat_id, now), now)
        if due - now > (BURST - 1) * INTERVAL:
            return False
        self._answered[reply.chat_id] = due + INTERVAL
        if pause is not None:
            self._said[kind] = now
        return True

    def _forget(self, now: float) -> None:
        """Drops what no longer matters once there is much of it."""
        if len(self._answered) + len(self._said) <= CHATS_KEPT:
            return
        self._answered = {chat: due for chat, due in self._answered.items() if due > now}
        self._said = {kind: at for kind, at in self._said.items() if now - at < PAUSES[kind[1]]}
