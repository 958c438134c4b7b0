"""The door machine: what opening, the bolt and the cover make of a door."""

from dataclasses import replace

import pytest

from edge_agent.doors.machine import next_deadline_ms
from edge_agent.doors.state import FireChanged, Granted, Input, LockTested, ModeSet, ReleaseOver, RexPressed, Tick
from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode, EventKind
from tests.support.stepped_door import START, STRIKE, Door, secure_door

# --- opening ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [DoorMode.CONTROLLED, DoorMode.SECURED])
def test_a_door_opened_with_no_right_is_forced_until_closed_and_secure_again(mode: DoorMode) -> None:
    door = secure_door()
    door.give(ModeSet(mode))
    door.sense(after_ms=100, contact=Contact.OPEN)
    assert door.condition is Condition.FORCED
    assert door.events(EventKind.ALARM_RAISED) == [{"alarm": Alarm.FORCED}]
    door.keep_sensing(60_000)
    assert door.condition is Condition.FORCED
    assert door.alarms == {Alarm.FORCED}
    door.sense(after_ms=100, contact=Contact.CLOSED, bolt=Bolt.RETRACTED)
    assert door.condition is Condition.FORCED
    door.sense(after_ms=100, bolt=Bolt.THROWN)
    assert door.condition is Condition.SECURE
    assert not door.alarms


@pytest.mark.parametrize("given", [Granted(), RexPressed(), ModeSet(DoorMode.UNLOCKED), FireChanged(active=True)])
def test_a_door_opened_by_right_is_open(given: Input) -> None:
    door = secure_door()
    door.give(given)
    door.sense(after_ms=4_000, contact=Contact.OPEN)
    assert door.condition is Condition.OPEN
    assert Alarm.FORCED not in door.alarms


def test_a_right_that_ended_between_two_samples_is_still_a_right() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=4_900)
    door.give(ReleaseOver(), after_ms=100)
    door.sense(after_ms=300, contact=Contact.OPEN)
    assert door.condition is Condition.OPEN


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (ModeSet(DoorMode.UNLOCKED), ModeSet(DoorMode.CONTROLLED)),
        (FireChanged(active=True), FireChanged(active=False)),
    ],
)
def test_everybodys_right_that_ended_between_two_samples_is_still_a_right(begin: Input, end: Input) -> None:
    door = secure_door()
    door.give(begin)
    door.sense(after_ms=100)
    door.give(end, after_ms=300)
    door.sense(after_ms=200, contact=Contact.OPEN)
    assert door.condition is Condition.OPEN


def test_a_right_that_ended_before_the_door_was_last_seen_closed_is_none() -> None:
    door = secure_door()
    door.give(RexPressed())
    door.sense(after_ms=5_000)
    door.sense(after_ms=1, contact=Contact.OPEN)
    assert door.condition is Condition.FORCED


def test_a_used_grant_does_not_cover_a_second_opening() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=500, contact=Contact.OPEN)
    door.sense(after_ms=500, contact=Contact.CLOSED)
    door.sense(after_ms=500, contact=Contact.OPEN)
    assert door.condition is Condition.FORCED


def test_a_door_that_opened_while_its_contact_was_silent_is_forced() -> None:
    door = secure_door()
    door.sense(after_ms=500, contact=None)
    door.sense(after_ms=500, contact=Contact.OPEN)
    assert door.condition is Condition.FORCED


def test_a_door_found_open_at_the_start_is_open_and_later_held() -> None:
    door = Door()
    door.sense(after_ms=500, contact=Contact.OPEN)
    assert door.condition is Condition.OPEN
    door.keep_sensing(30_000)
    assert door.condition is Condition.HELD


def test_a_door_open_for_longer_than_its_time_is_held() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=1_000, contact=Contact.OPEN)
    door.keep_sensing(29_999)
    assert door.condition is Condition.OPEN
    assert next_deadline_ms(door.profile, door.state) == door.now + 1
    door.give(Tick(), after_ms=1)
    assert door.condition is Condition.HELD
    assert door.alarms == {Alarm.HELD}
    door.sense(contact=Contact.CLOSED)
    assert not door.alarms


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (ModeSet(DoorMode.UNLOCKED), ModeSet(DoorMode.SECURED, ("d1",))),
        (FireChanged(active=True), FireChanged(active=False)),
    ],
)
def test_a_door_everybody_may_pass_is_not_held_and_one_open_at_the_lockdown_is_not_forced(
    begin: Input, end: Input
) -> None:
    door = secure_door()
    door.give(begin)
    door.sense(after_ms=1_000, contact=Contact.OPEN)
    door.keep_sensing(600_000)
    assert door.condition is Condition.OPEN
    door.give(end)
    assert door.condition is Condition.OPEN
    door.keep_sensing(29_500)
    assert door.condition is Condition.OPEN
    door.keep_sensing(500)
    assert door.condition is Condition.HELD
    assert Alarm.FORCED not in door.alarms


