"""The records open empty, again, and whole; the tables as the code sees them are the tables that are there."""

import argparse
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from central.cli import USAGE, add_arguments, run
from central.records.engine import RecordsError, open_records, writing
from central.records.schema import audit, metadata
from tests.central.databases import private_postgres, sqlite_url


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = open_records(url)
    yield engine
    engine.dispose()


def test_the_models_are_what_the_migrations_make(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        assert compare_metadata(context, metadata) == []
        found = inspect(connection)
        for table in metadata.sorted_tables:
            indexes = {index["name"] for index in found.get_indexes(table.name)}
            assert {str(index.name) for index in table.indexes} <= indexes, table.name


def test_opening_again_finds_what_was_written(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM export_cursors"))
        connection.execute(text("INSERT INTO export_cursors VALUES ('x', 7, 1)"))
    again = open_records(engine.url.render_as_string(hide_password=False))
    with again.connect() as connection:
        assert connection.execute(text("SELECT last_event_id FROM export_cursors WHERE name = 'x'")).scalar() == 7
    again.dispose()


def test_who_reads_and_then_writes_is_alone(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(audit.delete())

    def append() -> None:
        for _ in range(20):
            with writing(engine) as connection:
                last = connection.execute(select(func.coalesce(func.max(audit.c.seq), 0))).scalar_one()
                row = {"seq": last + 1, "at_ms": 0, "who": "w", "action": "a", "subject": "s"}
                connection.execute(insert(audit).values(row | {"detail": "{}", "previous_hash": "", "hash": ""}))

    threads = [threading.Thread(target=append) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.execute(select(func.max(audit.c.seq))).scalar_one() == 80


def test_a_transaction_that_fails_leaves_nothing(engine: Engine) -> None:
    def fails() -> None:
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO export_cursors VALUES ('gone', 1, 1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM export_cursors WHERE name = 'gone'")).scalar() == 0


def test_sqlite_keeps_what_is_committed_through_a_power_cut(tmp_path: Path) -> None:
    engine = open_records(sqlite_url(tmp_path))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_new_sqlite_file_is_its_owners_alone_and_so_are_the_files_beside_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        engine = open_records(sqlite_url(tmp_path))
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO export_cursors VALUES ('x', 7, 1)"))
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        assert modes == dict.fromkeys(("central.db", "central.db-wal", "central.db-shm"), 0o600)
        engine.dispose()
    finally:
        os.umask(before)


def test_central_tightens_its_data_folder_when_it_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = ["run", "--district", str(tmp_path / "none.yaml"), "--data", str(data)]
    assert run(parser.parse_args(arguments)) == USAGE  # there is no district to serve
    assert data.stat().st_mode & 0o777 == 0o700


def test_an_error_does_not_tell_what_was_to_be_written(engine: Engine) -> None:
    with pytest.raises(DBAPIError) as failed, writing(engine) as connection:
        connection.execute(text("INSERT INTO nowhere VALUES (:secret)"), {"secret": "hunter2"})
    assert "hunter2" not in str(failed.value)


def test_records_of_a_newer_version_are_left_alone_and_said_to_be(tmp_path: Path) -> None:
    open_records(sqlite_url(tmp_path)).dispose()
    with sqlite3.connect(tmp_path / "central.db") as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
    file.close()
    with pytest.raises(RecordsError, match="of a version this program does not know"):
        open_records(sqlite_url(tmp_path))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "cannot use this records URL"),
        ("mysql://x/y", "expected sqlite or postgresql"),
        ("sqlite:////no/such/directory/x.db", "cannot open the records"),
    ],
)
def test_a_url_that_cannot_be_opened_is_said_to_be(url: str, said: str) -> None:
    with pytest.raises(RecordsError, match=said):
        open_records(url)
