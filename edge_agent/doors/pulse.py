"""The agent's own beat: sensors are sampled twice a second, and exactly when something changes by time alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from edge_agent.doors.doors import Doors
from ground.clock import Clock
from ground.reporter import Reporter

SAMPLE_EVERY_MS = 500

SCHEDULES_EVERY = 2
"""The doors follow their schedules with every so many samples: once a second."""


class Timed(Protocol):
    """A part in which something may be due."""

    def due_ms(self) -> int | None:
        """Until when (monotonic) nothing changes by time alone; None: nothing ever does."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Twice a second: the doors were sampled, and can be reported."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The turn of the loop in which something changed is over."""


class Pulse(Reporter[Beat | Settled]):
    """One timer on the loop.

    ``others`` follow the doors' samples, and may want one sooner than the doors do.
    """

    def __init__(self, doors: Doors, clock: Clock, *others: Timed) -> None:
        super().__init__()
        self._doors = doors
        self._timed = (doors, *others)
        self._clock = clock
        self._running = self._unsettled = False
        self._timer: asyncio.TimerHandle | None = None
        self._next_sample_ms = 0
        self._beats = 0

    def start(self) -> None:
        self._running = True
        self._next_sample_ms = self._clock.mono_ms() + SAMPLE_EVERY_MS
        self._rearm()

    def stop(self) -> None:
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def settle_soon(self) -> None:
        """Something changed: once this turn of the loop is over, the next moment that matters may be another."""
        if not self._unsettled:
            self._unsettled = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._unsettled = False
        if self._running:
            self._report(Settled())
            self._rearm()

    def _rearm(self) -> None:
        due = [at for at in (part.due_ms() for part in self._timed) if at is not None]
        when = min((*due, self._next_sample_ms))
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
                self._doors.reports()  # an agent that cannot say what its doors are is not well: it does not beat
                self._report(Beat())
        finally:
            self._rearm()
