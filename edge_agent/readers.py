"""The badge readers: OSDP lines built from the wiring, what they report brought to the doors, what they show.

PIN entry is not judged here: keys are counted and nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from drivers.osdp import (
    CardRead,
    Indication,
    KeyPress,
    LineRestored,
    LineSilent,
    OsdpBus,
    OsdpEvent,
    OsdpReaderConfig,
    PortDown,
    PortUp,
    PowerFault,
    ReaderOffline,
    ReaderOnline,
    StaleReadDropped,
    Tamper,
    open_serial,
)
from edge_agent.controller import Controller
from edge_agent.journal import Journal
from edge_agent.reader_display import Show
from edge_agent.wiring import ReaderLine, ReaderWiring
from protocol.words import Alarm, Denial, DoorMode, EventKind

log = logging.getLogger(__name__)

_INDICATIONS = {
    Show.IDLE: Indication.IDLE,
    Show.LOCKDOWN: Indication.LOCKDOWN,
    Show.GRANTED: Indication.GRANTED,
    Show.DENIED: Indication.DENIED,
    Show.ENTER_PIN: Indication.ENTER_PIN,
    Show.SECOND_PERSON: Indication.ENTER_PIN,
    Show.WARNING: Indication.DENIED,
}


class Readers:
    """All OSDP lines of an agent. Make it and call it on the loop."""

    def __init__(self, lines: tuple[ReaderLine, ...], *, controller: Controller, journal: Journal) -> None:
        self._controller = controller
        self._journal = journal
        self._wiring: dict[str, ReaderWiring] = {reader.reader: reader for line in lines for reader in line.readers}
        self._lines = {line.device: line for line in lines}
        self._shown: dict[str, Indication] = {}
        self.buses: dict[str, OsdpBus] = {}
        """Reader name -> the bus it is on."""
        for line in lines:
            bus = OsdpBus(
                line.device,
                partial(open_serial, line.device, line.baud),
                [OsdpReaderConfig(reader.reader, reader.address, reader.key) for reader in line.readers],
                on_event=self._on_event,
            )
            self.buses.update({reader.reader: bus for reader in line.readers})

    def start(self) -> None:
        """Open the lines. One that fails is tried again by its driver."""
        for bus in set(self.buses.values()):
            bus.start()
        self.show_modes()

    def stop(self) -> None:
        """Close the lines."""
        for bus in set(self.buses.values()):
            bus.stop()

    def show(self, reader: str, what: Show) -> None:
        """Show this at a reader, if it is one of these (edge_agent.reader_display)."""
        bus = self.buses.get(reader)
        if bus is not None:
            bus.indicate(reader, _INDICATIONS[what])

    def show_modes(self) -> None:
        """Have every reader show whether its door is secured."""
        for name, wiring in self._wiring.items():
            secured = self._controller.doors[wiring.door].state.mode is DoorMode.SECURED
            wanted = Indication.LOCKDOWN if secured else Indication.IDLE
            if self._shown.get(name) is not wanted:
                self._shown[name] = wanted
                self.buses[name].indicate(name, wanted)

    def _on_event(self, event: OsdpEvent) -> None:
        match event:
            case CardRead(reader, bits, data, at):
                self._controller.card_read(reader, self._wiring[reader].door, bits, data, int(at * 1000))
            case ReaderOnline(reader):
                self._note(reader, EventKind.READER_ONLINE, {})
                self._alarm(reader, Alarm.READER_OFFLINE, on=False)
            case ReaderOffline(reader, reason):
                self._note(reader, EventKind.READER_OFFLINE, {"reason": reason})
                self._alarm(reader, Alarm.READER_OFFLINE, on=True)
            case StaleReadDropped(reader):
                self._note(reader, EventKind.ACCESS_DENIED, {"reason": Denial.READ_TOO_OLD, "cardholder": None})
            case Tamper(reader, tampered):
                self._alarm(reader, Alarm.TAMPER, on=tampered)
            case LineSilent(line) | LineRestored(line):
                for wiring in self._lines[line].readers:
                    self._alarm(wiring.reader, Alarm.LINE_SILENT, on=isinstance(event, LineSilent))
            case PortDown(line, error):
                log.error("%s: the serial port is down: %s", line, error)
            case PortUp(line):
                log.info("%s: the serial port is open", line)
            case KeyPress(reader) | PowerFault(reader):
                log.info("reader %s: %s is not acted upon", reader, type(event).__name__)

    def _note(self, reader: str, kind: EventKind, data: Mapping[str, Any]) -> None:
        self._journal.add(kind, {"reader": reader, **data}, door=self._wiring[reader].door)

    def _alarm(self, reader: str, alarm: Alarm, *, on: bool) -> None:
        self._controller.set_reader_alarm(reader, self._wiring[reader].door, alarm, on=on)
