"""What is sent to PostgreSQL while a block lasts: by SQLAlchemy, and by `app.prepared` itself.

    with statements.noted() as sent:
        messages.send(alice.person, Draft("text"))
    assert [statement.split()[1] for statement in sent] == ["gonets_accept"]

Of this process, by any thread and to any database.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg2.extensions import cursor as Cursor
from sqlalchemy import Engine, event

from app import prepared


@contextmanager
def noted() -> Iterator[list[str]]:
    """The statements, in the order in which they are sent."""
    sent: list[str] = []
    execute: Callable[..., None] = Cursor.execute

    class Noting(Cursor):
        def execute(self, query: Any, vars: Any = None) -> None:
            sent.append(str(query))
            execute(self, query, vars)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prepared, "Cursor", Noting)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)
