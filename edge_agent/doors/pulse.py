"""The agent's own beat: sensors are sampled twice a second, and exactly when a door changes by time alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge_agent.doors.doors import SAMPLE_EVERY_MS, Doors
from edge_agent.host.clock import Clock

SCHEDULES_EVERY = 2
"""Schedules are looked at with every so many samples: once a second."""


class Pulse:
    """One timer on the loop. ``on_beat`` is called with every regular sample."""

    def __init__(self, doors: Doors, clock: Clock, *, on_beat: Callable[[], None]) -> None:
        self._doors = doors
        self._clock = clock
        self._on_beat = on_beat
        self._timer: asyncio.TimerHandle | None = None
        self._next_sample_ms = 0
        self._beats = 0

    def start(self) -> None:
        """Begin, on the running loop."""
        self._next_sample_ms = self._clock.mono_ms() + SAMPLE_EVERY_MS
        self.rearm()

    def stop(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def rearm(self) -> None:
        """Something changed: the next moment that matters may be another."""
        due = self._doors.due_ms()
        when = self._next_sample_ms if due is None else min(due, self._next_sample_ms)
        if self._timer is not None:
            self._timer.cancel()
        wait_ms = max(1, when - self._clock.mono_ms())
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._beat)

    def _beat(self) -> None:
        now = self._clock.mono_ms()
        try:
            self._doors.sample_all()
            if now >= self._next_sample_ms:
                self._next_sample_ms = now + SAMPLE_EVERY_MS
                self._beats += 1
                if self._beats % SCHEDULES_EVERY == 0:
                    self._doors.follow_schedules()
                self._on_beat()
        finally:
            self.rearm()
