"""One scenario while it plays: who takes part, what befell the parts, what was expected."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.chaos import measures
from tests.chaos.checker import Verdict, check
from tests.chaos.clients import Client, Load
from tests.chaos.history import Disturbance, History, Post
from tests.chaos.stage import Member, Stage
from tests.running import Part

DRAINED_WITHIN = 60.0
# How many messages of a scenario are also looked at through the API.
SHOWN = 40


@dataclass(slots=True)
class Result:
    """What a scenario came to. `broken`: expectations that were not met, in words."""

    name: str
    messages: int
    arrived: int
    verdict: Verdict
    kills: int
    kills_in_flight: int
    drain: float
    pause: float
    slowest_post: float
    seconds: float
    broken: list[str]
    notes: list[str]

    @property
    def kept(self) -> bool:
        return self.verdict.kept and not self.broken


@dataclass
class Scene:
    """A scenario on a stage; its chance is seeded by run and name."""

    stage: Stage
    name: str
    seed: int
    webs: list[Part]
    full: bool = True
    members: list[Member] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    disturbances: list[Disturbance] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # Chats that the bot answers in, too.
    talkers: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed} {self.name}")
        self.client = Client(lambda: [part.url for part in self.webs])
        self.since = self.stage.sandbox.last()
        self.began = time.monotonic()

    @property
    def title(self) -> str:
        return f"{self.name} {self.seed}"

    def people(self, count: int) -> list[Member]:
        """So many more who take part."""
        joined = self.stage.people(count)
        self.members += joined
        return joined

    def workers(self, count: int = 2, **settings: str) -> list[Part]:
        """So many workers, delivering."""
        return self.stage.workers(count, **settings)

    def expect(self, holds: bool, words: str) -> None:
        """Notes what was promised, in words, if it does not hold."""
        if not holds:
            self.broken.append(words)

    def killed(self, part: Part) -> None:
        """SIGKILL to a part's whole group, noted as one that may have been sending."""
        part.kill()
        self.kills.append(time.time())
        self.disturbances.append(Disturbance("killed", self.kills[-1], self.kills[-1]))

    def froze(self, part: Part) -> None:
        """SIGSTOP to a part's whole group: what it is sending at this moment, it cannot record."""
        part.freeze()
        now = time.time()
        self.disturbances.append(Disturbance("frozen", now, now))

    @contextmanager
    def disturbed(self, kind: str) -> Iterator[None]:
        """A time in which outcomes may be lost."""
        began = time.time()
        try:
            yield
        finally:
            self.disturbances.append(Disturbance(kind, began, time.time()))

    def finish(
        self,
        posts: Sequence[Post],
        loads: Sequence[Load] = (),
        *,
        drained_within: float = DRAINED_WITHIN,
    ) -> Result:
        """Waits until all is at rest, and judges."""
        ended = time.monotonic()
        if not self.stage.comes_to_rest(self.members, drained_within):
            self.broken.append(f"not drained within {drained_within:.0f} s")
        drain = time.monotonic() - ended
        history = replace(self.history(posts), shown=self._shown(posts))
        return Result(
            name=self.name,
            messages=len(posts),
            arrived=sum(row.status == "sent" for row in history.rows),
            verdict=check(history),
            kills=len(self.kills),
            kills_in_flight=measures.kills_in_flight(history, self.kills),
            drain=drain,
            pause=measures.longest_pause(history, self.kills),
            slowest_post=max((load.slowest for load in loads), default=0.0),
            seconds=time.monotonic() - self.began,
            broken=self.broken,
            notes=self.notes,
        )

    def history(self, posts: Sequence[Post]) -> History:
        """What has been seen of it until now."""
        history = self.stage.history(self.members, posts, self.since, self.talkers)
        return replace(history, disturbances=self.disturbances)

    def _shown(self, posts: Sequence[Post]) -> dict[int, dict[str, object]]:
        """Some of the messages as the API tells of them to whoever may read them."""
        owners = {member.id: member for member in self.members}
        known = [post for post in posts if post.accepted and post.id is not None]
        shown = {}
        for post in self.rng.sample(known, min(SHOWN, len(known))):
            answer = self.client.call(owners[post.account].token, "GET", f"/v1/messages/{post.id}")
            self.expect(answer.code == 200, f"GET of a message answered {answer.code}")
            shown[int(answer.body.get("id", 0))] = answer.body
        return shown
