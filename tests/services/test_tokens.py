"""Send tokens and link tokens: what is shown, what is stored, and when they are dead."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app import clock
from app.errors import Conflict, Invalid, InvalidToken, NotFound, TooManyRequests
from app.extensions import transaction
from app.services import accounts, limits, tokens
from app.services.people import Visitor
from app.services.tokens import LinkInvitation, SendTokenEntry
from tests import rows
from tests.conftest import Clock, Member
from tests.together import at_once

HERE = Visitor("203.0.113.1")


def issue(member: Member, name: str = "backup", **more: int) -> SendTokenEntry:
    return tokens.issue_send_token(member.person, name, HERE, **more)


def secret(entry: SendTokenEntry) -> str:
    assert entry.token is not None
    return entry.token


def is_dead(send_token: str) -> bool:
    try:
        tokens.prove(send_token)
    except InvalidToken:
        return True
    return False


def test_a_send_token_speaks_for_its_owner(ctx: Flask, alice: Member, bob: Member) -> None:
    issued = issue(alice)
    assert tokens.prove(secret(issued)).person == alice.person
    assert tokens.prove(secret(issued)).send_token_id == issued.id


def test_a_send_token_is_shown_once_and_stored_as_a_hash(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    token = secret(issue(alice))
    assert tokens.send_tokens_of(alice.person)[0].token is None
    stored = str(rows.as_text(database, "send_token", "audit_event"))
    assert token not in stored
    assert token[tokens.SHOWN_PREFIX :] not in stored


def test_send_tokens_are_long_unlike_and_known_to_scanners_by_their_prefix(
    ctx: Flask, alice: Member
) -> None:
    issued = {secret(issue(alice)) for _ in range(20)}
    assert len(issued) == 20
    assert all(token.startswith("gz_") and len(token) >= 3 + 43 for token in issued)


@pytest.mark.parametrize(
    "wrong", ["", "gz_", "gz_wrong", "\x00", "\ud800", "x" * 100_000, "é", "' OR 1=1 --"]
)
def test_what_is_no_send_token_is_refused(ctx: Flask, alice: Member, wrong: str) -> None:
    issue(alice)
    assert is_dead(wrong)


def test_a_revoked_send_token_is_dead_at_once_and_for_good(ctx: Flask, alice: Member) -> None:
    issued = issue(alice)
    tokens.revoke_send_token(alice.person, issued.id, HERE)
    assert is_dead(secret(issued))
    assert tokens.send_tokens_of(alice.person) == []
    with pytest.raises(NotFound):
        tokens.revoke_send_token(alice.person, issued.id, HERE)


def test_nobody_revokes_the_token_of_another(ctx: Flask, alice: Member, bob: Member) -> None:
    issued = issue(alice)
    with pytest.raises(NotFound):
        tokens.revoke_send_token(bob.person, issued.id, HERE)
    assert not is_dead(secret(issued))


def test_a_send_token_may_expire(ctx: Flask, alice: Member, stopped_clock: Clock) -> None:
    issued = issue(alice, expires_in=60)
    assert issued.expires_at == clock.now() + timedelta(seconds=60)
    stopped_clock.advance(seconds=59)
    assert not is_dead(secret(issued))
    stopped_clock.advance(seconds=1)
    assert is_dead(secret(issued))
    assert tokens.send_tokens_of(alice.person) == []


@pytest.mark.parametrize("seconds", [0, -1, 10**9, 10**20])
def test_a_lifetime_is_from_a_second_to_ten_years(ctx: Flask, alice: Member, seconds: int) -> None:
    with pytest.raises(Invalid) as refused:
        issue(alice, expires_in=seconds)
    assert list(refused.value.fields) == ["expires_in"]


@pytest.mark.parametrize("shut", ["disabled", "erased"])
def test_the_tokens_of_an_account_that_is_shut_are_dead(
    ctx: Flask, alice: Member, bob: Member, shut: str
) -> None:
    token = secret(issue(alice))
    if shut == "disabled":
        accounts.disable(bob.person, alice.person.id, HERE)
    else:
        accounts.erase(alice.person, HERE)
    assert is_dead(token)


def test_there_are_a_hundred_at_most_however_they_are_asked_for(
    app: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "SEND_TOKENS_MAX", 5)
    results = at_once(app, 20, lambda _: issue(alice))
    assert sum(isinstance(result, SendTokenEntry) for result in results) == 5
    assert sum(isinstance(result, Conflict) for result in results) == 15


def test_making_and_revoking_is_limited(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEND_TOKEN_ISSUE", limits.Limit("send_token_issue", 3, 3600))
    for _ in range(3):
        tokens.revoke_send_token(alice.person, issue(alice).id, HERE)
    with pytest.raises(TooManyRequests):
        issue(alice)


def test_a_token_for_a_purpose_replaces_the_one_before(ctx: Flask, alice: Member) -> None:
    def replace() -> str:
        with transaction() as session:
            made = tokens.replace_send_token(session, alice.person.id, "djangobot", HERE)
        return secret(made)

    own = secret(issue(alice))
    first, second = replace(), replace()
    assert len(second) == 25
    assert second.isalnum()
    assert is_dead(first)
    assert not is_dead(second)
    assert not is_dead(own)


def test_the_time_of_use_is_kept_to_the_minute(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    token = secret(issue(alice))

    def last_used() -> object:
        return tokens.send_tokens_of(alice.person)[0].last_used_at

    assert last_used() is None
    tokens.prove(token)
    assert last_used() == (first := clock.now())
    stopped_clock.advance(seconds=30)
    tokens.prove(token)
    assert last_used() == first
    stopped_clock.advance(seconds=31)
    tokens.prove(token)
    assert last_used() == clock.now()


def test_the_link_token_is_repeated_until_it_expires_and_stored_as_a_hash(
    ctx: Flask, alice: Member, database: Engine, stopped_clock: Clock
) -> None:
    first = tokens.link_invitation(alice.person)
    assert len(first.token) == 64
    assert set(first.token) <= set("0123456789abcdef")
    assert first.expires_at == clock.now() + timedelta(minutes=60)
    assert first.token not in str(rows.as_text(database, "link_token"))
    stopped_clock.advance(minutes=59, seconds=59)
    assert tokens.link_invitation(alice.person) == first
    stopped_clock.advance(seconds=1)
    assert tokens.link_invitation(alice.person).token != first.token


def test_a_fresh_link_token_is_another_one(ctx: Flask, alice: Member, bob: Member) -> None:
    seen = {tokens.link_invitation(alice.person).token, tokens.link_invitation(bob.person).token}
    seen |= {tokens.fresh_link_invitation(alice.person, HERE).token for _ in range(3)}
    assert len(seen) == 5


def test_all_who_ask_at_once_get_the_same_link_token(app: Flask, alice: Member) -> None:
    results = at_once(app, 20, lambda _: tokens.link_invitation(alice.person))
    assert all(isinstance(result, LinkInvitation) for result in results)
    assert len(set(results)) == 1


def test_fresh_link_tokens_are_limited(
    ctx: Flask, alice: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINK_TOKEN_ISSUE", limits.Limit("link_token_issue", 2, 3600))
    tokens.fresh_link_invitation(alice.person, HERE)
    tokens.fresh_link_invitation(alice.person, HERE)
    with pytest.raises(TooManyRequests):
        tokens.fresh_link_invitation(alice.person, HERE)


def test_without_the_servers_key_a_dump_of_the_database_makes_no_link_token(
    ctx: Flask, alice: Member, database: Engine
) -> None:
    import hashlib
    import hmac

    token = tokens.link_invitation(alice.person).token
    with database.connect() as connection:
        nonce, stored = connection.execute(text("SELECT nonce, token_hash FROM link_token")).one()
    assert hashlib.sha256(token.encode()).digest() == bytes(stored)
    assert hmac.digest(b"", bytes(nonce), "sha256").hex() != token
    assert bytes(nonce).hex() != token
