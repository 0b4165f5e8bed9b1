"""Telegram's flood limits as token buckets: per chat, per group, for the whole bot.

Telegram publishes no exact figures; these are the ones its FAQ advises
(core.telegram.org/bots/faq, "My bot is hitting limits"): one message a second in a chat with
short bursts, 20 a minute in a group, about 30 a second in all. Pure arithmetic: time comes in as
an argument, in seconds.
"""

import math
from dataclasses import asdict, dataclass, field


@dataclass(slots=True)
class Rates:
    """The figures, adjustable while the sandbox runs: rates per second, bursts in messages."""

    enforced: bool = True
    chat_rate: float = 1.0
    chat_burst: int = 3
    group_rate: float = 20 / 60
    group_burst: int = 20
    all_rate: float = 30.0
    all_burst: int = 30


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float

    def refill(self, now: float, rate: float, burst: int) -> None:
        self.tokens = min(float(burst), self.tokens + max(0.0, now - self.at) * rate)
        self.at = now

    def wait(self, rate: float) -> float:
        """Seconds until a whole token is there."""
        missing = 1.0 - self.tokens
        if missing <= 1e-9:
            return 0.0
        return missing / rate if rate > 0 else math.inf


@dataclass(slots=True)
class Limits:
    """Which messages come too fast. A refused message takes no token from any bucket."""

    rates: Rates = field(default_factory=Rates)
    violations: dict[str, int] = field(default_factory=dict)
    held_until: float = 0.0
    _chats: dict[int, _Bucket] = field(default_factory=dict)
    _all: _Bucket | None = None

    def hold(self, now: float, seconds: float) -> None:
        """Refuses every message of the bot for so long, whatever the buckets say."""
        self.held_until = max(self.held_until, now + seconds)

    def take(self, now: float, chat_id: int, *, group: bool) -> tuple[str, int] | None:
        """Takes one message's tokens, or says which limit is hit and the whole seconds to wait."""
        if self.held_until > now:
            return self._violated("held", self.held_until - now)
        if not self.rates.enforced:
            return None
        rates = self.rates
        scope, rate, burst = (
            ("group", rates.group_rate, rates.group_burst)
            if group
            else ("chat", rates.chat_rate, rates.chat_burst)
        )
        chat = self._chats.setdefault(chat_id, _Bucket(burst, now))
        chat.refill(now, rate, burst)
        everyone = self._all = self._all or _Bucket(rates.all_burst, now)
        everyone.refill(now, rates.all_rate, rates.all_burst)
        for name, wait in ((scope, chat.wait(rate)), ("all", everyone.wait(rates.all_rate))):
            if wait > 0:
                return self._violated(name, wait)
        chat.tokens -= 1
        everyone.tokens -= 1
        return None

    def report(self) -> dict[str, object]:
        """The figures in force and how often each limit was hit."""
        return {**asdict(self.rates), "violations": dict(self.violations)}

    def clear(self) -> None:
        """Full buckets, no hold, no violations; the figures stay."""
        self.violations.clear()
        self._chats.clear()
        self._all = None
        self.held_until = 0.0

    def _violated(self, scope: str, wait: float) -> tuple[str, int]:
        self.violations[scope] = self.violations.get(scope, 0) + 1
        return scope, max(1, math.ceil(min(wait, 1e6)))
