"""The audit log is a chain: any change to an entry, or its removal, shows at that entry."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, update

from central.people.audit import GENESIS, AuditLog, append, entry_hash
from central.records.engine import open_records, writing
from central.records.schema import audit
from tests.central.databases import sqlite_url

ENTRIES = 6


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_records(sqlite_url(tmp_path))
    with writing(engine) as connection:
        for number in range(ENTRIES):
            append(connection, 1_000 + number, "ada", "looked", f"door-{number}", detail={"number": number})
    yield engine
    engine.dispose()


def test_an_untouched_log_holds_and_names_its_head(engine: Engine) -> None:
    log = AuditLog(engine)
    verdict = log.verify()
    assert (verdict.ok, verdict.entries, verdict.first_bad) == (True, ENTRIES, None)
    assert verdict.head == log.latest(1)[0].hash


def test_an_empty_log_holds(tmp_path: Path) -> None:
    engine = open_records(sqlite_url(tmp_path))
    assert AuditLog(engine).verify().head == GENESIS
    engine.dispose()


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
@pytest.mark.parametrize("column", ["at_ms", "who", "action", "subject", "detail", "previous_hash", "hash"])
def test_a_change_of_any_column_of_any_entry_shows_at_that_entry(engine: Engine, seq: int, column: str) -> None:
    with engine.begin() as connection:
        connection.execute(update(audit).where(audit.c.seq == seq).values({column: 7 if column == "at_ms" else "7"}))
    verdict = AuditLog(engine).verify()
    assert (verdict.ok, verdict.first_bad) == (False, seq)


@pytest.mark.parametrize("seq", range(1, ENTRIES))
def test_a_removed_entry_shows_at_the_one_after_it(engine: Engine, seq: int) -> None:
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.seq == seq))
    assert AuditLog(engine).verify().first_bad == seq + 1


def test_cut_off_entries_show_only_by_a_head_noted_elsewhere(engine: Engine) -> None:
    noted = AuditLog(engine).verify().head
    with engine.begin() as connection:
        connection.execute(delete(audit).where(audit.c.seq == ENTRIES))
    verdict = AuditLog(engine).verify()
    assert verdict.ok
    assert verdict.head != noted


def test_pages_of_the_log_follow_each_other_without_a_gap(engine: Engine) -> None:
    log = AuditLog(engine)
    first = log.latest(4)
    assert [entry.seq for entry in (*first, *log.latest(4, first[-1].seq))] == list(range(ENTRIES, 0, -1))


@given(st.dictionaries(st.sampled_from(["who", "action", "subject"]), st.text(max_size=5), min_size=3))
def test_the_hash_tells_columns_apart(texts: dict[str, str]) -> None:
    entry = {"seq": 1, "at_ms": 0, "detail": "{}", "previous_hash": GENESIS, **texts}
    moved = entry | {"who": texts["who"] + texts["action"], "action": ""}
    assert (entry_hash(entry) == entry_hash(moved)) is (texts["action"] == "")
