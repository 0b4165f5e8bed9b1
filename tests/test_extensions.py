"""`transaction` and `single` take turns on the pool's connections, and each is what it says."""

from contextlib import closing
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.extensions import db, single, transaction
from app.prepared import Prepared

_BACKEND = Prepared("test_backend", "SELECT pg_backend_pid() + :zero AS pid", zero="int")
_WRITE = "UPDATE bot SET failures = failures + 1"
_ADD = Prepared("test_add", "UPDATE bot SET failures = failures + :n RETURNING failures", n="int")
_FAILURES = text("SELECT failures FROM bot")


class Undone(Exception):
    pass


def in_one_statement() -> int:
    with single() as connection:
        return int(_BACKEND(connection, zero=0).pid)


def in_a_transaction() -> None:
    with transaction() as session:
        session.execute(text(_WRITE))


def failures(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(_FAILURES).scalar_one())


def test_a_transaction_is_undone_as_a_whole_after_single_statements(
    ctx: Flask, database: Engine
) -> None:
    pid = in_one_statement()
    with pytest.raises(Undone), transaction() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) == pid
        session.execute(text(_WRITE))
        raise Undone
    assert in_one_statement() == pid
    with pytest.raises(Undone), db.engine.begin() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == pid
        connection.execute(text(_WRITE))
        raise Undone
    assert failures(database) == 0


def test_a_connection_stays_in_autocommit_mode_until_a_transaction_needs_it(
    ctx: Flask, database: Engine
) -> None:
    for work, left_so in ((in_one_statement, True), (in_a_transaction, False)):
        work()
        with closing(db.engine.raw_connection()) as pooled:
            driver: Any = pooled.driver_connection
            assert driver.autocommit is left_so


def test_a_single_statement_is_committed_when_it_returns(ctx: Flask, database: Engine) -> None:
    in_a_transaction()
    with single() as connection:
        assert _ADD(connection, n=1).failures == 2
        assert failures(database) == 2


def test_whoever_asks_for_autocommit_of_sqlalchemy_has_it(ctx: Flask, database: Engine) -> None:
    in_one_statement()
    each = db.engine.execution_options(isolation_level="AUTOCOMMIT")
    with each.connect() as connection:
        connection.execute(text(_WRITE))
        assert failures(database) == 1
    with pytest.raises(Undone), transaction() as session:
        session.execute(text(_WRITE))
        raise Undone
    assert failures(database) == 1
