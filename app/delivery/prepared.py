"""Statements that PostgreSQL parses and plans once for a connection, not for every execution.

For the two statements of each turn planning would take longer than the work. psycopg2 has no
prepared statements of its own, so these are SQL's: PREPARE at a connection's first use, EXECUTE
from then on. They live with the connection, so a connection pooler between us and PostgreSQL has
to work in session mode.
"""

import re
from typing import Any

from sqlalchemy import Connection, CursorResult


class Prepared:
    """A statement with named parameters, `:name`, and the SQL type of each."""

    def __init__(self, name: str, sql: str, **types: str) -> None:
        """`name` is the statement's in the database session: unique within the program."""
        self._name = name
        numbers = {parameter: f"${n}" for n, parameter in enumerate(types, 1)}
        body = re.sub(r"(?<!:):([a-z_]+)", lambda match: numbers[match[1]], sql)
        self._prepare = f"PREPARE {name} ({', '.join(types.values())}) AS {body}"
        self._execute = f"EXECUTE {name} ({', '.join(f'%({each})s' for each in types)})"

    def __call__(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Executes it; every parameter must be given."""
        known: set[str] = connection.info.setdefault("prepared", set())
        if self._name not in known:
            connection.exec_driver_sql(self._prepare.replace("%", "%%"))
            known.add(self._name)
        return connection.exec_driver_sql(self._execute, values)
