"""A virtual Wiegand reader or keypad: it pulls two mock pins low as a reader's open collectors do.

Each edge carries its own moment, as the kernel's edges do on a Pi, so that a swipe takes no waiting and its timing
does not depend on how busy this machine is. What a card means is not known here. Faults on the wire (a bit flipped,
missed or added, a burst of noise) come from the reader's own seeded dice.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from gpiozero.pins.mock import MockPin

from drivers.wiegand.edges import DataLine
from drivers.wiegand.formats import from_bytes
from drivers.wiegand.keypad import encode_key
from simulators.hardware.pins import LoadPin

SPACING_NS = 2_000_000
"""Between pulses: what most readers do."""

PAUSE_NS = 100_000_000
"""Between frames: no person is faster, and no reader repeats itself sooner."""

_BURST_EDGES = (2, 60)
_BURST_SPACING_NS = (1_000, 400_000)


class BitFault(StrEnum):
    """What the wire does to one frame."""

    FLIP = "flip"
    MISS = "miss"
    EXTRA = "extra"


class WiegandPin(MockPin):  # type: ignore[misc]
    """A data line: high at rest, pulled low for a moment that the reader names."""

    def pulse(self, at_ns: int) -> None:
        """Fall and rise; a watcher of the pin gets ``at_ns`` (monotonic) as the moment it fell."""
        watched = self._when_changed is not None and self._edges in {"both", "falling"}
        if self.state and watched and self.function == "input":
            self._state, self._last_change = False, at_ns / 1e9
            self._call_when_changed()
            self._state = True


class VirtualWiegandReader:
    """One reader on two pins of a mock factory. Make it before the agent claims the pins. Any thread may call it.

    ``keypad_bits`` is 0, 4 or 8. ``on_green`` is called when the lamp at pin ``led`` lights, on the thread that lit
    it. ``clock`` is monotonic nanoseconds.
    """

    def __init__(
        self,
        pin_factory: Any,
        *,
        data0: int,
        data1: int,
        keypad_bits: int = 0,
        led: int | None = None,
        led_active_high: bool = False,
        on_green: Callable[[], None] = lambda: None,
        seed: int = 0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._pins: dict[DataLine, WiegandPin] = {
            DataLine.DATA0: pin_factory.pin(data0, pin_class=WiegandPin),
            DataLine.DATA1: pin_factory.pin(data1, pin_class=WiegandPin),
        }
        self._keypad_bits = keypad_bits
        self._dice = random.Random(seed)
        self._clock = clock
        self._guard = threading.Lock()
        self._free_ns = 0  # when the wires are free for the next frame
        self._unplugged = False
        self._faults: list[BitFault] = []
        self.leds: list[str] = []
        """The colours it was made to show, oldest first."""
        self._on_green = on_green
        self._led_active_high = led_active_high
        if led is not None:
            self._lamp: Any = pin_factory.pin(led, pin_class=LoadPin)
            self._lamp.watcher = self._lamp_changed

    def swipe(self, bits: int, data: bytes) -> None:
        """Send a card: ``bits`` bits, left-aligned in ``data``. Raises ValueError if they do not fit."""
        self.send(from_bytes(data, bits), bits)

    def press(self, keys: str) -> None:
        """Press keys (0-9, `*`, `#`), one frame each. Raises ValueError without a keypad or for another key."""
        if not self._keypad_bits:
            raise ValueError("this reader has no keypad")
        frames = [encode_key(key, self._keypad_bits) for key in keys]
        for frame in frames:
            self.send(frame, self._keypad_bits)

    def send(self, value: int, bits: int) -> None:
        """Send a frame, its first bit the highest of ``value``: whole, or with the faults that wait for it."""
        lines = [DataLine(value >> (bits - 1 - n) & 1) for n in range(bits)]
        with self._guard:
            faults, self._faults = self._faults, []
            for fault in faults:
                self._spoil(lines, fault)
            begin = self._begin(len(lines) * SPACING_NS)
            self._play([(begin + n * SPACING_NS, line) for n, line in enumerate(lines)])

    def spoil_next(self, *faults: BitFault) -> None:
        """Let the next frame suffer these, one after another, at bits the dice choose."""
        with self._guard:
            self._faults += faults

    def noise(self, seed: int) -> None:
        """A burst on both wires, as from a motor beside the cable; always the same for a seed."""
        dice = random.Random(seed)
        with self._guard:
            at = self._begin(0)
            edges = []
            for _ in range(dice.randint(*_BURST_EDGES)):
                at += dice.randint(*_BURST_SPACING_NS)
                edges.append((at, dice.choice(list(DataLine))))
            self._play(edges)

    def play(self, edges: Sequence[tuple[int, DataLine]]) -> None:
        """Pull the wires at moments of the caller's own choice (monotonic ns), in the order given."""
        with self._guard:
            self._play(edges)

    def unplug(self) -> None:
        """Pull its data wires: nothing the reader sends arrives. Wiegand has no way to notice."""
        self._unplugged = True

    def plug(self) -> None:
        """Put the data wires back."""
        self._unplugged = False

    def _lamp_changed(self) -> None:
        colour = "green" if self._lamp.driven is self._led_active_high else "red"
        if self.leds[-1:] != [colour]:
            self.leds.append(colour)
            if colour == "green":
                self._on_green()

    def _begin(self, lasts_ns: int) -> int:
        """When a frame that ends about now may begin: after a pause since the last."""
        return max(self._clock() - lasts_ns, self._free_ns + PAUSE_NS)

    def _play(self, edges: Sequence[tuple[int, DataLine]]) -> None:
        for at_ns, line in edges:
            if not self._unplugged:
                self._pins[line].pulse(at_ns)
            self._free_ns = max(self._free_ns, at_ns)

    def _spoil(self, lines: list[DataLine], fault: BitFault) -> None:
        where = self._dice.randrange(len(lines)) if lines else 0
        match fault:
            case BitFault.FLIP if lines:
                lines[where] = DataLine(1 - lines[where])
            case BitFault.MISS if lines:
                del lines[where]
            case BitFault.EXTRA:
                lines.insert(where, self._dice.choice(list(DataLine)))
