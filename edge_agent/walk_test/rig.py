"""Holds all doors while one is tested: records every input, and always lets people out.

The runner commands the locks, and every command is an input of the door machine, as exit buttons and fire are: the
machine decides, as in the agent, that a test takes back no release for egress or fire. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drivers.timed_outputs import Timer
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.doors.door import profile_of
from edge_agent.doors.hardware import DoorHardware, Hardware
from edge_agent.doors.machine import fire_released, step
from edge_agent.doors.state import (
    DoorProfile,
    DoorState,
    DriveLock,
    FireChanged,
    Granted,
    Input,
    LockTested,
    ModeSet,
    ReleaseOver,
    RexPressed,
    Tick,
    initial,
)
from edge_agent.walk_test.words import Change, InputName, NewsKind, ReaderNews, ReaderState, Record, Sensor
from ground.loop_poster import Post
from protocol.messages import DoorSettings
from protocol.words import DoorMode

REREAD_EVERY_MS = 500
"""Every level is read again this often, as in the agent, in case an edge was lost."""

HEALTHY_LINES = frozenset({"normal", "active"})


@dataclass(slots=True)
class _Door:
    """One door on the rig. Secured, except while the test releases it."""

    hardware: DoorHardware
    profile: DoorProfile
    state: DoorState


class Rig:
    """All doors of one agent, locked from the first instant. Call it on the loop, and ``tick`` it often.

    ``settings`` of each door say how long an exit lasts and whether fire releases it. ``reader_states()``
    gives the readers' states; ``on_panic`` is called when the panic button goes down. Raises what the pin factory
    raises.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        timer: Timer,
        post: Post,
        settings: Callable[[str], DoorSettings],
        reader_states: Callable[[], Mapping[str, ReaderState]],
        on_panic: Callable[[], None],
    ) -> None:
        self._config = config
        self._timer = timer
        self._reader_states = reader_states
        self._on_panic = on_panic
        self._doors: dict[str, _Door] = {}  # none while the hardware comes up
        self._record: Record | None = None
        self._fire = False
        self._reread_due = 0
        self._values: dict[InputName, bool | None] = {}
        self._drivers: dict[InputName, Any] = {}
        self._hardware = Hardware(
            config, pin_factory=pin_factory, timer=timer, post=post, listener=self, panic=self._panic_pressed
        )
        for wiring in config.doors:
            profile = profile_of(wiring, settings(wiring.door))
            self._doors[wiring.door] = _Door(
                self._hardware.doors[wiring.door], profile, initial(profile, self.now_ms())
            )
            self._step(wiring.door, ModeSet(DoorMode.SECURED))
        self._drivers = {
            (door, Sensor(name)): driver
            for door, hardware in self._hardware.doors.items()
            for name, driver in hardware.sensors().items()
        }
        self._follow_fire()
        self._values = self._read()

    # --- for the runner -----------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        return int(self._timer.now() * 1000)

    @property
    def fire(self) -> bool:
        """Whether the fire input calls for release."""
        return self._fire

    def value(self, input_: InputName) -> bool | None:
        return self._values.get(input_)

    def released_by_fire(self, door: str) -> bool:
        """Whether fire holds a door open, which cannot be tested then. False for the agent itself ("")."""
        held = self._doors.get(door)
        return held is not None and fire_released(held.profile, held.state)

    def begin(self) -> Record:
        """Record from now on, in a new record."""
        self.tick()
        self._record = Record(began_ms=self.now_ms(), before=dict(self._values), now_ms=self.now_ms())
        for input_ in self._values:
            self._note_fault(input_)
        self._record.readers = self._reader_states()
        return self._record

    def release(self, door: str, for_ms: int) -> None:
        """Unlock a door for some time; its driver locks it again, even if this program's loop stops."""
        held = self._doors[door]
        self._step(door, ModeSet(DoorMode.CONTROLLED))
        self._step(door, Granted(), replace(held.profile, unlock_ms=for_ms))

    def lock(self, door: str) -> None:
        """Lock a door, unless somebody is just leaving by it or fire holds it open."""
        if not self._step(door, ModeSet(DoorMode.SECURED)):
            self._step(door, LockTested())

    def lock_all(self) -> None:
        for door in self._doors:
            self.lock(door)

    @property
    def letting_out(self) -> bool:
        """Whether somebody is on the way out by any door."""
        return any(self.letting_out_by(door) for door in self._doors)

    def letting_out_by(self, door: str) -> bool:
        """Whether somebody is on the way out by this door."""
        held = self._doors.get(door)
        return held is not None and held.profile.rex_releases and held.state.rex_until_ms > self.now_ms()

    def released(self, door: str) -> bool:
        return self._doors[door].hardware.lock.released

    def tick(self) -> None:
        """Read every input, and let the doors follow the time."""
        now = self.now_ms()
        if now >= self._reread_due:
            self._reread_due = now + REREAD_EVERY_MS
            for held in self._doors.values():
                held.hardware.sample()
        self._follow_fire()
        self._record_changes()
        for door in self._doors:
            asks = self._values.get((door, Sensor.REX)) is True
            self._step(door, RexPressed() if asks else Tick())
        if self._record is not None:
            self._record.readers = self._reader_states()
            self._record.now_ms = now

    def note_news(self, reader: str, kind: NewsKind, detail: str) -> None:
        if self._record is not None:
            self._record.news.append(ReaderNews(self.now_ms(), reader, kind, detail))

    def close(self) -> None:
        """Give up the pins. A fail-safe lock releases then; a Pi's process just ends."""
        self._hardware.close()

    # --- for the hardware ---------------------------------------------------------------------------------------

    def door_changed(self, door: str) -> None:
        del door  # read all inputs at once, so that the record shows which moved together
        self._record_changes()

    def rex_pressed(self, door: str) -> None:
        """Let go of the magnet, whatever is tested: somebody asks to leave."""
        self._record_changes()
        self._step(door, RexPressed())

    def release_over(self, door: str) -> None:
        """A lock's own timer has locked it: the machine releases it again if a release still runs."""
        self._step(door, ReleaseOver())

    def fire_changed(self) -> None:
        self._follow_fire()

    def _panic_pressed(self) -> None:
        self._record_changes()
        self._on_panic()

    def power_changed(self, mains: bool | None, battery: bool | None) -> None:
        del mains, battery  # read with all the others
        self._record_changes()

    # --- steps and readings ---------------------------------------------------------------------------------------

    def _step(self, door: str, given: Input, profile: DoorProfile | None = None) -> bool:
        """Step a door's machine; whether the lock was commanded."""
        held = self._doors.get(door)
        if held is None:
            return False
        held.state, effects = step(profile or held.profile, held.state, given, self.now_ms())
        drives = [effect for effect in effects if isinstance(effect, DriveLock)]
        for drive in drives:
            held.hardware.drive(drive)
        return bool(drives)

    def _follow_fire(self) -> None:
        before, self._fire = self._fire, self._hardware.fire()
        for door in self._doors:
            self._step(door, FireChanged(self._fire))
        if before and not self._fire:
            self.lock_all()

    def _read(self) -> dict[InputName, bool | None]:
        values: dict[InputName, bool | None] = {input_: driver.value for input_, driver in self._drivers.items()}
        if self._config.fire is not None:
            values["", Sensor.FIRE] = self._fire
        if self._config.panic is not None:
            values["", Sensor.PANIC] = self._hardware.panic()
        power = self._config.power
        if power is not None:
            mains, battery = self._hardware.power()
            if power.mains is not None:
                values["", Sensor.MAINS] = mains
            if power.battery is not None:
                values["", Sensor.BATTERY] = battery
        return values

    def _record_changes(self) -> None:
        before, self._values = self._values, self._read()
        if self._record is None:
            return
        now = self.now_ms()
        for input_, value in self._values.items():
            if value is not before.get(input_):
                self._record.changes.append(Change(now, *input_, value))
                self._note_fault(input_)

    def _note_fault(self, input_: InputName) -> None:
        door, sensor = input_
        if door:
            line = str(getattr(self._drivers[input_], "line", "normal"))  # an unsupervised input has none
        else:
            line = str(self._hardware.lines().get(sensor, "normal"))
        if self._record is not None and line not in HEALTHY_LINES:
            self._record.faults[input_] = line
