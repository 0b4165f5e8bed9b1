"""Erasure, retention and export: all of somebody's and nothing of anybody else's."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, delete, text

from app import clock
from app.errors import TooManyRequests, WrongCredentials
from app.extensions import db
from app.services import accounts, chats, export, history, messages, retention, signing_in, tokens
from app.services.messages import Draft
from app.services.people import TelegramPerson, Visitor
from tests import rows
from tests.conftest import PASSWORD, Clock, Member

HERE = Visitor("203.0.113.1", "curl/8")
# What an export leaves out, and why.
NOT_EXPORTED = {
    "lane": "the engine's place for the account; it says nothing of the person",
    "notice": "what the bot will have told within seconds",
}


def of_accounts() -> list[str]:
    """Every table with rows of an account, as the database's own catalogue has them."""
    return [t.name for t in db.metadata.sorted_tables if "account_id" in t.columns]


def live_a_little(member: Member, chat_id: int) -> None:
    """Leaves a row in every table that an account can have one in."""
    person = member.person
    signing_in.authenticate(person.username, PASSWORD, HERE)
    tokens.issue_send_token(person, f"token of {person.username}", HERE)
    invitation = tokens.link_invitation(person)
    chats.link_by_token(invitation.token, TelegramPerson(chat_id, f"Chat {chat_id}"))
    chats.link_by_code(person, chats.link_code(TelegramPerson(chat_id + 100, "Other")), HERE)
    messages.send(person, Draft(f"text of {person.username}"), key=f"key of {person.username}")
    messages.receive(person.id, chat_id, 1, f"answer of {person.username}")
    with db.engine.begin() as connection:
        connection.execute(
            text("""
              INSERT INTO attempt (message_id, part, at, outcome, latency_ms)
              SELECT id, 1, now(), 'sent', 5 FROM message WHERE account_id = :id
            """),
            {"id": person.id},
        )


def counts(database: Engine, account_id: int) -> dict[str, int]:
    with database.connect() as connection:
        return {
            table: connection.scalar(
                text(f"SELECT count(*) FROM {table} WHERE account_id = :id"), {"id": account_id}
            )
            or 0
            for table in of_accounts()
        }


def total(database: Engine, table: str) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_erasure_leaves_nothing_of_one_and_everything_of_the_other(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    live_a_little(alice, 1)
    live_a_little(bob, 2)
    before = counts(database, bob.person.id)
    assert all(counts(database, alice.person.id).values()), "every table has a row"
    accounts.erase(alice.person, HERE)
    retention.erase_some()
    assert not any(counts(database, alice.person.id).values())
    assert counts(database, bob.person.id) == before
    assert total(database, "account") == 1
    assert total(database, "attempt") == 2
    everything = str(rows.as_text(database, *db.metadata.tables))
    assert "alice" not in everything
    assert "Алиса" not in everything


def test_rows_go_in_batches(
    ctx: Flask, alice: Member, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    for n in range(10):
        messages.send(alice.person, Draft(f"text {n}"))
    accounts.erase(alice.person, HERE)
    retention.erase_some()
    assert total(database, "message") == total(database, "account") == 0


def test_finished_messages_go_when_their_time_is_over_and_waiting_ones_stay(
    ctx: Flask, alice: Member, database: Engine, stopped_clock: Clock
) -> None:
    kept = messages.send(alice.person, Draft("waiting")).message
    messages.cancel(alice.person, messages.send(alice.person, Draft("done")).message.id)
    retention.prune(clock.now() - timedelta(days=1))
    assert total(database, "message") == 2
    retention.prune(clock.now() + timedelta(days=1))
    assert [e.id for e in history.page(alice.person, history.Filter()).entries] == [kept.id]


def test_a_message_that_is_sent_again_while_it_is_pruned_stays(
    ctx: Flask, alice: Member, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = messages.send(alice.person, Draft("done")).message
    messages.cancel(alice.person, message.id)

    def retry_first(model: Any) -> Any:
        monkeypatch.setattr(retention, "delete", delete)
        with database.connect() as connection:
            connection.execute(text("UPDATE message SET status = 'queued'"))
        return delete(model)

    monkeypatch.setattr(retention, "delete", retry_first)
    retention.prune(clock.now() + timedelta(days=1))
    assert total(database, "message") == 1


def test_what_is_over_goes_and_what_lives_stays(
    ctx: Flask, alice: Member, database: Engine, stopped_clock: Clock
) -> None:
    live_a_little(alice, 1)
    chats.unlink(alice.person, HERE)
    with pytest.raises(WrongCredentials):
        signing_in.authenticate("nobody", "wrong password", HERE)
    retention.prune_old()
    tables = ("sign_in", "chat", "link_token", "link_code", "known_network", "idempotency_key")
    assert all(total(database, table) for table in tables)
    stopped_clock.advance(days=2)
    retention.prune_old()
    assert total(database, "idempotency_key") == 0
    assert total(database, "link_token") == 0
    assert total(database, "link_code") == 0
    assert total(database, "sign_in") == 1
    with database.connect() as connection:
        nobodys = text("SELECT count(*) FROM audit_event WHERE account_id IS NULL")
        assert connection.scalar(nobodys) == 0
    assert total(database, "audit_event") > 0
    stopped_clock.advance(days=29)
    retention.prune_old()
    assert total(database, "sign_in") == 0
    assert total(database, "chat") == 2
    stopped_clock.advance(days=335)
    retention.prune_old()
    left = {t.name for t in db.metadata.sorted_tables if total(database, t.name)}
    assert left == {"account", "bot", "lane", "message", "attempt", "send_token"}


def exported(member: Member) -> list[dict[str, Any]]:
    return list(export.lines(member.person))


def test_an_export_has_every_row_of_one_and_none_of_the_other(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    live_a_little(alice, 1)
    live_a_little(bob, 2)
    lines = exported(alice)
    names = {"sign_in": "session", "known_network": "network"}
    for table, number in counts(database, alice.person.id).items():
        if table not in NOT_EXPORTED:
            found = [line for line in lines if line["line"] == names.get(table, table)]
            assert len(found) == number > 0, table
    assert lines[0]["username"] == "alice"
    assert "bob" not in json.dumps(lines, default=str)


def test_an_export_has_no_secret(ctx: Flask, alice: Member) -> None:
    issued = tokens.issue_send_token(alice.person, "backup", HERE).token or ""
    invitation = tokens.link_invitation(alice.person).token
    told = json.dumps(exported(alice), default=str)
    for secret in (issued, invitation, alice.access, alice.refresh, "argon2"):
        assert secret not in told


def test_an_export_holds_no_transaction_while_its_reader_reads(ctx: Flask, alice: Member) -> None:
    live_a_little(alice, 1)
    for _ in export.lines(alice.person):
        assert not db.session().in_transaction()


def test_exports_are_limited(ctx: Flask, alice: Member) -> None:
    for _ in range(5):
        exported(alice)
    with pytest.raises(TooManyRequests):
        exported(alice)
