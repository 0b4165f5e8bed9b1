"""Turns while chats change: blocked, gone, upgraded, unlinked or replaced, also during a call."""

import pytest
from sqlalchemy import Engine

from app.delivery import outbox
from sandbox.client import Sandbox
from tests.delivery.conftest import Correspondent, NewCorrespondent, Worker, texts


@pytest.mark.parametrize("kind", ["blocked", "deactivated", "kicked", "chat_not_found"])
def test_a_chat_that_is_gone_holds_its_messages(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, database: Engine, kind: str
) -> None:
    first, second = anna.posts("first"), anna.posts("second")
    with sandbox.fault(kind, times=1):
        worker.turns()
    third = anna.posts("third")
    for message_id in (first, second, third):
        row = anna.message(message_id)
        assert (row.status, row.reason) == ("held", "blocked")
    assert anna.lane().wake_at is None
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT blocked_at FROM chat").scalar() is not None
    anna.does(outbox.release)
    for _ in range(3):
        worker.turns(1)
        anna.wakes()
    assert texts(sandbox) == ["first", "second", "third"]


def test_an_upgraded_chat_is_followed_at_once(
    anna: Correspondent, worker: Worker, sandbox: Sandbox, database: Engine
) -> None:
    group = sandbox.group(type="supergroup")
    message_id = anna.posts("a" * 5000)
    worker.turns(1)
    anna.wakes()
    with sandbox.fault("migrate", migrate_to_chat_id=group.id, times=1):
        worker.turns()
        anna.wakes()
        worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.parts_sent, row.chat_id) == ("sent", 2, group.id)
    assert [line.chat_id for line in sandbox.journal()] == [anna.chat.id, group.id]
    with database.connect() as connection:
        assert connection.exec_driver_sql("SELECT telegram_id FROM chat").scalar() == group.id


def test_an_upgrade_to_a_chat_of_somebody_else_is_no_way_into_it(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    with sandbox.fault("migrate", migrate_to_chat_id=boris.chat.id, times=1):
        worker.turns()
    row = anna.message(message_id)
    assert (row.status, row.reason) == ("held", "blocked")
    assert not sandbox.journal()


def test_a_message_held_before_its_chat_was_linked_goes_out_afterwards(
    correspondent: NewCorrespondent, worker: Worker, sandbox: Sandbox
) -> None:
    late = correspondent(linked=False)
    message_id = late.posts("early")
    assert worker.turns() == 0
    late.links(late.chat)
    worker.turns()
    assert late.message(message_id).status == "sent"


def test_a_half_sent_message_begins_again_in_a_new_chat(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 4096 + "b")
    worker.turns(1)
    former = anna.chat
    boris.links(None)
    anna.links(boris.chat)
    for _ in range(2):
        worker.turns()
        anna.wakes()
    sent = [(line.chat_id, line.text[0]) for line in sandbox.journal()]
    assert sent == [(former.id, "a"), (anna.chat.id, "a"), (anna.chat.id, "b")]
    row = anna.message(message_id)
    assert (row.status, len(row.telegram_message_ids)) == ("sent", 2)


def test_the_call_that_a_dead_worker_left_was_for_the_part_in_the_former_chat(
    anna: Correspondent, boris: Correspondent, worker: Worker, other_worker: Worker
) -> None:
    message_id = anna.posts("a" * 4096 + "b")
    worker.turns(1)
    anna.wakes()
    worker.claims()  # of the second part, and dies
    boris.links(None)
    anna.links(boris.chat)
    anna.lease_ends()
    other_worker.turns(1)
    made = [(attempt.part, attempt.outcome) for attempt in anna.attempts(message_id)]
    assert made == [(1, "sent"), (2, "ambiguous"), (1, "sent")]


def test_a_chat_relinked_during_a_call_gets_the_next_call(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 4096 + "b")
    former = anna.chat
    turn = worker.claims()
    boris.links(None)
    anna.links(boris.chat)
    worker.finishes(turn)  # begun before the relink: it may still go to the former chat
    assert anna.message(message_id).status == "queued"
    for _ in range(2):
        worker.turns()
        anna.wakes()
    assert [line.chat_id for line in sandbox.journal()] == [former.id] + [anna.chat.id] * 2


def test_a_chat_that_is_gone_says_nothing_about_the_one_that_replaced_it(
    anna: Correspondent, boris: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts()
    turn = worker.claims()
    boris.links(None)
    anna.links(boris.chat)
    with sandbox.fault("blocked", times=1):
        worker.finishes(turn)
    worker.turns()
    assert anna.message(message_id).status == "sent"


def test_a_chat_unlinked_during_a_call_holds_what_is_left(
    anna: Correspondent, worker: Worker, sandbox: Sandbox
) -> None:
    message_id = anna.posts("a" * 5000)
    turn = worker.claims()
    anna.links(None)
    assert anna.message(message_id).status == "sending"
    worker.finishes(turn)
    row = anna.message(message_id)
    assert (row.status, row.reason, row.parts_sent) == ("held", "no_chat", 1)
    assert anna.lane().wake_at is None
    assert worker.turns() == 0
