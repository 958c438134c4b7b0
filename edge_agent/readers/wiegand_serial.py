"""The readers that only talk, Wiegand and serial: built from the wiring, what they read reported.

What a Wiegand reader's lamp and buzzer show is asked for here and done by its driver; a serial reader shows
nothing. Cards are not judged here. OSDP readers are in `edge_agent.readers.osdp`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from drivers.osdp.events import PortDown, PortUp
from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, Refusal
from drivers.serial.ascii_reader import FRAMINGS, SerialReader
from drivers.serial.port import open_serial
from drivers.timed_outputs import Timer
from drivers.wiegand import FORMATS, CardFormat, EdgeSource, KernelEdges, Parity, WiegandReader
from drivers.wiegand.signals import ReaderSignals, Signal
from edge_agent.access.display import Show
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.agent_yaml.wiring import SerialReaderWiring, WiegandFormatWiring, WiegandWiring
from edge_agent.doors.doors import Doors
from edge_agent.events.journal import Journal
from ground.reporter import Reporter
from protocol.words import Alarm, EventKind

log = logging.getLogger(__name__)

_MOST_LOGGED = 100
"""Lines about refused reads in one run: noise has many lengths."""


_SIGNALS = {
    Show.IDLE: Signal.IDLE,
    Show.LOCKDOWN: Signal.LOCKDOWN,
    Show.GRANTED: Signal.GRANTED,
    Show.DENIED: Signal.DENIED,
    Show.ENTER_PIN: Signal.ENTER_PIN,
    Show.SECOND_PERSON: Signal.SECOND_PERSON,
    Show.WARNING: Signal.WARNING,
}


class WiredReaders(Reporter[ReaderEvent]):
    """All Wiegand and serial readers of an agent. Make it and call it on the loop.

    ``edges`` None: the kernel's, asked for only if a Wiegand reader is wired. Raises ValueError for a card format
    that is unknown or contradicts itself, or formats one reader cannot tell apart.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        doors: Doors,
        journal: Journal,
        pin_factory: Any,
        edges: EdgeSource | None = None,
    ) -> None:
        super().__init__()
        self._held = doors
        self._journal = journal
        self._pin_factory = pin_factory
        self._edges = edges
        self._wiegand = config.wiegand_readers
        self._doors = {wiring.reader: wiring.door for wiring in config.wiegand_readers}
        self._doors.update({wiring.reader: wiring.door for wiring in config.serial_readers})
        formats = known_formats(config.wiegand_formats)
        for wiring in self._wiegand:
            accepted(wiring, formats)
        self._formats = formats
        self._signals: dict[str, ReaderSignals] = {}
        self._logged: set[tuple[str, Refusal, int | None]] = set()
        self.wiegand: dict[str, WiegandReader] = {}
        """Wiegand readers that are watched, by name."""
        self.serial: dict[str, SerialReader] = {
            wiring.reader: _serial(wiring, self._on_event) for wiring in config.serial_readers
        }

    def start(self, timer: Timer) -> None:
        """Watch the pins and open the ports. A reader that fails is said to be offline; the others start.

        ``timer`` ends what lamps and buzzers show.
        """
        if self._wiegand:
            self._watch(timer)
        for reader in self.serial.values():
            reader.start()

    def stop(self) -> None:
        """Give up pins and ports."""
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
            signals.show(_SIGNALS[what])

    # --- coming up --------------------------------------------------------------------------------------------

    def _watch(self, timer: Timer) -> None:
        edges = self._edges
        if edges is None:
            try:
                edges = KernelEdges()
            except OSError as error:
                for wiring in self._wiegand:
                    self._failed(wiring.reader, str(error))
                return
        for wiring in self._wiegand:
            try:
                self._start_one(wiring, edges, timer)
            except Exception as error:  # noqa: BLE001 - one dead reader must not cost a school its doors
                self._failed(wiring.reader, str(error))

    def _start_one(self, wiring: WiegandWiring, edges: EdgeSource, timer: Timer) -> None:
        reader = WiegandReader(
            wiring.reader,
            data0=wiring.data0,
            data1=wiring.data1,
            formats=accepted(wiring, self._formats),
            edges=edges,
            on_event=self._on_event,
            keypad_bits=wiring.keypad.bits,
        )
        reader.start()
        self.wiegand[wiring.reader] = reader
        try:
            self._signals[wiring.reader] = ReaderSignals(
                wiring.led,
                wiring.buzzer,
                pin_factory=self._pin_factory,
                timer=timer,
                active_high=wiring.led_active_high,
            )
        except Exception:  # gpiozero's and lgpio's errors share no class; a dark reader still reads
            log.error("reader %s: its lamp and buzzer cannot be used", wiring.reader, exc_info=True)

    def _failed(self, reader: str, error: str) -> None:
        log.error("reader %s cannot be used: %s", reader, error)
        self._offline(reader, error)

    # --- what readers say -------------------------------------------------------------------------------------

    def _on_event(self, event: ReaderEvent | PortDown | PortUp) -> None:
        match event:
            case CardRead() | KeyPress():
                self._report(event)
            case ReadRefused(reader, reason, _, bits):
                self._log_refusal(reader, reason, bits)
                self._report(event)
            case PortDown(reader, error):
                log.error("reader %s: the serial port is down: %s", reader, error)
                self._offline(reader, "port")
            case PortUp(reader):
                log.info("reader %s: the serial port is open", reader)
                self._journal.add(EventKind.READER_ONLINE, {"reader": reader}, door=self._doors[reader])
                self._alarm(reader, on=False)

    def _log_refusal(self, reader: str, reason: Refusal, bits: int | None) -> None:
        """Once for each kind: an installer looks here for the length of the cards a school has."""
        if len(self._logged) < _MOST_LOGGED and (reader, reason, bits) not in self._logged:
            self._logged.add((reader, reason, bits))
            what = "a read" if bits is None else f"a frame of {bits} bits"
            log.warning("reader %s: %s refused (%s); more of this kind are only counted", reader, what, reason)

    def _offline(self, reader: str, reason: str) -> None:
        self._journal.add(EventKind.READER_OFFLINE, {"reader": reader, "reason": reason}, door=self._doors[reader])
        self._alarm(reader, on=True)

    def _alarm(self, reader: str, *, on: bool) -> None:
        self._held.set_alarm(self._doors[reader], Alarm.READER_OFFLINE, on=on, source={"reader": reader})


