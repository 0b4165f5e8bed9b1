"""Accounts: registering, changing, the directory, disabling, erasing."""

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.errors import (
    Conflict,
    Forbidden,
    Invalid,
    InvalidToken,
    NotFound,
    RegistrationClosed,
    TooManyFailures,
    TooManyRequests,
    UsernameTaken,
    WrongPassword,
)
from app.services import accounts, history, messages, passwords, sessions, signing_in, tokens
from app.services.accounts import Registration
from app.services.people import Person, Visitor
from tests.conftest import PASSWORD, Clock, MakeApp, Member
from tests.together import at_once

HERE = Visitor("203.0.113.1")


def register(username: str = "anna", visitor: Visitor = HERE, name: str | None = None) -> Person:
    return accounts.register(Registration(username, PASSWORD, name), visitor)


def count(database: Engine, table: str) -> int:
    with database.connect() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_without_a_name_the_username_is_the_name(ctx: Flask) -> None:
    assert register("anna").name == "anna"
    assert register("Fedor", name="Фёдор").name == "Фёдор"
    with pytest.raises(Invalid):
        register("oleg", name="")


def test_everything_that_is_wrong_with_a_registration_is_said_at_once(ctx: Flask) -> None:
    with pytest.raises(Invalid) as refused:
        accounts.register(Registration("a b", "short", ""), HERE)
    assert set(refused.value.fields) == {"username", "name", "password"}


@pytest.mark.parametrize("twin", ["anna", "ANNA", "Anna"])
def test_a_taken_username_is_taken_in_every_case(ctx: Flask, twin: str) -> None:
    register("anna")
    with pytest.raises(UsernameTaken) as refused:
        register(twin)
    assert list(refused.value.fields) == ["username"]


def test_a_username_in_the_other_script_that_looks_the_same_is_taken(ctx: Flask) -> None:
    register("cop")
    with pytest.raises(UsernameTaken):
        register("сор")


def test_of_twenty_who_register_the_same_name_at_once_one_does(
    app: Flask, database: Engine
) -> None:
    results = at_once(app, 20, lambda n: register("anna" if n % 2 else "ANNA"))
    assert sum(isinstance(result, Person) for result in results) == 1
    assert sum(isinstance(result, UsernameTaken) for result in results) == 19
    assert count(database, "account") == count(database, "lane") == 1


def test_registration_may_be_closed_but_not_to_the_command_line(make_app: MakeApp) -> None:
    with make_app(REGISTRATION="closed").app_context():
        with pytest.raises(RegistrationClosed):
            register()
        boss = accounts.register(Registration("boss", PASSWORD), HERE, is_admin=True)
        assert boss.is_admin


def test_accounts_from_one_network_are_limited_by_the_hour(
    make_app: MakeApp, stopped_clock: Clock
) -> None:
    with make_app(REGISTRATIONS_PER_HOUR="3").app_context():
        for username in ("anna", "bella", "carla"):
            register(username)
        with pytest.raises(TooManyRequests):
            register("dora")
        register("dora", Visitor("203.0.113.2"))
        stopped_clock.advance(hours=1, seconds=1)
        register("elena")


