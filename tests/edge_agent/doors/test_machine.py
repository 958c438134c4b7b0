"""The door machine: what proves a door secure, and grants. Random lives are in test_door_machine_properties."""

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.doors.machine import evidence, next_deadline_ms
from edge_agent.doors.state import (
    DriveLock,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Sensed,
    Tick,
)
from protocol.proof import FRESH_MS, proves_secure
from protocol.words import Alarm, Bolt, Condition, Contact, Denial, DoorMode, EventKind
from tests.support.stepped_door import MAGLOCK, START, STRIKE, Door, secure_door

# --- proof ------------------------------------------------------------------------------------------------------


def test_a_door_starts_locked_controlled_and_unknown() -> None:
    door = Door()
    assert not door.state.released
    assert (door.state.mode, door.condition) == (DoorMode.CONTROLLED, Condition.UNKNOWN)


def test_closed_contact_and_thrown_bolt_read_after_the_lock_command_are_secure() -> None:
    door = Door()
    door.sense(after_ms=10)
    assert door.condition is Condition.SECURE
    assert door.events(EventKind.CONDITION_CHANGED) == [{"from": Condition.UNKNOWN, "to": Condition.SECURE}]
    proof = evidence(door.profile, door.state, door.now)
    assert (proof.age_ms, proof.locked_ms) == (0, 10)
    assert proves_secure(proof)


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        ({"contact": None}, Condition.UNKNOWN),
        ({"bolt": None}, Condition.UNKNOWN),
        ({"tampered": None}, Condition.UNKNOWN),
        ({"contact": Contact.OPEN, "bolt": None}, Condition.FORCED),
    ],
)
def test_a_silent_sensor_never_leaves_a_door_secure(silent: dict[str, Any], expected: Condition) -> None:
    door = secure_door()
    door.sense(after_ms=500, **silent)
    assert door.condition is expected
    assert Alarm.NO_EVIDENCE in door.alarms


def test_without_a_bolt_monitor_the_contact_alone_proves() -> None:
    door = Door(replace(STRIKE, bolt_fitted=False, tamper_fitted=False))
    door.sense(after_ms=500, bolt=None, tampered=None)
    assert door.condition is Condition.SECURE
    assert not door.alarms


def test_evidence_grows_old_and_the_door_unknown() -> None:
    door = secure_door()
    sensed_at = door.now
    assert next_deadline_ms(door.profile, door.state) == sensed_at + FRESH_MS + 1
    door.give(Tick(), after_ms=FRESH_MS)
    assert door.condition is Condition.SECURE
    assert door.now == sensed_at + FRESH_MS
    assert not proves_secure(evidence(door.profile, door.state, door.now + 1)), "whoever looks later sees it older"
    door.give(Tick(), after_ms=1)
    assert door.condition is Condition.UNKNOWN
    assert door.events(EventKind.ALARM_RAISED) == [{"alarm": Alarm.NO_EVIDENCE}]
    door.sense(after_ms=1)
    assert door.condition is Condition.SECURE
    assert door.events(EventKind.ALARM_CLEARED) == [{"alarm": Alarm.NO_EVIDENCE}]


def test_a_door_never_sampled_alarms_after_the_time_of_fresh_evidence() -> None:
    door = Door()
    assert next_deadline_ms(door.profile, door.state) == START + FRESH_MS + 1
    door.give(Tick(), after_ms=FRESH_MS)
    assert not door.alarms
    door.give(Tick(), after_ms=1)
    assert door.alarms == {Alarm.NO_EVIDENCE}


def test_a_lockdown_commands_the_lock_again_and_asks_for_new_evidence() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED, ("d1",)), after_ms=10)
    assert door.drive == DriveLock(released=False)
    assert door.condition is Condition.UNKNOWN
    assert door.events(EventKind.MODE_CHANGED) == [
        {"from": DoorMode.CONTROLLED, "to": DoorMode.SECURED, "declarations": ["d1"]}
    ]
    assert door.events(EventKind.LOCK_COMMANDED) == [{"released": False, "why": "mode", "for_ms": None}]
    door.sense()
    assert door.condition is Condition.SECURE


@pytest.mark.parametrize("command", [ModeSet(DoorMode.SECURED), LockTested()])
def test_a_sample_of_the_very_millisecond_but_before_the_command_proves_nothing(command: Input) -> None:
    door = Door()
    door.sense(after_ms=500)
    door.give(command)
    assert door.condition is Condition.UNKNOWN


def test_a_sample_taken_before_the_command_and_delivered_after_it_proves_nothing() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED), after_ms=10)
    door.give(Sensed(Contact.CLOSED, Bolt.THROWN, tampered=False, at_ms=door.now), after_ms=5)
    assert door.condition is Condition.UNKNOWN
    door.give(Sensed(Contact.CLOSED, Bolt.THROWN, tampered=False, at_ms=door.now))
    assert door.condition is Condition.SECURE


def test_a_late_sample_of_the_millisecond_of_the_command_proves_nothing_and_still_tells() -> None:
    door = Door()
    door.sense()
    assert door.condition is Condition.SECURE
    door.give(Sensed(Contact.OPEN, Bolt.THROWN, tampered=False, at_ms=START), after_ms=5)
    assert door.condition is Condition.FORCED


