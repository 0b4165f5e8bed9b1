"""Statements that PostgreSQL parses and plans once for a connection, not for every execution.

For the few statements that run with every request and every delivery, planning would take longer
than the work. psycopg2 has no prepared statements of its own, so these are SQL's: PREPARE at a
connection's first use, EXECUTE from then on. They live with the connection, so a connection pooler
between us and PostgreSQL has to work in session mode.

They go to the driver itself: SQLAlchemy's connection and result, made anew for each of them, took
as long as all else that the program does for such a statement.
"""

import re
from collections import namedtuple
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor
from sqlalchemy import Connection, PoolProxiedConnection, Select
from sqlalchemy.dialects import postgresql

_dialect: Any = postgresql.dialect
_SQL = _dialect(paramstyle="named")
# Types know only rows whose columns are written down beside them.
_kind_of_row: Any = namedtuple


class Prepared:
    """A statement with named parameters, `:name`, and the SQL type of each."""

    def __init__(self, name: str, sql: str, **types: str) -> None:
        """`name` is the statement's in the database session: unique within the program."""
        self._name = name
        numbers = {parameter: f"${n}" for n, parameter in enumerate(types, 1)}
        body = re.sub(r"(?<!:):([a-z_]+)", lambda match: numbers[match[1]], sql)
        self._prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {body}"
        self._execute = f"EXECUTE {name} ({', '.join(f'%({each})s' for each in types)})"
        self._row: Any = None

    @classmethod
    def select(cls, name: str, query: Select[Any]) -> "Prepared":
        """A query whose parameters are `bindparam`s; its rows have the driver's own types."""
        compiled = query.compile(dialect=_SQL)
        types = {each: bind.type.compile(_SQL) for each, bind in compiled.binds.items()}
        return cls(name, str(compiled), **types)

    def __call__(self, at: PoolProxiedConnection | Connection, /, **values: Any) -> Any:
        """Executes it, as `rows` does; returns its row, or None when it has none."""
        rows = self.rows(at, **values)
        return rows[0] if rows else None

    def rows(self, at: PoolProxiedConnection | Connection, /, **values: Any) -> list[Any]:
        """Executes it on a connection that is in a transaction, or in autocommit mode; every
        parameter must be given.

        Returns its rows, whose columns are attributes. Raises the driver's errors; a connection
        that broke is `invalidated`, as SQLAlchemy does with its own.
        """
        pooled = at.connection if isinstance(at, Connection) else at
        driver: Any = pooled.driver_connection
        try:
            with driver.cursor(cursor_factory=Cursor) as cursor:
                self._prepare_once(pooled.info, cursor)
                cursor.execute(self._execute, values)
                return self._named(cursor)
        except psycopg2.Error as error:
            if driver.closed:
                at.invalidate(error)
            raise

    def _prepare_once(self, info: dict[Any, Any], cursor: Any) -> None:
        known: set[str] = info.setdefault("prepared", set())
        if self._name not in known:
            cursor.execute(self._prepare)
            known.add(self._name)

    def _named(self, cursor: Any) -> list[Any]:
        """What the driver's cursor for named tuples does, without asking for the names each time:
        a statement's are always the same."""
        if self._row is None:
            names = [column.name for column in cursor.description]
            self._row = _kind_of_row("Row", names)
        return list(map(self._row._make, cursor.fetchall()))
