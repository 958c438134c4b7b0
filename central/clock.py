"""Central's two clocks, handed to whoever needs the time: one that only goes forward, one that people read."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the fleet, closures and declarations ask for the time."""

    def now_ms(self) -> int:
        """Milliseconds of a clock that nobody sets; only differences mean something."""

    def utc_ms(self) -> int:
        """UTC in milliseconds since 1970."""


class SystemClock:
    """The machine's own."""

    def now_ms(self) -> int:
        """See :class:`Clock`."""
        return time.monotonic_ns() // 1_000_000

    def utc_ms(self) -> int:
        """See :class:`Clock`."""
        return time.time_ns() // 1_000_000
