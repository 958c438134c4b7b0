"""Watches all readers of an agent during a walk test: the state of each, and what it reads. Opens no door.

Of a card it reports the number of bits alone; keys only for the keypad's own test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from drivers.osdp import OfflineReason, OsdpEvent, PortDown, PortUp, ReaderOffline, ReaderOnline, StaleReadDropped
from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, Show
from drivers.wiegand import EdgeSource
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import ReaderWiring
from edge_agent.readers.drivers import ReaderDrivers
from edge_agent.walk_test.words import NewsKind, ReaderState

log = logging.getLogger(__name__)

_OFFLINE = {
    OfflineReason.SILENT: ReaderState.SILENT,
    OfflineReason.NO_SECURE_CHANNEL: ReaderState.UNSTEADY,
    OfflineReason.PORT: ReaderState.PORT,
}


class ReaderWatch:
    """The readers of all doors. ``on_news(reader, kind, detail)`` is called on the loop.

    ``edges`` None: the kernel's, opened only if a Wiegand reader is wired. Raises ValueError for a card format
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
        self._drivers = ReaderDrivers(config, on_event=self._on_event, on_failed=self._failed, edges=edges)
        self._states = {
            one.reader: ReaderState.STARTING if isinstance(one, ReaderWiring) else ReaderState.UNKNOWABLE
            for one in config.readers
        }

    def states(self) -> Mapping[str, ReaderState]:
        buses = self._drivers.osdp.buses
        wrong = {reader: ReaderState.WRONG_KEY for reader, bus in buses.items() if bus.refuses_key(reader)}
        return {**self._states, **wrong}

    def start(self) -> None:
        """Open lines, ports and pins; the state of a reader shows if it failed. Call it on the running loop."""
        self._drivers.start()

    def stop(self) -> None:
        self._drivers.stop()

    def _failed(self, reader: str, error: str) -> None:
        log.error("reader %s: %s", reader, error)
        self._states[reader] = ReaderState.PORT

    def _on_event(self, event: OsdpEvent | ReaderEvent) -> None:
        match event:
            case ReaderOnline(reader):
                self._states[reader] = ReaderState.ONLINE
                self._drivers.show(reader, Show.IDLE)
            case ReaderOffline(reader, reason):
                if self._states[reader] is ReaderState.ONLINE:
                    self._on_news(reader, NewsKind.LOST, "")
                self._states[reader] = _OFFLINE[reason]
            case StaleReadDropped(reader):
                self._on_news(reader, NewsKind.LOST, "")
            case CardRead(reader, bits):
                self._drivers.show(reader, Show.GRANTED)  # the person sees that it was read
                self._on_news(reader, NewsKind.READ, f"{bits} bits")
            case KeyPress(reader, keys):
                self._on_news(reader, NewsKind.KEYS, keys)
            case ReadRefused(reader, reason):
                self._on_news(reader, NewsKind.REFUSED, reason.replace("_", " "))
            # A serial reader's line bears the reader's own name; an OSDP line's readers go offline each by itself.
            case PortDown(line) if line in self._states:
                self._states[line] = ReaderState.PORT
            case PortUp(line) if line in self._states:
                self._states[line] = ReaderState.UNKNOWABLE
            case _:
                pass
