"""Real rates, and a sandbox that enforces Telegram's limits: nobody waits for somebody else."""

from bisect import bisect_left

from app.delivery import outbox
from app.extensions import transaction
from sandbox.client import Call
from sandbox.limits import Rates
from tests.chaos.clients import Draft, Load
from tests.chaos.history import Post
from tests.chaos.scene import Result, Scene

BOT_RATE = 30.0
SMALL = 200
FLOOD = 5000
# Calls leave evenly and arrive less so.
UNEVEN = 1.3
# One second, less what two processes' clocks and the loopback make of it.
CHAT_GAP = 0.9
# What the line may take beyond its arithmetic.
SLACK = 3.0


def pacing(scene: Scene, messages: int) -> Result:
    """200 accounts with one message each behind one with 5,000, and one whose calls hang."""
    sandbox = scene.stage.sandbox
    small = SMALL if scene.full else SMALL // 4
    flood = FLOOD if scene.full else FLOOD // 20
    sandbox.limits(Rates(enforced=True))
    scene.workers(2, TELEGRAM_CHAT_RATE="1", TELEGRAM_BOT_RATE=str(BOT_RATE))
    greedy, hanging, *people = scene.people(2 + small)
    sandbox.fault("hang", chat=hanging.chat, times=1)
    ends = frozenset({"sent", "cancelled"})
    flood_drafts = [
        Draft(greedy, f"{scene.title} flood #{number}", fates=ends) for number in range(flood)
    ]
    flooding = Load(scene.client, flood_drafts, in_order=False)
    hung = Load(scene.client, [Draft(hanging, f"{scene.title} hangs", key="hangs")])
    posts = [*flooding.posts(), *hung.posts()]
    scene.notes.append(f"{flood} queued by one")
    load = Load(scene.client, [Draft(one, f"{scene.title} small {one.id}") for one in people])
    few = load.posts()
    scene.expect(scene.stage.comes_to_rest(people, 60), "the many were not served")
    with scene.stage.app.app_context(), transaction() as session:
        outbox.forget(session, greedy.id)
    result = scene.finish([*posts, *few], [load])
    _judge_waits(scene, few)
    _judge_rates(scene)
    sandbox.limits(Rates(enforced=False))
    return result


def _judge_waits(scene: Scene, few: list[Post]) -> None:
    """From the first POST of the many to each one's arrival."""
    began = min(post.began for post in few)
    arrived = {line.chat_id: line.at for line in scene.stage.sandbox.journal(scene.since)}
    waits = sorted(arrived.get(post.chat, float("inf")) - began for post in few)
    longest = len(few) / BOT_RATE + SLACK
    median, last = waits[len(waits) // 2], waits[-1]
    scene.expect(last <= longest, f"one of {len(few)} waited {last:.1f} s, not {longest:.1f}")
    scene.notes.append(
        f"{len(few)} others served after {median:.1f} s (median), {last:.1f} s (last)"
    )


def _judge_rates(scene: Scene) -> None:
    """What the receiver saw: no 429, and no window with more than Telegram allows."""
    sandbox = scene.stage.sandbox
    refused = sandbox.refused(429, scene.since)
    scene.expect(not refused, f"{len(refused)} calls were answered with 429")
    calls = sandbox.calls("sendMessage", scene.since)
    everybody = [call.at for call in calls]
    most = max(bisect_left(everybody, at + 1.0) - n for n, at in enumerate(everybody))
    scene.expect(most <= BOT_RATE * UNEVEN, f"{most} calls within one second")
    gaps = [
        after - before
        for times in _by_chat(calls).values()
        for before, after in zip(times, times[1:], strict=False)
    ]
    shortest = min(gaps, default=1.0)
    scene.expect(shortest > CHAT_GAP, f"two messages to a chat within {shortest:.2f} s")
    scene.notes.append(
        f"at most {most} calls in any second, {shortest:.2f} s between two to a chat"
    )


def _by_chat(calls: list[Call]) -> dict[object, list[float]]:
    found: dict[object, list[float]] = {}
    for call in calls:
        found.setdefault(call.chat_id, []).append(call.at)
    return found
