"""The live stream: sends every console the changes, a few times a second, each built once for all.

It gathers the changes of the fleet, the closures and the declarations, and puts them into each listener's bounded
queue. A listener that reads too slowly gets ``resync``, fetches everything again, and delays no other. It decides
nothing.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from central.agents.wire import Wire
from central.declarations.closure import ClosureTracker
from central.declarations.records import DeclarationRecord
from central.declarations.service import DeclarationService
from central.events.ingest import Commit, CommittedEvent
from central.fleet.state import Changes, LiveDoor
from central.live.view_types import Hello
from central.live.views import Views, committed_event
from ground.clock import Clock
from protocol.proof import SILENT_MS
from protocol.words import EventKind

log = logging.getLogger(__name__)

TICK_S = 0.05
OVERVIEW_EVERY_MS = 500
DOORS_EVERY_MS = 200
DECLARATIONS_EVERY_MS = 200
PING_EVERY_MS = 3_000
EVENTS_EVERY_MS = 200

STREAM_SILENT_MS = 10_000
"""A console whose stream is silent for this long trusts nothing it shows: three pings are lost by then."""

MOST_WAITING_BYTES = 4 * 1024 * 1024
"""The most bytes waiting for one listener. Beyond, they are dropped and the listener fetches everything again."""

ROWS_A_FRAME = 1_000
EVENTS_KEPT = 50
"""Events sent at a time; an agent back from an outage brings thousands, and the history has them all."""

OLD_NEWS_MS = 5 * 60_000
"""Events older than this (by a trusted clock) are history, not news."""

WORTH_A_LINE = frozenset(
    {
        EventKind.ALARM_RAISED,
        EventKind.ALARM_CLEARED,
        EventKind.ACCESS_DENIED,
        EventKind.PANIC_PRESSED,
        EventKind.DURESS,
        EventKind.OVERRIDE_USED,
        EventKind.PIN_GUESSING,
        EventKind.FIRE_STARTED,
        EventKind.FIRE_ENDED,
        EventKind.COMMAND_DONE,
        EventKind.MESSAGE_REFUSED,
        EventKind.AGENT_STARTED,
        EventKind.EVENTS_DROPPED,
    }
)

PING = "ping"
_RESYNC = b"event: resync\ndata: {}\n\n"


class Listener:
    """One console. Iterate over it for (kind, frame)."""

    def __init__(self, site: str | None, declaration: str | None) -> None:
        self.site = site
        self.declaration = declaration
        self._frames: deque[tuple[str, bytes]] = deque()
        self._bytes = 0
        self._there = asyncio.Event()
        self._closed = False

    def put(self, kind: str, frame: bytes) -> None:
        """Queue a frame; if too much waits, drop everything and queue ``resync`` instead."""
        if self._bytes + len(frame) > MOST_WAITING_BYTES:
            self._frames.clear()
            kind, frame, self._bytes = "resync", _RESYNC, 0
        self._frames.append((kind, frame))
        self._bytes += len(frame)
        self._there.set()

    def close(self) -> None:
        """End the stream once the queue is read."""
        self._closed = True
        self._there.set()

    async def __aiter__(self) -> AsyncIterator[tuple[str, bytes]]:
        while True:
            while self._frames:
                kind, frame = self._frames.popleft()
                self._bytes -= len(frame)
                yield kind, frame
            if self._closed:
                return
            self._there.clear()
            await self._there.wait()


class LiveHub:
    """Call it on the event loop, except :meth:`on_commit`."""

    def __init__(
        self,
        views: Views,
        closure: ClosureTracker,
        clock: Clock,
        *,
        declarations: DeclarationService,
        wire: Wire,
        sites: Iterable[str],
    ) -> None:
        self._views = views
        self._closure = closure
        self._clock = clock
        self._service = declarations
        self._wire = wire
        self._all_sites = list(sites)
        self._listeners: set[Listener] = set()
        self._sites: dict[str, None] = {}
        self._doors: dict[str, dict[LiveDoor, None]] = {}
        self._ended: dict[str, tuple[DeclarationRecord, str | None]] = {}
        self._declarations: dict[str, None] = {}
        self._rows: dict[str, set[LiveDoor]] = {}
        self._sent_ms: dict[str, int] = {}
        self._events: deque[CommittedEvent] = deque(maxlen=EVENTS_KEPT)
        self._events_lock = threading.Lock()

    # --- listeners -------------------------------------------------------------------------------------------

    def open(self, site: str | None = None, declaration: str | None = None) -> Listener:
        """A new listener, with its first frames queued. Give it back to :meth:`close`."""
        listener = Listener(site, declaration)
        listener.put("hello", _frame("hello", self._hello()))
        listener.put(PING, self._ping())
        self._listeners.add(listener)
        return listener

    def close(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def close_all(self) -> None:
        for listener in self._listeners:
            listener.close()

    def __len__(self) -> int:
        return len(self._listeners)

    # --- events ----------------------------------------------------------------------------------------------

    def on_changes(self, changes: Changes) -> None:
        """Gather the fleet's changes for the next frames."""
        if not self._listeners:
            return
        for live in changes.agents:
            self._sites[live.site] = None
        for door in changes.doors:
            self._sites[door.site] = None
            self._doors.setdefault(door.site, {})[door] = None

    def on_declaration(self, record: DeclarationRecord, last_closure: str | None = None) -> None:
        """Gather a declaration that is new or has changed. ``last_closure``: of one that has ended."""
        if not self._listeners:
            return
        self._declarations[record.id] = None
        if not record.active:
            self._ended[record.id] = (record, last_closure)
        covered = record.scope.site  # may be missing from the district's file by now
        self._sites.update(dict.fromkeys(site for site in self._all_sites if covered in {None, site}))

    def on_commit(self, commit: Commit) -> None:
        """Gather committed events worth a line. From any thread."""
        oldest_ns = (self._clock.utc_ms() - OLD_NEWS_MS) * 1_000_000
        news = [
            committed
            for committed in commit.events
            if committed.event.kind in WORTH_A_LINE
            and (not committed.event.at.clock_trusted or committed.event.at.utc_ns >= oldest_ns)
        ]
        with self._events_lock:
            self._events.extend(news)

    # --- sending ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send until cancelled. A fault here costs consoles news, never the doors their central."""
        failing = False
        while True:
            try:
                await self.send_due()
            except Exception:
                if not failing:
                    log.exception("a fault of ours while updating the consoles; they fetch everything again after it")
                failing = True
            else:
                if failing:
                    self._to_all("resync", _RESYNC)
                failing = False
            await asyncio.sleep(TICK_S)

    async def send_due(self) -> None:
        """Send the frames that are due now."""
        for declaration, doors in self._closure.take_changes().items():
            if self._listeners:
                self._declarations[declaration] = None
                self._rows.setdefault(declaration, set()).update(doors)
        if not self._listeners:
            self._forget()
            return
        self._send_declarations()
        await self._send_rows()
        self._send_doors()
        self._send_overview()
        self._send_events()
        if self._due(PING, PING_EVERY_MS):
            self._to_all(PING, self._ping())

    def _send_declarations(self) -> None:
        if not self._declarations or not self._due("declaration", DECLARATIONS_EVERY_MS):
            return
        active = {record.id: record for record in self._service.active}
        changed, self._declarations = self._declarations, {}
        ended, self._ended = self._ended, {}
        for declaration in changed:
            holds = active.get(declaration)
            record, last = (holds, None) if holds is not None else ended.get(declaration, (None, None))
            if record is not None:
                self._to_all("declaration", _frame("declaration", self._views.declaration(record, last)))

    async def _send_rows(self) -> None:
        if not self._rows or not self._due("closure", DOORS_EVERY_MS):
            return
        changed, self._rows = self._rows, {}
        for declaration, doors in changed.items():
            if not any(one.declaration == declaration for one in self._listeners):
                continue
            ordered = list(doors)
            for start in range(0, len(ordered), ROWS_A_FRAME):
                rows = self._views.rows(declaration, self._clock.mono_ms(), ordered[start : start + ROWS_A_FRAME])
                frame = _frame("closure", {"id": declaration, "doors": rows})
                for listener in self._listeners:
                    if listener.declaration == declaration:
                        listener.put("closure", frame)
                await asyncio.sleep(0)  # thousands of rows must not keep the agents waiting

    def _send_doors(self) -> None:
        if not self._doors or not self._due("doors", DOORS_EVERY_MS):
            return
        changed, self._doors = self._doors, {}
        for site in {listener.site for listener in self._listeners} & changed.keys():
            frame = _frame("doors", [self._views.door(door) for door in changed[site or ""]])
            for listener in self._listeners:
                if listener.site == site:
                    listener.put("doors", frame)

    def _send_overview(self) -> None:
        if not self._sites or not self._due("overview", OVERVIEW_EVERY_MS):
            return
        changed, self._sites = self._sites, {}
        summaries = self._views.summaries(changed, self._service.active)
        self._to_all("overview", _frame("overview", {"sites": summaries, "totals": self._views.totals()}))

    def _send_events(self) -> None:
        if not self._events or not self._due("event", EVENTS_EVERY_MS):
            return
        with self._events_lock:
            events = list(self._events)
            self._events.clear()
        for event in events:
            self._to_all("event", _frame("event", committed_event(event)))

    def _hello(self) -> Hello:
        return {
            "server_ms": self._clock.utc_ms(),
            "evidence_lasts_ms": SILENT_MS,  # as the fleet judges it
            "stream_silent_ms": STREAM_SILENT_MS,
        }

    def _ping(self) -> bytes:
        return _frame(PING, {"server_ms": self._clock.utc_ms(), "broker_connected": self._wire.connected})

    def _due(self, kind: str, every_ms: int) -> bool:
        now_ms = self._clock.mono_ms()
        if now_ms - self._sent_ms.get(kind, -every_ms) < every_ms:
            return False
        self._sent_ms[kind] = now_ms
        return True

    def _to_all(self, kind: str, frame: bytes) -> None:
        for listener in self._listeners:
            listener.put(kind, frame)

    def _forget(self) -> None:
        """Drop the changes if no client is connected: a new one fetches everything."""
        for gathered in (self._sites, self._doors, self._declarations, self._ended, self._rows):
            gathered.clear()
        with self._events_lock:
            self._events.clear()


def _frame(kind: str, data: Any) -> bytes:
    # JSON may have line breaks between its parts, and a server-sent event may not.
    return b"event: " + kind.encode() + b"\ndata: " + msgspec.json.encode(data).replace(b"\n", b" ") + b"\n\n"
