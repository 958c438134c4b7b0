"""What an agent must still know after a power cut: declarations, its configuration, and which commands it has used.

Documents are kept as the signed bytes they arrived in, so that the signature is checked again when they are read:
a file that was tampered with says nothing. The store writes before the agent acts; it does not decide what is newer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from edge_agent.storage.database import DatabaseTooNew, open_durable, read_into_memory, transaction
from edge_agent.storage.disk_watch import Disk

_MIGRATIONS = (
    """
    CREATE TABLE declarations (topic TEXT PRIMARY KEY, revision INTEGER NOT NULL, signed BLOB NOT NULL);
    CREATE TABLE config (only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, signed BLOB NOT NULL);
    CREATE TABLE used_commands (id TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL);
    CREATE INDEX used_commands_by_expiry ON used_commands (expires_ms)
    """,
    """
    CREATE TABLE trial (
        only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, signed BLOB NOT NULL,
        unclean_ends INTEGER NOT NULL
    );
    CREATE TABLE rolled_back (
        only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, signed BLOB NOT NULL
    )
    """,
    "ALTER TABLE declarations ADD COLUMN key TEXT",
    "ALTER TABLE trial ADD COLUMN boot TEXT",
)

_TABLES = ("declarations", "config", "trial", "rolled_back", "used_commands")

_KEEP_EXPIRED_MS = 24 * 3_600_000
"""Expired commands are refused as such; they are kept a day longer in case the clock is set back."""


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A declaration set as it was signed. ``key``: the public key (a TrustedKey in JSON) that verified it when it was
    accepted; None for one kept by an older version."""

    topic: str
    revision: int
    signed: bytes
    key: str | None = None


@dataclass(frozen=True, slots=True)
class StoredTrial:
    """A configuration that has not proven itself yet, as it was signed. ``unclean_ends``: how often the program was
    found to have died during it; ``boot``: the machine's boot in which it runs with it now, or ran with it
    and has not ended well."""

    version: int
    signed: bytes
    unclean_ends: int
    boot: str | None


