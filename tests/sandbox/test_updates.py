"""getUpdates: confirmation, long polling, conflicts, kinds, strange updates, webhooks."""

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

from sandbox.client import Sandbox, User, wait_for
from tests.sandbox.conftest import Bot

CONFLICT = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)


def in_background(work: Callable[[], Any]) -> Callable[[], Any]:
    """Starts `work` in a thread; the returned function waits for its result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()), daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(10)
        return results[0]

    return result


def polling(sandbox: Sandbox) -> None:
    """Waits until the poll that was begun has arrived."""
    wait_for(lambda: [c for c in sandbox.calls("getUpdates") if c.code is None], 5, "a poll")


def test_unconfirmed_updates_come_again_until_the_offset_passes_them(bot: Bot, anna: User) -> None:
    anna.says("one")
    anna.says("two")
    first = bot.ask("getUpdates")
    assert [u["message"]["text"] for u in first] == ["one", "two"]
    assert first[1]["update_id"] == first[0]["update_id"] + 1
    assert bot.ask("getUpdates") == first
    assert bot.ask("getUpdates", offset=first[1]["update_id"]) == first[1:]
    assert bot.ask("getUpdates") == first[1:]
    assert bot.ask("getUpdates", offset=first[1]["update_id"] + 1) == []


def test_limit_and_negative_offsets(bot: Bot, anna: User) -> None:
    for i in range(5):
        anna.says(str(i))
    assert [u["message"]["text"] for u in bot.ask("getUpdates", limit=2)] == ["0", "1"]
    assert [u["message"]["text"] for u in bot.ask("getUpdates", offset=-2)] == ["3", "4"]
    assert len(bot.ask("getUpdates")) == 2


def test_a_long_poll_ends_when_somebody_writes(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    result = in_background(lambda: bot.ask("getUpdates", timeout=30))
    polling(sandbox)
    began = time.monotonic()
    anna.says("hello")
    assert [u["message"]["text"] for u in result()] == ["hello"]
    assert time.monotonic() - began < 2


def test_a_long_poll_ends_empty_after_its_timeout(bot: Bot) -> None:
    began = time.monotonic()
    assert bot.ask("getUpdates", timeout=1) == []
    assert 0.9 < time.monotonic() - began < 3


def test_the_newer_poll_wins_and_the_older_gets_a_conflict(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    older = in_background(lambda: bot.call("getUpdates", timeout=30).json())
    polling(sandbox)
    newer = in_background(lambda: bot.call("getUpdates", timeout=30).json())
    assert older()["description"] == CONFLICT
    anna.says("hello")
    assert len(newer()["result"]) == 1


def test_a_poll_whose_client_hung_up_takes_nothing_away(
    sandbox: Sandbox, bot: Bot, anna: User
) -> None:
    with contextlib.suppress(OSError):
        bot.session.get(f"{bot.url}/getUpdates", params={"timeout": 30}, timeout=0.2)
    anna.says("hello")
    assert len(bot.ask("getUpdates")) == 1


def test_a_webhook_excludes_polling(sandbox: Sandbox, bot: Bot) -> None:
    waiting = in_background(lambda: bot.call("getUpdates", timeout=30).json())
    polling(sandbox)
    bot.ask("setWebhook", url="https://example.org/hook")
    assert waiting()["description"] == "Conflict: terminated by setWebhook request"
    code, words = bot.refusal("getUpdates")
    assert code == 409 and words.startswith("Conflict: can't use getUpdates method while webhook")
    assert bot.ask("getWebhookInfo")["url"] == "https://example.org/hook"
    assert bot.refusal("setWebhook", url="http://example.org")[0] == 400
    bot.ask("deleteWebhook")
    assert bot.ask("getUpdates") == []


def test_allowed_updates_persist_until_they_are_given_again(bot: Bot, anna: User) -> None:
    bot.ask("getUpdates", allowed_updates=["my_chat_member"])
    anna.says("unheard")
    anna.blocks()
    assert [set(u) - {"update_id"} for u in bot.ask("getUpdates")] == [{"my_chat_member"}]
    assert bot.ask("getWebhookInfo")["allowed_updates"] == ["my_chat_member"]
    bot.ask("getUpdates", allowed_updates=[])
    anna.unblocks()
    anna.says("heard")
    assert bot.ask("getUpdates")[-1]["message"]["text"] == "heard"


def test_blocking_and_unblocking_are_told_in_telegrams_shape(bot: Bot, anna: User) -> None:
    anna.blocks()
    anna.blocks()
    anna.unblocks()
    told = [u["my_chat_member"] for u in bot.ask("getUpdates")]
    statuses = [(t["old_chat_member"]["status"], t["new_chat_member"]["status"]) for t in told]
    assert statuses == [("member", "kicked"), ("kicked", "member")]
    assert told[0]["chat"]["id"] == told[0]["from"]["id"] == anna.id
    assert told[0]["new_chat_member"]["user"]["is_bot"] is True


def test_an_offset_of_another_server_is_ignored(bot: Bot, sandbox: Sandbox, anna: User) -> None:
    anna.says("hello")
    far = bot.ask("getUpdates")[0]["update_id"] + 1_000
    assert len(bot.ask("getUpdates", offset=far)) == 1


def test_ids_can_jump_up_and_down(sandbox: Sandbox, bot: Bot, anna: User) -> None:
    for to in (2_000_000_000, 17):
        sandbox.updates_jump_to(to)
        anna.says("hello")
        [update] = bot.ask("getUpdates")
        assert update["update_id"] == to
        assert bot.ask("getUpdates", offset=to + 1) == []


def test_a_raw_update_comes_as_it_is(sandbox: Sandbox, bot: Bot) -> None:
    poison = {"message": {"text": None, "chat": "what"}, "surprise": [1, {"deep": True}]}
    identifier = sandbox.inject(poison)
    assert bot.ask("getUpdates") == [{"update_id": identifier, **poison}]
    sandbox.inject({"update_id": identifier, "message": {"again": True}})
    assert [u["update_id"] for u in sandbox.pending_updates()] == [identifier, identifier]
