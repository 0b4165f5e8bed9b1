"""A search over a history that is longer than what is walked: complete, in order, by the index."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.services import history, search
from app.services.history import Filter
from tests.conftest import Member
from tests.services.conftest import send

LONG = search.WALKED * 2


def write(database: Engine) -> None:
    """Two thousand settled messages of everybody's: every seventh rare, one unique."""
    with database.connect() as connection:
        connection.execute(
            text("""
              INSERT INTO message (account_id, direction, text, status, created_at)
              SELECT account.id, 'out', 'report ' || n
                     || CASE WHEN n % 7 = 0 THEN ' seventh' ELSE '' END
                     || CASE WHEN n = 5 THEN ' needle' ELSE '' END, 'sent', now()
              FROM account, generate_series(1, :long) AS n ORDER BY n
            """),
            {"long": LONG},
        )


@pytest.fixture
def writer(ctx: Flask, database: Engine, alice: Member, bob: Member) -> Member:
    """Alice with a long history; Bob has the same words."""
    write(database)
    return alice


def found(member: Member, q: str, limit: int = 100) -> Iterator[str]:
    """The texts of every page, in the order in which they come."""
    cursor = None
    while True:
        page = history.page(member.person, Filter(q=q), limit=limit, cursor=cursor)
        yield from (entry.text for entry in page.entries)
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("limit", [100, 7])
def test_every_match_comes_once_newest_first_near_and_far(writer: Member, limit: int) -> None:
    expected = [f"report {n} seventh" for n in range(LONG, 0, -1) if n % 7 == 0]
    assert list(found(writer, "seventh", limit)) == expected


def test_a_word_that_stands_only_in_an_old_message_is_found(writer: Member) -> None:
    assert list(found(writer, "needle")) == ["report 5 needle"]
    assert list(found(writer, "NEED report")) == ["report 5 needle"]


def test_a_word_that_nobody_wrote_is_not_found(writer: Member, bob: Member) -> None:
    assert list(found(writer, "nothing")) == []
    assert list(found(writer, "eedle")) == []


def test_the_other_conditions_hold_for_old_messages_too(writer: Member) -> None:
    page = history.page(writer.person, Filter(q="needle", status="failed"))
    assert page.entries == []


def test_an_old_message_that_still_waits_is_found_among_the_settled(
    ctx: Flask, database: Engine, alice: Member, bob: Member
) -> None:
    for member in (alice, bob):
        assert send(member, "the seventh waits").status == "held"
    write(database)
    assert list(found(alice, "waits")) == ["the seventh waits"]
    assert list(found(alice, "seventh"))[-2:] == ["report 7 seventh", "the seventh waits"]
