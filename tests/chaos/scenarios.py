"""All scenarios by name, and how one or several of them are played on one stage."""

import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.brokers import bells_lost, bells_repeated, broker, broker_away
from tests.chaos.checker import Verdict
from tests.chaos.database import database
from tests.chaos.pacing import pacing
from tests.chaos.pollers import poller
from tests.chaos.requests import one_key, races, relinked
from tests.chaos.scene import Result, Scene
from tests.chaos.stage import Stage
from tests.chaos.storm import storm
from tests.chaos.telegram import telegram
from tests.chaos.workers import frozen, kills, rolling

Scenario = Callable[[Scene, int], Result]

BUSY: list[Scenario] = [
    kills,
    rolling,
    database,
    broker,
    broker_away,
    bells_lost,
    bells_repeated,
    pacing,
]
# These mostly wait: for leases, for deadlines of 25 seconds.
WAITING: list[Scenario] = [telegram, frozen, poller, one_key, races, relinked]
ALL: dict[str, Scenario] = {one.__name__: one for one in [*BUSY, *WAITING, storm]}
# The largest scenario has all the messages that are asked for, the others a fifth.
SHARE = {"kills": 1.0, "storm": 1.0}
FULL = 500


def play(names: Sequence[str], seed: int, messages: int) -> list[Result]:
    """Plays scenarios one after another on a stage of their own."""
    with Stage.open() as stage:
        webs = [stage.web(), stage.web()]
        results = []
        for name in names:
            scene = Scene(stage, name, seed, list(webs), full=messages >= FULL)
            results.append(_play(scene, max(1, round(messages * SHARE.get(name, 0.2)))))
            webs = [web for web in webs if web.alive] or [stage.web()]
            stage.clear(but=webs)
    return results


def _play(scene: Scene, messages: int) -> Result:
    try:
        result = ALL[scene.name](scene, messages)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        scene.broken.append(f"{type(error).__name__} at {where.name}: {str(error)[:300]}")
        result = _broken(scene)
    if not result.kept:
        result.notes.append(f"the parts' logs are in {_keep_logs(scene)}")
    return result


def _broken(scene: Scene) -> Result:
    seconds = time.monotonic() - scene.began
    return Result(
        name=scene.name,
        messages=0,
        arrived=0,
        verdict=Verdict(),
        kills=len(scene.kills),
        kills_in_flight=0,
        drain=0,
        pause=0,
        slowest_post=0,
        seconds=seconds,
        broken=scene.broken,
        notes=scene.notes,
    )


def _keep_logs(scene: Scene) -> Path:
    kept = Path(tempfile.mkdtemp(prefix=f"gonets-chaos-logs-{scene.name}-"))
    for part in scene.stage.running.parts:
        shutil.copy(part.output, kept)
    return kept
