"""What an agent must still know after a power cut: declarations, its configuration, and which commands it has used.

Documents are kept as the signed bytes they arrived in, so that the signature is checked again when they are read:
a file that was tampered with says nothing. The store writes before the agent acts; it does not decide what is newer.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edge_agent.database import open_durable

_MIGRATIONS = (
    """
    CREATE TABLE declarations (topic TEXT PRIMARY KEY, revision INTEGER NOT NULL, signed BLOB NOT NULL);
    CREATE TABLE config (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, signed BLOB NOT NULL);
    CREATE TABLE used_commands (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL);
    CREATE INDEX used_commands_by_expiry ON used_commands (expires_ms)
    """,
)

_KEEP_EXPIRED_MS = 24 * 3_600_000
"""Expired commands are refused as such; they are kept a day longer in case the clock is set back."""


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A declaration set as it was signed."""

    topic: str
    revision: int
    signed: bytes


class Store:
    """``state.db``. Every write is on the disk when its method returns; raises sqlite3.Error if it is not."""

    def __init__(self, path: Path) -> None:
        self._db: sqlite3.Connection = open_durable(path, _MIGRATIONS, salvage=("declarations", "config"))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def declarations(self) -> list[StoredSet]:
        """Every declaration set the agent holds, by topic. Not verified yet."""
        rows = self._db.execute("SELECT topic, revision, signed FROM declarations ORDER BY topic")
        return [StoredSet(*row) for row in rows]

    def save_declarations(self, stored: StoredSet) -> None:
        """Replace the set of one topic, whatever revision is stored: what is newer was decided by
        :func:`edge_agent.declaration_book.accept`, and a stored set may be one that could not be verified."""
        self._db.execute(
            "INSERT OR REPLACE INTO declarations VALUES (?, ?, ?)", (stored.topic, stored.revision, stored.signed)
        )

    def config(self) -> bytes | None:
        """The last good configuration bundle, signed; None before the first."""
        row = self._db.execute("SELECT signed FROM config").fetchone()
        return None if row is None else bytes(row[0])

    def save_config(self, version: int, signed: bytes) -> None:
        """Replace the configuration bundle."""
        self._db.execute("INSERT OR REPLACE INTO config VALUES (1, ?, ?)", (version, signed))

    def use_command(self, command: str, expires_ms: int, now_ms: int) -> bool:
        """Note that a command is being carried out; False if it was used before. Forgets those long expired (UTC ms).

        Call it before the act: a power cut between the two must not let the command through a second time.
        """
        self._db.execute("DELETE FROM used_commands WHERE expires_ms < ?", (now_ms - _KEEP_EXPIRED_MS,))
        added = self._db.execute("INSERT OR IGNORE INTO used_commands VALUES (?, ?)", (command, expires_ms))
        return added.rowcount == 1
