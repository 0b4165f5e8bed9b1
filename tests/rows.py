"""Rows as PostgreSQL writes them: to see that nothing changed, or that a secret stands nowhere.

What comes back of a bytea column prints as an address in memory: the same for other contents.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

# What belongs to somebody; what limits count may change with any request.
BELONGINGS = ("account", "sign_in", "send_token", "link_token", "chat", "message", "lane")


def as_text(database: Engine, *tables: str) -> dict[str, list[str]]:
    """Every row of the tables, in one order; ASCII in a bytea column can be read."""
    with database.connect() as connection:
        connection.execute(text("SET bytea_output = escape"))
        return {
            table: sorted(connection.scalars(text(f"SELECT t::text FROM {table} t")))
            for table in tables
        }


@contextmanager
def nothing_changed(database: Engine) -> Iterator[None]:
    """Fails if the rows of anybody differ afterwards; only what limits count may."""
    before = as_text(database, *BELONGINGS)
    yield
    assert as_text(database, *BELONGINGS) == before