class Store:
    """``state.db``. Every write is on the disk when its method returns; raises sqlite3.Error if it is not.

    A disk that refuses is no reason not to hold the doors: then what can be read is known, and every write raises,
    until :meth:`try_again` has found the disk writable. DatabaseTooNew if a newer program has written the file.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._db: sqlite3.Connection
        self._unkept: dict[str, tuple[Callable[[], object], Callable[[], None] | None]] = {}
        self.writable = True
        """Whether the file is open for writing. A single write may be refused all the same."""
        try:
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            self._disk.refuses(path.name, f"cannot be written ({error}): what it holds is read, nothing is kept")
            self._db = read_into_memory(path, _MIGRATIONS, _TABLES)
            self.writable = False

    def try_again(self) -> bool:
        """Open the file for writing, if it is not; whether it is now."""
        if not self.writable:
            try:
                db = self._open()
            except (OSError, sqlite3.Error, DatabaseTooNew):
                return False
            self._db.close()
            self._db, self.writable = db, True
        for what, (write, then) in tuple(self._unkept.items()):
            self.keep(what, write, then=then)
        if self.writable and not self._unkept:
            self._disk.takes(self._path.name)
        return self.writable

    def keep(self, what: str, write: Callable[[], object], *, then: Callable[[], None] | None = None) -> None:
        """Write, and call ``then`` once it is on the disk: now, or when :meth:`try_again` finds that the disk takes
        it. Never raises: what locks a door must not fail on a full disk, nor on anything else about keeping it. Of
        two writes of the same ``what``, only the later is tried again.
        """
        try:
            write()
        except Exception as error:  # noqa: BLE001 - see above
            self._unkept[what] = (write, then)
            self._disk.refuses(self._path.name, f"{what} cannot be kept ({error!r}): used all the same, kept later")
            return
        self._unkept.pop(what, None)
        if self.writable and not self._unkept:
            self._disk.takes(self._path.name)
        if then is not None:
            then()

    @property
    def unkept(self) -> Collection[str]:
        """What :meth:`keep` was called for, and the disk has refused so far."""
        return self._unkept.keys()

    def _open(self) -> sqlite3.Connection:
        return open_durable(self._path, _MIGRATIONS, salvage=_TABLES)

    def close(self) -> None:
        self._db.close()

    def declarations(self) -> list[StoredSet]:
        """Every declaration set the agent holds, by topic. Not verified yet."""
        rows = self._db.execute("SELECT topic, revision, signed, key FROM declarations ORDER BY topic")
        return [StoredSet(*row) for row in rows]

    def save_declarations(self, stored: StoredSet) -> None:
        """Replace the set of one topic, whatever revision is stored: what is newer was decided by
        :func:`edge_agent.declarations.book.accept`, and a stored set may be one that could not be verified."""
        self._db.execute(
            "INSERT OR REPLACE INTO declarations (topic, revision, signed, key) VALUES (?, ?, ?, ?)",
            (stored.topic, stored.revision, stored.signed, stored.key),
        )

    def config(self) -> bytes | None:
        """The last good configuration bundle, signed; None before the first."""
        row = self._db.execute("SELECT signed FROM config").fetchone()
        return None if row is None else bytes(row[0])

    def bundles(self) -> list[bytes]:
        """Every bundle that is kept, as it was signed: on trial, rolled back last, last good. Not verified."""
        rows = self._db.execute(
            "SELECT signed FROM trial UNION ALL SELECT signed FROM rolled_back UNION ALL SELECT signed FROM config"
        )
        return [signed for (signed,) in rows if isinstance(signed, bytes)]

    def trial(self) -> StoredTrial | None:
        row = self._db.execute("SELECT version, signed, unclean_ends, boot FROM trial").fetchone()
        return None if row is None else StoredTrial(*row)

    def save_trial(self, version: int, signed: bytes, boot: str) -> None:
        """Take a configuration on trial, in place of any other; the last good one stays."""
        self._db.execute(
            "INSERT OR REPLACE INTO trial (only, version, signed, unclean_ends, boot) VALUES (1, ?, ?, 0, ?)",
            (version, signed, boot),
        )

    def trial_runs(self, unclean_ends: int, boot: str) -> None:
        """The program runs with the configuration on trial once more."""
        self._db.execute("UPDATE trial SET unclean_ends = ?, boot = ?", (unclean_ends, boot))

    def trial_ended_well(self) -> None:
        """The program ends during a trial because somebody stopped it."""
        self._db.execute("UPDATE trial SET boot = NULL")

    def confirm_trial(self, version: int, signed: bytes) -> None:
        """This configuration is the last good one from now on, and none is on trial."""
        self._instead_of_trial("config", version, signed)

    def roll_back_trial(self, version: int, signed: bytes) -> None:
        """This configuration is not to be used again, and none is on trial."""
        self._instead_of_trial("rolled_back", version, signed)

    def rolled_back(self) -> tuple[int, bytes] | None:
        """Version and signed bytes of the configuration rolled back last; None once another was confirmed."""
        row = self._db.execute("SELECT version, signed FROM rolled_back").fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))

    def _instead_of_trial(self, table: str, version: int, signed: bytes) -> None:
        with transaction(self._db):
            self._db.execute("DELETE FROM rolled_back")
            self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (1, ?, ?)", (version, signed))  # noqa: S608
            self._db.execute("DELETE FROM trial")

    def use_command(self, command: str, expires_ms: int, now_ms: int) -> bool:
        """Note that a command is being carried out; False if it was used before. Forgets those long expired (UTC ms).

        Call it before the act: a power cut between the two must not let the command through a second time.
        """
        self._db.execute("DELETE FROM used_commands WHERE expires_ms < ?", (now_ms - _KEEP_EXPIRED_MS,))
        added = self._db.execute("INSERT OR IGNORE INTO used_commands VALUES (?, ?)", (command, expires_ms))
        return added.rowcount == 1
