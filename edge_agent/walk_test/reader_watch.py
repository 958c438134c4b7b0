"""All readers of an agent during a walk test: how each one is, and what it reads. Opens no door.

What is on a card or in a PIN goes no further than how many bits it had, but for the keys of a keypad's own test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from drivers.osdp import (
    CardRead,
    Indication,
    KeyPress,
    OfflineReason,
    OsdpBus,
    OsdpEvent,
    OsdpReaderConfig,
    ReaderOffline,
    ReaderOnline,
    open_serial,
)
from edge_agent.config_file import AgentFile
from edge_agent.walk_test.words import NewsKind, ReaderState

_OFFLINE = {
    OfflineReason.SILENT: ReaderState.SILENT,
    OfflineReason.NO_SECURE_CHANNEL: ReaderState.WRONG_KEY,
    OfflineReason.PORT: ReaderState.PORT,
}


class ReaderWatch:
    """The readers of all doors. ``on_news(reader, kind, detail)`` is called on the loop."""

    def __init__(self, config: AgentFile, *, on_news: Callable[[str, NewsKind, str], None]) -> None:
        self._on_news = on_news
        self._states: dict[str, ReaderState] = {}
        self._bus_of: dict[str, OsdpBus] = {}
        self._buses: list[OsdpBus] = []
        for line in config.reader_lines:
            bus = OsdpBus(
                line.device,
                partial(open_serial, line.device, line.baud),
                [OsdpReaderConfig(one.reader, one.address, one.key) for one in line.readers],
                on_event=self._osdp,
            )
            self._buses.append(bus)
            for one in line.readers:
                self._states[one.reader] = ReaderState.STARTING
                self._bus_of[one.reader] = bus

    def states(self) -> Mapping[str, ReaderState]:
        """How each reader is."""
        return dict(self._states)

    def start(self) -> None:
        """Open the lines. Call it on the running loop."""
        for bus in self._buses:
            bus.start()

    def stop(self) -> None:
        """Close them."""
        for bus in self._buses:
            bus.stop()

    def _osdp(self, event: OsdpEvent) -> None:
        match event:
            case ReaderOnline(reader):
                self._states[reader] = ReaderState.ONLINE
                self._bus_of[reader].indicate(reader, Indication.IDLE)
            case ReaderOffline(reader, reason):
                self._states[reader] = _OFFLINE[reason]
            case CardRead(reader, bits):
                self._bus_of[reader].indicate(reader, Indication.GRANTED)  # the person sees that it was read
                self._on_news(reader, NewsKind.READ, f"{bits} bits")
            case KeyPress(reader, keys):
                self._on_news(reader, NewsKind.KEYS, keys)
            case _:
                pass
