"""The store: what an agent must still know after a power cut."""

import sqlite3
from functools import partial
from pathlib import Path

import pytest

from edge_agent.storage.database import DatabaseTooNew, _take_over, open_in_memory
from edge_agent.storage.disk_watch import Disk, DiskChanged
from edge_agent.storage.state_db import _MIGRATIONS, _TABLES, Store, StoredSet, StoredTrial
from protocol.words import Alarm


def test_declarations_and_configuration_are_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.save_declarations(StoredSet("a", 1, b"one"))
    store.save_declarations(StoredSet("a", 3, b"three"))
    store.save_declarations(StoredSet("b", 7, b"seven"))
    store.confirm_trial(4, b"config")
    store.close()
    again = Store(tmp_path / "state.db")
    assert again.declarations() == [StoredSet("a", 3, b"three"), StoredSet("b", 7, b"seven")]
    assert again.config() == b"config"
    again.close()


@pytest.mark.parametrize("revision", [3, 2])
def test_a_set_is_kept_whatever_revision_was_stored_before_it(tmp_path: Path, revision: int) -> None:
    store = Store(tmp_path / "state.db")
    store.save_declarations(StoredSet("a", 3, b"not to be verified any more"))
    store.save_declarations(StoredSet("a", revision, b"other"))
    assert store.declarations() == [StoredSet("a", revision, b"other")]
    store.close()


def test_a_command_can_be_used_once_even_over_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    assert store.use_command("c1", 1_000, 500)
    assert not store.use_command("c1", 1_000, 501)
    store.close()
    again = Store(tmp_path / "state.db")
    assert not again.use_command("c1", 1_000, 502)
    assert again.use_command("c2", 1_000, 503)
    again.close()


def test_used_commands_are_forgotten_a_day_after_they_expired(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.use_command("c1", 1_000, 500)
    store.use_command("c2", 10**9, 1_000 + 24 * 3_600_000 + 1)
    assert store._db.execute("SELECT id FROM used_commands").fetchall() == [("c2",)]
    store.close()


def test_a_commit_waits_for_the_disk_and_nobody_else_may_read_the_files(tmp_path: Path) -> None:
    store = Store(tmp_path / "data" / "state.db")
    store.confirm_trial(1, b"config")
    full = 2
    assert store._db.execute("PRAGMA synchronous").fetchone() == (full,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    files = list((tmp_path / "data").iterdir())
    assert {path.name for path in files} == {"state.db", "state.db-wal", "state.db-shm"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*files, tmp_path / "data"])
    store.close()


def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"what an SD card gave back" * 400)
    store = Store(path)
    assert store.declarations() == []
    store.save_declarations(StoredSet("a", 1, b"one"))
    store.close()
    (aside,) = tmp_path.glob("state.db.damaged-*")
    assert aside.read_bytes().startswith(b"what an SD card")


def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    Store(tmp_path / "state.db").close()
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("PRAGMA user_version=99")
    database.close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(DatabaseTooNew, match="update the agent"):
        Store(tmp_path / "state.db")
    assert (tmp_path / "state.db").read_bytes() == before


def test_a_file_with_one_damaged_page_is_set_aside_and_what_can_be_read_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    for number in range(40):
        store.save_declarations(StoredSet(f"topic-{number:02}", number + 1, bytes([number]) * 3_000))
    store.confirm_trial(4, b"config")
    store.close()
    content = bytearray(path.read_bytes())
    last = len(content) // 4096 - 1
    content[last * 4096 : (last + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(content)
    again = Store(path)
    assert list(tmp_path.glob("state.db.damaged-*"))
    assert again.config() == b"config"
    assert len(again.declarations()) >= 10
    assert all(kept.signed == bytes([kept.revision - 1]) * 3_000 for kept in again.declarations())
    again.save_declarations(StoredSet("new", 1, b"new"))
    again.close()


@pytest.mark.parametrize("damaged", ["used_commands_by_expiry", "declarations", "config", "rolled_back"])
def test_damage_elsewhere_costs_no_trial_and_lets_no_command_through_twice(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "state.db"
    store = Store(path)
    store.confirm_trial(1, b"good")
    store.save_declarations(StoredSet("a", 1, b"one"))
    store.save_trial(2, b"on trial", "boot")
    store.trial_runs(1, "boot")
    assert store.use_command("c1", 10**9, 500)
    store.close()
    database = sqlite3.connect(path)
    (root,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (damaged,)).fetchone()
    database.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    again = Store(path)
    assert list(tmp_path.glob("state.db.damaged-*"))
    assert again.trial() == StoredTrial(2, b"on trial", 1, "boot")
    assert not again.use_command("c1", 10**9, 501)
    again.close()


def test_what_an_older_program_has_written_is_taken_over_from_its_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    old = sqlite3.connect(path)
    for number, migration in enumerate(_MIGRATIONS[:2], 1):
        old.executescript(f"BEGIN; {migration}; PRAGMA user_version={number}; COMMIT;")
    old.execute("INSERT INTO declarations VALUES ('a', 3, x'03')")
    old.execute("INSERT INTO trial VALUES (1, 2, x'02', 1)")
    old.commit()
    new = open_in_memory(_MIGRATIONS)
    old.close()
    _take_over(new, path, _TABLES)
    assert new.execute("SELECT topic, revision, signed, key FROM declarations").fetchall() == [("a", 3, b"\3", None)]
    assert new.execute("SELECT version, unclean_ends, boot FROM trial").fetchall() == [(2, 1, None)]
    new.close()


def test_what_the_disk_refuses_is_kept_later_the_latest_word_alone_and_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk, said, kept = Disk(), list[DiskChanged](), list[str]()
    disk.listen(said.append)
    store = Store(tmp_path / "state.db", disk)
    store._db.execute("PRAGMA query_only = 1")
    for version in (1, 2):
        write = partial(store.save_trial, version, b"signed", "boot")
        store.keep("the configuration", write, then=partial(kept.append, str(version)))
    store.keep("the set of a", lambda: store.save_declarations(StoredSet("a", 1, b"one")))
    store.try_again()
    disk.check()
    assert (set(store.unkept), kept, disk.alarms) == (
        {"the configuration", "the set of a"},
        [],
        (Alarm.STORAGE_FAILED,),
    )
    store._db.execute("PRAGMA query_only = 0")
    store.try_again()
    disk.check()
    assert (set(store.unkept), kept, disk.alarms) == (set(), ["2"], ())
    assert said == [DiskChanged(("state.db",)), DiskChanged(())]
    assert caplog.text.count("cannot be kept") == 1
    assert caplog.text.count("can be written again") == 1
    assert store.trial() == StoredTrial(2, b"signed", 0, "boot")
    assert [one.topic for one in store.declarations()] == ["a"]
    store.close()
