"""All readers of an agent as one, whatever family each is of."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.access.desk import ReaderReport
from edge_agent.access.display import Show
from edge_agent.readers.osdp import Readers
from edge_agent.readers.wiegand_serial import WiredReaders


class ReaderFamilies:
    """What its readers read is reported to a listener; what they show goes to the family that has the reader."""

    def __init__(self, osdp: Readers, wired: WiredReaders) -> None:
        self._osdp = osdp
        self._wired = wired

    def listen(self, listener: Callable[[ReaderReport], None]) -> None:
        """Call a function with everything that is read from now on."""
        self._osdp.listen(listener)
        self._wired.listen(listener)

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it."""
        (self._osdp if reader in self._osdp.buses else self._wired).show(reader, what)
