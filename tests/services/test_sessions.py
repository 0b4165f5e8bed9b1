"""Sessions: rotation, reuse, grace, and an end that is felt everywhere at once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text

from app import clock
from app.errors import InvalidToken, NotFound
from app.services import accounts, sessions
from app.services.people import Visitor
from app.services.sessions import Tokens
from embedded import Servers
from tests.conftest import PASSWORD, Clock, Member
from tests.profiles import walks
from tests.services.conftest import refused
from tests.together import at_once

HERE = Visitor("203.0.113.1", "curl/8")


def test_a_session_proves_who_began_it(ctx: Flask, alice: Member, bob: Member) -> None:
    assert sessions.prove(alice.access).person == alice.person
    assert sessions.prove(bob.access).person == bob.person


def test_each_sign_in_has_tokens_of_its_own(ctx: Flask, alice: Member) -> None:
    again = sessions.begin(alice.person, HERE)
    assert again.access != alice.access
    assert again.refresh != alice.refresh
    assert again.session_id != sessions.prove(alice.access).session_id


def test_an_access_token_lives_an_hour(ctx: Flask, alice: Member, stopped_clock: Clock) -> None:
    begun = sessions.begin(alice.person, HERE)
    assert begun.expires_in == 3600
    stopped_clock.advance(minutes=59, seconds=59)
    sessions.prove(begun.access)
    stopped_clock.advance(seconds=1)
    assert refused(begun.access)


def test_refreshing_gives_a_new_pair_and_a_session_lives_thirty_days(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    pair = sessions.begin(alice.person, HERE)
    for _ in range(29):
        stopped_clock.advance(days=1)
        following = sessions.refresh(pair.refresh, HERE)
        assert following.refresh != pair.refresh
        assert sessions.prove(following.access).session_id == pair.session_id
        pair = following
    stopped_clock.advance(hours=23, minutes=30)
    last = sessions.refresh(pair.refresh, HERE)
    assert last.expires_in == 1800, "no access token outlives its session"
    stopped_clock.advance(minutes=30)
    assert refused(last.access)
    with pytest.raises(InvalidToken):
        sessions.refresh(last.refresh, HERE)


def test_for_ten_seconds_the_old_refresh_token_gives_the_identical_pair(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    pair = sessions.begin(alice.person, HERE)
    stopped_clock.advance(hours=1)
    following = sessions.refresh(pair.refresh, HERE)
    stopped_clock.advance(seconds=9.9)
    assert sessions.refresh(pair.refresh, HERE) == following
    sessions.verify(pair.refresh)


def test_later_its_reuse_ends_the_session_and_is_noted(
    ctx: Flask, alice: Member, stopped_clock: Clock, database: Engine
) -> None:
    pair = sessions.begin(alice.person, HERE)
    following = sessions.refresh(pair.refresh, HERE)
    stopped_clock.advance(seconds=10.1)
    with pytest.raises(InvalidToken):
        sessions.verify(pair.refresh)
    sessions.prove(following.access)  # asking alone ends nothing
    with pytest.raises(InvalidToken):
        sessions.refresh(pair.refresh, HERE)
    assert refused(following.access)
    with pytest.raises(InvalidToken):
        sessions.refresh(following.refresh, HERE)
    sessions.prove(alice.access)  # her other session goes on
    with database.connect() as connection:
        noted = text("SELECT count(*) FROM audit_event WHERE kind = 'refresh_reused'")
        assert connection.scalar(noted) == 1


def test_a_token_two_generations_old_has_no_grace(ctx: Flask, alice: Member) -> None:
    pair = sessions.begin(alice.person, HERE)
    sessions.refresh(sessions.refresh(pair.refresh, HERE).refresh, HERE)
    with pytest.raises(InvalidToken):
        sessions.refresh(pair.refresh, HERE)


def test_fifty_refreshes_at_once_get_one_and_the_same_pair(app: Flask, alice: Member) -> None:
    results = at_once(app, 50, lambda _: sessions.refresh(alice.refresh, HERE))
    assert all(isinstance(result, Tokens) for result in results)
    assert len(set(results)) == 1


def test_a_refresh_token_that_does_not_rotate_stays_and_gives_new_access_tokens(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    pair = sessions.begin(alice.person, HERE, access_seconds=600, rotates=False)
    stopped_clock.advance(seconds=300)
    following = sessions.refresh(pair.refresh, HERE)
    assert following.refresh == pair.refresh
    assert following.access != pair.access
    sessions.prove(pair.access)  # refreshing never ends one that has not expired
    stopped_clock.advance(seconds=300)
    assert refused(pair.access)
    sessions.prove(following.access)


def test_a_session_that_nothing_can_renew_ends_with_its_access_token(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    begun = sessions.begin(alice.person, HERE, access_seconds=600, renewable=False)
    assert begun.session_id in [entry.id for entry in sessions.list_of(alice.person, None)]
    stopped_clock.advance(seconds=600)
    assert begun.session_id not in [entry.id for entry in sessions.list_of(alice.person, None)]


def test_a_wiped_broker_revives_no_ended_session(
    ctx: Flask, alice: Member, servers: Servers
) -> None:
    import redis

    sessions.end(alice.person, sessions.prove(alice.access).session_id, HERE)
    with redis.Redis.from_url(servers.redis_url) as broker:
        broker.flushall()
    assert refused(alice.access)
    with pytest.raises(InvalidToken):
        sessions.refresh(alice.refresh, HERE)


def test_nobody_ends_the_session_of_another(ctx: Flask, alice: Member, bob: Member) -> None:
    session_id = sessions.prove(alice.access).session_id
    for wrong in (session_id, 999_999_999):
        with pytest.raises(NotFound):
            sessions.end(bob.person, wrong, HERE)
    sessions.prove(alice.access)


def test_a_session_ends_once(ctx: Flask, alice: Member) -> None:
    session_id = sessions.prove(alice.access).session_id
    sessions.end(alice.person, session_id, HERE)
    with pytest.raises(NotFound):
        sessions.end(alice.person, session_id, HERE)


def test_the_list_has_the_living_ones_and_says_which_is_asking(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    first = sessions.prove(alice.access).session_id
    second = sessions.begin(alice.person, HERE).session_id
    third = sessions.begin(alice.person, HERE).session_id
    sessions.end(alice.person, third, HERE)
    entries = sessions.list_of(alice.person, second)
    assert [(entry.id, entry.current) for entry in entries] == [(second, True), (first, False)]
    assert (entries[0].network, entries[0].user_agent) == ("203.0.113.1", "curl/8")


def test_who_signs_in_without_end_loses_the_session_unused_for_longest(
    ctx: Flask, alice: Member, stopped_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LIVING_MAX", 3)
    unused = sessions.begin(alice.person, HERE)
    stopped_clock.advance(minutes=2)
    sessions.prove(alice.access)  # the older one, but used
    sessions.begin(alice.person, HERE)
    sessions.begin(alice.person, HERE)
    assert refused(unused.access)
    sessions.prove(alice.access)
    assert len(sessions.list_of(alice.person, None)) == 3


def test_the_time_of_use_is_kept_to_the_minute(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    begun = sessions.begin(alice.person, HERE)
    at_first = clock.now()

    def last_used() -> object:
        return sessions.list_of(alice.person, None)[0].last_used_at

    stopped_clock.advance(seconds=59)
    sessions.prove(begun.access)
    assert last_used() == at_first
    stopped_clock.advance(seconds=2)
    sessions.prove(begun.access)
    assert last_used() == at_first + timedelta(seconds=61)


Change = Callable[[Member], None]
CHANGES: dict[str, Change] = {
    "password changed": lambda m: accounts.set_password(m.person, "another horse", HERE),
    "erased": lambda m: accounts.erase(m.person, HERE),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_session_ends_when(ctx: Flask, alice: Member, bob: Member, change: str) -> None:
    other = sessions.begin(alice.person, HERE)
    CHANGES[change](alice)
    for token in (alice.access, other.access):
        assert refused(token)
    for token in (alice.refresh, other.refresh):
        with pytest.raises(InvalidToken):
            sessions.refresh(token, HERE)
    sessions.prove(bob.access)


def test_disabling_ends_every_session_for_good(
    ctx: Flask, alice: Member, new_member: Callable[..., Member]
) -> None:
    admin = new_member("boss", is_admin=True)
    accounts.disable(admin.person, alice.person.id, HERE)
    accounts.enable(admin.person, alice.person.id, HERE)
    assert refused(alice.access)


def test_a_changed_password_ends_the_other_sessions_only(ctx: Flask, alice: Member) -> None:
    other = sessions.begin(alice.person, HERE)
    mine = sessions.prove(alice.access).session_id
    accounts.change_password(alice.person, PASSWORD, "another horse", HERE, keep_session=mine)
    assert refused(other.access)
    sessions.prove(alice.access)


class RefreshMachine(RuleBasedStateMachine):
    """Rotating, replaying and logging out in any order: there is at most one way on."""

    person: Any
    clock: Clock

    def __init__(self) -> None:
        super().__init__()
        self.issued = [sessions.begin(self.person, HERE)]
        self.rotated_at = self.clock.now()
        self.ended = False

    @precondition(lambda self: not self.ended)
    @rule(seconds=st.sampled_from([0, 5, 11, 3000]))
    def rotate(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        self.issued.append(sessions.refresh(self.issued[-1].refresh, HERE))
        self.rotated_at = self.clock.now()

    @rule(back=st.integers(1, 3), seconds=st.sampled_from([0, 9, 11]))
    def replay(self, back: int, seconds: int) -> None:
        if back >= len(self.issued):
            return
        self.clock.advance(seconds=seconds)
        in_grace = self.clock.now() - self.rotated_at <= sessions.GRACE
        if back == 1 and in_grace and not self.ended:
            assert sessions.refresh(self.issued[-2].refresh, HERE) == self.issued[-1]
            return
        with pytest.raises(InvalidToken):
            sessions.refresh(self.issued[-1 - back].refresh, HERE)
        self.ended = True

    @precondition(lambda self: not self.ended)
    @rule()
    def log_out(self) -> None:
        sessions.end(self.person, self.issued[0].session_id, HERE)
        self.ended = True

    @invariant()
    def an_ended_session_is_dead_and_a_living_one_lives(self) -> None:
        young = self.clock.now() - self.rotated_at < timedelta(hours=1)
        assert refused(self.issued[-1].access) == (self.ended or not young)


def test_refreshing_in_any_order_leaves_one_way_on(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    RefreshMachine.person, RefreshMachine.clock = alice.person, stopped_clock
    run_state_machine_as_test(RefreshMachine, settings=walks(15, steps=15))
