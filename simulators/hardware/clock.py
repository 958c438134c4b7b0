"""The clock of a virtual machine: the real one, set wrong or distrusted by hand."""

from __future__ import annotations

from edge_agent.host.clock import PiClock


class VirtualClock(PiClock):
    """Monotonic time is the machine's own; no program can set that on a Pi either."""

    def __init__(self, *, require_sync: bool) -> None:
        super().__init__(require_sync=require_sync)
        self._ahead_ns = 0
        self._distrusted = False

    def shift(self, seconds: float) -> None:
        """Set it so many seconds ahead of the real one; 0 sets it right."""
        self._ahead_ns = int(seconds * 1e9)

    def distrust(self, on: bool) -> None:
        """As after a boot without NTP: the agent knows that its time may be wrong."""
        self._distrusted = on

    def utc_ns(self) -> int:
        """Nanoseconds since 1970, as wrong as it was set."""
        return super().utc_ns() + self._ahead_ns

    def trusted(self) -> bool:
        """Whether the agent may trust its time."""
        return not self._distrusted and super().trusted()
