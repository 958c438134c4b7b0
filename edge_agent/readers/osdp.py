"""The OSDP readers' drivers: builds lines from the wiring, and gives readers their keys."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from drivers.osdp import KeyKept, KeySet, OsdpBus, OsdpEvent, OsdpReaderConfig, open_serial
from drivers.readers import Show
from edge_agent.agent_yaml.wiring import ReaderLine, ReaderWiring
from edge_agent.readers.keys import ReaderKeys

log = logging.getLogger(__name__)


class OsdpLines:
    """All OSDP lines of an agent. Make it and call it on the loop. Raises WeakKey for a key that is too weak."""

    def __init__(
        self, lines: tuple[ReaderLine, ...], keys: ReaderKeys, on_event: Callable[[OsdpEvent], None]
    ) -> None:
        self._keys = keys
        self._doors = {reader.reader: reader.door for line in lines for reader in line.readers}
        self.buses: dict[str, OsdpBus] = {}
        """Reader name -> the bus it is on."""
        for line in lines:
            bus = OsdpBus(
                line.device,
                partial(open_serial, line.device, line.baud),
                [self._config(reader) for reader in line.readers],
                on_event=on_event,
            )
            self.buses.update({reader.reader: bus for reader in line.readers})

    def start(self) -> None:
        """Open the lines. One that fails is tried again by its driver."""
        for bus in set(self.buses.values()):
            bus.start()

    def stop(self) -> None:
        for bus in set(self.buses.values()):
            bus.stop()

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it, if it is one of these; while it is offline, only what lasts is kept."""
        bus = self.buses.get(reader)
        if bus is not None:
            bus.show(reader, what)

    def rotate_key(self, reader: str, door: str) -> str | None:
        """Begin to give a reader of a door a new key; KeySet or KeyKept reports how it ended.

        Returns why it cannot be begun, or None. The key is on the disk before the reader gets it.
        """
        if self._doors.get(reader) != door:
            known = sorted(name for name, other in self._doors.items() if other == door)
            return f"door {door} has no OSDP reader {reader!r}; it has: {', '.join(known) or 'none'}"
        bus = self.buses[reader]
        if not bus.may_set_key(reader):
            return f"reader {reader} is offline or is being given a key already; a key goes over its secure channel"
        try:
            key = self._keys.propose(reader)
        except OSError as error:
            return f"the new key cannot be kept ({error.strerror}), so the reader keeps its key"
        if bus.set_key(reader, key):
            return None
        self._keep(self._keys.drop, reader)
        return f"reader {reader} went offline; it keeps its key"

    def keep_key(self, event: KeySet | KeyKept) -> None:
        """Keep on the disk which key a reader has now."""
        match event:
            case KeySet(reader, key):
                self._keep(self._keys.confirm, reader, key)
            case KeyKept(reader):
                self._keep(self._keys.drop, reader)

    def _keep(self, change: Callable[..., None], *arguments: Any) -> None:
        try:
            change(*arguments)
        except OSError:
            # What is on the disk still names both keys, and the reader works with one of them.
            log.exception("the keys of a reader cannot be kept; both are tried at the next start")

    def _config(self, wiring: ReaderWiring) -> OsdpReaderConfig:
        """The reader with the key it holds, which may be another than that of its key file."""
        held = self._keys.load(wiring.reader, wiring.key)
        return OsdpReaderConfig(wiring.reader, wiring.address, held.key, held.candidate)
