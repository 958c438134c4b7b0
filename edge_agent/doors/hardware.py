"""The drivers of one agent: built from its wiring, sampled as one, closed as one. Decides nothing.

The pin factory is given: LGPIOFactory on a Pi, MockFactory in a simulator or a test; the drivers are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.gpio import LockOutput
from drivers.supervised_line import LineState
from drivers.timed_outputs import Timer
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring
from edge_agent.doors.inputs import InputMaker, InputSensor, Role, line_of
from edge_agent.doors.state import DriveLock, Sensed
from ground.loop_poster import Post
from protocol.words import Bolt, Contact

log = logging.getLogger(__name__)

BACKSTOP_S = 0.020
"""The lock's own timer comes this much after the door machine, so that it acts only if the loop is late."""


class HardwareListener(Protocol):
    """What follows the edges of a door's inputs. Called on the loop."""

    def door_changed(self, door: str) -> None:
        """A sensor of a door changed: take a sample."""

    def rex_pressed(self, door: str) -> None:
        """Somebody asks to leave, or still does."""

    def release_over(self, door: str) -> None:
        """The lock's own timer has locked it again."""

    def fire_changed(self) -> None:
        """The fire input changed."""

    def power_changed(self, mains: bool | None, battery: bool | None) -> None:
        """Whether mains is there and the battery is good; None: not wired, or no reading."""


@dataclass(slots=True)
class DoorHardware:
    """The drivers of one door."""

    timer: Timer
    lock: LockOutput
    contact: InputSensor
    bolt: InputSensor | None
    rex: InputSensor | None
    tamper: InputSensor | None

    def sample(self) -> Sensed:
        """Read all the door's sensors now. A driver that fails gives no reading."""
        began = self.timer.now()
        contact, contact_at = _reread(self.contact)
        bolt, bolt_at = _reread(self.bolt)
        tampered, tamper_at = _reread(self.tamper)
        read = [at for at in (contact_at, bolt_at, tamper_at) if at is not None]
        return Sensed(
            contact=None if contact is None else Contact.CLOSED if contact else Contact.OPEN,
            bolt=None if bolt is None else Bolt.THROWN if bolt else Bolt.RETRACTED,
            tampered=tampered,
            # None: just now, and so after every command to the lock, even one of this same millisecond. An input
            # that still bounces was last sure of its value some time before.
            at_ms=None if not read or min(read) >= began else int(min(read) * 1000),
        )

    def lines(self) -> dict[str, LineState]:
        """What its supervised lines are like, by the input's name in the wiring. Switches on pins are left out."""
        return _lines(self.sensors())

    def asks_to_leave(self) -> bool:
        """Whether the REX input is active now. A faulty line asks for nothing: cutting it from outside must not open
        the door, and a release that runs is not cut short. The hardware lets people out all the same.
        """
        return bool(_reread(self.rex)[0])

    def drive(self, command: DriveLock) -> bool:
        """Command the lock; False if the driver failed (logged)."""
        try:
            if not command.released:
                self.lock.lock()
            elif command.for_ms is None:
                self.lock.release()
            else:
                self.lock.release_for(command.for_ms / 1000 + BACKSTOP_S)
        except Exception:
            log.exception("a lock could not be commanded to %s", "release" if command.released else "lock")
            return False
        for sensor in self.sensors().values():
            sensor.confirm()
        return True

    def sensors(self) -> dict[str, InputSensor]:
        """The inputs that are fitted, by their names in the wiring."""
        named = {"contact": self.contact, "bolt": self.bolt, "rex": self.rex, "tamper": self.tamper}
        return {name: sensor for name, sensor in named.items() if sensor is not None}


