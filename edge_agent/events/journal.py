"""Writes events to the disk soon after they happen; nothing waits for the disk.

What happens within a few milliseconds is committed together, on a thread of its own that is the only one to touch
the outbox. If the disk refuses, events wait in memory and the commit is tried again; if it goes on refusing, the
outbox goes on in memory.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from edge_agent.events.outbox import NewEvent, Outbox
from edge_agent.host.clock import AgentClock, stamp
from ground.reporter import Reporter
from protocol.words import Alarm, EventKind

log = logging.getLogger(__name__)

GATHER_S = 0.005
"""How long an event waits for others to share its commit; a lock and its snapshot go first."""

RETRY_S = 1.0
REFUSALS = 5
"""After so many tries in vain the outbox goes on in memory, and central gets the events from there."""

MOST_WAITING = 20_000
"""Events kept in memory while the disk refuses; beyond that the oldest are dropped, and counted."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EventsWritten:
    """The outbox has events that it had not before."""


class Journal(Reporter[EventsWritten]):
    """The events of this agent. Call it on the loop; it reports every commit there."""

    def __init__(self, outbox: Outbox, clock: AgentClock) -> None:
        super().__init__()
        self.outbox = outbox
        self._clock = clock
        self._waiting: list[NewEvent] = []
        self._lost = 0
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "outbox")
        self._filling_reported = False

    def add(self, kind: EventKind, data: Mapping[str, Any] | None = None, *, door: str | None = None) -> None:
        """Note that something happened now."""
        self._waiting.append(NewEvent(kind, stamp(self._clock), door, data or {}))
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[0]
            self._lost += 1
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    def alarm(self, alarm: Alarm, data: Mapping[str, Any], *, raised: bool) -> None:
        """Note that an alarm is raised, or cleared."""
        self.add(EventKind.ALARM_RAISED if raised else EventKind.ALARM_CLEARED, {"alarm": alarm, **data})

    async def on_outbox(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function of the outbox on its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def acknowledge(self, stream: str, committed: int) -> bool:
        """Delete what central has committed; see :meth:`Outbox.acknowledge`."""
        known = await self.on_outbox(self.outbox.acknowledge, stream, committed)
        self._watch_filling()
        return known

    async def try_disk(self) -> bool:
        """Go back to the disk if events are in memory alone and it can be written; whether they are on the disk now
        (see :meth:`Outbox.try_disk`)."""
        in_memory = self.outbox.in_memory
        kept = await self.on_outbox(self.outbox.try_disk)
        if in_memory and kept:
            self._watch_filling()
            self._report(EventsWritten())  # the disk may have had events
        return kept

    async def close(self) -> None:
        """Write what waits, and close the outbox. What the disk still refuses then is lost, and logged."""
        if self._writing is not None:
            try:
                async with asyncio.timeout(2 * RETRY_S):
                    await self._writing
            except TimeoutError:
                log.error("%d events could not be written before the end", len(self._waiting))  # noqa: TRY400
        if self.outbox.in_memory:
            await self.on_outbox(self.outbox.try_disk)
        await self.on_outbox(self.outbox.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        refusals = 0
        while self._waiting:
            await asyncio.sleep(RETRY_S if refusals else GATHER_S)
            batch, self._waiting = self._waiting, []
            try:
                await self.on_outbox(self.outbox.append, batch)
            except sqlite3.Error as error:
                self._waiting[:0] = batch
                self.outbox.refused(error)
                refusals += 1
                if refusals >= REFUSALS:
                    await self.on_outbox(self.outbox.leave_disk)
                continue
            refusals = 0
            if self._lost:
                self.add(EventKind.EVENTS_DROPPED, {"count": self._lost, "unwritten": True})
                self._lost = 0
            self._watch_filling()
            self._report(EventsWritten())

    def _watch_filling(self) -> None:
        filling = self.outbox.filling
        if filling is self._filling_reported:
            return
        self._filling_reported = filling
        data = {"depth": self.outbox.depth, "capacity": self.outbox.capacity}
        self.alarm(Alarm.OUTBOX_FILLING, data, raised=filling)
