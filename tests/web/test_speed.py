"""Pages stay quick in a long history: 100,000 messages in one account."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from tests.web.conftest import Reader

MESSAGES = 100_000
ALLOWED_MS = 100


@pytest.fixture
def long_history(reader: Reader, database: Engine) -> Iterator[Reader]:
    """Alice, who has sent one message every 25 seconds for the last 29 days."""
    with database.connect() as rows:
        rows.execute(
            text(
                "INSERT INTO message (account_id, lane_id, seq, direction, text, status,"
                " parts_sent, created_at, sent_at)"
                " SELECT account_id, id, n, 'out', 'backup ' || n || ' is done', 'sent', 1,"
                " now() - (:count - n) * interval '25 seconds', now()"
                " FROM lane, generate_series(1, :count) n WHERE account_id = :account"
            ),
            {"account": reader.person.id, "count": MESSAGES},
        )
        rows.execute(text("ANALYZE message"))
    yield reader
    with database.connect() as rows:
        rows.execute(text("TRUNCATE message CASCADE"))


@pytest.mark.slow
def test_every_page_of_a_long_history_is_rendered_within_a_tenth_of_a_second(
    long_history: Reader,
) -> None:
    took = {
        path: min(milliseconds(long_history, path) for _ in range(5))
        for path in (
            "/cabinet",
            "/cabinet/messages",
            "/cabinet/messages?status=failed",
            "/cabinet/messages?direction=in",
            "/cabinet/messages?q=backup",
            "/cabinet/telegram",
        )
    }
    assert {path: ms for path, ms in took.items() if ms > ALLOWED_MS} == {}, took
    # The chart comes after its page: it reads all of a month.
    assert milliseconds(long_history, "/cabinet/chart") < 10 * ALLOWED_MS


def milliseconds(reader: Reader, path: str) -> float:
    began = time.perf_counter()
    assert reader.reads(path).status_code == 200
    return (time.perf_counter() - began) * 1000
