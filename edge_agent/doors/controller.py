"""Ties the pure core to the drivers: what happens is stepped through the door machines, and their effects performed.

All of it runs on the loop, in the order it is called, and nothing in it waits: not for the disk, not for the network.
It knows nothing of how events travel or where declarations come from.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drivers.readers import Show
from edge_agent.access.desk import BadgePath, reader_places
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.alarms.desk import AlarmDesk
from edge_agent.alarms.groups import Weight
from edge_agent.alarms.lines import line_alarms
from edge_agent.doors import interlock
from edge_agent.doors.door import Door, profile_of, reading
from edge_agent.doors.hardware import Hardware
from edge_agent.doors.machine import evidence, fire_released, next_deadline_ms, step
from edge_agent.doors.state import (
    DoorState,
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
from edge_agent.host.clock import Clock
from edge_agent.policy import first_person
from edge_agent.policy.effective_mode import effective_mode
from edge_agent.policy.rules import Rules
from edge_agent.storage.presence import Presence
from protocol.messages import DeclarationSet, DoorSettings
from protocol.messages import DoorState as ReportedDoor
from protocol.words import Alarm, Contact, Denial, DoorMode, EventKind

log = logging.getLogger(__name__)

SAMPLE_EVERY_MS = 500

INTRUSION = (Alarm.FORCED, Alarm.TAMPER)
"""Alarms that may be somebody breaking in."""


class Controller:
    """The doors of one agent. ``on_change`` is called whenever a snapshot would look different.

    ``on_show(reader, what)`` tells a reader what to show; ``on_panic`` declares what the panic button means.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        clock: Clock,
        journal: Journal,
        presence: Presence,
        on_change: Callable[[], None],
        on_show: Callable[[str, Show], None],
        on_panic: Callable[[], None],
    ) -> None:
        self.site = config.site
        self.doors: dict[str, Door] = {}
        self.fire = False
        self.rules = Rules()
        self._config = config
        self._clock = clock
        self._journal = journal
        self._on_change = on_change
        self._on_panic = on_panic
        self._on_show = on_show
        self._desk = AlarmDesk(journal, now_ms=clock.mono_ms, on_change=on_change)
        self._presence = presence
        self._hardware: Hardware | None = None
        self._sets: tuple[DeclarationSet, ...] = ()
        self.badges = BadgePath(
            doors=self,
            key=config.credential_key,
            places=reader_places(config),
            presence=presence,
            clock=clock,
            journal=journal,
            on_show=on_show,
        )

    def start(self, hardware: Hardware, rules: Rules, sets: Iterable[DeclarationSet]) -> None:
        """Take charge of the doors: modes and locks first, then what the sensors say. Needs nobody else."""
        self._hardware = hardware
        self.rules = rules
        self._sets = tuple(sets)
        now = self._clock.mono_ms()
        for wiring in self._config.doors:
            profile = profile_of(wiring, rules.settings(wiring.door))
            self.doors[wiring.door] = Door(wiring, hardware.doors[wiring.door], profile, initial(profile, now))
        self._set_modes()
        self.sample_all()
        self.badges.start(self.doors)

    def stop(self) -> None:
        """Lock every door, as at the end of the program; outputs stay driven. What fire holds open stays open, and
        who has just asked to leave is let out: the lock's own timer locks behind them, or the wiring does.
        """
        now = self._clock.mono_ms()
        for door in self.doors.values():
            leaving = door.profile.rex_releases and door.state.rex_until_ms > now
            if not (leaving or fire_released(door.profile, door.state)):
                door.hardware.drive(DriveLock(released=False))
        self._desk.close()

    @property
    def letting_out(self) -> bool:
        """Whether a lock is still released for a time, which its own timer will end."""
        ends = (door.hardware.lock.released_until for door in self.doors.values())
        return any(end is not None and end < math.inf for end in ends)

    # --- what readers say: see edge_agent.access.desk ------------------------------------------------------------

    def readers_of(self, door: str) -> tuple[str, ...]:
        """The names of a door's readers."""
        return self.badges.readers_of(door)

    def card_read(self, reader: str, door: str, bits: int, data: bytes, read_ms: int) -> None:
        """A card at a reader: ``bits`` left-aligned in ``data``, read at ``read_ms`` of the monotonic clock."""
        self.badges.card_read(reader, door, bits, data, read_ms)

    def keys_pressed(self, reader: str, door: str, keys: str, read_ms: int) -> None:
        """Keys at a reader: '0' to '9', '*' clears, '#' enters."""
        self.badges.keys_pressed(reader, door, keys, read_ms)

    def read_refused(self, reader: str, door: str, reason: str) -> None:
        """A reader sent what is no card and no key: noise, a bad parity or checksum."""
        self.badges.read_refused(reader, door, reason)

    def door_state(self, door: str) -> DoorState:
        """What is known of a door."""
        return self.doors[door].state

    def interlock_free(self, door: str) -> bool:
        """Whether the doors it is interlocked with are proven secure, on evidence of this moment."""
        name = self.rules.settings(door).interlock
        if name is None:
            return True
        others = [one for one in self.doors if one != door and self.rules.settings(one).interlock == name]
        for other in others:
            self.sample(self.doors[other])
        return interlock.free((self.doors[other].state for other in others), self._clock.mono_ms())

    def open_for(self, door: str, granted: Granted) -> None:
        """Somebody may pass."""
        self._step(self.doors[door], granted)

    # --- what central and people ask ----------------------------------------------------------------------------

    def set_rules(self, rules: Rules) -> None:
        """Use another configuration from now on. The doors' states stay."""
        self.rules = rules
        self.badges.rules_changed()
        for door in self.doors.values():
            door.profile = profile_of(door.wiring, rules.settings(door.wiring.door))
        self._set_modes()
        self.sample_all()
        self._on_change()

    def set_declarations(self, sets: Iterable[DeclarationSet]) -> None:
        """Hold the doors to these sets: every lock is driven, then every sensor read again."""
        self._sets = tuple(sets)
        self._set_modes()
        self.sample_all()
        self._on_change()

    def grant(self, door: str, by: Mapping[str, Any]) -> Denial | None:
        """Open once, as a badge would; or why not."""
        held = self.doors[door]
        if held.state.mode is DoorMode.SECURED:
            return Denial.DOOR_SECURED
        if not self.interlock_free(door):
            return Denial.INTERLOCKED
        self._step(held, Granted(by))
        return None

    def test_lock(self, door: str) -> dict[str, Any]:
        """Command the lock again; what its sensors say right after."""
        held = self.doors[door]
        self._step(held, LockTested())
        self.sample(held)
        report = self.report(held)
        return {"condition": report.condition, "contact": report.evidence.contact, "bolt": report.evidence.bolt}

    # --- what the hardware says (HardwareListener) --------------------------------------------------------------

    def door_changed(self, door: str) -> None:
        """A sensor of a door changed."""
        self.sample(self.doors[door])

    def rex_pressed(self, door: str) -> None:
        """Somebody asks to leave."""
        self._step(self.doors[door], RexPressed())

    def release_over(self, door: str) -> None:
        """The lock's own timer has locked it again."""
        self._step(self.doors[door], ReleaseOver())
        self.sample(self.doors[door])

    def panic_pressed(self) -> None:
        """The panic button went down."""
        self._on_panic()

    def fire_changed(self) -> None:
        """The fire input changed, or is looked at again."""
        if self._hardware is None:
            return
        active = self._hardware.fire()
        if active is not self.fire:
            self.fire = active
            self._journal.add(EventKind.FIRE_STARTED if active else EventKind.FIRE_ENDED)
            if active:
                self.badges.fire_started()
            self._on_change()
        for door in self.doors.values():
            if door.state.fire is not active:
                self._step(door, FireChanged(active))
                self.sample(door)

    def set_reader_alarm(self, reader: str, door: str, alarm: Alarm, *, on: bool) -> None:
        """A reader of a door raises or clears an alarm. A door may have two readers; each has its own."""
        alarms = self.doors[door].reader_alarms
        if on is ((reader, alarm) in alarms):
            return
        (alarms.add if on else alarms.discard)((reader, alarm))
        self._desk.set(door, alarm, on=on, source={"reader": reader}, weight=self._weight(alarm, self.doors[door]))

    def power_changed(self, mains: bool | None, battery: bool | None) -> None:
        """What the power supply says of itself."""
        self._desk.set(None, Alarm.MAINS_FAILED, on=mains is False)
        self._desk.set(None, Alarm.BATTERY_LOW, on=battery is False)

    # --- time ---------------------------------------------------------------------------------------------------

    def sample_all(self) -> None:
        """Read every sensor of the agent."""
        self.fire_changed()
        if self._hardware is not None:
            self._hardware.panic()  # a lost edge of the button is told by this look at it
            self.power_changed(*self._hardware.power())
            self._desk.set_lines(None, line_alarms(self._hardware.lines()))
        for door in self.doors.values():
            self.sample(door)
        self._desk.tick()
        self.badges.follow()

    def sample(self, door: Door) -> None:
        """Read every sensor of a door. Time passes in it, too: what was due by now is done."""
        if door.undriven:
            self._step(door, LockTested())
        if door.hardware.asks_to_leave():  # before the contact: who leaves has the right to
            self._step(door, RexPressed())
        if self._step(door, reading(door)):
            self._step(door, reading(door))  # the lock was commanded: what was read before proves nothing
        self._desk.set_lines(door.wiring.door, line_alarms(door.hardware.lines()))

    def follow_schedules(self) -> None:
        """Bring every door to the mode it should have by now."""
        self._set_modes()

    def due_ms(self) -> int | None:
        """Until when (monotonic) nothing changes by time alone."""
        deadlines = [next_deadline_ms(door.profile, door.state) for door in self.doors.values()]
        deadlines.append(self.badges.due_ms())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    # --- what is said of the doors ------------------------------------------------------------------------------

    def reports(self) -> tuple[ReportedDoor, ...]:
        """Every door as it goes into a snapshot made now."""
        return tuple(self.report(door) for door in self.doors.values())

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
            alarms=tuple(sorted(state.alarms | self._desk.alarms(door.wiring.door))),
            maintenance=tuple(sorted(self._desk.maintenance(door.wiring.door))),
            fire_released=fire_released(door.profile, state),
        )

    def alarms(self) -> tuple[Alarm, ...]:
        """What is on that belongs to no door: power, the lines of the fire and panic inputs."""
        return tuple(sorted(self._desk.alarms(None)))

    # --- steps and effects --------------------------------------------------------------------------------------

    def _set_modes(self) -> None:
        utc_ns, trusted = self._clock.utc_ns(), self._clock.trusted()
        for name, door in self.doors.items():
            settings = self.rules.settings(name)
            scheduled = self.rules.scheduled(name, utc_ns, clock_trusted=trusted)
            if scheduled is DoorMode.UNLOCKED and not self._first_person_came(settings, utc_ns):
                scheduled = DoorMode.CONTROLLED
            known = name in self.rules.doors
            mode, ids = effective_mode(settings, self.site, self._sets, scheduled, zones_known=known)
            if (mode, ids) != (door.state.mode, door.state.declarations):
                self._step(door, ModeSet(mode, ids))

    def _first_person_came(self, settings: DoorSettings, utc_ns: int) -> bool:
        """Whether a door may follow the unlocked period that holds now."""
        if settings.first_person_group is None:
            return True
        periods = self.rules.schedules.get(settings.schedule or "", ())
        came = self._presence.first_person(settings.door)
        return first_person.came_in_period(came, periods, utc_ns, self.rules.timezone, self.rules.holidays)

    def _step(self, door: Door, given: Input) -> bool:
        """Step a door and perform the effects; whether its lock was commanded."""
        driven, before = False, door.state
        door.state, effects = step(door.profile, door.state, given, self._clock.mono_ms())
        for effect in effects:
            if isinstance(effect, DriveLock):
                driven = True
                door.undriven = not door.hardware.drive(effect)
            elif effect.kind in (EventKind.ALARM_RAISED, EventKind.ALARM_CLEARED):
                alarm, on = effect.data["alarm"], effect.kind is EventKind.ALARM_RAISED
                self._desk.set(door.wiring.door, alarm, on=on, weight=self._weight(alarm, door))
            else:
                self._journal.add(effect.kind, effect.data, door=door.wiring.door)
            if isinstance(effect, Emit) and effect.kind is EventKind.HELD_WARNING:
                for reader in self.readers_of(door.wiring.door):
                    self._on_show(reader, Show.WARNING)
        if door.state.mode is DoorMode.SECURED and before.mode is not DoorMode.SECURED:
            self._desk.insist(door.wiring.door, *INTRUSION)
        if door.state.leaf is Contact.OPEN and before.leaf is not Contact.OPEN:
            self.badges.door_opened(door.wiring.door, before.closed_seen_ms)
        if effects or (door.state.contact, door.state.bolt) != (before.contact, before.bolt):
            self._on_change()
        return driven

    def _weight(self, alarm: Alarm, door: Door) -> Weight:
        """How much an alarm that comes again insists on being told."""
        if alarm not in INTRUSION:
            return Weight.COUNTED
        if door.state.mode is DoorMode.SECURED:
            return Weight.ALWAYS
        return Weight.UNTIL_FLAPPING if self.rules.settings(door.wiring.door).perimeter else Weight.WRITTEN
