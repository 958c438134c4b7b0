"""What the agent remembers of people between two starts: who is in which area, who came first, which duress is open.

Kept in memory, where decisions read it, and written behind them by a thread of its own to ``presence.db``: a badge
does not wait for the disk. A power cut loses the last writes at most. That is harmless: a position not known is
lenient, a first person not known keeps a door locked, and a duress is also in the outbox, which central has.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edge_agent.database import DatabaseTooNew, open_durable
from edge_agent.passback import Position

log = logging.getLogger(__name__)

_MIGRATIONS = (
    """
    CREATE TABLE positions (cardholder TEXT PRIMARY KEY, area TEXT) WITHOUT ROWID;
    CREATE TABLE first_persons (door TEXT PRIMARY KEY, utc_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE duress (door TEXT NOT NULL, reader TEXT NOT NULL, PRIMARY KEY (door, reader)) WITHOUT ROWID;
    """,
)


class Presence:
    """One agent's. A file that cannot be opened or written is logged, and what is known stays in memory."""

    def __init__(self, path: Path) -> None:
        self._positions: dict[str, Position] = {}
        self._first_persons: dict[str, int] = {}
        self._duress: set[tuple[str, str]] = set()
        self._pending: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._refused = False
        self._thread = ThreadPoolExecutor(1, "presence")
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = open_durable(path, _MIGRATIONS, salvage=("duress",))
            self._load(self._connection)
        except (OSError, sqlite3.Error, DatabaseTooNew) as error:
            log.error("who is where is not remembered beyond this start: %s", error)  # noqa: TRY400

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._thread.shutdown(wait=True)
        if self._connection is not None:
            self._write()
            self._connection.close()
            self._connection = None

    # --- where people are ---------------------------------------------------------------------------------------

    def position(self, cardholder: str) -> Position | None:
        """Where somebody is known to be. None: it is not known."""
        return self._positions.get(cardholder)

    def move(self, cardholder: str, position: Position) -> None:
        """Somebody has passed a door."""
        self._positions[cardholder] = position
        self._later("INSERT OR REPLACE INTO positions VALUES (?, ?)", cardholder, position.area)

    @property
    def knows_positions(self) -> bool:
        """Whether anybody's position is known."""
        return bool(self._positions)

    def forgive(self, cardholder: str | None) -> int:
        """Forget where somebody is, or everybody (None). How many were known."""
        if cardholder is None:
            known = len(self._positions)
            self._positions.clear()
            self._later("DELETE FROM positions")
            return known
        self._later("DELETE FROM positions WHERE cardholder = ?", cardholder)
        return 0 if self._positions.pop(cardholder, None) is None else 1

    # --- who came first -----------------------------------------------------------------------------------------

    def first_person(self, door: str) -> int | None:
        """When (UTC ns) one who must come first was last let in at a door."""
        return self._first_persons.get(door)

    def first_person_came(self, door: str, utc_ns: int) -> None:
        """One who must come first was let in."""
        self._first_persons[door] = utc_ns
        self._later("INSERT OR REPLACE INTO first_persons VALUES (?, ?)", door, utc_ns)

    # --- duress -------------------------------------------------------------------------------------------------

    def duress(self) -> frozenset[tuple[str, str]]:
        """(door, reader) of every duress that nobody has cleared."""
        return frozenset(self._duress)

    def duress_began(self, door: str, reader: str) -> None:
        """A duress PIN was used."""
        self._duress.add((door, reader))
        self._later("INSERT OR IGNORE INTO duress VALUES (?, ?)", door, reader)

    def duress_cleared(self, door: str, reader: str) -> None:
        """Somebody has looked after the duress of one reader."""
        self._duress.discard((door, reader))
        self._later("DELETE FROM duress WHERE door = ? AND reader = ?", door, reader)

    # --- the file -----------------------------------------------------------------------------------------------

    def _load(self, connection: sqlite3.Connection) -> None:
        self._positions = {
            who: Position(area) for who, area in connection.execute("SELECT cardholder, area FROM positions")
        }
        self._first_persons = dict(connection.execute("SELECT door, utc_ns FROM first_persons"))
        self._duress = set(connection.execute("SELECT door, reader FROM duress"))

    def _later(self, statement: str, *values: Any) -> None:
        if self._connection is None:
            return
        self._pending.append((statement, values))
        if len(self._pending) == 1:
            self._thread.submit(self._write)

    def _write(self) -> None:
        """On the thread: all that waits, in one transaction. What the disk refuses is dropped."""
        connection = self._connection
        if connection is None:
            return
        batch = []
        while self._pending:
            batch.append(self._pending.popleft())
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in batch:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if not self._refused:
                log.error("who is where cannot be written (%s): it stays in memory", error)  # noqa: TRY400
            self._refused = True
        else:
            self._refused = False
