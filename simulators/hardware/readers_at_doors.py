"""Virtual Wiegand and serial readers as people use them: one interface, the same as a virtual OSDP reader's.

What goes on the wires is simulators.hardware.wiegand_reader's and simulators.hardware.serial_reader's to know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge_agent.agent_yaml.wiring import SerialReaderWiring, WiegandWiring
from simulators.hardware.pins import LoadPin
from simulators.hardware.serial_reader import VirtualSerialReader
from simulators.hardware.wiegand_reader import VirtualWiegandReader

SERIAL_CARD_BITS = 40


class WiegandAtDoor:
    """A Wiegand reader with its lamp. ``on_green`` is called, on whichever thread drove it, when the lamp lights."""

    def __init__(self, pin_factory: Any, wiring: WiegandWiring, *, on_green: Callable[[], None]) -> None:
        self.leds: list[str] = []
        self._on_green = on_green
        self._lit_by = wiring.led_active_high
        self._reader = VirtualWiegandReader(
            pin_factory, data0=wiring.data0, data1=wiring.data1, keypad_bits=wiring.keypad.bits
        )
        if wiring.led is not None:
            self._lamp: Any = pin_factory.pin(wiring.led, pin_class=LoadPin)
            self._lamp.watcher = self._lamp_changed

    @property
    def granted(self) -> bool:
        """Whether it was ever made to show green."""
        return "green" in self.leds

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card."""
        self._reader.swipe(bits, data)

    def press(self, keys: str) -> None:
        """Press keys. ValueError if it has no keypad."""
        self._reader.type_keys(keys)

    def unplug(self) -> None:
        """Pull its data wires. Nothing tells the agent: Wiegand has no way to."""
        self._reader.cut()

    def plug(self) -> None:
        """Put them back."""
        self._reader.mend()

    def noise(self, seed: int) -> None:
        """So many bursts of noise."""
        for _ in range(seed % 10 + 1):
            self._reader.noise()

    def _lamp_changed(self) -> None:
        green = self._lamp.driven is self._lit_by
        colour = "green" if green else "red"
        if self.leds[-1:] != [colour]:
            self.leds.append(colour)
            if green:
                self._on_green()


class SerialAtDoor:
    """A serial reader: it has no keypad and shows nothing."""

    def __init__(self, reader: VirtualSerialReader) -> None:
        self.leds: list[str] = []
        self.granted = False
        self._reader = reader

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card. ValueError for one that is not of 40 bits: a 125 kHz reader cannot see it."""
        if bits != SERIAL_CARD_BITS:
            raise ValueError(f"a 125 kHz reader sees cards of {SERIAL_CARD_BITS} bits; this one has {bits}")
        self._reader.swipe(data)

    def press(self, keys: str) -> None:
        """ValueError: it has no keys."""
        raise ValueError(f"this reader has no keypad; {len(keys)} keys were not pressed")

    def unplug(self) -> None:
        """Pull its adapter."""
        self._reader.unplug()

    def plug(self) -> None:
        """Put it back."""
        self._reader.plug()

    def noise(self, seed: int) -> None:
        """So many bursts of noise."""
        for _ in range(seed % 10 + 1):
            self._reader.noise()


def serial_readers(wirings: Sequence[SerialReaderWiring], stack: ExitStack) -> dict[str, VirtualSerialReader]:
    """The serial readers of an agent, by name, each on a pty; gone when ``stack`` is closed."""
    if not wirings:
        return {}
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="doorward-serial-")))
    return {
        wiring.reader: stack.enter_context(VirtualSerialReader(folder, kind=str(wiring.kind), name=wiring.reader))
        for wiring in wirings
    }
