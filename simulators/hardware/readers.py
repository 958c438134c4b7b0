"""All virtual readers of an agent at its wires, whatever their family, and what any of them can be made to do.

What goes over the wires is the business of osdp_reader, wiegand_reader and serial_reader.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from edge_agent.agent_yaml.config_file import AgentFile
from simulators.hardware.line import VirtualLine
from simulators.hardware.line_tap import LineTap
from simulators.hardware.osdp_reader import Buzzer, Led, VirtualOsdpReader
from simulators.hardware.serial_reader import VirtualSerialReader
from simulators.hardware.wiegand_reader import VirtualWiegandReader


class VirtualReader(Protocol):
    """What any virtual reader can be made to do."""

    @property
    def leds(self) -> list[str]:
        """The colours it was made to show, oldest first."""

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card: ``bits`` bits, left-aligned in ``data``. ValueError for a card that it cannot read."""

    def press(self, keys: str) -> None:
        """Press keys of its keypad: 0-9, ``*`` and ``#``. ValueError without one."""

    def unplug(self) -> None:
        """Pull its data wires."""

    def plug(self) -> None:
        """Put its data wires back."""

    def noise(self, seed: int) -> None:
        """Noise on its data wires, always the same for a seed."""


class VirtualReaders:
    """Every reader of ``config``, each serial line on a pty of its own. ``close`` hangs the lines up.

    ``on_colour`` is called with a reader's door and "green" or "amber" (blinking: it asks for a PIN), on any thread.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        on_colour: Callable[[str, str], None] = lambda _door, _colour: None,
    ) -> None:
        self.by_name: dict[str, VirtualReader] = {}
        self.door_of: dict[str, str] = {}
        """Reader -> its door."""
        self.lines: dict[str, VirtualLine] = {}
        """Device in agent.yaml -> its RS-485 line."""
        self.taps: dict[str, LineTap] = {}
        self.devices: dict[str, str] = {}
        """Device in agent.yaml -> the pty to open instead."""
        self._stack = ExitStack()
        for wired in config.reader_lines:
            tap = self.taps[wired.device] = LineTap()
            line = VirtualLine(baud=wired.baud, on_reader_bytes=tap.hear)
            self.lines[wired.device] = self._stack.enter_context(line)
            self.devices[wired.device] = line.path
            for one in wired.readers:
                shown = partial(_report_colour, on_colour, one.door)
                osdp = VirtualOsdpReader(line, address=one.address, key=one.key, name=one.reader, on_shown=shown)
                self._add(one.reader, one.door, osdp)
        for wiegand in config.wiegand_readers:
            on_green = partial(on_colour, wiegand.door, "green")
            self._add(
                wiegand.reader,
                wiegand.door,
                VirtualWiegandReader(
                    pin_factory,
                    data0=wiegand.data0,
                    data1=wiegand.data1,
                    keypad_bits=wiegand.keypad.bits,
                    led=wiegand.led,
                    led_active_high=wiegand.led_active_high,
                    on_green=on_green,
                ),
            )
        if config.serial_readers:
            folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="doorward-serial-")))
        for serial in config.serial_readers:
            module = VirtualSerialReader(folder, kind=str(serial.kind), name=serial.reader)
            self._add(serial.reader, serial.door, self._stack.enter_context(module))
            self.devices[serial.device] = module.path

    def close(self) -> None:
        """Hang up every line."""
        self._stack.close()

    def _add(self, name: str, door: str, reader: VirtualReader) -> None:
        self.by_name[name] = reader
        self.door_of[name] = door


def _report_colour(on_colour: Callable[[str, str], None], door: str, shown: Led | Buzzer) -> None:
    if isinstance(shown, Led) and shown.blinking is {"green": False, "amber": True}.get(shown.colour):
        on_colour(door, shown.colour)
