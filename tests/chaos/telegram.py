"""Everything that Telegram may do to a call, each to a chat of its own, all at once."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.clients import Draft, Load
from tests.chaos.history import SENT, Post
from tests.chaos.scene import Result, Scene
from tests.chaos.stage import Member, comes_true

MESSAGES = 3
HUGE = 10_072  # seconds, the longest that people have reported: tdlib/td#1331
AT_LEAST_HELD = 30.0
OUTAGE = 3.0
FLOOD = 3.0
SOON = 25.0


@dataclass(frozen=True, slots=True)
class Case:
    """What befalls the first calls for a chat, and what its messages must say of it.

    `doubtful`: the first message is a possible duplicate. `first`: how the first one ends; those
    behind it always arrive.
    """

    kind: str
    times: int = 1
    accepted: bool = False
    doubtful: bool = False
    first: str = "sent"
    outcome: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        more = " ".join(f"{name} {value}" for name, value in self.details.items())
        return " ".join(
            [self.kind, *(["accepted"] if self.accepted else []), *([more] if more else [])]
        )


def _lost(kind: str, **details: Any) -> list[Case]:
    """A fault after which nobody can know, with and without the message having arrived."""
    return [
        Case(kind, accepted=accepted, doubtful=True, outcome="ambiguous", details=details)
        for accepted in (False, True)
    ]


CASES = [
    Case("flood", outcome="wait", details={"retry_after": 2}),
    Case("flood", outcome="wait", details={"retry_after": None}),
    Case("server_error", times=2, outcome="not_sent"),
    *_lost("bad_gateway"),
    *_lost("gateway_timeout"),
    *_lost("garbage"),
    *_lost("truncated"),
    *_lost("cut_body"),
    *_lost("no_ok"),
    *_lost("null"),
    *_lost("empty_result"),
    *_lost("cut"),
    *_lost("reset"),
    *_lost("hang"),
    Case("drip", accepted=True, doubtful=True, outcome="ambiguous", details={"seconds": 1.0}),
    Case("bare_message", accepted=True),
    Case("delay", details={"seconds": 4.0}),
    Case("cannot_parse", first="failed", outcome="refused"),
    Case(
        "error",
        first="failed",
        outcome="refused",
        details={"code": 400, "description": "Bad Request: something nobody has heard of"},
    ),
]


def telegram(scene: Scene, messages: int) -> Result:
    """What may befall one call, each to a chat of its own; then outage, flood, refused token."""
    bot = scene.stage.running.bot()
    scene.workers(2)
    people = scene.people(len(CASES))
    wanted = [
        draft
        for case, member in zip(CASES, people, strict=True)
        for draft in _drafts(scene, case, member)
    ]
    chats = Chats(scene)
    load = Load(scene.client, [*wanted, *chats.drafts], threads=16)
    posts = load.posts()
    chats.go_on()
    scene.expect(scene.stage.comes_to_rest(scene.members, 90), "the single faults held things up")
    for case, member in zip(CASES, people, strict=True):
        _judge(scene, case, member)
    outage = Load(scene.client, _few(scene, people, "outage"))
    with scene.disturbed("Telegram"):
        scene.stage.sandbox.goes_down(OUTAGE)
        time.sleep(OUTAGE)
    posts += outage.posts()
    scene.expect(scene.stage.comes_to_rest(people, SOON), "nothing went on after an outage")
    posts += _flooded(scene, people)
    posts += _rejected(scene, people)
    if scene.full:
        posts += _huge_flood(scene, people)
    result = scene.finish(posts, [load])
    bot.kill()
    return result


def _drafts(scene: Scene, case: Case, member: Member) -> list[Draft]:
    scene.stage.sandbox.fault(
        case.kind, chat=member.chat, times=case.times, accepted=case.accepted, **case.details
    )
    drafts = [
        Draft(member, f"{scene.title} {case.name} #{number}", key=f"{member.id}-{number}")
        for number in range(MESSAGES)
    ]
    drafts[0] = replace(drafts[0], fates=frozenset({case.first}))
    return drafts


def _judge(scene: Scene, case: Case, member: Member) -> None:
    """What the first message says of its calls."""
    first, *others = scene.stage.rows([member])
    outcomes = [one.outcome for one in first.attempts]
    last = {"sent": "sent", "failed": "refused"}[case.first]
    told = [case.outcome] * case.times + [last] if case.outcome and last == "sent" else [last]
    scene.expect(outcomes == told, f"{case.name}: attempts {outcomes}, not {told}")
    scene.expect(
        first.possible_duplicate == case.doubtful,
        f"{case.name}: possible_duplicate is {first.possible_duplicate}",
    )
    scene.expect(
        not any(one.possible_duplicate for one in others), f"{case.name}: others are doubted, too"
    )
    answer = scene.client.call(member.token, "GET", f"/v1/messages/{first.id}").body
    free = outcomes.count("wait")
    scene.expect(
        answer.get("attempts_made") == len(outcomes) - free,
        f"{case.name}: {answer.get('attempts_made')} attempts were counted of {outcomes}",
    )
    shown = [
        (one["outcome"], one["code"], bool(one["at"]), one["latency_ms"] >= 0)
        for one in answer.get("attempts", [])
    ]
    kept = [(one.outcome, one.code, True, True) for one in first.attempts]
    scene.expect(shown == kept, f"{case.name}: the API shows the attempts {shown}")
    if case.first == "failed":
        said = first.attempts[-1].description
        scene.expect(bool(said) and answer.get("reason") == said, f"{case.name}: no reason")


class Chats:
    """Chats that something happens to: blocked and unblocked, not found, deleted, moved."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sandbox = scene.stage.sandbox
        self._blocked, self._missing, self._gone, self._moved = scene.people(4)
        self._blocked.chat.blocks()
        self._gone.chat.deletes_account()
        self._sandbox.fault("chat_not_found", chat=self._missing.chat, times=1)
        self._new = self._sandbox.user("Moved", wrote_first=True)
        self._sandbox.fault(
            "migrate", chat=self._moved.chat, times=1, migrate_to_chat_id=self._new.id
        )
        scene.talkers |= {self._blocked.chat.id, self._missing.chat.id}

    @property
    def drafts(self) -> list[Draft]:
        expired = frozenset({"expired"})
        return [
            *self._some(self._blocked, "blocked"),
            *self._some(self._missing, "not found"),
            *self._some(self._gone, "deactivated", expires_in=20, fates=expired),
            *self._some(self._moved, "moved", chat=self._new.id),
        ]

    def go_on(self) -> None:
        """The blocked one unblocks, the missing one writes to the bot."""
        for member in (self._blocked, self._missing, self._gone):
            self._wait_until_held(member)
        self._blocked.chat.unblocks()
        self._missing.chat.says("/start")

    def _some(
        self,
        member: Member,
        what: str,
        expires_in: int | None = None,
        fates: frozenset[str] = SENT,
        chat: int | None = None,
    ) -> list[Draft]:
        return [
            Draft(
                member,
                f"{self._scene.title} {what} #{number}",
                expires_in=expires_in,
                fates=fates,
                chat=chat,
            )
            for number in range(MESSAGES)
        ]

    def _wait_until_held(self, member: Member) -> None:
        def held() -> bool:
            rows = self._scene.stage.rows([member])
            return {row.status for row in rows} <= {"held", "expired"}

        self._scene.expect(comes_true(held, 10), "messages to a chat that is gone are not held")


