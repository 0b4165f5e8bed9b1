"""Those who post: over HTTP, each account's messages one after another, many accounts at once.

A client behaves as one should: a message with an Idempotency-Key that was not answered, or with
503, is posted again until it is accepted; one without a key is posted once.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3

from tests.chaos.history import SENT, Post
from tests.chaos.stage import Member

GREETING = "{name}, я получил от тебя сообщение:"
AGAIN_AFTER = 0.2
# No answer within this time is no answer.
ANSWER_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be posted `at` seconds after the start. `key`: an Idempotency-Key."""

    member: Member
    text: str
    at: float = 0.0
    greeting: bool = True
    key: str | None = None
    expires_in: int | None = None
    fates: frozenset[str] = SENT
    chat: int | None = None

    @property
    def expected(self) -> tuple[str, ...]:
        """What Telegram must get, by the letter of the documentation."""
        first, *rest = self.text.split("\n\n")
        if self.greeting:
            first = f"{GREETING.format(name=self.member.person.name)}\n{first}"
        return (first, *rest)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"text": self.text, "greeting": self.greeting}
        return body if self.expires_in is None else body | {"expires_in": self.expires_in}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `code` None is nothing; `seconds` it took."""

    code: int | None
    body: dict[str, Any]
    began: float
    seconds: float


class Client:
    """HTTP to one of the web servers: to the next one if the first cannot be reached."""

    def __init__(self, urls: Callable[[], Sequence[str]]) -> None:
        self._urls = urls
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=ANSWER_WITHIN)

    def post(self, draft: Draft) -> Answer:
        """POSTs a draft once."""
        headers = {"Idempotency-Key": draft.key} if draft.key else {}
        return self.call(draft.member.token, "POST", "/v1/messages", draft.body, headers)

    def call(
        self,
        token: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Any call with a Bearer credential."""
        sent = {"Authorization": f"Bearer {token}"} | (headers or {})
        if body is not None:
            sent["Content-Type"] = "application/json"
        began, clock = time.time(), time.monotonic()
        data = None if body is None else json.dumps(body).encode()
        for url in self._urls():
            try:
                got = self._pool.request(method, url + path, body=data, headers=sent)
            except urllib3.exceptions.NewConnectionError:
                continue
            except urllib3.exceptions.HTTPError:
                break
            return Answer(got.status, _json(got.data), began, time.monotonic() - clock)
        return Answer(None, {}, began, time.monotonic() - clock)


class Load:
    """Drafts that are posted by threads of their own from the moment this is made."""

    def __init__(
        self,
        client: Client,
        drafts: Sequence[Draft],
        *,
        threads: int = 8,
        patience: float = 60.0,
        in_order: bool = True,
    ) -> None:
        """`patience`: seconds after which an unaccepted draft with a key is given up. `in_order`:
        an account posts one message after another."""
        self.answers: list[Answer] = []
        self._client = client
        self._patience = patience
        self._posts: list[Post] = []
        self._start = time.monotonic()
        hands: list[list[Draft]] = [[] for _ in range(threads)]
        for number, draft in enumerate(sorted(drafts, key=lambda one: one.at)):
            hands[(draft.member.id if in_order else number) % threads].append(draft)
        self._threads = [
            threading.Thread(target=self._post_all, args=(mine,), daemon=True)
            for mine in hands
            if mine
        ]
        for thread in self._threads:
            thread.start()

    @property
    def going_on(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    @property
    def posts_so_far(self) -> list[Post]:
        return list(self._posts)

    def posts(self) -> list[Post]:
        """What became of them all; waits for the last."""
        for thread in self._threads:
            thread.join()
        return self._posts

    @property
    def slowest(self) -> float:
        """Seconds that the slowest 201 took."""
        return max((one.seconds for one in self.answers if one.code in (200, 201)), default=0.0)

    @property
    def codes(self) -> set[int | None]:
        return {one.code for one in self.answers}

    def _post_all(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            time.sleep(max(0.0, self._start + draft.at - time.monotonic()))
            self._posts.append(self._post(draft))

    def _post(self, draft: Draft) -> Post:
        until = time.monotonic() + self._patience
        first = answer = self._ask(draft)
        while draft.key and answer.code in (None, 500, 503) and time.monotonic() < until:
            time.sleep(AGAIN_AFTER)
            answer = self._ask(draft)
        return posted(draft, first, answer)

    def _ask(self, draft: Draft) -> Answer:
        answer = self._client.post(draft)
        self.answers.append(answer)
        return answer


def posted(draft: Draft, first: Answer, last: Answer) -> Post:
    """The post that a draft became, from its first try to its last answer."""
    identifier = last.body.get("id")
    return Post(
        account=draft.member.id,
        chat=draft.chat or draft.member.chat.id,
        text=draft.text,
        expected=draft.expected,
        began=first.began,
        ended=last.began + last.seconds,
        code=last.code,
        id=None if identifier is None else int(identifier),
        fates=draft.fates,
    )


def drafts(
    members: Sequence[Member],
    count: int,
    rng: random.Random,
    *,
    seconds: float = 0.0,
    title: str,
    keys: bool = True,
) -> list[Draft]:
    """`count` messages over these members in turn, spread over so many seconds; a few are long."""
    made = []
    for number in range(count):
        member = members[number % len(members)]
        mark = f"{title} {member.person.username} #{number}"
        words = f'{mark} привет <b>&" 🙂'
        if rng.random() < 0.04:
            words = f"{words} {'x' * 3700}\n\n{mark}, part 2 {'y' * 2000}"
        key = f"{title}-{number}".replace(" ", "-") if keys else None
        at = number * seconds / count
        made.append(Draft(member, words, at=at, greeting=rng.random() < 0.5, key=key))
    return made


def _json(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
