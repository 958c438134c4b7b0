"""Fire and lockdown together, in all four orders: the machine with every kind of door (invariant 9)."""

from dataclasses import replace

import pytest

from edge_agent.doors.machine import fire_released
from edge_agent.doors.state import DoorProfile, FireChanged, Input, ModeSet, RexPressed, Tick
from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode
from tests.support.stepped_door import MAGLOCK, STRIKE, secure_door

FLAGGED = MAGLOCK
UNFLAGGED = replace(MAGLOCK, fire_release=False)  # its panel cuts the lock, or its egress is mechanical

LOCKDOWN = ModeSet(DoorMode.SECURED, ("lockdown-1",))
OVER = ModeSet(DoorMode.CONTROLLED)
FIRE, FIRE_OVER = FireChanged(active=True), FireChanged(active=False)

ORDERS: dict[str, tuple[Input, ...]] = {
    "fire first and fire ends first": (FIRE, LOCKDOWN, FIRE_OVER, OVER),
    "fire first and lockdown ends first": (FIRE, LOCKDOWN, OVER, FIRE_OVER),
    "lockdown first and fire ends first": (LOCKDOWN, FIRE, FIRE_OVER, OVER),
    "lockdown first and lockdown ends first": (LOCKDOWN, FIRE, OVER, FIRE_OVER),
}


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize(
    "profile", [FLAGGED, UNFLAGGED, STRIKE], ids=["flagged fail-safe", "fail-safe", "fail-secure"]
)
def test_flagged_fail_safe_doors_open_and_the_others_stay_locked_in_every_order(
    steps: tuple[Input, ...], profile: DoorProfile
) -> None:
    door = secure_door(profile)
    fire = False
    for given in steps:
        if isinstance(given, FireChanged):
            fire = given.active
        door.give(given, after_ms=700)
        opens = fire and profile is FLAGGED
        assert door.state.released is opens
        assert fire_released(profile, door.state) is opens
        assert (Alarm.FIRE in door.alarms) is opens
        door.sense(after_ms=20)
        assert door.condition is (Condition.UNLATCHED if opens else Condition.SECURE)
    assert not door.state.released
    assert door.state.mode is DoorMode.CONTROLLED


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("profile", [FLAGGED, UNFLAGGED], ids=["flagged", "not flagged"])
def test_a_maglock_lets_people_out_between_any_two_steps(steps: tuple[Input, ...], profile: DoorProfile) -> None:
    for when in range(len(steps) + 1):
        door = secure_door(profile)
        for given in steps[:when]:
            door.give(given, after_ms=700)
        door.give(RexPressed(), after_ms=100)
        assert door.state.released, "egress was refused"
        for given in steps[when:]:
            door.give(given, after_ms=700)
            assert door.state.released, f"{given} took back a way out"
        door.give(Tick(), after_ms=profile.unlock_ms)
        assert door.state.released is fire_released(profile, door.state)


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
def test_who_leaves_by_a_mechanical_bar_is_never_taken_for_an_intruder(steps: tuple[Input, ...]) -> None:
    for when in range(len(steps) + 1):
        door = secure_door(STRIKE)
        for given in steps[:when]:
            door.give(given, after_ms=700)
        door.sense(after_ms=20)
        door.give(RexPressed())
        door.sense(after_ms=20, bolt=Bolt.RETRACTED)
        door.sense(after_ms=200, contact=Contact.OPEN)
        assert Alarm.FORCED not in door.alarms
        assert not door.state.released


@pytest.mark.parametrize("steps", ORDERS.values(), ids=ORDERS)
def test_after_the_fire_a_door_left_open_counts_as_held_under_the_lockdown_and_not_as_forced(
    steps: tuple[Input, ...],
) -> None:
    door = secure_door(FLAGGED)
    for given in steps[: steps.index(FIRE_OVER)]:
        door.give(given, after_ms=700)
    door.sense(contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    door.give(FIRE_OVER, after_ms=700)
    door.keep_sensing(FLAGGED.held_ms + 500)
    assert door.condition is Condition.HELD
    assert Alarm.FORCED not in door.alarms
