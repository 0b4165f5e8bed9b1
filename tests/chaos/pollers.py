"""The poller dies between commit and confirmation, meets nonsense, a rival and jumping ids."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text

from app.services import tokens
from sandbox.client import wait_for
from tests.chaos.scene import Result, Scene
from tests.chaos.stage import HERE, Member
from tests.running import Part

# The lease of a poller that died has to run out.
TAKEN_OVER_WITHIN = 30.0
TEXTS = 7
POISON: list[dict[str, Any]] = [
    {"message": "not an object"},
    {"message": {"message_id": "x", "chat": [], "from": None, "date": {}, "text": 7}},
    {"my_chat_member": {"chat": {"id": 1}}},
    {"callback_query": {"id": None, "from": {"id": "1"}, "data": {"a": 1}}},
    {"never_heard_of": {"update_id": -1}},
    {},
]


def poller(scene: Scene, messages: int) -> Result:
    """Killed after one commit and before the next, with a second poller waiting."""
    sandbox, stage = scene.stage.sandbox, scene.stage
    (newcomer,) = stage.people(1, linked=False)
    anna, boris = scene.people(2)
    scene.talkers |= {newcomer.chat.id, anna.chat.id, boris.chat.id}
    with stage.app.app_context():
        token = tokens.fresh_link_invitation(newcomer.person, HERE).token
    # All of this waits at Telegram when the first poller starts: it comes in one batch.
    newcomer.chat.says(f"/start {token}")
    anna.chat.says("committed before the kill")
    boris.chat.says("not committed before the kill")
    anna.chat.says("not handled before the kill")
    with _locked(scene, boris):
        first = stage.running.bot()
        _heard(scene, anna, 1)
        wait_for(lambda: _somebody_waits_for_a_lock(scene), 10, "the poller met no lock")
        second = stage.running.bot()
        first.kill()
    began = time.monotonic()
    _heard(scene, anna, 2)
    _heard(scene, boris, 1)
    scene.notes.append(f"taken over {time.monotonic() - began:.0f} s after a kill")
    linked = stage.ask(
        "SELECT 1 FROM chat WHERE account_id = :id AND unlinked_at IS NULL", id=newcomer.id
    )
    scene.expect(len(linked) == 1, "a link was lost")
    third = stage.running.bot()
    _speak_strangely(scene, anna)
    _hand_over(scene, second, boris)
    wait_for(lambda: not sandbox.pending_updates(), 10, "updates are left")
    _count(scene)
    third.kill()
    return scene.finish([])


def _speak_strangely(scene: Scene, anna: Member) -> None:
    """Nonsense, and ids that jump up and down: what comes after them is heard."""
    sandbox = scene.stage.sandbox
    for update in POISON:
        sandbox.inject(update)
    anna.chat.says("after the nonsense")
    _heard(scene, anna, 3)
    for number, jump in enumerate((2_000_000_000, 40), start=4):
        wait_for(lambda: not sandbox.pending_updates(), 10, "updates are left")
        sandbox.updates_jump_to(jump)
        anna.chat.says(f"after a jump to {jump}")
        _heard(scene, anna, number)


def _hand_over(scene: Scene, active: Part, boris: Member) -> None:
    """SIGTERM to the active poller: the waiting one goes on at once, and they never fight."""
    began = time.monotonic()
    scene.expect(active.terminate() == 0, "the poller ended with an error")
    boris.chat.says("after a quiet handover")
    _heard(scene, boris, 2)
    scene.notes.append(f"handover after SIGTERM {time.monotonic() - began:.1f} s")
    fights = scene.stage.sandbox.refused(409, scene.since)
    scene.expect(not fights, f"two pollers fought: {len(fights)} times 409")


def _count(scene: Scene) -> None:
    """Each text is kept once."""
    kept, different = scene.stage.ask(
        "SELECT count(*), count(DISTINCT text) FROM message WHERE direction = 'in'"
        " AND account_id = ANY(:ids)",
        ids=[member.id for member in scene.members],
    )[0]
    scene.expect(kept == different == TEXTS, f"{TEXTS} texts were written, {kept} are kept")
    aside = scene.stage.ask("SELECT count(*) FROM poison_update")[0][0]
    scene.expect(aside > 0, "void: no update was poisonous")
    scene.notes.append(f"{aside} of {len(POISON)} strange updates set aside")


def _heard(scene: Scene, member: Member, count: int) -> None:
    def received() -> bool:
        found = scene.stage.ask(
            "SELECT count(*) FROM message WHERE direction = 'in' AND account_id = :id", id=member.id
        )
        return bool(found[0][0] >= count)

    wait_for(received, TAKEN_OVER_WITHIN, f"message {count} of somebody was not heard")


@contextmanager
def _locked(scene: Scene, member: Member) -> Iterator[None]:
    """Nothing can be stored for this account, and whoever tries waits in the transaction."""
    engine = create_engine(scene.stage.servers.database_url)
    with engine.connect() as connection:
        connection.execute(text("SELECT FROM account WHERE id = :id FOR UPDATE"), {"id": member.id})
        yield
    engine.dispose()


def _somebody_waits_for_a_lock(scene: Scene) -> bool:
    return bool(scene.stage.ask("SELECT 1 FROM pg_locks WHERE NOT granted"))
