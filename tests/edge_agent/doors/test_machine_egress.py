"""The door machine: nothing takes back a way out, by request to exit or by fire."""

from dataclasses import replace

import pytest

from edge_agent.doors.machine import evidence, fire_released
from edge_agent.doors.state import (
    DoorProfile,
    DriveLock,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Tick,
)
from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode, EventKind
from tests.support.stepped_door import MAGLOCK, secure_door


@pytest.mark.parametrize("mode", list(DoorMode))
def test_a_request_to_exit_releases_a_maglock_in_every_mode(mode: DoorMode) -> None:
    door = secure_door(MAGLOCK)
    door.give(ModeSet(mode))
    door.give(RexPressed())
    assert door.state.released
    assert door.events(EventKind.REQUEST_TO_EXIT) == [{"releases": True}]


@pytest.mark.parametrize(
    "command",
    [ModeSet(DoorMode.SECURED, ("d1",)), LockTested(), ReleaseOver(), FireChanged(active=False), Tick()],
)
def test_nothing_takes_back_a_request_to_exit_before_its_time(command: Input) -> None:
    door = secure_door(MAGLOCK)
    door.give(RexPressed())
    door.give(command, after_ms=4_999)
    assert door.state.released
    assert door.drive is None or door.drive.released
    door.give(Tick(), after_ms=1)
    assert door.drive == DriveLock(released=False)


def test_a_door_that_opened_and_closed_stays_released_for_the_request_to_exit() -> None:
    door = secure_door(MAGLOCK)
    door.give(Granted())
    door.give(RexPressed())
    door.sense(after_ms=1_000, contact=Contact.OPEN)
    door.sense(after_ms=1_000, contact=Contact.CLOSED)
    assert door.state.released


def test_a_driver_that_relocked_too_early_is_told_to_release_again() -> None:
    door = secure_door(MAGLOCK)
    door.give(RexPressed())
    door.give(ReleaseOver(), after_ms=1_000)
    assert door.drive == DriveLock(released=True, for_ms=4_000)


def test_a_held_request_to_exit_moves_the_window_on_and_is_told_once() -> None:
    door = secure_door(MAGLOCK)
    door.give(RexPressed())
    for _ in range(20):
        door.give(RexPressed(), after_ms=500)
        assert door.drive == DriveLock(released=True, for_ms=5_000)
        assert not door.events(EventKind.REQUEST_TO_EXIT)
        assert not door.events(EventKind.LOCK_COMMANDED)
    door.give(Tick(), after_ms=5_000)
    assert not door.state.released


def test_a_request_to_exit_at_a_strike_marks_the_passage_and_leaves_the_lock() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED))
    door.give(RexPressed())
    assert door.drive is None
    door.sense(after_ms=300, bolt=Bolt.RETRACTED)
    assert not door.alarms
    door.sense(after_ms=300, contact=Contact.OPEN)
    assert door.condition is Condition.OPEN


@pytest.mark.parametrize("mode", [DoorMode.CONTROLLED, DoorMode.SECURED])
def test_fire_releases_a_fail_safe_door_flagged_for_it_as_long_as_it_lasts(mode: DoorMode) -> None:
    door = secure_door(MAGLOCK)
    door.give(ModeSet(mode))
    door.give(FireChanged(active=True))
    assert door.drive == DriveLock(released=True)
    assert fire_released(door.profile, door.state)
    assert Alarm.FIRE in door.alarms
    for command in (ModeSet(DoorMode.SECURED, ("d9",)), LockTested(), ReleaseOver(), Tick()):
        door.give(command, after_ms=60_000)
        assert door.state.released
    door.give(FireChanged(active=False))
    assert door.drive == DriveLock(released=False)
    assert Alarm.FIRE not in door.alarms


@pytest.mark.parametrize(
    "profile", [replace(MAGLOCK, fail_safe=False), replace(MAGLOCK, fire_release=False)], ids=["strike", "unflagged"]
)
def test_fire_leaves_other_doors_locked_from_outside(profile: DoorProfile) -> None:
    door = secure_door(profile)
    door.give(ModeSet(DoorMode.SECURED))
    door.give(FireChanged(active=True))
    assert door.drive is None
    assert not fire_released(door.profile, door.state)


def test_a_door_is_not_secure_while_released_whatever_its_sensors_say() -> None:
    door = secure_door(MAGLOCK)
    door.give(FireChanged(active=True))
    door.sense(after_ms=100)
    assert door.condition is Condition.UNLATCHED
    assert evidence(door.profile, door.state, door.now).locked_ms is None
