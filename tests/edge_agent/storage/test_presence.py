"""What the agent remembers of people, over restarts, damage and disks that refuse."""

import contextlib
import sqlite3
from pathlib import Path

from edge_agent.policy.passback import Position
from edge_agent.storage.presence import Presence
from protocol.words import Alarm, Identification
from tests.support.badge_desk import Desk, person

DURESS = {(f"front-{side}", "front", Alarm.DURESS) for side in ("in", "out")}


def hostage(folder: Path) -> Desk:
    """A duress PIN at either reader of the front door."""
    desk = Desk(folder, person(1, pin="1111", duress="2222"), identification=Identification.CARD_AND_PIN)
    for reader in ("front-in", "front-out"):
        desk.swipe(1, reader)
        desk.keys("2222#", reader)
        desk.walk_through()
    assert desk.alarms == DURESS
    return desk


def ruin(path: Path, table: str) -> None:
    """Write over the first page of a table, as a worn card does."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        (page,) = file.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = file.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as raw:
        raw.seek((page - 1) * size)
        raw.write(b"\xff" * size)


# --- duress -------------------------------------------------------------------------------------------------


def test_a_duress_is_cleared_reader_by_reader_so_that_a_power_cut_amid_it_leaves_the_others(tmp_path: Path) -> None:
    presence = Presence(tmp_path / "presence.db")
    for reader in ("front-in", "front-out"):
        presence.duress_began("front", reader)
    presence.duress_cleared("front", "front-in")
    presence.close()
    presence = Presence(tmp_path / "presence.db")
    assert presence.duress() == {("front", "front-out")}
    presence.close()


def test_a_duress_whose_reader_is_no_longer_on_the_wall_is_one_still_and_can_be_cleared(tmp_path: Path) -> None:
    desk = hostage(tmp_path)
    desk.presence.duress_began("front", "front-old")
    desk.restart()
    assert desk.alarms == DURESS | {("front-old", "front", Alarm.DURESS)}
    assert desk.desk.duress.clear("front")
    assert desk.alarms == set()
    desk.restart()
    assert desk.alarms == set()


def test_a_duress_at_a_door_that_the_file_leaves_out_for_once_is_there_again_with_it(tmp_path: Path) -> None:
    desk = hostage(tmp_path)
    front = desk.states.pop("front")
    desk.restart()
    assert desk.alarms == set()
    desk.states["front"] = front
    desk.restart()
    assert desk.alarms == DURESS


def test_an_open_duress_outlives_a_damaged_file(tmp_path: Path) -> None:
    desk = hostage(tmp_path)
    for number in range(2_000):
        desk.presence.move(f"somebody-{number}", Position("gym"))
    desk.presence.close()
    ruin(tmp_path / "presence.db", "positions")
    desk.restart()
    assert desk.alarms == DURESS
    assert not desk.presence.knows_positions
    desk.restart()
    assert desk.alarms == DURESS


# --- rows that nobody could have written --------------------------------------------------------------------


def test_a_row_of_a_wrong_type_is_left_out_and_the_others_are_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    presence = Presence(path)
    presence.move("ch-1", Position("gym"))
    presence.move("ch-2", Position("gym"))
    presence.first_person_came("front", 7)
    presence.duress_began("front", "front-in")
    presence.close()
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE positions SET area = x'00' WHERE cardholder = 'ch-2'")
        file.execute("INSERT INTO positions VALUES (x'ff', 'gym')")
        file.execute("INSERT INTO first_persons VALUES ('back', 'x'), (x'00', 5), ('side', 1.5)")
        file.execute("INSERT INTO duress VALUES ('front', x'00'), (x'00', 'front-in')")
        file.commit()
    presence = Presence(path)
    assert presence.position("ch-1") == Position("gym")
    assert presence.position("ch-2") is None
    assert [presence.first_person(door) for door in ("front", "back", "side")] == [7, None, None]
    assert presence.duress() == {("front", "front-in")}
    assert not presence.behind
    presence.close()
