"""Rows 4 to 7: deliveries a second, the pace, the way of one message, the cost of a claim."""

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

import redis
from celery import Celery

from app.delivery import lanes
from app.extensions import db
from sandbox.client import wait_for
from sandbox.limits import Rates
from tests.benchmarks import load
from tests.benchmarks.stage import Stage
from tests.benchmarks.table import Row, in_turns, percentile, ratios
from tests.running import BIN

TURNS = 3
WORKERS = 2


def as_fast_as_it_goes(stage: Stage, accounts: int = 500, each: int = 10) -> Iterator[Row]:
    """4: with the rate lifted, against two bare loops of the same client."""
    stage.clear()
    stage.chats_exist(stage.people(accounts))
    workers = [stage.running.worker() for _ in range(WORKERS)]
    for worker in workers:
        worker.says("sweeping")
    first = stage.scalar("SELECT min(telegram_id) FROM chat")
    ours, bare = in_turns(
        lambda: _drained(stage, accounts, each), lambda: _bare_loops(stage, first, accounts), TURNS
    )
    name = f"deliveries a second, rate lifted, {WORKERS} workers, {accounts} accounts"
    yield Row("4", name, ours, bare, ratios(ours, bare), 0.35, True, "/s")
    for worker in workers:
        worker.kill()


def at_telegrams_pace(stage: Stage, accounts: int = 200, each: int = 5) -> Iterator[Row]:
    """5: at 30 a second, by a sandbox that enforces Telegram's limits."""
    stage.clear()
    stage.chats_exist(stage.people(accounts))
    stage.sandbox.limits(Rates())
    settings = {"TELEGRAM_BOT_RATE": "30", "TELEGRAM_CHAT_RATE": "1"}
    workers = [stage.running.worker(**settings) for _ in range(WORKERS)]
    for worker in workers:
        worker.says("sweeping")
    stage.sandbox.forget()
    rate = _drained(stage, accounts, each)
    floods = len(stage.sandbox.refused(429))
    name = f"deliveries a second at TELEGRAM_BOT_RATE=30, {accounts} accounts, limits enforced"
    yield Row(
        "5", name, [rate], [30.0], [rate / 30], 0.97, True, "/s", f"429s: {floods}", floods == 0
    )
    for worker in workers:
        worker.kill()


def from_post_to_call(stage: Stage, count: int = 200) -> Iterator[Row]:
    """6: from POST accepted to the call of the Bot API, against one empty Celery task."""
    stage.clear()
    people = stage.people(count)
    stage.chats_exist(people)
    web, worker = stage.running.web(), stage.running.worker()
    worker.says("sweeping")
    other = [str(BIN / "celery"), "-A", "tests.benchmarks.empty", "worker", "--pool", "threads"]
    idle = stage.running.start("empty", [*other, "-c", "4", "-l", "info"], {})
    idle.says("ready")
    posts = [
        load.request("POST", "/v1/messages", {"Content-Type": "application/json"} | bearer, body)
        for bearer, body in (
            ({"Authorization": f"Bearer {token}"}, f'{{"text": "number {n}", "greeting": false}}')
            for n, token in enumerate(stage.access_tokens(people))
        )
    ]
    task = _EmptyTask(stage.environment["REDIS_URL"])
    ours: list[float] = []
    bare: list[float] = []
    for number, post in enumerate(posts):
        ours.append(_way_of_one(stage, web.port, number, post))
        bare.append(task.way(number))
    for share, target in ((0.5, 5), (0.99, 10)):
        mine, theirs = percentile(ours, share), percentile(bare, share)
        name = f"from POST accepted to the Bot API call, idle, p{share * 100:.0f} of {count}"
        yield Row("6", name, [mine], [theirs], [mine / theirs], target, False, "ms")
    for part in (web, worker, idle):
        part.kill()


def claims(stage: Stage) -> Iterator[Row]:
    """7: claiming a due lane among 100,000 of which 5,000 are due, against 1,000 and 50."""
    with stage.app.app_context():
        _lanes(stage, 1000, 50)
        few = [_claim_ms(stage) for _ in range(TURNS)]
        _lanes(stage, 100_000, 5000)
        many = [_claim_ms(stage) for _ in range(TURNS)]
    name = "claim of a due lane: 100,000 lanes, 5,000 due, against 1,000 and 50"
    yield Row("7", name, many, few, ratios(many, few), 2, False, "ms")


def _drained(stage: Stage, accounts: int, each: int) -> float:
    """Queues them all and says how many a second arrived."""
    since = stage.sandbox.last()
    stage.queue(each)
    arrived = stage.sandbox.wait_for_messages(accounts * each, within=120, since=since)
    times = [message.at for message in arrived]
    wait_for(lambda: stage.scalar("SELECT count(*) FROM message WHERE status <> 'sent'") == 0, 20)
    return (len(times) - 1) / (max(times) - min(times))


def _bare_loops(stage: Stage, first: int, chats: int, seconds: float = 4.0) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.bare_sender", stage.sandbox.url]
    command += [stage.sandbox.token, str(first), str(chats), str(seconds)]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    return sum(int(child.communicate(timeout=60)[0]) for child in children) / seconds


def _way_of_one(stage: Stage, port: int, number: int, post: str) -> float:
    """Milliseconds from the answer of a POST to the sandbox's acceptance of its message."""
    since = stage.sandbox.last()
    outcome, answered = load.one(port, post)
    assert outcome == "201"
    (arrived,) = stage.sandbox.wait_for_messages(1, within=10, since=since)
    return max(0.01, (arrived.at - answered) * 1000)


class _EmptyTask:
    """Publishes the empty task of `tests.benchmarks.empty`, and reads when it ran."""

    def __init__(self, broker: str) -> None:
        self._celery = Celery(broker=broker.replace("unix://", "redis+socket://"))
        self._notes = redis.Redis.from_url(broker, decode_responses=True)

    def way(self, number: int) -> float:
        """Milliseconds from publishing to running."""
        published = time.time()
        self._celery.send_task("empty", [number])
        ran = wait_for(lambda: self._notes.hget("empty-task-ran", str(number)), within=10)
        assert isinstance(ran, str)
        return (float(ran) - published) * 1000


def _lanes(stage: Stage, count: int, due: int) -> None:
    stage.clear()
    stage.people(count, "c")
    stage.queue(1, "c")
    stage.sql(
        "UPDATE lane SET wake_at = CASE WHEN id IN (SELECT id FROM lane LIMIT :due)"
        " THEN now() - interval '1 s' END",
        due=due,
    )
    stage.sql("VACUUM ANALYZE lane")
    stage.sql("VACUUM ANALYZE message")


def _claim_ms(stage: Stage, times: int = 200) -> float:
    """The median of claims that are rolled back, so that each finds the same."""
    taken = []
    with db.engine.connect() as connection:
        for _ in range(times):
            with connection.begin() as transaction:
                begun = time.perf_counter()
                lease_no = secrets.randbits(63)
                turns = lanes.claim(connection, lease_no, most=1, began=time.monotonic())
                taken.append((time.perf_counter() - begun) * 1000)
                assert len(turns) == 1
                transaction.rollback()
    return median(taken)
