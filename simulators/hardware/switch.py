"""A virtual switch to ground on a wire: it bounces when it moves, and its wiring can be made wrong in the usual ways.

It knows nothing of doors. What is at the other end of the wire (a GPIO pin, a channel of an ADC) is given.
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Protocol

from drivers.timed_outputs import Deadline, Timer

BOUNCE_AT_S = (0.001, 0.0025, 0.004)
"""When a moving contact flips again after its first touch."""


class WireFault(StrEnum):
    """What is wrong between the switch and the board."""

    NONE = "none"
    CUT = "cut"  # an open circuit: nothing reaches the board
    SHORT = "short"  # the two wires touch: closed, whatever the switch does
    REVERSED = "reversed"  # the other contact of the switch was used: normally open for normally closed


class SwitchWire(Protocol):
    """Where a switch is connected."""

    def drive(self, level: bool | None) -> None:
        """False: to ground, through the closed switch. None: an open switch."""

    def break_line(self, fault: WireFault) -> None:
        """CUT or SHORT the line itself, or NONE to mend it."""


class VirtualSwitch:
    """One switch. Methods may be called from any thread that holds the lock of its door."""

    def __init__(self, wire: SwitchWire, timer: Timer, *, closed: bool, bounce: bool) -> None:
        self._wire = wire
        self._timer = timer
        self._bounce = bounce
        self._closed = closed
        self._fault = WireFault.NONE
        self._flips: list[Deadline] = []
        self._show(closed)

    @property
    def closed(self) -> bool:
        """Where the switch itself is, whatever its wire shows."""
        return self._closed

    def move(self, *, closed: bool) -> None:
        """Close or open it. It bounces, if it is one that does."""
        if closed == self._closed:
            return
        self._closed = closed
        for flip in self._flips:
            flip.cancel()
        self._flips.clear()
        self._show(closed)
        if not self._bounce:
            return
        now = self._timer.now()
        state = closed
        for after in (*BOUNCE_AT_S, 2 * BOUNCE_AT_S[-1]):
            state = closed if after > BOUNCE_AT_S[-1] else not state
            self._flips.append(self._timer.at(now + after, partial(self._show, state)))

    def set_fault(self, fault: WireFault) -> None:
        """Do something to its wire, or mend it (NONE)."""
        self._fault = fault
        self._wire.break_line(WireFault.NONE if fault is WireFault.REVERSED else fault)
        self._show(self._closed)

    def _show(self, closed: bool) -> None:
        if self._fault is WireFault.REVERSED:
            closed = not closed
        self._wire.drive(False if closed else None)
