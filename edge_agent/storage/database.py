"""Opens the agent's SQLite files so that what was written survives a power cut. Shared by store and outbox.

A disk that refuses to be written keeps no agent from its doors: what it holds can be read all the same.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

log = logging.getLogger(__name__)


class DatabaseTooNew(Exception):  # noqa: N818 - says what it is
    """The file was written by a newer program. Nothing is touched."""


def open_durable(
    path: Path, migrations: Sequence[str], *, salvage: Sequence[str] = (), look_through: bool = True
) -> sqlite3.Connection:
    """A connection in WAL mode that is on the disk when a commit returns (``synchronous=FULL``).

    ``migrations`` are applied in order, each in a transaction with its number; ``user_version`` says how far a file
    has got. Files are readable by their owner alone. A damaged file (SD cards lie about what they wrote) is set
    aside under another name and a new one begun: the doors must work. What can still be read of the tables named in
    ``salvage`` is taken over. The whole file is checked (some seconds for a full outbox), so that a bad page is
    found now and not by the first read of it; without ``look_through`` the file's owner checks it later.
    Raises :class:`DatabaseTooNew`, OSError, or sqlite3.OperationalError where the disk refuses.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _open(path, migrations, look_through=look_through)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        log.error("%s is damaged: %s", path, error)  # noqa: TRY400
        aside = set_aside(path)
        try:
            connection = _open(path, migrations, look_through=look_through)
        except (OSError, sqlite3.Error):
            _rename(aside, path)  # no room for a new one: what is left of the old one may still be read
            raise
        _take_over(connection, aside, salvage)
        return connection


def open_read_only(path: Path) -> sqlite3.Connection:
    """What a file holds, with what stands in its write-ahead log, though nothing beside it may be written. Takes no
    lock: nothing may write to the file meanwhile. Raises OSError or sqlite3.Error if it cannot be read."""
    log_file = path.with_name(f"{path.name}-wal")
    logged = log_file.exists() and log_file.stat().st_size > 0
    # Without locks and alone, SQLite needs no -shm file, which could not be made here. Immutable, it reads no log.
    how = "mode=ro&vfs=unix-none" if logged else "immutable=1"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("PRAGMA query_only=1")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def open_in_memory(migrations: Sequence[str]) -> sqlite3.Connection:
    """In place of a file that cannot be written; gone when it is closed."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    _migrate(connection, Path(":memory:"), migrations)
    return connection


def read_into_memory(path: Path, migrations: Sequence[str], tables: Sequence[str]) -> sqlite3.Connection:
    """What can be read of some tables of a file that cannot be written, whatever is wrong with it. Every write to it
    raises sqlite3.OperationalError."""
    connection = open_in_memory(migrations)
    _take_over(connection, path, tables)
    connection.execute("PRAGMA query_only=1")
    return connection


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """What is done within is on the disk when it ends; or nothing of it, if anything raises."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # what was raised first says more
                db.execute("ROLLBACK")


def set_aside(path: Path) -> Path:
    """Give a damaged file another name, and return it. The file must not be open."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    log.error("%s is set aside as %s, a new one begins", path, aside.name)
    _rename(path, aside)
    return aside


def _rename(path: Path, to: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(to.with_name(to.name + suffix))


def _open(path: Path, migrations: Sequence[str], *, look_through: bool) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=True)  # SQLite gives -wal and -shm the same mode
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA busy_timeout=5000")
        _migrate(connection, path, migrations)
        if look_through:
            _look_through(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _look_through(connection: sqlite3.Connection) -> None:
    verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise DatabaseTooNew(f"{path} is of schema {version}, this program knows {len(migrations)}; update the agent")
    for number, migration in enumerate(migrations[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {migration}; PRAGMA user_version={number}; COMMIT;")


def _take_over(connection: sqlite3.Connection, damaged: Path, tables: Sequence[str]) -> None:
    """Copy the rows of a damaged file that can still be read, each by itself."""
    for table in tables:
        taken = 0
        try:
            with contextlib.closing(open_read_only(damaged)) as old:
                rows = old.execute(f"SELECT * FROM {table}")  # noqa: S608 - a name from our own code
                columns = ", ".join(str(column[0]) for column in rows.description)  # an older version's are fewer
                marks = ", ".join("?" * len(rows.description))
                for row in rows:
                    connection.execute(f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})", row)  # noqa: S608
                    taken += 1
        except (OSError, sqlite3.Error) as error:
            log.error("%s: %d rows of %s taken over, then %s", damaged, taken, table, error)  # noqa: TRY400
        else:
            log.warning("%s: %d rows of %s taken over", damaged, taken, table)
