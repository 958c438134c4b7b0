"""The rules of a configuration: what a door's schedule asks, and what one that was rolled back adds to it."""

from datetime import UTC, date, datetime

import pytest

from edge_agent.policy.rules import Rules, compile_rules
from protocol.messages import AgentConfig, DoorSettings, Holiday, Period
from protocol.words import DoorMode

WORKDAYS = Period(days=(0, 1, 2, 3, 4), start="07:00", end="15:00")
CHRISTMAS = Holiday(name="Christmas", first=date(2026, 12, 24), last=date(2026, 12, 26))


def rules(schedule: str | None = "school-day", **fields: object) -> Rules:
    door = DoorSettings(door="front", name="Front", schedule=schedule)
    config = AgentConfig(
        audience="a",
        version=1,
        timezone="UTC",
        doors=(door,),
        schedules={"school-day": (WORKDAYS,)},
        **fields,  # type: ignore[arg-type]
    )
    return compile_rules(config)


def at(day: int, hour: int = 10) -> int:
    """A moment of December 2026; the 21st is a Monday."""
    return int(datetime(2026, 12, day, hour, tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("day", "mode"), [(23, DoorMode.UNLOCKED), (24, DoorMode.CONTROLLED), (28, DoorMode.UNLOCKED)]
)
def test_a_school_stays_locked_on_a_holiday(day: int, mode: DoorMode) -> None:
    assert rules(holidays=(CHRISTMAS,)).scheduled("front", at(day), clock_trusted=True) is mode


def rolled_back_from(newer: Rules) -> Rules:
    """The last good rules, unlocked on workdays, after another configuration was rolled back."""
    good = rules()
    return Rules(version=1, doors=good.doors, schedules=good.schedules, no_looser_than=newer)


def test_after_a_rollback_a_door_is_as_strict_as_either_asks() -> None:
    assert rolled_back_from(rules(None)).scheduled("front", at(21), clock_trusted=True) is DoorMode.CONTROLLED
    assert rolled_back_from(rules()).scheduled("front", at(21), clock_trusted=True) is DoorMode.UNLOCKED
    assert rolled_back_from(rules()).scheduled("front", at(21, 20), clock_trusted=True) is DoorMode.CONTROLLED


def test_what_was_rolled_back_and_cannot_be_computed_leaves_doors_controlled() -> None:
    broken = Rules(doors=rules().doors, schedules={"school-day": (None,)})  # type: ignore[dict-item]
    assert rolled_back_from(broken).scheduled("front", at(21), clock_trusted=True) is DoorMode.CONTROLLED


def test_a_door_waits_for_its_first_person_if_what_was_rolled_back_had_it_wait() -> None:
    waits = Rules(doors={"front": DoorSettings(door="front", name="Front", first_person_group="office")})
    assert rolled_back_from(waits).settings("front").first_person_group == "office"
