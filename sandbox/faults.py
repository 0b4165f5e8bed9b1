"""Scripted faults: which calls go wrong, and how. What the client then sees is `mishaps.py`.

A fault is a rule. Rules are asked in the order they were made, the first one that fires decides;
a rule fires at most `times` times. Chance is seeded, so the same calls in the same order fare the
same.
"""

import random
from dataclasses import asdict, dataclass, field

from sandbox.http import JsonObject
from sandbox.journal import Call

KINDS = {
    "delay": "the true answer, `seconds` late; before accepting unless `accepted`",
    "hang": "no answer, ever",
    "flood": "429; `retry_after` seconds (null: without parameters); `bot_wide`: every chat",
    "error": "`code`, `description` and `parameters` as given",
    "server_error": "500 in Telegram's own JSON",
    "bad_gateway": "502 with an HTML page",
    "gateway_timeout": "504 with an HTML page",
    "unauthorized": "401",
    "not_found": "404",
    "conflict": "409, another poller",
    "blocked": "403 bot was blocked by the user",
    "deactivated": "403 user is deactivated",
    "kicked": "403 bot was kicked from the group chat",
    "chat_not_found": "400 chat not found",
    "too_long": "400 message is too long",
    "cannot_parse": "400 can't parse entities",
    "migrate": "400 with `migrate_to_chat_id`",
    "garbage": "200 with bytes that are no JSON",
    "truncated": "200 with the first half of the JSON",
    "cut_body": "200, half of the promised body, then the connection closes",
    "no_ok": "200 with JSON that has no `ok`",
    "null": "200 with `null`",
    "empty_result": "200 `ok` with an empty message",
    "bare_message": "200 `ok` with a message that has nothing but its id",
    "cut": "the connection closes without an answer",
    "reset": "the connection is reset without an answer",
    "drip": "the true answer, one byte per `seconds` (default 1)",
}
ACCEPTING = {"bare_message", "drip"}  # these answer with the true result, so they have one


@dataclass(slots=True)
class Fault:
    """One rule. `method` may be `*`; `nth` counts matching calls from 1; `times` None: always."""

    id: int
    kind: str
    method: str = "sendMessage"
    chat_id: int | None = None
    contains: str = ""
    nth: list[int] = field(default_factory=list)
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    accepted: bool = False
    seconds: float = 0.0
    retry_after: int | None = 1
    bot_wide: bool = False
    code: int = 400
    description: str = "Bad Request: scripted"
    parameters: JsonObject | None = None
    migrate_to_chat_id: int = 0
    seen: int = 0
    fired: int = 0
    chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        if self.kind in ACCEPTING:
            self.accepted = True

    @property
    def delay(self) -> float:
        """Seconds until the answer begins; `drip` spends its `seconds` on each byte instead."""
        return 0.0 if self.kind == "drip" else self.seconds

    def fires(self, call: Call) -> bool:
        """Whether this call is hit; counts."""
        if self.times is not None and self.fired >= self.times or not self._matches(call):
            return False
        self.seen += 1
        if self.nth and self.seen not in self.nth:
            return False
        if self.probability < 1 and self.chance.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def report(self) -> JsonObject:
        """The rule and its counters."""
        report = asdict(self)
        del report["chance"]
        return report

    def _matches(self, call: Call) -> bool:
        if self.method != "*" and self.method.lower() != call.method.lower():
            return False
        if self.chat_id is not None and self.chat_id != call.chat_id:
            return False
        return not self.contains or self.contains in str(call.parameters.get("text", ""))


class Faults:
    """The rules in force. Cleared ones no longer fire but stay counted in `fired`."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []
        self.fired: dict[str, int] = {}
        self._last_id = 0

    def add(self, settings: JsonObject) -> Fault:
        """Makes a rule of JSON fields; raises `ValueError` that names what is wrong."""
        kind = settings.get("kind")
        if kind not in KINDS:
            raise ValueError(f"unknown fault kind {kind!r}; there are: {', '.join(KINDS)}")
        unknown = set(settings) - set(Fault.__dataclass_fields__)
        unknown |= set(settings) & {"id", "seen", "fired", "chance"}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        settings = dict(settings)
        if isinstance(settings.get("nth"), int):
            settings["nth"] = [settings["nth"]]
        self._last_id += 1
        rule = Fault(id=self._last_id, **settings)
        self.rules.append(rule)
        return rule

    def hitting(self, call: Call) -> Fault | None:
        """The rule that this call falls to."""
        for rule in self.rules:
            if rule.fires(call):
                self.fired[rule.kind] = self.fired.get(rule.kind, 0) + 1
                return rule
        return None

    def remove(self, identifier: int) -> bool:
        """Takes one rule away; False if there is none with this id."""
        kept = [rule for rule in self.rules if rule.id != identifier]
        found = len(kept) < len(self.rules)
        self.rules = kept
        return found

    def clear(self) -> None:
        """Takes all rules away; the counters stay."""
        self.rules = []
