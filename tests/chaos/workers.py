"""Workers die, freeze and are restarted, one after another, while people post."""

import time

from sandbox.client import wait_for
from tests.chaos import measures
from tests.chaos.clients import Load, drafts
from tests.chaos.scene import Result, Scene
from tests.chaos.stage import Member, comes_true
from tests.running import Part

RESUMED_WITHIN = 40.0
STOPPED_WITHIN = 30.0
# So many kills must hit a send, or the run has shown nothing; so many are made for it at most.
KILLS_IN_FLIGHT = 10
KILLS = 20
# How many calls there are at least at the moment of a kill.
UNDER_WAY = 2
LONGEST_CALL = 4.0  # seconds
RESTARTS = 8


def kills(scene: Scene, messages: int) -> Result:
    """kill -9 of a random worker's process group, again and again, while it sends."""
    people = scene.people(max(100, messages // 5))
    workers = scene.workers(2)
    loads = kill_again_and_again(scene, workers, people, messages)
    return judged_kills(scene.finish([post for load in loads for post in load.posts()], loads))


def frozen(scene: Scene, messages: int) -> Result:
    """SIGSTOP of a worker past its leases, then SIGCONT: the zombie overwrites nothing."""
    people = scene.people(max(20, messages // 5))
    (zombie,) = scene.workers(1)
    slow_down(scene, 1.0)
    load = Load(scene.client, drafts(people, messages, scene.rng, seconds=6, title=scene.title))
    wait_for(lambda: calls_under_way(scene) >= UNDER_WAY, 60, "nothing is being sent")
    time.sleep(scene.rng.uniform(0.5, 1.5))
    scene.froze(zombie)
    scene.workers(1)
    posts = load.posts()
    rested = scene.stage.comes_to_rest(people, 60)
    before = scene.stage.rows(people)
    zombie.thaw()
    spoke = comes_true(lambda: "no longer ours" in zombie.log(), 10)
    time.sleep(1)
    scene.expect(spoke, "the worker that woke up did not notice that its turns were over")
    scene.expect(rested, "the lanes of a frozen worker did not go on")
    scene.expect(scene.stage.rows(people) == before, "a worker that woke up changed what was done")
    taken_over = sum(any(one.outcome == "ambiguous" for one in row.attempts) for row in before)
    scene.expect(taken_over > 0, "void: the frozen worker was not sending")
    scene.notes.append(f"{taken_over} messages taken over from the frozen worker")
    return scene.finish(posts, [load])


def rolling(scene: Scene, messages: int) -> Result:
    """Rolling SIGTERM restarts of workers and web under load: a quiet deployment."""
    people = scene.people(max(20, messages // 5))
    workers = scene.workers(2)
    scene.webs.append(scene.stage.web())
    slow_down(scene, 0.4)
    wanted = drafts(people, messages, scene.rng, seconds=RESTARTS * 4, title=scene.title)
    load = Load(scene.client, wanted)
    slowest = 0.0
    for number in range(RESTARTS):
        wait_for(lambda: calls_under_way(scene) > 0 or not load.going_on, 20, "no call")
        fresh = scene.stage.worker()
        fresh.says("sweeping")
        slowest = max(slowest, stop(scene, workers.pop(0)))
        workers.append(fresh)
        if number % 4 == 3:
            scene.webs.append(scene.stage.web())
            slowest = max(slowest, stop(scene, scene.webs.pop(0)))
    posts = load.posts()
    scene.notes.append(f"slowest exit {slowest:.1f} s")
    result = scene.finish(posts, [load])
    doubles = result.verdict.counts["duplicates_explained"]
    scene.expect(not doubles, f"{doubles} duplicates, though nothing was killed")
    return result


def stop(scene: Scene, part: Part) -> float:
    """SIGTERM; the seconds until it has ended."""
    began = time.monotonic()
    status = part.terminate(within=STOPPED_WITHIN)
    scene.expect(status == 0, f"{part.name} ended with status {status}")
    return time.monotonic() - began


def kill_again_and_again(
    scene: Scene, workers: list[Part], people: list[Member], messages: int
) -> list[Load]:
    """Some posts before each kill, and calls that take long enough to be hit."""
    wanted = drafts(people, messages, scene.rng, title=scene.title)
    portion = -(-messages // KILLS)
    slow_down(scene, min(LONGEST_CALL, 72.0 / portion))
    loads: list[Load] = []
    while len(scene.kills) < KILLS and hits_so_far(scene, loads) < KILLS_IN_FLIGHT:
        loads.append(Load(scene.client, wanted[:portion]))
        del wanted[:portion]
        wait_for(lambda: calls_under_way(scene) >= UNDER_WAY, 60, "nothing is being sent")
        time.sleep(scene.rng.uniform(0.1, 0.5))
        kill_one(scene, workers)
    scene.stage.sandbox.clear_faults()
    return [*loads, Load(scene.client, wanted)]


def hits_so_far(scene: Scene, loads: list[Load]) -> int:
    """How many kills have hit a send until now."""
    posts = [post for load in loads for post in load.posts_so_far]
    return measures.kills_in_flight_so_far(scene.history(posts), scene.kills, time.time())


def judged_kills(result: Result) -> Result:
    """With what is promised of kills beyond the counts."""
    if result.kills_in_flight < KILLS_IN_FLIGHT:
        result.broken.append(f"void: only {result.kills_in_flight} kills hit a send in flight")
    if result.pause > RESUMED_WITHIN:
        result.broken.append(f"a message waited {result.pause:.0f} s after a kill")
    return result


def slow_down(scene: Scene, seconds: float) -> None:
    """Calls take so long from now on: half of them before they are accepted, half after."""
    sandbox, seed = scene.stage.sandbox, scene.seed
    sandbox.fault("delay", seconds=seconds, accepted=True, probability=0.5, seed=seed)
    sandbox.fault("delay", seconds=seconds)


def kill_one(scene: Scene, workers: list[Part]) -> None:
    """Kills one of those that deliver, and starts another in its place."""
    wait_for(lambda: delivering(workers), 60, "no worker is ready")
    victim = scene.rng.choice(delivering(workers))
    scene.killed(workers[victim])
    workers[victim] = scene.stage.worker()


def delivering(workers: list[Part]) -> list[int]:
    """Which of them are ready."""
    return [number for number, part in enumerate(workers) if "sweeping" in part.log()]


def calls_under_way(scene: Scene) -> int:
    """How many sends the receiver has not answered yet."""
    sandbox = scene.stage.sandbox
    recent = sandbox.calls("sendMessage", since=sandbox.last() - 200)
    return sum(call.answered_at is None for call in recent)
