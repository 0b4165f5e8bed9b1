"""The commands for those who run the server, as they are typed."""

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import Engine, text

from tests.conftest import NewMember

PASSWORD = "a password of some length\n"


@pytest.fixture
def commands(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


def rows(database: Engine, query: str) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_create_admin_makes_an_account_that_is_one(
    commands: FlaskCliRunner, database: Engine
) -> None:
    result = commands.invoke(args=["create-admin", "anna", "--password-stdin"], input=PASSWORD)
    assert result.exit_code == 0, result.output
    assert rows(database, "SELECT username, is_admin FROM account") == [("anna", True)]


def test_create_admin_says_why_it_refuses(commands: FlaskCliRunner, database: Engine) -> None:
    result = commands.invoke(args=["create-admin", "anna", "--password-stdin"], input="short\n")
    assert result.exit_code != 0
    assert "password" in result.output
    assert rows(database, "SELECT id FROM account") == []


def test_set_password_ends_every_session(commands: FlaskCliRunner, new_member: NewMember) -> None:
    anna = new_member("anna")
    result = commands.invoke(args=["set-password", "anna", "--password-stdin"], input=PASSWORD)
    assert result.exit_code == 0, result.output
    assert anna.get("/v1/users/me").status_code == 401


def test_set_password_for_nobody_is_an_error(commands: FlaskCliRunner) -> None:
    result = commands.invoke(args=["set-password", "nobody", "--password-stdin"], input=PASSWORD)
    assert result.exit_code != 0


def test_pause_and_resume_switch_delivery(commands: FlaskCliRunner, database: Engine) -> None:
    assert commands.invoke(args=["pause"]).exit_code == 0
    assert rows(database, "SELECT paused_at IS NOT NULL FROM bot") == [(True,)]
    assert commands.invoke(args=["resume"]).exit_code == 0
    assert rows(database, "SELECT paused_at IS NOT NULL FROM bot") == [(False,)]
    kinds = rows(database, "SELECT kind FROM audit_event ORDER BY id")
    assert kinds == [("delivery_paused",), ("delivery_resumed",)]


def test_prune_removes_finished_messages_of_long_ago_and_no_others(
    commands: FlaskCliRunner, database: Engine, new_member: NewMember
) -> None:
    anna = new_member("anna")
    for number in range(3):
        anna.post("/v1/messages", {"text": f"number {number}"})
    with database.connect() as connection:
        connection.execute(text("UPDATE message SET created_at = now() - interval '400 days'"))
        connection.execute(
            text("UPDATE message SET status = 'sent' WHERE id <> (SELECT max(id) FROM message)")
        )
    result = commands.invoke(args=["prune"])
    assert result.exit_code == 0, result.output
    assert rows(database, "SELECT text, status FROM message") == [("number 2", "held")]