class Hardware:
    """All drivers of an agent. Every lock is locked from the first instant on.

    ``post`` brings callbacks to the loop (``loop.call_soon_threadsafe``); ``panic`` is called there when the panic
    button goes down. Raises what the pin factory raises for a
    pin its board does not have, and ValueError for end-of-line resistors that cannot tell a line's states apart.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        timer: Timer,
        post: Post,
        listener: HardwareListener,
        panic: Callable[[], None],
    ) -> None:
        self._timer = timer
        self._options: dict[str, Any] = {"pin_factory": pin_factory, "timer": timer, "post": post}
        # Locks first, all of them: nothing that fails later may leave a door unlocked.
        locks = {wiring.door: self._lock(wiring, listener) for wiring in config.doors}
        self._inputs = InputMaker(config.adcs, pin_factory=pin_factory, timer=timer, post=post)
        make = self._inputs.make

        def power_changed(_value: bool | None, _at: float) -> None:
            listener.power_changed(*self.power())

        power = config.power
        self.doors = {wiring.door: self._door(wiring, locks[wiring.door], listener) for wiring in config.doors}
        self._fire = make(Role.FIRE, config.fire, lambda _value, _at: listener.fire_changed())
        self._panic = make(Role.PANIC, config.panic, _when_true(panic))
        self._mains = make(Role.POWER, power.mains if power else None, power_changed)
        self._battery = make(Role.POWER, power.battery if power else None, power_changed)
        self._inputs.start()

    def fire(self) -> bool:
        """Whether the fire alarm panel calls for release. An input that cannot be read does, and so does a line that
        is cut or shorted: egress comes first."""
        if self._fire is None:
            return False
        return _reread(self._fire)[0] is not False

    def panic(self) -> bool:
        """Whether the panic button is down now. A faulty line is not a panic: it raises an alarm, and no lockdown
        that two people must end."""
        return bool(_reread(self._panic)[0])

    def power(self) -> tuple[bool | None, bool | None]:
        """Whether mains is there, and the battery good; None: not wired, or no reading."""
        return _reread(self._mains)[0], _reread(self._battery)[0]

    def lines(self) -> dict[str, LineState]:
        """What the supervised lines that belong to no door are like, by the input's name in the wiring."""
        return _lines({"fire": self._fire, "panic": self._panic, "mains": self._mains, "battery": self._battery})

    def close(self) -> None:
        """Give up every pin. A fail-safe lock releases then, as it does without power."""
        for sensor in (self._fire, self._panic, self._mains, self._battery):
            if sensor is not None:
                sensor.close()
        for door in self.doors.values():
            for sensor in door.sensors().values():
                sensor.close()
            door.lock.close()
        self._inputs.close()

    def _lock(self, wiring: DoorWiring, listener: HardwareListener) -> LockOutput:
        return LockOutput(
            wiring.lock.pin,
            kind=wiring.lock.kind,
            fail_mode=wiring.lock.fail_mode,
            active_high=wiring.lock.active_high,
            on_timed_relock=lambda _at: listener.release_over(wiring.door),
            **self._options,
        )

    def _door(self, wiring: DoorWiring, lock: LockOutput, listener: HardwareListener) -> DoorHardware:
        def changed(_value: bool | None, _at: float) -> None:
            listener.door_changed(wiring.door)

        # Steady again counts too: while an input bounces, no sample of it proves anything.
        make = self._inputs.make
        slow_rex = self._inputs.supervised(wiring.rex)
        return DoorHardware(
            timer=self._timer,
            lock=lock,
            contact=make(Role.CONTACT, wiring.contact, changed, on_steady=changed, after_rex=slow_rex),
            bolt=make(Role.BOLT, wiring.bolt, changed, on_steady=changed, after_rex=slow_rex),
            rex=make(Role.REX, wiring.rex, _when_true(lambda: listener.rex_pressed(wiring.door))),
            tamper=make(Role.TAMPER, wiring.tamper, changed),
        )


def _when_true(call: Callable[[], None]) -> Callable[[bool | None, float], None]:
    def changed(value: bool | None, _at: float) -> None:
        if value:
            call()

    return changed


def _reread(sensor: InputSensor | None) -> tuple[bool | None, float | None]:
    """The debounced value and when the level last bore it out; no value if the driver fails."""
    if sensor is None:
        return None, None
    try:
        sensor.reread()
    except Exception:
        log.exception("an input could not be read")
        return None, None
    return sensor.last


def _lines(inputs: Mapping[str, InputSensor | None]) -> dict[str, LineState]:
    found = {name: line_of(sensor) for name, sensor in inputs.items()}
    return {name: line for name, line in found.items() if line is not None}
