"""All readers of an agent during a walk test: how each one is, and what it reads. Opens no door.

What is on a card or in a PIN goes no further than how many bits it had, but for the keys of a keypad's own test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial

from drivers import readers as reads
from drivers.osdp import (
    CardRead,
    Indication,
    KeyPress,
    OfflineReason,
    OsdpBus,
    OsdpEvent,
    OsdpReaderConfig,
    PortDown,
    PortUp,
    ReaderOffline,
    ReaderOnline,
    StaleReadDropped,
    open_serial,
)
from drivers.serial.ascii_reader import FRAMINGS, SerialReader
from drivers.wiegand import CardFormat, EdgeSource, KernelEdges, WiegandReader
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import ReaderLine, ReaderWiring, SerialReaderWiring, WiegandWiring
from edge_agent.readers.keys import ReaderKeys
from edge_agent.readers.wiegand_serial import accepted, known_formats
from edge_agent.walk_test.words import NewsKind, ReaderState

log = logging.getLogger(__name__)

_OFFLINE = {
    OfflineReason.SILENT: ReaderState.SILENT,
    OfflineReason.NO_SECURE_CHANNEL: ReaderState.UNSTEADY,
    OfflineReason.PORT: ReaderState.PORT,
}


class ReaderWatch:
    """The readers of all doors. ``on_news(reader, kind, detail)`` is called on the loop.

    ``edges`` None: the kernel's, asked for only if a Wiegand reader is wired. Raises ValueError for a card format
    that is unknown or contradicts itself.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        on_news: Callable[[str, NewsKind, str], None],
        edges: EdgeSource | None = None,
    ) -> None:
        self._on_news = on_news
        self._edges = edges
        self._states: dict[str, ReaderState] = {}
        self._bus_of: dict[str, OsdpBus] = {}
        self._buses: list[OsdpBus] = []
        keys = ReaderKeys(config.data / "reader-keys")
        for line in config.reader_lines:
            self._add_line(line, keys)
        formats = known_formats(config.wiegand_formats)
        self._wiegand_wiring = [(wiring, accepted(wiring, formats)) for wiring in config.wiegand_readers]
        self._wiegand: list[WiegandReader] = []
        self._serial = [self._make_serial(wiring) for wiring in config.serial_readers]
        for name in (*(one.reader for one in config.wiegand_readers), *(one.reader for one in config.serial_readers)):
            self._states[name] = ReaderState.UNKNOWABLE

    def states(self) -> Mapping[str, ReaderState]:
        """How each reader is."""
        refusing = {name: ReaderState.WRONG_KEY for name, bus in self._bus_of.items() if bus.refuses_key(name)}
        return {**self._states, **refusing}

    def start(self) -> None:
        """Open lines, ports and pins; one that cannot be had is told as such. Call it on the running loop."""
        for bus in self._buses:
            bus.start()
        for serial in self._serial:
            serial.start()
        for wiring, formats in self._wiegand_wiring:
            try:
                self._start_wiegand(wiring, formats)
            except OSError as error:
                log.error("reader %s: %s", wiring.reader, error)  # noqa: TRY400
                self._states[wiring.reader] = ReaderState.PORT

    def stop(self) -> None:
        """Close them."""
        for bus in self._buses:
            bus.stop()
        for serial in self._serial:
            serial.stop()
        for wiegand in self._wiegand:
            wiegand.stop()
        self._wiegand.clear()

    def _add_line(self, line: ReaderLine, keys: ReaderKeys) -> None:
        bus = OsdpBus(
            line.device,
            partial(open_serial, line.device, line.baud),
            [_keyed(one, keys) for one in line.readers],
            on_event=self._osdp,
        )
        self._buses.append(bus)
        for one in line.readers:
            self._states[one.reader] = ReaderState.STARTING
            self._bus_of[one.reader] = bus

    def _make_serial(self, wiring: SerialReaderWiring) -> SerialReader:
        open_line = partial(open_serial, wiring.device, wiring.baud)
        return SerialReader(wiring.reader, open_line, FRAMINGS[wiring.kind], on_event=self._wired)

    def _start_wiegand(self, wiring: WiegandWiring, formats: list[CardFormat]) -> None:
        edges = self._edges or KernelEdges()
        reader = WiegandReader(
            wiring.reader,
            data0=wiring.data0,
            data1=wiring.data1,
            formats=formats,
            edges=edges,
            on_event=self._wired,
            keypad_bits=wiring.keypad.bits,
        )
        reader.start()
        self._wiegand.append(reader)

    def _osdp(self, event: OsdpEvent) -> None:
        match event:
            case ReaderOnline(reader):
                self._states[reader] = ReaderState.ONLINE
                self._bus_of[reader].indicate(reader, Indication.IDLE)
            case ReaderOffline(reader, reason):
                if self._states[reader] is ReaderState.ONLINE:
                    self._on_news(reader, NewsKind.LOST, "")
                self._states[reader] = _OFFLINE[reason]
            case StaleReadDropped(reader):
                self._on_news(reader, NewsKind.LOST, "")
            case CardRead(reader, bits):
                self._bus_of[reader].indicate(reader, Indication.GRANTED)  # the person sees that it was read
                self._on_news(reader, NewsKind.READ, f"{bits} bits")
            case KeyPress(reader, keys):
                self._on_news(reader, NewsKind.KEYS, keys)
            case _:
                pass

    def _wired(self, event: reads.ReaderEvent | PortDown | PortUp) -> None:
        match event:
            case reads.CardRead(reader, bits):
                self._on_news(reader, NewsKind.READ, f"{bits} bits")
            case reads.KeyPress(reader, keys):
                self._on_news(reader, NewsKind.KEYS, keys)
            case reads.ReadRefused(reader, reason):
                self._on_news(reader, NewsKind.REFUSED, reason.replace("_", " "))
            case PortDown(reader):
                self._states[reader] = ReaderState.PORT
            case PortUp(reader):
                self._states[reader] = ReaderState.UNKNOWABLE


def _keyed(wiring: ReaderWiring, keys: ReaderKeys) -> OsdpReaderConfig:
    """The reader with the key it holds, which may be another than that of its key file."""
    held = keys.load(wiring.reader, wiring.key)
    return OsdpReaderConfig(wiring.reader, wiring.address, held.key, held.candidate)
