"""Opens central's records: connects, migrates the tables to this version, and defines a writing transaction.

Not a data access layer: callers use SQLAlchemy Core on the engine.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from central.records.turns import Turns

MIGRATIONS = Path(__file__).parent / "migrations"

BUSY_TIMEOUT_MS = 10_000
"""How long a SQLite writer waits for another process before it gives up."""

_WRITERS_LOCK = 0x646F6F72
"""The PostgreSQL advisory lock by which writers take turns, as on SQLite."""


class RecordsError(Exception):
    """The records cannot be opened; the message says why and what to do."""


def open_records(url: str) -> Engine:
    """Open the records at ``url`` and migrate their tables to this version.

    ``url`` is SQLAlchemy's: ``sqlite:////data/central.db`` or ``postgresql+psycopg://host/name``. SQLite runs
    in WAL with synchronous=FULL: a commit survives a power cut; a new file is made 0600. Raises
    :class:`RecordsError`.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise RecordsError(f"records at {parsed.get_backend_name()!r}: expected sqlite or postgresql")
        engine = create_engine(
            parsed,
            pool_size=8,
            max_overflow=8,
            hide_parameters=True,  # values stay out of logs and errors
            pool_pre_ping=parsed.get_backend_name() != "sqlite",
            execution_options={"doorward_turns": Turns()},
        )
    except (ArgumentError, ModuleNotFoundError) as error:
        raise RecordsError(f"cannot use this records URL: {error}") from None
    if engine.dialect.name == "sqlite":
        _make_file(parsed)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        with writing(engine) as connection:
            _upgrade(connection)
    except DBAPIError as error:
        engine.dispose()
        raise RecordsError(
            f"cannot open the records at {parsed.render_as_string(hide_password=True)}: {error.orig}"
        ) from None
    except CommandError as error:
        engine.dispose()
        raise RecordsError(
            f"the records at {parsed.render_as_string(hide_password=True)} are of a version this program does not "
            f"know ({error}); run the version that wrote them, or a newer one"
        ) from None
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that may read and then write by it: no other writer comes in between.

    On SQLite it holds the write lock from its beginning (so it never fails half way with "database is locked"); on
    PostgreSQL it holds an advisory lock. Within a program, writers take turns in order. Keep it short. Commits at the
    end, rolls back on an exception.
    """
    turns: Turns = engine.get_execution_options()["doorward_turns"]
    with turns.taken(), engine.execution_options(doorward_writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITERS_LOCK})
        yield connection


def _make_file(url: URL) -> None:
    """Make a new SQLite file 0600, before SQLite makes it by the umask; its -wal and -shm get the same mode."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        return
    try:
        os.close(os.open(url.database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise RecordsError(f"cannot open the records at {url.database}: {error.strerror}") from None


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin in _begin_sqlite, not in the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16384",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("doorward_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
