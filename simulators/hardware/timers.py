"""Time for virtual hardware: the running loop's, or a test's that is stepped by hand.

Both are `drivers.timed_outputs.Timer`s, so that a lock, its sensors and the door they belong to can share one.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable

from drivers.timed_outputs import Deadline


class SteppedTimer:
    """Time that stands still until `advance`. Actions run on the caller's thread, each at its own moment."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return self._now

    def at(self, when: float, action: Callable[[], None]) -> Deadline:
        """Run `action` once time reaches `when`; the past means at the next `advance`."""
        deadline = Deadline(when, action)
        heapq.heappush(self._heap, (when, next(self._order), deadline))
        return deadline

    def advance(self, seconds: float) -> None:
        """Let `seconds` (0 or more) pass, with everything that falls due in them."""
        if seconds < 0:
            raise ValueError("time does not go back")
        end = self._now + seconds
        while self._heap and self._heap[0][0] <= end:
            when, _, deadline = heapq.heappop(self._heap)
            self._now = max(self._now, when)
            action, deadline.action = deadline.action, None
            if action is not None:
                action()
        self._now = end


class LoopTimer:
    """The asyncio loop's time. `at` may be called from any thread; actions run on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = threading.get_ident()

    def now(self) -> float:
        return self._loop.time()

    def at(self, when: float, action: Callable[[], None]) -> Deadline:
        """Run `action` on the loop at `when`."""
        deadline = Deadline(when, action)

        def run() -> None:
            due, deadline.action = deadline.action, None
            if due is not None:
                due()

        if threading.get_ident() == self._thread:
            self._loop.call_at(when, run)
        else:
            self._loop.call_soon_threadsafe(lambda: self._loop.call_at(when, run))
        return deadline