def test_an_older_sample_changes_nothing() -> None:
    door = secure_door()
    door.give(Sensed(Contact.OPEN, Bolt.RETRACTED, tampered=True, at_ms=door.now - 1), after_ms=5)
    assert door.condition is Condition.SECURE


def test_a_looser_mode_of_a_locked_door_does_not_touch_the_lock() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED))
    door.sense()
    assert door.give(ModeSet(DoorMode.CONTROLLED), after_ms=10)
    assert door.drive is None
    assert door.condition is Condition.SECURE


def test_another_declaration_of_the_same_mode_is_told_and_moves_nothing() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED, ("d1",)))
    door.sense()
    door.give(ModeSet(DoorMode.SECURED, ("d1", "d2")))
    assert door.drive is None
    assert door.state.declarations == ("d1", "d2")
    assert door.give(ModeSet(DoorMode.SECURED, ("d1", "d2"))) == ()


def test_a_lock_test_commands_the_lock_again_and_a_released_one_stays_released() -> None:
    door = secure_door()
    door.give(LockTested())
    assert door.drive == DriveLock(released=False)
    door.give(ModeSet(DoorMode.UNLOCKED))
    door.give(LockTested())
    assert door.drive == DriveLock(released=True)
    assert door.events(EventKind.LOCK_COMMANDED) == [{"released": True, "why": "test", "for_ms": None}]


# --- grants -----------------------------------------------------------------------------------------------------


def test_a_grant_releases_for_its_time_and_locks_again() -> None:
    door = secure_door()
    door.give(Granted({"cardholder": "c1"}))
    assert door.effects[0] == DriveLock(released=True, for_ms=5_000)
    assert door.events(EventKind.ACCESS_GRANTED) == [{"cardholder": "c1"}]
    assert door.condition is Condition.UNLATCHED
    assert next_deadline_ms(door.profile, door.state) == door.now + FRESH_MS + 1
    door.sense(after_ms=2_500)
    assert next_deadline_ms(door.profile, door.state) == door.now + 2_500
    door.give(Tick(), after_ms=2_499)
    assert door.drive is None
    door.give(Tick(), after_ms=1)
    assert door.drive == DriveLock(released=False)
    assert not door.state.released


def test_a_grant_ends_when_the_door_has_opened_and_closed() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=1_000, contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    assert door.condition is Condition.OPEN
    assert door.state.released
    door.sense(after_ms=1_000, contact=Contact.CLOSED, bolt=Bolt.THROWN)
    assert door.drive == DriveLock(released=False)
    assert door.condition is Condition.UNKNOWN  # this sample was before the lock
    door.sense(after_ms=1)
    assert door.condition is Condition.SECURE


def test_a_grant_at_an_open_door_outlives_its_closing() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=1_000, contact=Contact.OPEN)
    door.give(Granted(), after_ms=500)
    door.sense(after_ms=500, contact=Contact.CLOSED)
    assert door.state.released
    door.sense(after_ms=500, contact=Contact.OPEN)
    door.sense(after_ms=500, contact=Contact.CLOSED)
    assert not door.state.released


def test_a_second_grant_prolongs_the_first() -> None:
    door = secure_door()
    door.give(Granted())
    door.give(Granted(), after_ms=3_000)
    assert door.drive == DriveLock(released=True, for_ms=5_000)
    door.give(Tick(), after_ms=4_999)
    assert door.state.released


def test_becoming_secured_cancels_a_running_grant_at_once() -> None:
    door = secure_door()
    door.give(Granted())
    door.give(ModeSet(DoorMode.SECURED), after_ms=100)
    assert door.drive == DriveLock(released=False)


def test_a_secured_door_takes_an_override_grant_and_no_other() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.SECURED))
    door.give(Granted({"cardholder": "c1"}))
    assert door.drive is None
    assert door.events(EventKind.ACCESS_DENIED) == [{"cardholder": "c1", "reason": Denial.DOOR_SECURED}]
    door.give(Granted({"cardholder": "c2"}, override=True))
    assert door.drive == DriveLock(released=True, for_ms=5_000)


def test_a_grant_outlives_the_end_of_an_unlocked_mode() -> None:
    door = secure_door()
    door.give(ModeSet(DoorMode.UNLOCKED))
    assert door.drive == DriveLock(released=True)
    door.give(Granted(), after_ms=1_000)
    door.give(ModeSet(DoorMode.CONTROLLED), after_ms=1_000)
    assert door.drive == DriveLock(released=True, for_ms=4_000)
    door.give(Tick(), after_ms=4_000)
    assert door.drive == DriveLock(released=False)


def test_the_drivers_own_relock_is_confirmed_once() -> None:
    door = secure_door()
    door.give(Granted())
    door.give(ReleaseOver(), after_ms=5_000)
    assert door.drive == DriveLock(released=False)
    assert door.give(ReleaseOver()) == ()


# --- time -------------------------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_shortens_nothing() -> None:
    door = secure_door(MAGLOCK)
    door.give(RexPressed())
    door.give(Tick(), after_ms=2_000)
    door.give(Tick(), after_ms=-10_000)
    assert door.state.released
    assert door.state.at_ms == START + 2_500