def test_when_the_limit_is_reached_no_password_is_hashed(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_app(REGISTRATIONS_PER_HOUR="1").app_context():
        register("anna")
        monkeypatch.setattr(passwords, "hash", lambda _: pytest.fail("a password was hashed"))
        with pytest.raises(TooManyRequests):
            register("bella")
        with pytest.raises(UsernameTaken):
            register("anna")


def test_finding_out_who_is_here_by_registering_is_limited(make_app: MakeApp) -> None:
    with make_app(REGISTRATIONS_PER_HOUR="2").app_context():
        register("anna")
        for _ in range(2):
            with pytest.raises(UsernameTaken):
                register("anna")
        with pytest.raises(TooManyRequests):
            register("anna")
        register("bella")


@pytest.mark.parametrize(
    ("field", "registration"),
    [
        ("username", Registration("a", PASSWORD)),
        ("username", Registration("admin", PASSWORD)),
        ("username", Registration("two words", PASSWORD)),
        ("password", Registration("anna", "short77")),
        ("password", Registration("anna", "password")),
        ("password", Registration("anna-maria", "ANNA-MARIA")),
        ("name", Registration("anna", PASSWORD, "line\nbreak")),
        ("name", Registration("anna", PASSWORD, "x" * 101)),
    ],
)
def test_what_is_wrong_is_said_by_field(
    ctx: Flask, database: Engine, field: str, registration: Registration
) -> None:
    with pytest.raises(Invalid) as refused:
        accounts.register(registration, HERE)
    assert list(refused.value.fields) == [field]
    assert count(database, "account") == 0


def test_nothing_but_what_was_given_is_changed(ctx: Flask) -> None:
    person = register("anna", name="Анна")
    assert accounts.change(person) == person
    changed = accounts.change(person, greeting="Привет, {name}!")
    assert (changed.name, changed.greeting) == ("Анна", "Привет, {name}!")
    assert accounts.change(person, greeting=None).greeting is None
    assert accounts.change(person, name="Аня").name == "Аня"
    with pytest.raises(Invalid):
        accounts.change(person, name="Аня", greeting="two\nlines")
    assert accounts.change(person).greeting is None


def test_a_new_password_needs_the_current_one_and_all_is_changed_or_nothing(
    ctx: Flask, alice: Member
) -> None:
    for current, new, error in (
        ("wrong password", "another horse", WrongPassword),
        (PASSWORD, "short77", Invalid),
        (PASSWORD, "alice", Invalid),
    ):
        with pytest.raises(error):
            accounts.change_password(
                alice.person, current, new, HERE, keep_session=None, name="Changed"
            )
    assert accounts.change(alice.person).name == "Алиса"
    sessions.prove(alice.access)
    changed = accounts.change_password(
        alice.person, PASSWORD, "another horse", HERE, keep_session=None, name="Changed"
    )
    assert changed.name == "Changed"
    signing_in.authenticate("alice", "another horse", HERE)


def test_wrong_current_passwords_are_counted_with_the_sign_ins(
    ctx: Flask, alice: Member, stopped_clock: Clock
) -> None:
    for _ in range(10):
        with pytest.raises(WrongPassword):
            accounts.confirm_password(alice.person, "wrong password", HERE)
    with pytest.raises(TooManyFailures):
        signing_in.authenticate("alice", PASSWORD, HERE)
    with pytest.raises(TooManyFailures):
        accounts.change_password(alice.person, PASSWORD, "another horse", HERE, keep_session=None)


def test_the_directory_has_ids_and_usernames_of_those_who_are_here(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    carol = register("carol")
    accounts.disable(alice.person, bob.person.id, HERE)
    accounts.erase(carol, HERE)
    page = accounts.directory(alice.person)
    assert [entry.username for entry in page.entries] == ["alice"]
    assert set(page.entries[0].__dataclass_fields__) == {"id", "public_id", "username"}


def test_the_directory_can_be_kept_for_admins(make_app: MakeApp) -> None:
    with make_app(USER_DIRECTORY="admins").app_context():
        with pytest.raises(Forbidden):
            accounts.directory(register("anna"))
        boss = accounts.register(Registration("boss", PASSWORD), HERE, is_admin=True)
        assert len(accounts.directory(boss).entries) == 2


def test_nobody_disables_themselves_or_somebody_who_is_not_there(
    ctx: Flask, alice: Member, bob: Member
) -> None:
    with pytest.raises(Conflict):
        accounts.disable(alice.person, alice.person.id, HERE)
    accounts.erase(bob.person, HERE)
    for missing in (bob.person.id, 10**9):
        with pytest.raises(NotFound):
            accounts.disable(alice.person, missing, HERE)
        with pytest.raises(NotFound):
            accounts.enable(alice.person, missing, HERE)


def test_erasing_ends_every_credential_and_frees_the_username_at_once(
    ctx: Flask, alice: Member
) -> None:
    token = tokens.issue_send_token(alice.person, "backup", HERE).token
    invitation = tokens.link_invitation(alice.person)
    waiting = messages.send(alice.person, messages.Draft("hello")).message
    accounts.erase(alice.person, HERE)
    with pytest.raises(InvalidToken):
        sessions.prove(alice.access)
    with pytest.raises(InvalidToken):
        sessions.refresh(alice.refresh, HERE)
    with pytest.raises(InvalidToken):
        tokens.prove(token or "")
    assert history.find(alice.person, waiting.id).status == "cancelled"
    assert register("ALICE").id != alice.person.id
    assert invitation.token
    with pytest.raises(NotFound):
        accounts.erase(alice.person, HERE)


def test_the_trail_tells_what_happened_and_no_words(
    ctx: Flask, alice: Member, bob: Member, database: Engine
) -> None:
    accounts.change_password(alice.person, PASSWORD, "another horse", HERE, keep_session=None)
    accounts.disable(bob.person, alice.person.id, HERE)
    accounts.erase(alice.person, HERE)
    with database.connect() as connection:
        rows = connection.execute(text("SELECT * FROM audit_event ORDER BY id")).all()
    kinds = [row.kind for row in rows]
    assert kinds[-3:] == ["password_changed", "disabled", "erased"]
    assert rows[-2].actor_id == bob.person.id
    assert rows[-1].account_id is None
    assert "alice" not in str(rows)
    assert "horse" not in str(rows)
