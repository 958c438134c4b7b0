"""The drivers of Wiegand and serial readers, built from the wiring; and the formats of their cards.

A serial reader shows nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from drivers.readers import ReaderEvent, Show
from drivers.serial.ascii_reader import FRAMINGS, SerialReader
from drivers.serial.port import open_serial
from drivers.serial.port_keeper import PortDown, PortUp
from drivers.timed_outputs import Timer
from drivers.wiegand import FORMATS, CardFormat, EdgeSource, KernelEdges, WiegandReader
from drivers.wiegand.signals import ReaderSignals
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.cards import card_format
from edge_agent.agent_yaml.wiring import SerialReaderWiring, WiegandFormatWiring, WiegandWiring

log = logging.getLogger(__name__)


class WiredReaders:
    """All Wiegand and serial readers of an agent. Make it and call it on the loop.

    ``on_failed(reader, error)``: a Wiegand reader cannot be used; the others start. For ``edges`` and what it raises
    see `edge_agent.readers.drivers.ReaderDrivers`.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        on_event: Callable[[ReaderEvent | PortDown | PortUp], None],
        on_failed: Callable[[str, str], None],
        edges: EdgeSource | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_failed = on_failed
        self._edges = edges
        formats = known_formats(config.wiegand_formats)
        self._wiegand = [(wiring, accepted(wiring, formats)) for wiring in config.wiegand_readers]
        self._signals: dict[str, ReaderSignals] = {}
        self.wiegand: dict[str, WiegandReader] = {}
        """Wiegand readers that are watched, by name."""
        self.serial: dict[str, SerialReader] = {
            wiring.reader: _serial(wiring, on_event) for wiring in config.serial_readers
        }

    def start(self) -> None:
        if self._wiegand:
            self._watch()
        for reader in self.serial.values():
            reader.start()

    def light(self, pin_factory: Any, timer: Timer) -> None:
        """Take the pins of the lamps and buzzers of the readers that are watched."""
        for wiring, _ in self._wiegand:
            if wiring.reader in self.wiegand:
                try:
                    self._signals[wiring.reader] = ReaderSignals(
                        wiring.led,
                        wiring.buzzer,
                        pin_factory=pin_factory,
                        timer=timer,
                        active_high=wiring.led_active_high,
                    )
                except Exception:  # gpiozero's and lgpio's errors share no class; a dark reader still reads
                    log.error("reader %s: its lamp and buzzer cannot be used", wiring.reader, exc_info=True)

    def stop(self) -> None:
        for wiegand in self.wiegand.values():
            wiegand.stop()
        self.wiegand.clear()
        for serial in self.serial.values():
            serial.stop()
        for signals in self._signals.values():
            signals.close()
        self._signals.clear()

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it, if it is one of these and has a lamp or a buzzer."""
        signals = self._signals.get(reader)
        if signals is not None:
            signals.show(what)

    def _watch(self) -> None:
        edges = self._edges
        if edges is None:
            try:
                edges = KernelEdges()
            except OSError as error:
                for wiring, _ in self._wiegand:
                    self._on_failed(wiring.reader, str(error))
                return
        for wiring, formats in self._wiegand:
            try:
                reader = WiegandReader(
                    wiring.reader,
                    data0=wiring.data0,
                    data1=wiring.data1,
                    formats=formats,
                    edges=edges,
                    on_event=self._on_event,
                    keypad_bits=wiring.keypad.bits,
                )
                reader.start()
                self.wiegand[wiring.reader] = reader
            except Exception as error:  # noqa: BLE001 - one dead reader must not cost a school its doors
                self._on_failed(wiring.reader, str(error))


def known_formats(own: tuple[WiegandFormatWiring, ...]) -> dict[str, CardFormat]:
    """The table's formats and the site's own, which may replace one of the table. Raises ValueError."""
    return {**FORMATS, **{wiring.name: card_format(wiring) for wiring in own}}


def accepted(wiring: WiegandWiring, formats: dict[str, CardFormat]) -> list[CardFormat]:
    """The formats a reader accepts. Raises ValueError for a name that is not in ``formats``."""
    unknown = sorted(set(wiring.formats) - formats.keys())
    if unknown:
        raise ValueError(
            f"reader {wiring.reader}: no card format is called {', '.join(unknown)}; there are {', '.join(formats)}"
        )
    return [formats[name] for name in wiring.formats]


def _serial(wiring: SerialReaderWiring, on_event: Callable[[ReaderEvent | PortDown | PortUp], None]) -> SerialReader:
    open_line = partial(open_serial, wiring.device, wiring.baud)
    return SerialReader(wiring.reader, open_line, FRAMINGS[wiring.kind], on_event=on_event)
