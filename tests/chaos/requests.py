"""What clients do at the same moment: one key fifty times, retry, cancel, and time running out."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import cycle, repeat

from tests.chaos.brokers import wipe
from tests.chaos.clients import Answer, Draft, Load, posted
from tests.chaos.history import Post
from tests.chaos.scene import Result, Scene
from tests.chaos.stage import Member

KEYS = 6
AT_ONCE = 50
# A turn that has begun when the chat changes still makes its call: a moment later, at most.
CLAIMED_BEFORE = 0.5


def one_key(scene: Scene, messages: int) -> Result:
    """Fifty parallel posts with one Idempotency-Key are one message and fifty equal answers."""
    scene.workers(2)
    anna, boris = scene.people(2)
    posts = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(KEYS):
            draft = Draft(anna, f"{scene.title} key #{number}", key=f"key-{number}")
            answers = list(pool.map(scene.client.post, repeat(draft, AT_ONCE)))
            _judge_equal(scene, answers)
            posts.append(posted(draft, answers[0], answers[-1]))
            if number == KEYS // 2:
                wipe(scene)
    again = Draft(anna, f"{scene.title} key #0", key="key-0")
    replayed = scene.client.post(again).body.get("id")
    scene.expect(str(replayed) == str(posts[0].id), "a key was forgotten with the broker's data")
    changed = scene.client.post(replace(again, text=f"{scene.title} changed"))
    scene.expect(changed.code == 422, f"a changed body was answered {changed.code}")
    others = Draft(boris, f"{scene.title} of another", key="key-0")
    answer = scene.client.post(others)
    scene.expect(answer.code == 201, f"another account's key was answered {answer.code}")
    posts.append(posted(others, answer, answer))
    result = scene.finish(posts)
    calls = scene.stage.sandbox.calls("sendMessage", scene.since)
    scene.expect(len(calls) == len(posts), f"{len(calls)} deliveries of {len(posts)} messages")
    return result


def _judge_equal(scene: Scene, answers: list[Answer]) -> None:
    codes = {answer.code for answer in answers}
    scene.expect(codes == {201}, f"parallel posts with one key were answered {codes}")
    bodies = {str(answer.body) for answer in answers}
    scene.expect(len(bodies) == 1, f"{len(bodies)} different answers to one key")


def races(scene: Scene, messages: int) -> Result:
    """Cancelling, retrying and expiring while the engine is at it."""
    sandbox = scene.stage.sandbox
    scene.workers(2)
    share = max(10, messages // 5)
    people = scene.people(share)
    sandbox.fault("error", contains="refuse me", probability=0.5, seed=scene.seed)
    sandbox.fault("delay", seconds=0.05)
    owners = Owners(scene, people)
    cancelled = [
        Draft(member, f"{scene.title} cancel {n} {member.id}")
        for n in range(2)
        for member in people
    ]
    hurried = [
        Draft(
            member,
            f"{scene.title} hurry {member.id}",
            expires_in=1,
            fates=frozenset({"sent", "expired"}),
        )
        for member in people
    ]
    refused = [
        Draft(member, f"{scene.title} refuse me {member.id}", fates=frozenset({"sent", "failed"}))
        for member in people
    ]
    with ThreadPoolExecutor(24) as pool:
        posts = list(pool.map(owners.cancel_in_time, cancelled))
        held = scene.stage.sandbox.fault("flood", retry_after=1, probability=0.5, seed=scene.seed)
        posts += Load(scene.client, [*hurried, *refused]).posts()
        scene.expect(scene.stage.comes_to_rest(people, 40), "a hurried message held things up")
        held.clear()
        sandbox.clear_faults()
        ended = {row.id: row for row in scene.stage.rows(people)}
        again = [post for post in posts if post.id in ended and ended[post.id].status != "sent"]
        posts = [post for post in posts if post not in again]
        posts += pool.map(owners.retry_twice, again)
    scene.notes.append(f"{len(again)} retried twice at once, {owners.cancelled} cancelled in time")
    return scene.finish(posts)


def relinked(scene: Scene, messages: int) -> Result:
    """People change their chat while messages go out: nothing goes to the former one any more."""
    scene.workers(2)
    people = scene.people(20)
    scene.stage.sandbox.fault("delay", seconds=0.1)
    wanted = [
        Draft(one, f"{scene.title} {number} {one.id}", at=number * 4 / messages)
        for number, one in zip(range(messages), cycle(people), strict=False)
    ]
    load = Load(scene.client, wanted)
    moves = {}
    for member in people:
        time.sleep(scene.rng.uniform(0, 0.2))
        new = scene.stage.relink(member)
        moves[member.id] = (member.chat.id, new.id, time.time())
    posts = [
        replace(post, chat=moves[post.account][1], former=moves[post.account][0])
        for post in load.posts()
    ]
    result = scene.finish(posts, [load])
    calls = scene.stage.sandbox.calls("sendMessage", scene.since)
    late = [
        call
        for old, _, moment in moves.values()
        for call in calls
        if call.chat_id == old and call.at > moment + CLAIMED_BEFORE
    ]
    scene.expect(not late, f"{len(late)} calls for a former chat")
    former = sum(call.chat_id in {old for old, _, _ in moves.values()} for call in calls)
    scene.expect(0 < former < len(calls), "void: all went to one side of the change")
    scene.notes.append(
        f"{former} to the former chats before, {len(calls) - former} to the new ones"
    )
    return result


class Owners:
    """People who change their minds, by sessions of their own."""

    def __init__(self, scene: Scene, people: list[Member]) -> None:
        self._scene = scene
        self._access = {member.id: scene.stage.sign_in(member) for member in people}
        self.cancelled = 0

    def cancel_in_time(self, draft: Draft) -> Post:
        """Posts, and cancels a moment later: either it is cancelled or it is sent."""
        answer = self._scene.client.post(draft)
        post = posted(draft, answer, answer)
        time.sleep(random.Random(draft.text).uniform(0, 0.1))
        path = f"/v1/messages/{post.id}"
        code = self._scene.client.call(self._access[post.account], "DELETE", path).code
        self._scene.expect(code in (204, 409), f"DELETE of a message was answered {code}")
        self.cancelled += code == 204
        return replace(post, fates=frozenset({"cancelled" if code == 204 else "sent"}))

    def retry_twice(self, post: Post) -> Post:
        """Two at once: one of them is too many."""
        path = f"/v1/messages/{post.id}/retry"
        access = self._access[post.account]
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(self._scene.client.call, access, "POST", path) for _ in range(2)]
            codes = sorted(one.result().code or 0 for one in asked)
        self._scene.expect(codes == [200, 409], f"two retries at once were answered {codes}")
        return replace(post, fates=frozenset({"sent"}), retried=True)