def known_formats(own: tuple[WiegandFormatWiring, ...]) -> dict[str, CardFormat]:
    """The table's formats and the site's own, which may replace one of the table. Raises ValueError."""
    formats = dict(FORMATS)
    formats.update({wiring.name: card_format(wiring) for wiring in own})
    return formats


def card_format(wiring: WiegandFormatWiring) -> CardFormat:
    """A site's own format. Raises ValueError, saying what is wrong, if it contradicts itself."""
    even = tuple(Parity(bit, covers) for bit, covers in wiring.even_parity)
    odd = tuple(Parity(bit, covers, odd=True) for bit, covers in wiring.odd_parity)
    return CardFormat(wiring.name, wiring.bits, wiring.card, wiring.facility, even + odd)


def accepted(wiring: WiegandWiring, formats: dict[str, CardFormat]) -> list[CardFormat]:
    """The formats a reader accepts. Raises ValueError for a name ``formats`` has not."""
    unknown = sorted(set(wiring.formats) - formats.keys())
    if unknown:
        raise ValueError(
            f"reader {wiring.reader}: no card format is called {', '.join(unknown)}; there are {', '.join(formats)}"
        )
    return [formats[name] for name in wiring.formats]


def _serial(wiring: SerialReaderWiring, on_event: Callable[[ReaderEvent | PortDown | PortUp], None]) -> SerialReader:
    open_line = partial(open_serial, wiring.device, wiring.baud)
    return SerialReader(wiring.reader, open_line, FRAMINGS[wiring.kind], on_event=on_event)
