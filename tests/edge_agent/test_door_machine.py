"""The door machine, rule by rule. Random sequences are in test_door_machine_properties."""

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.door_machine import evidence, fire_released, next_deadline_ms, step
from edge_agent.door_state import (
    DoorProfile,
    DriveLock,
    Effect,
    Emit,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Sensed,
    Tick,
    initial,
)
from protocol.proof import FRESH_MS, proves_secure
from protocol.words import Alarm, Bolt, Condition, Contact, Denial, DoorMode, EventKind

STRIKE = DoorProfile(
    door="main-entrance",
    bolt_fitted=True,
    tamper_fitted=True,
    bolt_ms=2_000,
    unlock_ms=5_000,
    held_ms=30_000,
    fail_safe=False,
    fire_release=False,
    rex_releases=False,
)
MAGLOCK = replace(STRIKE, fail_safe=True, fire_release=True, rex_releases=True)
START = 100_000


class Door:
    """A machine with its clock, and sensors that can be set and sampled."""

    def __init__(self, profile: DoorProfile = STRIKE) -> None:
        self.profile = profile
        self.now = START
        self.state = initial(profile, START)
        self.contact: Contact | None = Contact.CLOSED
        self.bolt: Bolt | None = Bolt.THROWN
        self.tampered: bool | None = False
        self.effects: tuple[Effect, ...] = ()

    def give(self, given: Input, *, after_ms: int = 0) -> tuple[Effect, ...]:
        self.now += after_ms
        self.state, self.effects = step(self.profile, self.state, given, self.now)
        return self.effects

    def sense(self, *, after_ms: int = 0, **values: Any) -> tuple[Effect, ...]:
        for name, value in values.items():
            setattr(self, name, value)
        return self.give(Sensed(self.contact, self.bolt, self.tampered), after_ms=after_ms)

    def keep_sensing(self, for_ms: int) -> None:
        """Sample twice a second, as the agent does."""
        end = self.now + for_ms
        while self.now < end:
            self.sense(after_ms=min(500, end - self.now))

    @property
    def condition(self) -> Condition:
        return self.state.condition

    @property
    def alarms(self) -> frozenset[Alarm]:
        return self.state.alarms

    @property
    def drive(self) -> DriveLock | None:
        return next((effect for effect in self.effects if isinstance(effect, DriveLock)), None)

    def events(self, kind: EventKind) -> list[dict[str, Any]]:
        return [dict(effect.data) for effect in self.effects if isinstance(effect, Emit) and effect.kind is kind]


def secure_door(profile: DoorProfile = STRIKE) -> Door:
    door = Door(profile)
    door.sense(after_ms=500)
    assert door.condition is Condition.SECURE
    return door


# --- proof --------------------------------------------------------------------------------------------------


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


# --- grants -------------------------------------------------------------------------------------------------


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


# --- egress -------------------------------------------------------------------------------------------------


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


# --- opening ------------------------------------------------------------------------------------------------


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


# --- the bolt -----------------------------------------------------------------------------------------------


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


# --- tampering ----------------------------------------------------------------------------------------------


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


# --- time ---------------------------------------------------------------------------------------------------


def test_a_clock_that_steps_back_shortens_nothing() -> None:
    door = secure_door(MAGLOCK)
    door.give(RexPressed())
    door.give(Tick(), after_ms=2_000)
    door.give(Tick(), after_ms=-10_000)
    assert door.state.released
    assert door.state.at_ms == START + 2_500
