"""Locks in one order: whatever happens to an account at once, nothing waits in a circle."""

import random
from collections.abc import Callable
from functools import partial

import psycopg2
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.errors import ServiceError
from app.services import accounts, chats, messages, sessions, tokens
from app.services.messages import Draft
from tests.conftest import PASSWORD, Member
from tests.services.conftest import HERE, person
from tests.together import at_once


def is_surprising(result: object) -> bool:
    """Whether it is an error, and neither a refusal nor the patience of a machine that is busy; a
    deadlock is noticed long before that ends."""
    from_driver = result.orig if isinstance(result, DBAPIError) else result
    if isinstance(from_driver, psycopg2.OperationalError):
        return from_driver.pgcode == "40P01"
    return isinstance(result, Exception) and not isinstance(result, ServiceError)


def deeds_of(alice: Member, bob: Member) -> list[Callable[[int], object]]:
    """Everything that changes several rows of Alice's account; bob is who administers it."""
    session_id = sessions.begin(alice.person, HERE).session_id
    refresh = sessions.begin(alice.person, HERE).refresh

    def send(n: int) -> object:
        return messages.send(alice.person, Draft(f"text {n}"), key=f"key {n % 3}-{n}")

    def link_by_code(n: int) -> object:
        return chats.link_by_code(alice.person, chats.link_code(person(n % 4)), HERE)

    def link_by_token(n: int) -> object:
        return chats.link_by_token(tokens.link_invitation(alice.person).token, person(n % 4))

    return [
        send,
        send,
        link_by_code,
        link_by_token,
        lambda n: chats.unlink(alice.person, HERE),
        lambda n: chats.leave(n % 4),
        lambda n: chats.blocked(n % 4),
        lambda n: chats.unblocked(n % 4),
        lambda n: tokens.fresh_link_invitation(alice.person, HERE),
        lambda n: tokens.issue_send_token(alice.person, "name", HERE),
        lambda n: accounts.set_password(alice.person, f"another horse {n}", HERE),
        lambda n: sessions.refresh(refresh, HERE),
        lambda n: sessions.end(alice.person, session_id, HERE),
        lambda n: sessions.begin(alice.person, HERE),
        lambda n: messages.receive(alice.person.id, n % 4, n, "text"),
        lambda n: accounts.register(accounts.Registration("alice", PASSWORD), HERE),
        lambda n: accounts.disable(bob.person, alice.person.id, HERE),
        lambda n: accounts.enable(bob.person, alice.person.id, HERE),
    ]


def test_whatever_happens_to_an_account_at_once_nothing_waits_in_a_circle(
    app: Flask, alice: Member, bob: Member
) -> None:
    """All of it thrown together, and at last its erasure; deadlocks are errors."""
    with app.app_context():
        deeds = deeds_of(alice, bob)

    def one_of(chosen: list[Callable[[int], object]], n: int) -> object:
        return chosen[n](n)

    chance = random.Random(5)
    for turn in range(4):
        last = [lambda n: accounts.erase(alice.person, HERE)] * (turn == 3)
        chosen = [*chance.sample(deeds, len(deeds)), *last, *chance.sample(deeds, 6)]
        results = at_once(app, len(chosen), partial(one_of, chosen))
        assert not [result for result in results if is_surprising(result)]


def test_an_erasure_among_messages_with_keys_waits_for_none_in_a_circle(
    app: Flask, alice: Member
) -> None:
    def deed(n: int) -> object:
        if n == 5:
            accounts.erase(alice.person, HERE)
            return None
        return messages.send(alice.person, Draft(f"text {n}"), key=f"key {n}")

    assert not [result for result in at_once(app, 12, deed) if is_surprising(result)]
