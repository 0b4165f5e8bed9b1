"""Statements that PostgreSQL parses and plans once for a connection, not for every execution.

For the few statements that run with every request and every delivery, planning would take longer
than the work. psycopg2 has no prepared statements of its own, so these are SQL's: PREPARE at a
connection's first use, EXECUTE from then on. They live with the connection, so a connection pooler
between us and PostgreSQL has to work in session mode.
"""

import re
from typing import Any

from sqlalchemy import Connection, CursorResult, Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

_dialect: Any = postgresql.dialect
_SQL = _dialect(paramstyle="named")


class Prepared:
    """A statement with named parameters, `:name`, and the SQL type of each."""

    def __init__(self, name: str, sql: str, **types: str) -> None:
        """`name` is the statement's in the database session: unique within the program."""
        self._name = name
        numbers = {parameter: f"${n}" for n, parameter in enumerate(types, 1)}
        body = re.sub(r"(?<!:):([a-z_]+)", lambda match: numbers[match[1]], sql)
        self._prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {body}".replace("%", "%%")
        self._execute = f"EXECUTE {name} ({', '.join(f'%({each})s' for each in types)})"

    @classmethod
    def select(cls, name: str, query: Select[Any]) -> "Prepared":
        """A query whose parameters are `bindparam`s; its rows have the driver's own types."""
        compiled = query.compile(dialect=_SQL)
        types = {each: bind.type.compile(_SQL) for each, bind in compiled.binds.items()}
        return cls(name, str(compiled), **types)

    def __call__(self, at: Connection | Session, /, **values: Any) -> CursorResult[Any]:
        """Executes it on a connection, or on a session's; every parameter must be given."""
        connection = at if isinstance(at, Connection) else at.connection()
        known: set[str] = connection.info.setdefault("prepared", set())
        if self._name not in known:
            connection.exec_driver_sql(self._prepare)
            known.add(self._name)
        return connection.exec_driver_sql(self._execute, values)
