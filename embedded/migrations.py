"""Whether the database is at the newest migration, asked without starting the application.

A shortcut for a fast start and no more: when in doubt the answer is no, and Alembic decides.
"""

import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import psycopg2

_REVISION = re.compile(r"^revision\b[^=]*=\s*['\"](\w+)['\"]", re.MULTILINE)
_BASED_ON = re.compile(r"^down_revision\b[^=]*=\s*['\"](\w+)['\"]", re.MULTILINE)


def at_head(environment: Mapping[str, str], versions: Path) -> bool:
    """Whether the database of DATABASE_URL is known to have the newest of the migrations."""
    heads = newest(versions)
    return len(heads) == 1 and heads == _in_database(environment.get("DATABASE_URL", ""))


def newest(versions: Path) -> set[str]:
    """The revisions that no other one is based on."""
    texts = [file.read_text() for file in versions.glob("*.py")]
    revisions = {found[1] for text in texts if (found := _REVISION.search(text))}
    return revisions - {found[1] for text in texts if (found := _BASED_ON.search(text))}


def _in_database(url: str) -> set[str]:
    address = re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql://", url)
    try:
        with (
            closing(psycopg2.connect(address, connect_timeout=3)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT version_num FROM alembic_version")
            return {row[0] for row in cursor.fetchall()}
    except psycopg2.Error:
        return set()