def _few(scene: Scene, people: list[Member], what: str) -> list[Draft]:
    return [
        Draft(member, f"{scene.title} {what} {member.id}", key=f"{what}-{member.id}")
        for member in people[:6]
    ]


def _flooded(scene: Scene, people: list[Member]) -> list[Post]:
    """429 for every chat: the whole bot waits, and no attempt is counted."""
    scene.stage.sandbox.holds_bot(FLOOD)
    posts = Load(scene.client, _few(scene, people, "flooded")).posts()
    scene.expect(scene.stage.comes_to_rest(people, SOON), "nothing went on after a flood")
    asked = scene.stage.sandbox.refused(429, scene.since)
    scene.notes.append(f"{len(asked)} calls were answered with 429 in all")
    return posts


def _rejected(scene: Scene, people: list[Member]) -> list[Post]:
    """The bot's token is refused for a while: our fault, so no message fails for it."""
    fault = scene.stage.sandbox.fault("unauthorized", method="*")
    load = Load(scene.client, _few(scene, people, "rejected"))
    posts = load.posts()

    def noticed() -> bool:
        return scene.client.call("", "GET", "/readyz").code == 503

    scene.expect(comes_true(noticed, 10), "/readyz is not red while Telegram refuses the token")
    fault.clear()
    scene.expect(scene.stage.comes_to_rest(people, SOON), "nothing went on after a 401")
    return posts


def _huge_flood(scene: Scene, people: list[Member]) -> list[Post]:
    """Telegram asks for hours: for as long as it is held, the chat is left alone."""
    member = people[0]
    scene.stage.sandbox.fault("flood", chat=member.chat, times=1, retry_after=HUGE)
    load = Load(scene.client, [Draft(member, f"{scene.title} huge", key="huge")])
    posts = load.posts()
    scene.expect(scene.stage.comes_to_rest(people, 90), "nothing went on after a huge 429")
    refused, sent = scene.stage.rows([member])[-1].attempts
    scene.expect(sent.at - refused.at >= AT_LEAST_HELD, "a huge 429 was not waited for")
    return posts
