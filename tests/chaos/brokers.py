"""The broker dies, is wiped, hangs, goes away for good, loses every wake-up or repeats them."""

import socket
import time

from app.extensions import celery
from tests.chaos.clients import Load, drafts
from tests.chaos.scene import Result, Scene

ACCEPTED_WITHIN = 0.6
DELIVERED_WITHIN = 15.0
AWAY_SECONDS = 5.0
WAKE_UPS = 10


def broker(scene: Scene, messages: int) -> Result:
    """Valkey killed, frozen and wiped under load: posts are accepted and delivered all the same."""
    people = scene.people(20)
    scene.workers(2)
    dead = Credentials(scene)
    valkey = scene.stage.servers.valkey
    seconds = 3 * AWAY_SECONDS + 6
    load = Load(
        scene.client, drafts(people, messages, scene.rng, seconds=seconds, title=scene.title)
    )
    time.sleep(1)
    valkey.kill()
    time.sleep(AWAY_SECONDS)
    dead.stay_dead("while the broker is away")
    valkey.start()
    time.sleep(1)
    valkey.freeze()
    time.sleep(AWAY_SECONDS)
    dead.stay_dead("while the broker hangs")
    valkey.thaw()
    time.sleep(1)
    wipe(scene)
    dead.stay_dead("after the broker was wiped")
    return judged(scene, load)


def broker_away(scene: Scene, messages: int) -> Result:
    """No broker at all, from before the start of web and workers: the sweeps deliver."""
    people = scene.people(20)
    away = {"REDIS_URL": f"unix://{scene.stage.servers.valkey.socket}.away"}
    scene.webs = [scene.stage.web(**away)]
    scene.workers(2, **away)
    load = Load(scene.client, drafts(people, messages, scene.rng, seconds=6, title=scene.title))
    return judged(scene, load)


def bells_lost(scene: Scene, messages: int) -> Result:
    """Every wake-up is lost: the web servers ring another bell than the workers hear."""
    people = scene.people(20)
    scene.webs = [scene.stage.web(REDIS_URL=f"{scene.stage.servers.redis_url}?virtual_host=5")]
    scene.workers(2)
    load = Load(scene.client, drafts(people, messages, scene.rng, seconds=6, title=scene.title))
    return judged(scene, load)


def bells_repeated(scene: Scene, messages: int) -> Result:
    """Every wake-up comes ten times more: nothing is sent twice."""
    people = scene.people(20)
    scene.workers(2)
    load = Load(scene.client, drafts(people, messages, scene.rng, seconds=6, title=scene.title))
    rung = 0
    while load.going_on or rung < WAKE_UPS * messages:
        celery.send_task("gonets.drain", expires=30)
        rung += 1
        time.sleep(0.5 / messages)
    scene.notes.append(f"{rung} wake-ups")
    return judged(scene, load)


def judged(scene: Scene, load: Load) -> Result:
    """What a broker must not be needed for: being accepted, at once, and being delivered."""
    posts = load.posts()
    scene.expect(load.codes == {201}, f"posts were answered with {load.codes}")
    scene.expect(load.slowest <= ACCEPTED_WITHIN, f"a POST took {load.slowest:.2f} s")
    result = scene.finish(posts, [load], drained_within=DELIVERED_WITHIN)
    doubles = result.verdict.counts["duplicates_explained"]
    scene.expect(not doubles, f"{doubles} duplicates, though nothing died but the broker")
    waits = [
        row.attempts[-1].at - post.ended
        for row in scene.stage.rows(scene.members)
        for post in posts
        if post.id == row.id and row.attempts
    ]
    scene.notes.append(f"longest way to the chat {max(waits):.1f} s")
    return result


class Credentials:
    """A session that was ended and a send token that was revoked: what must never work again."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        (member,) = scene.people(1)
        access = scene.stage.sign_in(member)
        listed = scene.client.call(access, "GET", "/v1/tokens/send")
        identifier = listed.body["items"][0]["id"]
        self._credentials = [access, member.token]
        for credential in self._credentials:
            answer = scene.client.call(credential, "GET", "/v1/messages/1")
            scene.expect(answer.code == 404, f"a live credential was answered {answer.code}")
        revoked = scene.client.call(access, "DELETE", f"/v1/tokens/send/{identifier}")
        ended = scene.client.call(access, "POST", "/v1/auth/logout")
        scene.expect((revoked.code, ended.code) == (204, 204), "revoking failed")
        self.stay_dead("at once")

    def stay_dead(self, when: str) -> None:
        """Both are refused."""
        for credential in self._credentials:
            answer = self._scene.client.call(credential, "GET", "/v1/messages/1")
            self._scene.expect(
                answer.code == 401, f"a revoked credential was answered {answer.code} {when}"
            )


def wipe(scene: Scene) -> None:
    """FLUSHALL."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(scene.stage.servers.valkey.socket))
        client.sendall(b"FLUSHALL\r\n")
        assert client.recv(64).startswith(b"+OK")
