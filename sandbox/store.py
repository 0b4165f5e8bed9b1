"""Keeping people, chats, messages and waiting updates across restarts (`--data FILE`).

One SQLite table of JSON values by kind and key, written at each change: what was answered
survives a killed process (not a power cut: nobody's data is here). Without a file nothing is
kept.
"""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LAYOUT = 1  # of the values; a file with another one is begun anew


class Store:
    """A small dictionary on disk; with no path it forgets everything it is told."""

    def __init__(self, path: Path | None = None) -> None:
        self._db: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = OFF")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
                self._db.execute("DROP TABLE IF EXISTS item")
                self._db.execute(f"PRAGMA user_version = {LAYOUT}")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS item"
                " (kind TEXT, key INTEGER, value TEXT, PRIMARY KEY (kind, key)) WITHOUT ROWID"
            )

    def put(self, kind: str, key: int, value: object) -> None:
        """Remembers `value` (anything JSON can hold), replacing what was there."""
        if self._db is not None:
            text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
            self._db.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?)", (kind, key, text))

    def remove(self, kind: str, key: int) -> None:
        """Forgets one value."""
        if self._db is not None:
            self._db.execute("DELETE FROM item WHERE kind = ? AND key = ?", (kind, key))

    def items(self, kind: str) -> Iterator[tuple[int, Any]]:
        """All values of a kind, in the order of their keys."""
        if self._db is not None:
            rows = self._db.execute(
                "SELECT key, value FROM item WHERE kind = ? ORDER BY key", (kind,)
            )
            for key, text in rows.fetchall():
                yield key, json.loads(text)

    def clear(self) -> None:
        """Forgets everything."""
        if self._db is not None:
            self._db.execute("DELETE FROM item")

    def close(self) -> None:
        """Nothing is kept after this."""
        if self._db is not None:
            self._db.close()
            self._db = None
