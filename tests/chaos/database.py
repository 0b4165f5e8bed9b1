"""PostgreSQL crashes under load, again and again."""

import time

from tests.chaos.clients import Load, drafts
from tests.chaos.scene import Result, Scene

CRASHES = 3
ANSWERED_WITHIN = 5.0
RECOVERED_WITHIN = 30.0


def database(scene: Scene, messages: int) -> Result:
    """Immediate restarts: every 201 has its row, everything else was told 503."""
    people = scene.people(30)
    scene.workers(2)
    scene.stage.sandbox.fault("delay", seconds=0.2)
    keyed = drafts(people, messages // 2, scene.rng, seconds=16, title=scene.title)
    once = drafts(
        people, messages // 2, scene.rng, seconds=16, title=f"{scene.title} once", keys=False
    )
    load = Load(scene.client, [*keyed, *once])
    postgres = scene.stage.servers.postgres
    away = 0.0
    for _ in range(CRASHES):
        time.sleep(scene.rng.uniform(1.5, 3))
        with scene.disturbed("database"):
            postgres.stop(immediate=True)
            time.sleep(scene.rng.uniform(0.2, 1.5))
            postgres.start()
            back = time.monotonic()
            away = max(away, accepts_again(scene) - back)
    posts = load.posts()
    bad = load.codes - {201, 503}
    scene.expect(not bad, f"posts were answered with {bad}")
    scene.expect(503 in load.codes, "void: no post met the outage")
    scene.expect(away <= RECOVERED_WITHIN, f"web took {away:.1f} s to recover")
    slowest = max(answer.seconds for answer in load.answers)
    scene.expect(slowest <= ANSWERED_WITHIN + 0.5, f"an answer took {slowest:.1f} s")
    refused = sum(answer.code == 503 for answer in load.answers)
    scene.notes.append(f"{CRASHES} crashes, {refused} times 503, slowest answer {slowest:.1f} s")
    return scene.finish(posts, [load])


def accepts_again(scene: Scene) -> float:
    """When the API reads its database again, by the monotonic clock."""
    deadline = time.monotonic() + RECOVERED_WITHIN
    while time.monotonic() < deadline:
        answer = scene.client.call(scene.members[0].token, "GET", "/v1/messages/1")
        if answer.code in (200, 404):
            break
        time.sleep(0.05)
    return time.monotonic()
