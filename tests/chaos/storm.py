"""Everything in one story: the short form of the proof, for the test suite."""

import time
from typing import Any

from tests.chaos.brokers import Credentials, wipe
from tests.chaos.clients import Load, drafts
from tests.chaos.scene import Result, Scene
from tests.chaos.workers import judged_kills, kill_again_and_again

AWAY_SECONDS = 1.5
# More than the 0.6 s that `broker` measures: other tests may run on the same two cores.
ANSWERED_WITHIN = 1.5


def storm(scene: Scene, messages: int) -> Result:
    """Kills in a row, then a broker that dies, hangs and forgets, then a database that crashes."""
    people = scene.people(100)
    workers = scene.workers(2)
    revoked = Credentials(scene)
    loads = kill_again_and_again(scene, workers, people, messages * 2 // 3)
    chance: dict[str, Any] = {"probability": 0.2, "times": 10, "seed": scene.seed}
    scene.stage.sandbox.fault("cut", accepted=True, **chance)
    scene.stage.sandbox.fault("server_error", **chance)
    rest = drafts(
        people, messages - messages * 2 // 3, scene.rng, seconds=9, title=f"{scene.title} rest"
    )
    during = Load(scene.client, rest)
    _trouble_the_broker(scene, revoked)
    broker_only = max((answer.seconds for answer in during.answers), default=0.0)
    scene.expect(broker_only <= ANSWERED_WITHIN, f"a POST took {broker_only:.2f} s")
    with scene.disturbed("database"):
        scene.stage.servers.postgres.stop(immediate=True)
        scene.stage.servers.postgres.start()
    posts = [post for load in [*loads, during] for post in load.posts()]
    bad = during.codes - {201, 503}
    scene.expect(not bad, f"posts were answered with {bad}")
    return judged_kills(scene.finish(posts, [*loads, during]))


def _trouble_the_broker(scene: Scene, revoked: Credentials) -> None:
    valkey = scene.stage.servers.valkey
    valkey.kill()
    time.sleep(AWAY_SECONDS)
    revoked.stay_dead("while the broker is away")
    valkey.start()
    valkey.freeze()
    time.sleep(AWAY_SECONDS)
    revoked.stay_dead("while the broker hangs")
    valkey.thaw()
    wipe(scene)
    revoked.stay_dead("after the broker was wiped")
