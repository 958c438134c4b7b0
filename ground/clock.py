"""The machine's two clocks, passed to the parts that need the time: one that never jumps, one that people read."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a part gets the time from. A test passes one that it sets."""

    def mono_ms(self) -> int:
        """Monotonic milliseconds; only differences mean something."""
        ...

    def utc_ns(self) -> int:
        """UTC in nanoseconds since 1970, as right as the machine has it."""
        ...

    def utc_ms(self) -> int:
        """UTC in milliseconds since 1970."""
        ...


class SystemClock:
    """The machine's own clocks: CLOCK_MONOTONIC and CLOCK_REALTIME."""

    def mono_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def utc_ns(self) -> int:
        return time.time_ns()

    def utc_ms(self) -> int:
        return self.utc_ns() // 1_000_000
