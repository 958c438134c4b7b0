"""The lamp and the buzzer of a Wiegand reader: two wires, each on or off, and what they say to a person.

Such a reader lights red by itself; its LED wire makes it green, its buzzer wire makes it sound. Both
follow `drivers.osdp.indication` as far as one lamp allows. When to show what is not decided here.

Most readers' wires are pulled up to 5 V or 12 V inside and act when pulled to ground: put a transistor or an
opto-coupler between them and the Pi's pin.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gpiozero import OutputDevice

from drivers.readers import LASTING, Show
from drivers.timed_outputs import Deadline, Timer


@dataclass(frozen=True, slots=True)
class Pattern:
    """How one wire behaves: seconds on and off in turn, beginning with on."""

    on_off: tuple[float, ...] = ()
    forever: bool = False
    """Whether it begins again at its end. Its length must then be even."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What both wires do."""

    led: Pattern = Pattern()
    buzzer: Pattern = Pattern()


_FAST = Pattern((0.2, 0.2), forever=True)
_SLOW = Pattern((0.3, 0.3) * 17)  # ten seconds

SIGNALS: Mapping[Show, Signal] = MappingProxyType(
    {
        # lamp as the reader has it (red), silence
        Show.IDLE: Signal(),
        # fast blink
        Show.LOCKDOWN: Signal(led=_FAST),
        # green for three seconds, one short beep
        Show.GRANTED: Signal(led=Pattern((3.0,)), buzzer=Pattern((0.2,))),
        # lamp stays red, three beeps
        Show.DENIED: Signal(buzzer=Pattern((0.1, 0.1, 0.1, 0.1, 0.1))),
        # slow blink for ten seconds
        Show.ENTER_PIN: Signal(led=_SLOW),
        # slow blink for ten seconds, two beeps first
        Show.SECOND_PERSON: Signal(led=_SLOW, buzzer=Pattern((0.1, 0.1, 0.1))),
        # five seconds of a beep a second
        Show.WARNING: Signal(buzzer=Pattern((0.5, 0.5) * 5)),
    }
)


class ReaderSignals:
    """One reader's lamp and buzzer, either of which may be missing. Any thread may call it.

    ``timer`` ends what does not stay; what stays comes back then. Raises what the pin factory raises if a pin
    cannot be had.
    """

    def __init__(
        self, led: int | None, buzzer: int | None, *, pin_factory: Any, timer: Timer, active_high: bool = False
    ) -> None:
        self._wires = {
            name: _SignalWire(OutputDevice(pin, active_high=active_high, pin_factory=pin_factory), timer)
            for name, pin in (("led", led), ("buzzer", buzzer))
            if pin is not None
        }
        self._lasting = Show.IDLE

    def show(self, what: Show) -> None:
        """Show it now, in place of what was shown. IDLE and LOCKDOWN leave what is passing to its end."""
        meaning = SIGNALS[what]
        stays = what in LASTING
        if stays:
            self._lasting = what
        lasting = SIGNALS[self._lasting]
        for name, wire in self._wires.items():
            wire.play(_of(meaning, name), then=_of(lasting, name), wait=stays)

    def close(self) -> None:
        """Dark and silent, and the pins given up."""
        for wire in self._wires.values():
            wire.close()
        self._wires.clear()


def _of(meaning: Signal, wire: str) -> Pattern:
    return meaning.led if wire == "led" else meaning.buzzer


class _SignalWire:
    """One output that plays one pattern, and after it another that stays."""

    def __init__(self, device: Any, timer: Timer) -> None:
        self._device = device
        self._timer = timer
        self._guard = threading.RLock()
        self._deadline: Deadline | None = None
        self._turn = 0  # tells a step that is due from one that was cancelled as it woke
        self._passing = False
        self._then = Pattern()
        self._closed = False

    def play(self, pattern: Pattern, *, then: Pattern, wait: bool) -> None:
        with self._guard:
            if self._closed:
                return
            changed = then != self._then
            self._then = then
            if wait and (self._passing or not changed):
                return
            self._begin(pattern, passing=not wait)

    def close(self) -> None:
        with self._guard:
            self._cancel()
            self._closed = True
            self._device.off()
            self._device.close()

    def _begin(self, pattern: Pattern, *, passing: bool) -> None:
        self._cancel()
        self._passing = passing
        self._step(pattern, 0, self._timer.now(), self._turn)

    def _cancel(self) -> None:
        self._turn += 1
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _step(self, pattern: Pattern, place: int, at: float, turn: int) -> None:
        with self._guard:
            if turn != self._turn or self._closed:
                return
            self._deadline = None
            if place == len(pattern.on_off) and pattern.forever:
                place = 0
            if place == len(pattern.on_off):
                self._device.off()
                if self._passing:
                    self._begin(self._then, passing=False)
                return
            if place % 2:
                self._device.off()
            else:
                self._device.on()
            due = at + pattern.on_off[place]
            self._deadline = self._timer.at(due, lambda: self._step(pattern, place + 1, due, turn))
