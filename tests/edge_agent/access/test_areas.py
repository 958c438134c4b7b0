"""Anti-passback keeps nobody out for what the agent cannot know: a memory it lost, areas that are others now."""

import shutil
from pathlib import Path

from drivers.readers import Show
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.policy.passback import Position
from edge_agent.storage.presence import RETRY_MS, Presence
from protocol.messages import DoorSettings
from protocol.words import EventKind, Passback
from tests.edge_agent.storage.test_disk_watch import nothing_grows
from tests.support.badge_desk import Desk, person
from tests.support.waiting import until

GYM = {"area_to": "gym", "passback": Passback.HARD}


def entered(desk: Desk, number: int, reader: str = "front-in") -> bool:
    """Whether somebody got through; the door closes behind them."""
    if desk.swipe(number, reader) is not Show.GRANTED:
        return False
    desk.walk_through(reader.split("-", maxsplit=1)[0])
    return True


def as_after_a_power_cut(path: Path, folder: Path) -> Presence:
    """What is on the disk this moment, as another start of the agent finds it."""
    folder.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, folder)
    return Presence(folder / path.name)


# --- the file -----------------------------------------------------------------------------------------------


async def test_what_the_disk_refused_is_written_in_whole_when_it_takes_it_again(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    presence = Presence(path)
    presence.duress_began("front", "front-in")
    presence.move("ch-1", Position("gym"))
    with nothing_grows():
        presence.duress_cleared("front", "front-in")
        assert presence.forgive("ch-1") == 1
        presence.first_person_came("front", 7)
        await until(lambda: presence.behind, "the disk to refuse")
        presence.duress_began("front", "front-out")
    presence.follow(RETRY_MS)
    await until(lambda: not presence.behind, "the disk to take it")
    presence.first_person_came("back", 8)
    presence.close()
    presence = Presence(path)
    assert presence.position("ch-1") is None
    assert (presence.first_person("front"), presence.first_person("back")) == (7, 8)
    assert presence.duress() == {("front", "front-out")}
    presence.close()


async def test_after_a_power_cut_nobodys_position_is_believed_and_a_duress_is_still_one(tmp_path: Path) -> None:
    path = tmp_path / "presence.db"
    presence = Presence(path)
    presence.move("ch-1", Position("gym"))
    presence.duress_began("front", "front-in")
    presence.close()
    presence = Presence(path)
    assert presence.position("ch-1") == Position("gym"), "it had ended in order"
    cut = as_after_a_power_cut(path, tmp_path / "cut")
    assert cut.position("ch-1") is None
    assert cut.duress() == {("front", "front-in")}
    cut.move("ch-2", Position("gym"))
    cut.close()
    cut = Presence(tmp_path / "cut" / "presence.db")
    assert cut.position("ch-1") is None, "nor does it come back at the next start"
    assert cut.position("ch-2") == Position("gym")
    cut.close()
    presence.close()


async def test_an_exit_that_the_disk_refused_keeps_nobody_out_after_a_restart(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert entered(desk, 1)
    desk.restart()
    with nothing_grows():
        assert entered(desk, 1, "front-out")
        desk.presence.close()
    desk.restart()
    assert entered(desk, 1)


async def test_a_disk_that_refuses_from_the_start_hides_no_open_duress_and_gets_everything_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "presence.db"
    presence = Presence(path)
    for reader in ("front-in", "front-out"):
        presence.duress_began("front", reader)
    presence.first_person_came("front", 7)
    presence.move("ch-1", Position("gym"))
    presence.close()
    with nothing_grows():
        presence = Presence(path)
        assert presence.behind
        assert presence.duress() == {("front", "front-in"), ("front", "front-out")}
        assert presence.first_person("front") == 7
        assert presence.position("ch-1") is None
        presence.duress_cleared("front", "front-in")
    presence.follow(RETRY_MS)
    await until(lambda: not presence.behind, "the disk to take it")
    assert presence.duress() == {("front", "front-out")}
    presence.close()
    presence = Presence(path)
    assert presence.duress() == {("front", "front-out")}
    assert presence.position("ch-1") is None
    presence.close()


# --- areas --------------------------------------------------------------------------------------------------


def test_positions_learned_without_anti_passback_are_forgotten_when_it_begins(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), area_to="gym")
    assert entered(desk, 1)
    desk.change(doors={**desk.rules.doors, "front": DoorSettings(door="front", name="Front", **GYM)})
    assert entered(desk, 1)
    assert not entered(desk, 1), "and learned anew"
    assert [event["by"] for event in desk.of(EventKind.PASSBACK_FORGIVEN)] == ["a change of areas"]


def test_an_area_of_another_name_locks_nobody_in_or_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    assert entered(desk, 1)
    renamed = DoorSettings(door="front", name="Front", area_to="gymnasium", passback=Passback.HARD)
    desk.change(doors={**desk.rules.doors, "front": renamed})
    assert entered(desk, 1, "front-out")
    assert entered(desk, 1)
    desk.change(timezone=desk.rules.timezone)
    assert not entered(desk, 1), "another configuration with the same areas forgets nobody"


def test_a_configuration_that_changed_between_two_starts_is_noticed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert entered(desk, 1)
    desk.presence.close()
    desk = Desk(tmp_path, person(1), area_to="gym", area_from="hall", passback=Passback.HARD)
    assert entered(desk, 1)


class OneWay(Desk):
    """Two doors that have no reader on the way out."""

    passages = (Passage.IN,)


def test_where_no_reader_leads_back_hard_and_soft_count_as_off_and_that_is_told(tmp_path: Path) -> None:
    for passback in (Passback.HARD, Passback.SOFT):
        desk = OneWay(tmp_path / passback, person(1), **GYM | {"passback": passback})
        assert [entered(desk, 1) for _ in range(3)] == [True] * 3
        assert desk.of(EventKind.PASSBACK_NOTED) == []
        desk.change(timezone=desk.rules.timezone)
        assert desk.of(EventKind.PASSBACK_UNGUARDED) == [{"passback": passback}]
    timed = OneWay(tmp_path / "timed", person(1), **GYM | {"passback": Passback.TIMED})
    assert [entered(timed, 1) for _ in range(2)] == [True, False]
    assert timed.of(EventKind.PASSBACK_UNGUARDED) == []


def test_in_by_one_door_and_out_by_another_is_a_way_back(tmp_path: Path) -> None:
    desk = OneWay(tmp_path, person(1), **GYM)
    out = DoorSettings(door="back", name="Back", area_from="gym", passback=Passback.HARD)
    desk.change(doors={**desk.rules.doors, "back": out})
    assert entered(desk, 1)
    assert not entered(desk, 1)
    assert entered(desk, 1, "back-in")
    assert entered(desk, 1)
