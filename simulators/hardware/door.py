"""A virtual door: leaf, bolt, switches and the people who push it, wired to mock GPIO pins.

It has the physics that make door sensing hard: bolts take time, contacts bounce, latches jam or do not
catch, doors are propped and forced. It reads its lock from the very pin the driver writes. Egress is
mechanical, as in life: from inside the door always opens, whatever the lock is commanded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from drivers.gpio import FailMode, LockKind
from drivers.timed_outputs import Deadline, Timer
from simulators.hardware.pins import LoadPin, WirePin
from simulators.hardware.switch import SwitchWire, VirtualSwitch, WireFault

BOLT_TRAVEL_S = 0.3


class DoorInput(StrEnum):
    """The switches of a door, by the names they have in agent.yaml."""

    CONTACT = "contact"
    BOLT = "bolt"
    REX = "rex"
    TAMPER = "tamper"


@dataclass(frozen=True, slots=True)
class DoorPins:
    """Which pin (BCM), or which other wire, is what. Sensors switch to ground (use the board's pull-ups), as
    `drivers.sensors` expects."""

    lock: int
    contact: int | SwitchWire
    rex: int | SwitchWire
    bolt: int | SwitchWire | None = None
    tamper: int | SwitchWire | None = None
    kind: LockKind = LockKind.STRIKE
    fail_mode: FailMode = FailMode.FAIL_SECURE
    lock_active_high: bool = True

    def __post_init__(self) -> None:
        pins = [pin for pin in (self.lock, self.contact, self.rex, self.bolt, self.tamper) if isinstance(pin, int)]
        if len(set(pins)) != len(pins):
            raise ValueError(f"two things on one pin: {self}")


class VirtualDoor:
    """One door, shut to begin with. Make it before the drivers that use its pins.

    `pin_factory` is a gpiozero MockFactory. `timer` moves bolts and people: a `LoopTimer`, a `TimedOutputs`
    or a test's `SteppedTimer`. `bolt_travel_s` 0 is instant. Methods may be called from any thread.
    """

    def __init__(
        self,
        wiring: DoorPins,
        *,
        pin_factory: Any,
        timer: Timer,
        bolt_travel_s: float = BOLT_TRAVEL_S,
        bounce: bool = True,
    ) -> None:
        self.wiring = wiring
        self.on_move: Callable[[], None] | None = None
        """Called after leaf or bolt moved, on whichever thread moved it."""
        self._timer = timer
        self._travel_s = self._throw_s = bolt_travel_s
        self._guard = threading.RLock()
        self._leaf_closed = True
        self._latched = True  # the latch caught when the leaf last closed
        self._jammed = False
        self._dead = False
        self._weak_latch = False
        self._propped = False
        self._powered = True
        self._travel: Deadline | None = None
        self._travel_to: bool | None = None
        self._swing: Deadline | None = None
        self._lock: Any = pin_factory.pin(wiring.lock, pin_class=LoadPin)
        self._bolt_thrown = self._bolt_may_throw()

        def switch(wire: int | SwitchWire, *, closed: bool) -> VirtualSwitch:
            connected = pin_factory.pin(wire, pin_class=WirePin) if isinstance(wire, int) else wire
            return VirtualSwitch(connected, timer, closed=closed, bounce=bounce)

        self._contact = switch(wiring.contact, closed=True)
        self._rex = switch(wiring.rex, closed=False)
        self._bolt = None if wiring.bolt is None else switch(wiring.bolt, closed=self._bolt_thrown)
        self._tamper = None if wiring.tamper is None else switch(wiring.tamper, closed=True)
        self._switches = {
            DoorInput.CONTACT: self._contact,
            DoorInput.REX: self._rex,
            DoorInput.BOLT: self._bolt,
            DoorInput.TAMPER: self._tamper,
        }
        self._lock.watcher = self._lock_changed

    # --- the truth, whatever the sensors say ---

    @property
    def energised(self) -> bool:
        """Whether current flows through the lock."""
        driven = self._lock.driven
        return self._powered and driven is not None and driven == self.wiring.lock_active_high

    @property
    def released(self) -> bool:
        """Whether the lock lets go."""
        fail_secure = self.wiring.fail_mode is FailMode.FAIL_SECURE
        return self.energised if fail_secure else not self.energised

    @property
    def leaf_closed(self) -> bool:
        """Whether the leaf is shut."""
        return self._leaf_closed

    @property
    def bolt_thrown(self) -> bool:
        """Whether the bolt is thrown (a maglock: bonded)."""
        return self._bolt_thrown

    @property
    def holds(self) -> bool:
        """Whether the door resists a person who pulls from outside."""
        with self._guard:
            return self._leaf_closed and not self.released and self._bolt_thrown

    # --- people ---

    def person_opens(self, hold_s: float = 3.0, *, from_inside: bool = False) -> bool:
        """Somebody opens and lets go after `hold_s` seconds. False if the door held, which from inside it
        never does: their hand on the bar presses REX and draws the bolt."""
        with self._guard:
            if from_inside:
                self.press_rex()
            elif self.holds:
                return False
            self._open()
            self._swing = self._timer.at(self._timer.now() + hold_s, self._swing_shut)
            return True

    def press_rex(self, hold_s: float = 0.5) -> None:
        """Press the REX button or bar for `hold_s` seconds."""
        with self._guard:
            self._rex.move(closed=True)
            self._timer.at(self._timer.now() + hold_s, lambda: self._rex.move(closed=False))

    def force_open(self) -> None:
        """Break it open. The bolt stays where it was."""
        with self._guard:
            self._open()

    def close(self, *, firmly: bool = False) -> None:
        """Shut the leaf. A weak latch catches only if it is shut `firmly`; a propped door stays open."""
        with self._guard:
            if self._propped:
                return
            if self._swing is not None:
                self._swing.cancel()
                self._swing = None
            self._leaf_closed = True
            self._latched = firmly or not self._weak_latch
            if not self._bolt_may_throw():
                self._push_bolt_back()
            self._contact.move(closed=True)
            self._move_bolt()
        self._notify()

    # --- trouble ---

    def jam(self, on: bool = True) -> None:
        """The bolt cannot enter the frame. It matters only while the leaf is shut."""
        with self._guard:
            self._jammed = on
            self._move_bolt()

    def weaken_latch(self, on: bool = True) -> None:
        """From the next closing on, the latch does not catch by itself."""
        self._weak_latch = on

    def prop(self, on: bool = True) -> None:
        """Put something in the way: an open leaf stays open. Taking it away lets it fall shut."""
        with self._guard:
            self._propped = on
            if not on and not self._leaf_closed:
                self.close()

    def pull_tamper(self, on: bool = True) -> None:
        """Take the cover off. ValueError if the door has no tamper switch."""
        if self._tamper is None:
            raise ValueError("this door has no tamper switch")
        with self._guard:
            self._tamper.move(closed=not on)

    def break_wire(self, which: DoorInput, fault: WireFault) -> None:
        """Cut, short or reverse a switch's wire, or mend it (NONE). ValueError if the door has no such switch."""
        switch = self._switches[which]
        if switch is None:
            raise ValueError(f"this door has no {which} switch")
        with self._guard:
            switch.set_fault(fault)

    def weaken_bolt(self, travel_s: float) -> None:
        """From the next time on the bolt takes this long to be thrown: a worn spring. It is drawn as fast as ever."""
        with self._guard:
            self._throw_s = travel_s

    def kill_strike(self, on: bool = True) -> None:
        """The bolt moves no more, whatever the lock is commanded: a broken solenoid, a lost wire."""
        with self._guard:
            self._dead = on
            self._move_bolt()

    def lock_power(self, on: bool) -> None:
        """Switch the lock's supply, as a fire relay or a power failure does."""
        with self._guard:
            self._powered = on
            self._lock_changed()

    # --- mechanics ---

    def _bolt_may_throw(self) -> bool:
        if self.released:
            return False
        if not self._leaf_closed:
            return self.wiring.kind is LockKind.STRIKE  # a bolt goes into the air, a magnet holds nothing
        return self._latched and not self._jammed

    def _lock_changed(self) -> None:
        with self._guard:
            self._move_bolt()

    def _move_bolt(self) -> None:
        if self._dead:
            return
        to = self._bolt_may_throw()
        if to == (self._bolt_thrown if self._travel is None else self._travel_to):
            return
        if self._travel is not None:
            self._travel.cancel()
            self._travel = None
        if to == self._bolt_thrown:
            if self._bolt is not None:
                self._bolt.move(closed=to)
            return
        travel_s = self._throw_s if to else self._travel_s
        if travel_s <= 0:
            self._bolt_arrived(to)
            return
        self._travel_to = to
        if self._bolt is not None and not to:
            self._bolt.move(closed=False)  # the monitor knows the fully thrown bolt only, and it leaves at once
        self._travel = self._timer.at(self._timer.now() + travel_s, lambda: self._bolt_arrived(to))

    def _push_bolt_back(self) -> None:
        """The frame meets a bolt it does not take, before the leaf is shut: no travel of the bolt's own."""
        if self._travel is not None:
            self._travel.cancel()
            self._travel = None
        if self._bolt_thrown:
            self._bolt_arrived(False)

    def _bolt_arrived(self, thrown: bool) -> None:
        with self._guard:
            self._travel = None
            self._bolt_thrown = thrown
            if self._bolt is not None:
                self._bolt.move(closed=thrown)
        self._notify()

    def _open(self) -> None:
        if self._swing is not None:
            self._swing.cancel()
            self._swing = None
        self._leaf_closed = False
        self._contact.move(closed=False)
        self._move_bolt()
        self._notify()

    def _swing_shut(self) -> None:
        self._swing = None
        self.close()

    def _notify(self) -> None:
        if self.on_move is not None:
            self.on_move()
