"""What services may do with outgoing messages, each in a transaction of its own."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from app import clock
from app.delivery import outbox
from app.errors import NotCancellable, NotFound, NotRetriable, QuotaUsedUp
from app.extensions import transaction
from tests.delivery.conftest import Correspondent, NewCorrespondent, Worker, execute

PARCEL = outbox.Parcel(
    text="text", greeting="", silent=False, expires_at=clock.now() + timedelta(hours=1)
)


def test_a_message_gets_the_next_place_in_its_lane(anna: Correspondent) -> None:
    ids = [anna.posts(f"{n}") for n in range(3)]
    assert [anna.message(i).seq for i in ids] == [1, 2, 3]
    assert anna.message(ids[0]).status == "queued"


def test_a_message_without_a_chat_is_held_and_says_why(correspondent: NewCorrespondent) -> None:
    nobody = correspondent(linked=False)
    accepted = nobody.accepts(PARCEL, 10)
    assert (accepted.status, accepted.reason, accepted.ring) == ("held", "no_chat", False)
    assert nobody.lane().wake_at is None


def test_only_the_message_that_wakes_a_lane_rings(anna: Correspondent) -> None:
    assert anna.accepts(PARCEL, 10).ring
    assert not anna.accepts(PARCEL, 10).ring


def test_a_message_knows_its_parts_from_the_beginning(anna: Correspondent) -> None:
    assert anna.message(anna.posts("x" * 5000)).parts == 2


def test_what_was_accepted_is_what_is_stored(anna: Correspondent) -> None:
    accepted = anna.accepts(PARCEL, 10)
    row = anna.message(accepted.id)
    assert (row.text, row.greeting, row.silent) == ("text", "", False)
    assert (row.created_at, row.expires_at) == (accepted.created_at, PARCEL.expires_at)


def test_a_waiting_lane_is_not_woken_by_another_message(
    anna: Correspondent, database: Engine
) -> None:
    anna.posts()
    execute(database, "UPDATE lane SET wake_at = now() + interval '1 hour'")
    before = anna.lane().wake_at
    anna.posts()
    assert anna.lane().wake_at == before


def test_an_idle_lane_still_keeps_its_pace(anna: Correspondent, database: Engine) -> None:
    execute(database, "UPDATE lane SET paced_until = now() + interval '1 hour'")
    anna.posts()
    assert anna.lane().wake_at == anna.lane().paced_until


def test_the_quota_of_a_day_is_used_up_and_comes_back(
    anna: Correspondent, database: Engine
) -> None:
    anna.accepts(PARCEL, 2)
    anna.accepts(PARCEL, 2)
    with pytest.raises(QuotaUsedUp) as refused:
        anna.accepts(PARCEL, 2)
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 86400
    execute(database, "UPDATE lane SET quota_day = quota_day - interval '1 day'")
    anna.accepts(PARCEL, 2)
    assert anna.lane().quota_used == 1


def test_parallel_posts_share_a_quota_and_leave_no_gap(anna: Correspondent) -> None:
    results: list[bool] = []

    def post() -> None:
        try:
            anna.accepts(PARCEL, 20)
            results.append(True)
        except QuotaUsedUp:
            results.append(False)

    threads = [threading.Thread(target=post) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 10 + [True] * 20
    assert anna.lane().next_seq == 21


def test_a_hold_holds_what_waits_and_what_comes_and_a_release_lets_it_go(
    anna: Correspondent,
) -> None:
    first = anna.posts()
    anna.does(outbox.hold, "blocked")
    second = anna.posts()
    assert [(anna.message(i).status, anna.message(i).reason) for i in (first, second)] == [
        ("held", "blocked"),
        ("held", "blocked"),
    ]
    assert anna.lane().wake_at is None
    anna.does(outbox.release)
    assert [(anna.message(i).status, anna.message(i).reason) for i in (first, second)] == [
        ("queued", None),
        ("queued", None),
    ]
    assert anna.lane().wake_at is not None


def test_a_release_without_a_chat_does_nothing(correspondent: NewCorrespondent) -> None:
    nobody = correspondent(linked=False)
    message_id = nobody.posts()
    nobody.does(outbox.release)
    assert nobody.message(message_id).status == "held"


def test_a_release_of_a_lane_that_waits_leaves_it_waiting(
    anna: Correspondent, database: Engine
) -> None:
    anna.posts()
    execute(database, "UPDATE lane SET wake_at = now() + interval '1 hour'")
    before = anna.lane().wake_at
    anna.does(outbox.release)
    assert anna.lane().wake_at == before


def test_the_pace_of_a_former_chat_does_not_hold_up_the_new_one(
    anna: Correspondent, boris: Correspondent, database: Engine
) -> None:
    execute(database, "UPDATE lane SET paced_until = now() + interval '1 hour'")
    boris.links(None)
    anna.links(boris.chat)
    anna.posts()
    assert anna.lane().paced_until is None
    assert anna.lane().wake_at <= clock.now()


def test_a_waiting_message_is_cancelled(anna: Correspondent, worker: Worker) -> None:
    message_id = anna.posts()
    anna.does(outbox.cancel, message_id)
    assert anna.message(message_id).status == "cancelled"
    worker.turns()
    assert anna.message(message_id).status == "cancelled"
    assert anna.lane().wake_at is None


@pytest.mark.parametrize(
    "state",
    [
        "status = 'sending'",
        "status = 'sent'",
        "parts_sent = 1",
        "possible_duplicate = true",
        "status = 'failed'",
    ],
)
def test_what_was_perhaps_sent_is_not_cancelled(
    anna: Correspondent, database: Engine, state: str
) -> None:
    message_id = anna.posts()
    execute(database, f"UPDATE message SET {state}")
    with pytest.raises(NotCancellable):
        anna.does(outbox.cancel, message_id)


def test_nobody_cancels_or_retries_a_foreign_message(
    anna: Correspondent, boris: Correspondent
) -> None:
    message_id = anna.posts()
    with pytest.raises(NotFound):
        boris.does(outbox.cancel, message_id)
    with pytest.raises(NotFound):
        boris.does(outbox.retry, message_id, expires_at=clock.now(), day_quota=10)


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_an_ended_message_is_retried_at_the_end_of_the_lane(
    anna: Correspondent, database: Engine, status: str
) -> None:
    first, second = anna.posts(), anna.posts()
    execute(database, f"UPDATE message SET status = '{status}', failures = 7 WHERE id = {first}")
    later = clock.now() + timedelta(hours=5)
    anna.does(outbox.retry, first, expires_at=later, day_quota=10)
    row = anna.message(first)
    assert (row.status, row.failures, row.expires_at) == ("queued", 0, later)
    assert row.seq > anna.message(second).seq


@pytest.mark.parametrize("status", ["queued", "held", "sending", "sent"])
def test_what_has_not_ended_badly_is_not_retried(
    anna: Correspondent, database: Engine, status: str
) -> None:
    message_id = anna.posts()
    execute(database, f"UPDATE message SET status = '{status}'")
    with pytest.raises(NotRetriable):
        anna.does(outbox.retry, message_id, expires_at=clock.now(), day_quota=10)


def test_a_retry_counts_for_the_quota(anna: Correspondent, database: Engine) -> None:
    message_id = anna.posts()
    execute(database, "UPDATE message SET status = 'failed'")
    with pytest.raises(QuotaUsedUp):
        anna.does(outbox.retry, message_id, expires_at=clock.now(), day_quota=1)
    assert anna.message(message_id).status == "failed"


def test_an_account_that_is_erased_sends_nothing_more(
    anna: Correspondent, boris: Correspondent, worker: Worker
) -> None:
    mine, other = anna.posts(), boris.posts()
    anna.does(outbox.forget)
    worker.turns()
    assert anna.message(mine).status == "cancelled"
    assert boris.message(other).status == "sent"


def test_a_pause_stops_all_sending_until_it_ends(anna: Correspondent, worker: Worker) -> None:
    message_id = anna.posts()
    with anna.app.app_context():
        with transaction() as session:
            outbox.pause(session)
        assert worker.turns() == 0
        with transaction() as session:
            outbox.resume(session)
    worker.turns()
    assert anna.message(message_id).status == "sent"


def test_a_message_is_accepted_together_with_the_rest_or_not_at_all(anna: Correspondent) -> None:
    with anna.app.app_context(), pytest.raises(RuntimeError), transaction() as session:
        outbox.accept(session.connection(), anna.account_id, PARCEL, 10)
        raise RuntimeError
    assert anna.lane().next_seq == 1
