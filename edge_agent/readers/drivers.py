"""The drivers of every reader of an agent, of all families, built from its wiring: for the agent and the walk test.

What a read means is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers.osdp import OsdpEvent
from drivers.readers import ReaderEvent, Show
from drivers.timed_outputs import Timer
from drivers.wiegand import EdgeSource
from edge_agent.agent_yaml.agent_file import AgentFile
from edge_agent.readers.keys import ReaderKeys
from edge_agent.readers.osdp import OsdpLines
from edge_agent.readers.wiegand_serial import WiredReaders


class ReaderDrivers:
    """Make it and call it on the loop, where ``on_event`` is called, too.

    ``on_failed(reader, error)``: a reader cannot be used until the next start. ``edges`` None: the kernel's, opened
    only if a Wiegand reader is wired. Raises WeakKey for a key that is too weak, and ValueError for a card format
    that is unknown or contradicts itself, or formats that one reader cannot tell apart.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        on_event: Callable[[OsdpEvent | ReaderEvent], None],
        on_failed: Callable[[str, str], None],
        edges: EdgeSource | None = None,
    ) -> None:
        self.osdp = OsdpLines(config.reader_lines, ReaderKeys(config.data / "reader-keys"), on_event)
        self.wired = WiredReaders(config, on_event=on_event, on_failed=on_failed, edges=edges)
        self._families = (self.osdp, self.wired)

    def start(self) -> None:
        """Open lines, ports and pins. A reader that fails costs no other reader."""
        for family in self._families:
            family.start()

    def light(self, pin_factory: Any, timer: Timer) -> None:
        """Take the pins of the Wiegand readers' lamps and buzzers; ``timer`` ends what they show."""
        self.wired.light(pin_factory, timer)

    def stop(self) -> None:
        """Give up lines, ports and pins."""
        for family in self._families:
            family.stop()

    def show(self, reader: str, what: Show) -> None:
        """Have a reader show it, as far as it can. One that is not of this agent is ignored."""
        for family in self._families:
            family.show(reader, what)
