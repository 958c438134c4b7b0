"""What the agent remembers of people between two starts: who is in which area, who came first, which duress is open.

Kept in memory, where decisions read it, and written behind them by a thread of its own to ``presence.db``: a badge
does not wait for the disk. A power cut loses the last writes. A first person not known keeps a door locked, and a
duress is also in the outbox, which central has; but an outdated position keeps somebody out. So positions are loaded
only if the agent ended in order and the disk has everything; otherwise no position is known, which is lenient.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from edge_agent.policy.passback import Position
from edge_agent.storage.database import DatabaseTooNew, open_durable, read_into_memory, transaction
from edge_agent.storage.disk_watch import Disk

log = logging.getLogger(__name__)

_MIGRATIONS = (
    """
    CREATE TABLE positions (cardholder TEXT PRIMARY KEY, area TEXT) WITHOUT ROWID;
    CREATE TABLE first_persons (door TEXT PRIMARY KEY, utc_ns INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE duress (door TEXT NOT NULL, reader TEXT NOT NULL, PRIMARY KEY (door, reader)) WITHOUT ROWID;
    """,
    "CREATE TABLE ended (areas TEXT NOT NULL);",  # one row: in order, and what the positions' areas were then
)
_TABLES = ("positions", "first_persons", "duress")
_SALVAGE = ("duress",)

RETRY_MS = 10_000
"""How often what the disk refused is tried again."""

Statement = tuple[str, tuple[Any, ...]]


class Presence:
    """One agent's. What the file cannot take is logged, stays in memory, and is written when the disk is back."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._positions: dict[str, Position] = {}
        self._areas = ""
        self._first_persons: dict[str, int] = {}
        self._duress: set[tuple[str, str]] = set()
        self._cleared: set[tuple[str, str]] = set()  # and perhaps still in a file that could not be opened
        self._pending: deque[Statement] = deque()
        self._behind = False  # the file lacks something: all of it is written, at the next try
        self._again_ms = 0
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "presence")
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = self._open(take_positions=True)
        except (OSError, sqlite3.Error, DatabaseTooNew) as error:
            self._refused(error)
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(read_into_memory(path, _MIGRATIONS, ("first_persons", "duress"))) as found,
            ):
                self._load(found)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._thread.shutdown(wait=True)
        self._write(last=True)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def behind(self) -> bool:
        """Whether the file lacks something that the disk refused."""
        return self._behind

    def follow(self, now_ms: int) -> None:
        """Try again, when it is time, what the disk refused. ``now_ms`` is monotonic."""
        if self._behind and not self._closed and now_ms >= self._again_ms:
            self._again_ms = now_ms + RETRY_MS
            self._thread.submit(self._write)

    # --- where people are ---------------------------------------------------------------------------------------

    def position(self, cardholder: str) -> Position | None:
        """Where somebody is known to be. None: it is not known."""
        return self._positions.get(cardholder)

    def move(self, cardholder: str, position: Position) -> None:
        self._positions[cardholder] = position
        self._later("INSERT OR REPLACE INTO positions VALUES (?, ?)", cardholder, position.area)

    def set_areas(self, areas: str) -> int:
        """What areas there are and what leads to them, as any text. Positions learned under another are forgotten.
        How many.
        """
        if areas == self._areas:
            return 0
        self._areas = areas
        return self.forgive(None)

    @property
    def knows_positions(self) -> bool:
        return bool(self._positions)

    def forgive(self, cardholder: str | None) -> int:
        """Forget where somebody is, or everybody (None). How many were known."""
        if cardholder is None:
            known = len(self._positions)
            self._positions.clear()
            self._later("DELETE FROM positions")
            return known
        known = self._positions.pop(cardholder, None) is not None
        self._later("DELETE FROM positions WHERE cardholder = ?", cardholder)
        return int(known)

    # --- who came first -----------------------------------------------------------------------------------------

    def first_person(self, door: str) -> int | None:
        """When (UTC ns) one who must come first was last let in at a door."""
        return self._first_persons.get(door)

    def first_person_came(self, door: str, utc_ns: int) -> None:
        self._first_persons[door] = utc_ns
        self._later("INSERT OR REPLACE INTO first_persons VALUES (?, ?)", door, utc_ns)

    # --- duress -------------------------------------------------------------------------------------------------

    def duress(self) -> frozenset[tuple[str, str]]:
        """(door, reader) of every duress not cleared."""
        return frozenset(self._duress)

    def duress_began(self, door: str, reader: str) -> None:
        self._duress.add((door, reader))
        self._cleared.discard((door, reader))
        self._later("INSERT OR IGNORE INTO duress VALUES (?, ?)", door, reader)

    def duress_cleared(self, door: str, reader: str) -> None:
        self._duress.discard((door, reader))
        self._cleared.add((door, reader))
        self._later("DELETE FROM duress WHERE door = ? AND reader = ?", door, reader)

    # --- the file -----------------------------------------------------------------------------------------------

    def _open(self, *, take_positions: bool) -> sqlite3.Connection:
        """Open the file and load what it holds. From now on it does not count as ended in order."""
        connection = open_durable(self._path, _MIGRATIONS, salvage=_SALVAGE)
        try:
            ended = connection.execute("SELECT areas FROM ended").fetchone()
            whole = take_positions and ended is not None
            positions = _positions(connection) if whole else {}
            with transaction(connection):
                connection.execute("DELETE FROM ended")
                if not whole:
                    connection.execute("DELETE FROM positions")
            self._load(connection)
        except BaseException:
            connection.close()
            raise
        if whole:
            self._positions, self._areas = positions, str(ended[0])
        return connection

    def _load(self, connection: sqlite3.Connection) -> None:
        """Add what a file knows of first persons and duresses. A row of a wrong type is left out."""
        for door, utc_ns in connection.execute("SELECT door, utc_ns FROM first_persons"):
            if isinstance(door, str) and isinstance(utc_ns, int):
                self._first_persons[door] = max(utc_ns, self._first_persons.get(door, utc_ns))
            else:
                log.error("a first person of %r is no row of that table: left out", door)
        for door, reader in connection.execute("SELECT door, reader FROM duress"):
            if not (isinstance(door, str) and isinstance(reader, str)):
                log.error("a duress at %r is no row of that table: left out", door)
            elif (door, reader) not in self._cleared:
                self._duress.add((door, reader))

    def _later(self, statement: str, *values: Any) -> None:
        if self._behind or self._closed:
            return
        self._pending.append((statement, values))
        if len(self._pending) == 1:
            self._thread.submit(self._write)

    def _everything(self) -> Iterator[Statement]:
        for table in _TABLES:
            yield f"DELETE FROM {table}", ()  # noqa: S608 - a name from our own code
        for who, position in self._positions.copy().items():
            yield "INSERT INTO positions VALUES (?, ?)", (who, position.area)
        for door, utc_ns in self._first_persons.copy().items():
            yield "INSERT INTO first_persons VALUES (?, ?)", (door, utc_ns)
        for duress in self._duress.copy():
            yield "INSERT INTO duress VALUES (?, ?)", duress

    def _write(self, *, last: bool = False) -> None:
        """On the thread: all that waits, in one transaction; all there is, after the disk refused some of it."""
        was_behind, self._behind = self._behind, False  # from now on what is new waits in line
        batch = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            if self._connection is None:
                self._connection = self._open(take_positions=False)
            with transaction(self._connection):
                for statement, values in self._everything() if was_behind else batch:
                    self._connection.execute(statement, values)
                if last:
                    self._connection.execute("INSERT INTO ended VALUES (?)", (self._areas,))
        except (OSError, sqlite3.Error, DatabaseTooNew) as error:
            self._refused(error)
        else:
            self._disk.takes(self._path.name)

    def _refused(self, error: Exception) -> None:
        self._behind = True
        self._disk.refuses(self._path.name, f"who is where cannot be written ({error}): it stays in memory")


def _positions(connection: sqlite3.Connection) -> dict[str, Position]:
    """Where everybody was. A row of a wrong type is left out: that person's position is not known."""
    found = {}
    for who, area in connection.execute("SELECT cardholder, area FROM positions"):
        if isinstance(who, str) and (area is None or isinstance(area, str)):
            found[who] = Position(area)
        else:
            log.error("a position of %r is no row of that table: left out", who)
    return found
