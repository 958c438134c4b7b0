"""The door machine: which openings are alarms and which are people going their way; the warning before an alarm."""

from dataclasses import replace

import pytest

from edge_agent.doors.machine import REBOUND_MS, REX_HELD_MS, next_deadline_ms
from edge_agent.doors.state import FireChanged, Granted, Input, ModeSet, RexPressed, Tick
from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode, EventKind
from tests.support.stepped_door import MAGLOCK, STRIKE, Door, secure_door

WARNED = replace(STRIKE, held_warning_ms=10_000)
NO_BOLT = replace(STRIKE, bolt_fitted=False)


def opened(profile: object = WARNED) -> Door:
    """A door that somebody with a badge has just opened."""
    door = secure_door(WARNED if profile is WARNED else profile)  # type: ignore[arg-type]
    door.give(Granted())
    door.sense(contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    return door


# --- the warning --------------------------------------------------------------------------------------------


def test_before_a_door_counts_as_held_it_is_warned_at_once() -> None:
    door = opened()
    door.give(Tick(), after_ms=19_999)
    assert not door.events(EventKind.HELD_WARNING)
    assert next_deadline_ms(door.profile, door.state) == door.now + 1
    door.give(Tick(), after_ms=1)
    assert door.events(EventKind.HELD_WARNING) == [{"in_ms": 10_000}]
    assert door.state.warned
    assert Alarm.HELD not in door.alarms
    for _ in range(19):
        door.sense(after_ms=500)
        assert not door.events(EventKind.HELD_WARNING)
    door.sense(after_ms=500)
    assert Alarm.HELD in door.alarms


def test_a_door_that_closes_in_time_ends_the_warning_and_the_next_time_is_warned_again() -> None:
    door = opened()
    for _ in range(2):
        door.give(Tick(), after_ms=20_000)
        assert door.events(EventKind.HELD_WARNING)
        door.sense(contact=Contact.CLOSED, bolt=Bolt.THROWN)
        assert not door.state.warned
        door.sense(after_ms=500)
        door.give(Granted())
        door.sense(contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    assert Alarm.HELD not in door.alarms


@pytest.mark.parametrize("given", [ModeSet(DoorMode.UNLOCKED), FireChanged(active=True)])
def test_where_everybody_may_pass_nobody_is_warned(given: Input) -> None:
    door = opened()
    door.give(given)
    door.give(Tick(), after_ms=40_000)
    assert not door.events(EventKind.HELD_WARNING)


def test_a_forced_door_is_not_warned_at() -> None:
    door = secure_door(WARNED)
    door.sense(contact=Contact.OPEN)
    assert Alarm.FORCED in door.alarms
    door.give(Tick(), after_ms=20_000)
    assert not door.events(EventKind.HELD_WARNING)


def test_a_short_time_to_stand_open_is_not_all_warning() -> None:
    door = opened(replace(STRIKE, held_ms=4_000, held_warning_ms=10_000))
    door.give(Tick(), after_ms=1_999)
    assert not door.events(EventKind.HELD_WARNING)
    door.give(Tick(), after_ms=1)
    assert door.events(EventKind.HELD_WARNING) == [{"in_ms": 2_000}]


def test_a_badge_at_an_open_door_gives_its_holder_the_whole_time() -> None:
    door = opened()
    door.give(Granted(), after_ms=25_000)
    door.give(Tick(), after_ms=19_999)
    assert Alarm.HELD not in door.alarms
    assert not door.state.warned
    door.give(Tick(), after_ms=10_001)
    assert Alarm.HELD in door.alarms


# --- masking ------------------------------------------------------------------------------------------------


def test_who_leaves_by_the_bar_is_no_intruder_and_no_latch_fault() -> None:
    door = secure_door()
    door.give(RexPressed())
    door.sense(after_ms=30, bolt=Bolt.RETRACTED)
    door.sense(after_ms=200, contact=Contact.OPEN)
    assert door.alarms == frozenset()
    assert door.condition is Condition.OPEN


def test_a_request_to_exit_lets_a_class_through_and_not_who_comes_after_it() -> None:
    door = secure_door()
    door.give(RexPressed())
    for _ in range(2):
        door.sense(after_ms=500, contact=Contact.OPEN)
        door.sense(after_ms=500, contact=Contact.CLOSED)
        door.sense(after_ms=500)
    assert Alarm.FORCED not in door.alarms
    door.keep_sensing(5_000)
    door.sense(after_ms=500, contact=Contact.OPEN)
    assert Alarm.FORCED in door.alarms


@pytest.mark.parametrize("profile", [STRIKE, NO_BOLT], ids=["bolt", "no bolt"])
def test_a_leaf_that_rebounds_as_it_is_shut_is_the_same_passage(profile: object) -> None:
    door = opened(profile)
    door.sense(after_ms=2_000, contact=Contact.CLOSED)
    door.sense(after_ms=REBOUND_MS - 1, contact=Contact.OPEN)
    assert Alarm.FORCED not in door.alarms
    door.sense(after_ms=100, contact=Contact.CLOSED)
    door.sense(after_ms=REBOUND_MS, contact=Contact.OPEN)
    assert Alarm.FORCED in door.alarms


def test_a_leaf_that_its_bolt_has_caught_does_not_rebound() -> None:
    door = opened(STRIKE)
    door.sense(after_ms=2_000, contact=Contact.CLOSED, bolt=Bolt.THROWN)
    door.sense(after_ms=50)
    assert door.condition is Condition.SECURE
    door.sense(after_ms=50, contact=Contact.OPEN)
    assert Alarm.FORCED in door.alarms


def test_a_forced_door_that_rebounds_stays_forced() -> None:
    door = secure_door()
    door.sense(after_ms=500, contact=Contact.OPEN, bolt=Bolt.RETRACTED)
    door.sense(after_ms=500, contact=Contact.CLOSED)
    door.sense(after_ms=100, contact=Contact.OPEN)
    door.sense(after_ms=100, contact=Contact.CLOSED)
    assert Alarm.FORCED in door.alarms


def test_a_grant_nobody_used_covers_nothing_after_its_time() -> None:
    door = secure_door()
    door.give(Granted())
    door.keep_sensing(6_000)
    door.sense(after_ms=500, contact=Contact.OPEN)
    assert Alarm.FORCED in door.alarms


# --- a request to exit without end --------------------------------------------------------------------------


def test_a_request_to_exit_without_end_is_an_alarm_and_still_lets_people_out() -> None:
    door = secure_door(MAGLOCK)
    end = door.now + REX_HELD_MS
    while door.now < end:
        door.give(RexPressed())
        assert Alarm.REX_HELD not in door.alarms
        door.sense(after_ms=500)
    assert Alarm.REX_HELD in door.alarms
    assert door.state.released
    door.give(Tick(), after_ms=5_000)
    assert Alarm.REX_HELD not in door.alarms


def test_people_leaving_with_pauses_between_them_are_no_stuck_sensor() -> None:
    door = secure_door()
    for _ in range(REX_HELD_MS // 5_000):
        door.give(RexPressed(), after_ms=5_001)
        assert door.alarms & {Alarm.REX_HELD} == frozenset()
