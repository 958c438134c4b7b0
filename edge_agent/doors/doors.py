"""Ties the pure core to the drivers: what happens is stepped through the door machines, and their effects performed.

All of it runs on the loop, in the order it is called, and nothing in it waits: not for the disk, not for the network.
It knows nothing of badges and readers, of how events travel, or of where declarations come from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.alarms.desk import AlarmDesk, AlarmsChanged
from edge_agent.alarms.groups import Weight
from edge_agent.alarms.lines import line_alarms
from edge_agent.doors import interlock
from edge_agent.doors.door import Door, profile_of, reading
from edge_agent.doors.happenings import (
    DoorOpened,
    DoorsChanged,
    FireAlarm,
    Happening,
    HeldWarning,
    RulesChanged,
    SensorsRead,
)
from edge_agent.doors.hardware import Hardware
from edge_agent.doors.machine import evidence, fire_released, next_deadline_ms, step
from edge_agent.doors.state import (
    DriveLock,
    Emit,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    initial,
)
from edge_agent.events.journal import Journal
from edge_agent.host.clock import AgentClock
from edge_agent.policy import first_person
from edge_agent.policy.effective_mode import effective_mode
from edge_agent.policy.rules import Rules
from ground.reporter import Reporter
from protocol.messages import DeclarationSet
from protocol.messages import DoorState as ReportedDoor
from protocol.words import Alarm, Contact, Denial, DoorMode, EventKind

log = logging.getLogger(__name__)

INTRUSION = (Alarm.FORCED, Alarm.TAMPER)
"""Alarms that may be somebody breaking in."""


class Doors(Reporter[Happening]):
    """The doors of one agent, and the HardwareListener of its drivers.

    ``first_came(door)`` is when somebody last came for whom the door's schedule waits (UTC ns), or None.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        clock: AgentClock,
        journal: Journal,
        alarms: AlarmDesk,
        first_came: Callable[[str], int | None],
    ) -> None:
        super().__init__()
        self.held: dict[str, Door] = {}
        self.fire = False
        self.rules = Rules()
        self._config = config
        self._clock = clock
        self._journal = journal
        self._alarms = alarms
        self._first_came = first_came
        self._hardware: Hardware | None = None
        self._sets: tuple[DeclarationSet, ...] = ()
        alarms.when(AlarmsChanged, lambda: self._report(DoorsChanged()))

    def start(self, hardware: Hardware, rules: Rules, sets: Iterable[DeclarationSet]) -> None:
        """Take charge of the doors: modes and locks first, then what the sensors say. Needs no other part."""
        self._hardware = hardware
        self.rules = rules
        self._sets = tuple(sets)
        now = self._clock.mono_ms()
        for wiring in self._config.doors:
            profile = profile_of(wiring, rules.settings(wiring.door))
            self.held[wiring.door] = Door(wiring, hardware.doors[wiring.door], profile, initial(profile, now))
        self.follow_schedules()
        self.sample_all()

    def stop(self) -> None:
        """Lock every door, as at the end of the program; outputs stay driven. What fire holds open stays open, and
        who has just asked to leave is let out: the lock's own timer locks behind them, or the wiring does.
        """
        now = self._clock.mono_ms()
        for door in self.held.values():
            leaving = door.profile.rex_releases and door.state.rex_until_ms > now
            if not (leaving or fire_released(door.profile, door.state)):
                door.hardware.drive(DriveLock(released=False))
        self._alarms.close()

    @property
    def letting_out(self) -> bool:
        """Whether a lock is still released for a time, which its own timer will end."""
        ends = (door.hardware.lock.released_until for door in self.held.values())
        return any(end is not None and end < math.inf for end in ends)

    # --- what people and central ask ----------------------------------------------------------------------------

    def grant(self, door: str, by: Mapping[str, Any], *, override: bool = False) -> None:
        """Let somebody pass once. ``by`` becomes the event's data. A secured door opens to ``override`` alone."""
        self._step(self.held[door], Granted(by, override=override))

    def objection(self, door: str) -> Denial | None:
        """Why a grant without override should not be given now, or None."""
        if self.held[door].state.mode is DoorMode.SECURED:
            return Denial.DOOR_SECURED
        return None if self.interlock_free(door) else Denial.INTERLOCKED

    def interlock_free(self, door: str) -> bool:
        """Whether the doors it is interlocked with are proven secure, on evidence of this moment."""
        name = self.rules.settings(door).interlock
        if name is None:
            return True
        others = [one for one in self.held if one != door and self.rules.settings(one).interlock == name]
        for other in others:
            self.sample(self.held[other])
        return interlock.free((self.held[other].state for other in others), self._clock.mono_ms())

    def test_lock(self, door: str) -> dict[str, Any]:
        """Command the lock again; what its sensors say right after."""
        held = self.held[door]
        self._step(held, LockTested())
        self.sample(held)
        report = self.report(held)
        return {"condition": report.condition, "contact": report.evidence.contact, "bolt": report.evidence.bolt}

    def set_rules(self, rules: Rules) -> None:
        """Use another configuration from now on. The doors' states stay."""
        self.rules = rules
        self._report(RulesChanged())
        for door in self.held.values():
            door.profile = profile_of(door.wiring, rules.settings(door.wiring.door))
        self._hold()

    def set_declarations(self, sets: Iterable[DeclarationSet]) -> None:
        """Hold the doors to these sets: every lock is driven, then every sensor read again."""
        self._sets = tuple(sets)
        self._hold()

    def set_alarm(self, door: str, alarm: Alarm, *, on: bool, source: Mapping[str, str] | None = None) -> None:
        """An alarm of a door is on or off now; may be repeated. ``source`` names a part of the door that raises it:
        {"reader": name}, say."""
        weight = _weight(alarm, self.held[door].state.mode, perimeter=self.rules.settings(door).perimeter)
        self._alarms.set(door, alarm, on=on, source=source, weight=weight)

    # --- what the hardware says (HardwareListener) --------------------------------------------------------------

    def door_changed(self, door: str) -> None:
        self.sample(self.held[door])

    def rex_pressed(self, door: str) -> None:
        self._step(self.held[door], RexPressed())

    def release_over(self, door: str) -> None:
        """The lock's own timer has locked it again."""
        self._step(self.held[door], ReleaseOver())
        self.sample(self.held[door])

    def fire_changed(self) -> None:
        """The fire input changed, or is read again."""
        if self._hardware is None:
            return
        active = self._hardware.fire()
        if active is not self.fire:
            self.fire = active
            self._journal.add(EventKind.FIRE_STARTED if active else EventKind.FIRE_ENDED)
            self._report(FireAlarm(active))
            self._report(DoorsChanged())
        for door in self.held.values():
            if door.state.fire is not active:
                self._step(door, FireChanged(active))
                self.sample(door)

    def power_changed(self, mains: bool | None, battery: bool | None) -> None:
        self._alarms.set(None, Alarm.MAINS_FAILED, on=mains is False)
        self._alarms.set(None, Alarm.BATTERY_LOW, on=battery is False)

    # --- time ---------------------------------------------------------------------------------------------------

    def sample_all(self) -> None:
        """Read every sensor of the agent."""
        self.fire_changed()
        if self._hardware is not None:
            self._hardware.panic()  # this reports a press whose edge was lost
            self.power_changed(*self._hardware.power())
            self._alarms.set_lines(None, line_alarms(self._hardware.lines()))
        for door in self.held.values():
            self.sample(door)
        self._alarms.tick()
        self._report(SensorsRead())

    def sample(self, door: Door) -> None:
        """Read every sensor of a door. Time passes in it, too: what was due by now is done."""
        if door.undriven:
            self._step(door, LockTested())
        if door.hardware.asks_to_leave():  # before the contact: who leaves has the right to
            self._step(door, RexPressed())
        if self._step(door, reading(door)):
            self._step(door, reading(door))  # the lock was commanded: what was read before proves nothing
        self._alarms.set_lines(door.wiring.door, line_alarms(door.hardware.lines()))

    def follow_schedules(self) -> None:
        """Bring every door to the mode it should have by now."""
        utc_ns, trusted = self._clock.utc_ns(), self._clock.trusted()
        for name, door in self.held.items():
            settings = self.rules.settings(name)
            scheduled = self.rules.scheduled(name, utc_ns, clock_trusted=trusted)
            if scheduled is DoorMode.UNLOCKED and settings.first_person_group is not None:
                periods = self.rules.schedules.get(settings.schedule or "", ())
                zone, holidays = self.rules.timezone, self.rules.holidays
                if not first_person.came_in_period(self._first_came(name), periods, utc_ns, zone, holidays):
                    scheduled = DoorMode.CONTROLLED
            known = name in self.rules.doors
            mode, ids = effective_mode(settings, self._config.site, self._sets, scheduled, zones_known=known)
            if (mode, ids) != (door.state.mode, door.state.declarations):
                self._step(door, ModeSet(mode, ids))

    def due_ms(self) -> int | None:
        """Until when (monotonic) nothing changes by time alone."""
        deadlines = (next_deadline_ms(door.profile, door.state) for door in self.held.values())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- what is said of the doors ------------------------------------------------------------------------------

    def reports(self) -> tuple[ReportedDoor, ...]:
        """Every door as it goes into a snapshot made now."""
        return tuple(self.report(door) for door in self.held.values())

    def report(self, door: Door) -> ReportedDoor:
        """One door as it goes into a snapshot made now."""
        state = door.state
        return ReportedDoor(
            door=door.wiring.door,
            mode=state.mode,
            condition=state.condition,
            released=state.released,
            evidence=evidence(door.profile, state, self._clock.mono_ms()),
            declarations=state.declarations,
            alarms=tuple(sorted(state.alarms | self._alarms.alarms(door.wiring.door))),
            maintenance=tuple(sorted(self._alarms.maintenance(door.wiring.door))),
            fire_released=fire_released(door.profile, state),
        )

    # --- steps and effects --------------------------------------------------------------------------------------

    def _hold(self) -> None:
        self.follow_schedules()
        self.sample_all()
        self._report(DoorsChanged())

    def _step(self, door: Door, given: Input) -> bool:
        """Step a door and perform the effects; whether its lock was commanded."""
        driven, before = False, door.state
        door.state, effects = step(door.profile, door.state, given, self._clock.mono_ms())
        for effect in effects:
            if isinstance(effect, DriveLock):
                driven = True
                door.undriven = not door.hardware.drive(effect)
            else:
                self._write(door, effect)
        if door.state.mode is DoorMode.SECURED and before.mode is not DoorMode.SECURED:
            self._alarms.insist(door.wiring.door, *INTRUSION)
        if door.state.leaf is Contact.OPEN and before.leaf is not Contact.OPEN:
            self._report(DoorOpened(door.wiring.door, before.closed_seen_ms))
        if effects or (door.state.contact, door.state.bolt) != (before.contact, before.bolt):
            self._report(DoorsChanged())
        return driven

    def _write(self, door: Door, effect: Emit) -> None:
        if effect.kind in (EventKind.ALARM_RAISED, EventKind.ALARM_CLEARED):
            on = effect.kind is EventKind.ALARM_RAISED
            self.set_alarm(door.wiring.door, effect.data["alarm"], on=on)
            return
        self._journal.add(effect.kind, effect.data, door=door.wiring.door)
        if effect.kind is EventKind.HELD_WARNING:
            self._report(HeldWarning(door.wiring.door))


def _weight(alarm: Alarm, mode: DoorMode, *, perimeter: bool) -> Weight:
    """How much an alarm that comes again insists on being reported."""
    if alarm not in INTRUSION:
        return Weight.COUNTED
    if mode is DoorMode.SECURED:
        return Weight.ALWAYS
    return Weight.UNTIL_FLAPPING if perimeter else Weight.WRITTEN