# --- the bolt ---------------------------------------------------------------------------------------------------


def test_a_bolt_that_never_arrives_is_jammed_after_its_time() -> None:
    door = Door()
    door.sense(after_ms=100, bolt=Bolt.RETRACTED)
    assert door.condition is Condition.UNLATCHED
    assert next_deadline_ms(door.profile, door.state) == START + 2_100
    door.sense(after_ms=1_999)
    assert door.condition is Condition.UNLATCHED
    door.sense(after_ms=1)
    assert door.condition is Condition.JAMMED
    assert door.alarms == {Alarm.JAMMED, Alarm.LATCH_FAULT}
    door.sense(after_ms=500, bolt=Bolt.THROWN)
    assert door.condition is Condition.SECURE
    assert not door.alarms


def test_a_bolt_has_its_time_from_the_closing_of_the_door() -> None:
    door = secure_door()
    door.give(Granted())
    door.sense(after_ms=1_000, contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    door.give(Tick(), after_ms=4_000)
    door.keep_sensing(10_000)
    door.sense(after_ms=100, contact=Contact.CLOSED)
    assert door.condition is Condition.UNLATCHED
    door.sense(after_ms=1_999)
    assert door.condition is Condition.UNLATCHED
    door.sense(after_ms=1)
    assert door.condition is Condition.JAMMED


def test_a_bolt_that_comes_back_by_itself_is_a_latch_fault_and_then_jammed() -> None:
    door = secure_door()
    door.sense(after_ms=10_000, bolt=Bolt.RETRACTED)
    assert door.condition is Condition.UNLATCHED
    assert door.alarms == {Alarm.LATCH_FAULT}
    door.keep_sensing(2_000)
    assert door.condition is Condition.JAMMED


def test_testing_a_jammed_lock_gives_the_bolt_its_time_and_keeps_the_alarm() -> None:
    door = Door()
    door.sense(after_ms=2_100, bolt=Bolt.RETRACTED)
    door.sense(after_ms=2_000)
    assert door.condition is Condition.JAMMED
    door.give(LockTested())
    door.sense(after_ms=1)
    assert door.condition is Condition.UNLATCHED
    assert Alarm.JAMMED in door.alarms
    door.keep_sensing(2_000)
    assert door.condition is Condition.JAMMED


def test_a_bar_held_down_is_no_jam_before_the_request_to_exit_is_over() -> None:
    door = secure_door()
    door.give(RexPressed())
    door.sense(after_ms=100, bolt=Bolt.RETRACTED)
    door.keep_sensing(6_500)
    assert door.condition is Condition.UNLATCHED
    assert not door.alarms
    door.keep_sensing(500)
    assert door.condition is Condition.JAMMED


# --- tampering --------------------------------------------------------------------------------------------------


def test_an_open_cover_makes_every_other_reading_worthless() -> None:
    door = secure_door()
    door.sense(after_ms=100, tampered=True)
    assert door.condition is Condition.TAMPERED
    assert door.alarms == {Alarm.TAMPER}
    door.sense(after_ms=100, tampered=None)
    assert door.condition is Condition.TAMPERED
    door.sense(after_ms=100, tampered=False)
    assert door.condition is Condition.SECURE


def test_a_door_forced_behind_an_open_cover_is_told_by_its_alarm() -> None:
    door = secure_door()
    door.sense(after_ms=100, tampered=True)
    door.sense(after_ms=100, contact=Contact.OPEN)
    assert door.condition is Condition.TAMPERED
    assert door.alarms == {Alarm.TAMPER, Alarm.FORCED}


def test_a_tamper_reading_of_a_door_without_the_switch_is_ignored() -> None:
    door = Door(replace(STRIKE, tamper_fitted=False))
    door.sense(after_ms=100, tampered=True)
    assert door.condition is Condition.SECURE
