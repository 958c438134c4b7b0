"""The crash-safe queue of events that central has not committed yet. Numbers them; deletes only what is acknowledged.

It does not know how events travel. All its methods block on the disk and are called from one thread, which is not
the loop's (see `edge_agent.events.journal`); the counters may be read from anywhere.

Where the disk refuses, events are numbered in memory, as a stream of their own, and central has them all the same.
Once the disk is back, what central has not committed of that stream by then is kept there under the numbers it has,
for some of it may be on its way; new events go on in the disk's own stream.

When it is full, which takes weeks without central, routine events make room first, then the oldest of all. What is
lost is itself recorded, in an ``events_dropped`` event of the same transaction, and seen by central as a hole.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.storage.database import open_durable, open_in_memory, transaction
from edge_agent.storage.disk_watch import Disk
from protocol.messages import Event, EventBatch, OutboxState, Stamp
from protocol.words import EventKind

log = logging.getLogger(__name__)

CAPACITY = 500_000
"""Events. At some 250 bytes each this is 125 MB, and more than a month of a busy agent."""

FILLING_AT = 0.8
DRAINED_AT = 0.7
"""The alarm is raised at the first share of the capacity and cleared below the second."""

ROUTINE = frozenset(
    {EventKind.ACCESS_GRANTED, EventKind.REQUEST_TO_EXIT, EventKind.AGENT_HEALTH, EventKind.LOCK_COMMANDED}
)

_MIGRATIONS = (
    """
    CREATE TABLE outbox (
        only INTEGER PRIMARY KEY CHECK (only = 1), stream TEXT NOT NULL, last_seq INTEGER NOT NULL,
        acknowledged INTEGER NOT NULL, dropped INTEGER NOT NULL
    );
    CREATE TABLE events (seq INTEGER PRIMARY KEY, routine INTEGER NOT NULL, body BLOB NOT NULL);
    CREATE INDEX routine_events ON events (seq) WHERE routine = 1
    """,
    """
    CREATE TABLE earlier (
        stream TEXT NOT NULL, seq INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (stream, seq)
    ) WITHOUT ROWID
    """,
)

_MOST_IN_MEMORY = 20_000
"""Events; some 5 MB."""

_PROBE_BYTES = 128 * 1024

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened and has no number yet."""

    kind: str
    at: Stamp
    door: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Counters:
    last_seq: int
    depth: int
    acknowledged: int
    dropped: int


class Outbox:
    """``outbox.db``: one stream of numbered events. sqlite3.Error where the disk refuses; nothing is half done.

    Making one raises only ValueError and DatabaseTooNew: where the disk refuses, it is ``in_memory``.
    """

    def __init__(self, path: Path, disk: Disk | None = None, *, capacity: int = CAPACITY) -> None:
        if capacity < 10:
            raise ValueError(f"an outbox holds 10 events at the least, not {capacity}")
        self._path = path
        self._disk = disk or Disk()
        self._capacity_on_disk = capacity
        self._filling = False
        self.capacity: int
        self.stream: str
        """Names this outbox; a new file is a new stream."""
        self.last_seq: int
        self.acknowledged: int
        self.dropped: int
        self.depth: int
        try:
            self._use(self._open(), in_memory=False)
        except (OSError, sqlite3.Error) as error:
            self.refused(error)
            self._use_memory()

    def refused(self, error: Exception) -> None:
        """Report that events wait in memory."""
        self._disk.refuses(self._path.name, f"cannot be written ({error}): events are kept in memory")

    def close(self) -> None:
        """Close the file. What is in memory alone is lost, and logged."""
        if self.in_memory and self.depth:
            log.error("%d events are lost: the disk has not taken them", self.depth)
        self._db.close()

    def leave_disk(self) -> None:
        """Go on in memory, for the file refuses. What is in it is sent later."""
        if not self.in_memory:
            self._db.close()
            self._use_memory()
            log.error("%s is left: events go on as stream %s", self._path, self.stream)

    def try_disk(self) -> bool:
        """Go on with the file, if it can be written by now; whether events are kept there. Nothing changes if not."""
        if not self.in_memory:
            return True
        try:
            _probe(self._path)
            file = self._open()
        except (OSError, sqlite3.Error):
            return False
        try:
            with transaction(file):
                rows = ((self.stream, *row) for row in self._db.execute("SELECT seq, body FROM events"))
                file.executemany("INSERT INTO earlier VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            file.close()
            return False
        log.warning("%s: %d events of stream %s kept", self._path, self.depth, self.stream)
        self._db.close()
        self._use(file, in_memory=False)
        self._disk.takes(self._path.name)
        return True

    def _open(self) -> sqlite3.Connection:
        file = open_durable(self._path, _MIGRATIONS)
        try:
            return _begin(file)
        except BaseException:
            file.close()
            raise

    def _use_memory(self) -> None:
        self._use(_begin(open_in_memory(_MIGRATIONS)), in_memory=True)

    def _use(self, db: sqlite3.Connection, *, in_memory: bool) -> None:
        row = db.execute("SELECT stream, last_seq, acknowledged, dropped FROM outbox").fetchone()
        self._db, self.in_memory = db, in_memory
        self.stream, self.last_seq, self.acknowledged, self.dropped = row
        self.depth = sum(db.execute(f"SELECT count(*) FROM {of}").fetchone()[0] for of in ("events", "earlier"))  # noqa: S608
        self.capacity = min(self._capacity_on_disk, _MOST_IN_MEMORY) if in_memory else self._capacity_on_disk

    @property
    def filling(self) -> bool:
        """Whether the alarm for an outbox that fills up is due."""
        share = self.depth / self.capacity
        self._filling = share >= (DRAINED_AT if self._filling else FILLING_AT)
        return self._filling

    def state(self) -> OutboxState:
        """How far the events have got, for a snapshot."""
        return OutboxState(depth=self.depth, capacity=self.capacity, last_seq=self.last_seq, dropped=self.dropped)

    def append(self, events: Sequence[NewEvent]) -> None:
        """Number some events and put them on the disk, in one transaction. Makes room first, see above."""
        if not events:
            return
        with self._transaction() as change:
            for event in events:
                if change.depth >= self.capacity:
                    self._make_room(change, event.at)
                self._add(change, event)
        if not self.in_memory:
            self._disk.takes(self._path.name)

    def next_batch(self, after: int, *, most: int = 200, most_bytes: int = 128 * 1024) -> EventBatch | None:
        """The events after a number, or None: at most so many, and so many bytes unless one alone is larger. What
        there is of an earlier stream comes first, whatever the number."""
        earlier = self._db.execute("SELECT stream FROM earlier LIMIT 1").fetchone()
        if earlier is not None:
            first = "SELECT body FROM earlier WHERE stream = ? ORDER BY seq LIMIT ?"
            rows = self._db.execute(first, (*earlier, most))
            events = _as_many(rows, most_bytes)
            before = events[0].seq - 1
            return EventBatch(stream=earlier[0], floor=before, after=before, events=events)
        rows = self._db.execute("SELECT body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, most))
        events = _as_many(rows, most_bytes)
        if not events:
            return None
        floor = self._floor()
        (before,) = self._db.execute("SELECT max(seq) FROM events WHERE seq < ?", (events[0].seq,)).fetchone()
        return EventBatch(stream=self.stream, floor=floor, after=floor if before is None else before, events=events)

    def acknowledge(self, stream: str, committed: int) -> bool:
        """Delete what central has committed. False (and nothing deleted) for another stream or a number never given.

        A number of this stream that was never given means that the disk went back in time: its next numbers would
        be taken for duplicates. So a new stream begins, with all that waits.
        """
        if committed < 0:
            return False
        if stream != self.stream:
            return self._acknowledge_earlier(stream, committed)
        if committed > self.last_seq:
            self._begin_stream(committed)
            return False
        if committed <= self.acknowledged:
            return True
        with self._transaction() as change:
            change.depth -= self._db.execute("DELETE FROM events WHERE seq <= ?", (committed,)).rowcount
            change.acknowledged = committed
        return True

    def _acknowledge_earlier(self, stream: str, committed: int) -> bool:
        if self._db.execute("SELECT 1 FROM earlier WHERE stream = ? LIMIT 1", (stream,)).fetchone() is None:
            return False
        with self._transaction() as change:
            done = self._db.execute("DELETE FROM earlier WHERE stream = ? AND seq <= ?", (stream, committed))
            change.depth -= done.rowcount
        return True

    def _begin_stream(self, committed: int) -> None:
        stream, floor = uuid.uuid4().hex, self._floor()
        log.error(
            "central has %d events of stream %s, this disk knows of %d: it went back in time; stream %s begins",
            committed, self.stream, self.last_seq, stream,
        )  # fmt: skip
        with self._transaction() as change:
            self._db.execute("UPDATE outbox SET stream = ?", (stream,))
            # From 1 again, lest central records a hole before the first; rising, so that no number is there twice.
            for (seq,) in self._db.execute("SELECT seq FROM events ORDER BY seq").fetchall():
                (body,) = self._db.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
                moved = _encode(msgspec.structs.replace(_decode(body), seq=seq - floor))
                self._db.execute("UPDATE events SET seq = ?, body = ? WHERE seq = ?", (seq - floor, moved, seq))
            change.last_seq -= floor
            change.acknowledged = 0
        self.stream = stream

    def _floor(self) -> int:
        (lowest,) = self._db.execute("SELECT min(seq) FROM events").fetchone()
        return self.last_seq if lowest is None else int(lowest) - 1

    def _add(self, change: _Counters, event: NewEvent) -> None:
        change.last_seq += 1
        data = msgspec.Raw(_encode(event.data))
        body = _encode(Event(seq=change.last_seq, kind=event.kind, at=event.at, door=event.door, data=data))
        routine = event.kind in ROUTINE
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (change.last_seq, routine, body))
        change.depth += 1

    def _make_room(self, change: _Counters, at: Stamp) -> None:
        """Drop a hundredth of the capacity at once, so that the records of the loss do not fill what they saved."""
        room = max(2, self.capacity // 100)  # one for the event that comes, one for the record
        lost: list[int] = []
        for only in ("WHERE routine = 1", ""):
            rows = self._db.execute(
                f"DELETE FROM events WHERE seq IN (SELECT seq FROM events {only} ORDER BY seq LIMIT ?) RETURNING seq",  # noqa: S608 - no input
                (room - len(lost),),
            )
            lost.extend(seq for (seq,) in rows.fetchall())
            if len(lost) == room:
                break
        if not lost:
            return  # there is nothing but an earlier stream
        change.depth -= len(lost)
        change.dropped += len(lost)
        data = {"count": len(lost), "first": min(lost), "last": max(lost)}
        self._add(change, NewEvent(EventKind.EVENTS_DROPPED, at, data=data))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[_Counters]:
        """The counters as they will be; the outbox's own change only once all of it is on the disk."""
        change = _Counters(self.last_seq, self.depth, self.acknowledged, self.dropped)
        with transaction(self._db):
            yield change
            self._db.execute(
                "UPDATE outbox SET last_seq = ?, acknowledged = ?, dropped = ?",
                (change.last_seq, change.acknowledged, change.dropped),
            )
        self.last_seq, self.depth = change.last_seq, change.depth
        self.acknowledged, self.dropped = change.acknowledged, change.dropped


def _begin(db: sqlite3.Connection) -> sqlite3.Connection:
    """The stream of a new outbox gets its name."""
    db.execute("INSERT OR IGNORE INTO outbox VALUES (1, ?, 0, 0, 0)", (uuid.uuid4().hex,))
    return db


def _probe(path: Path) -> None:
    """OSError unless the disk takes some events: a file whose log exists can be opened on a full disk, too."""
    probe = path.with_name(f"{path.name}.probe")
    try:
        with probe.open("wb") as file:
            file.write(b"\0" * _PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _as_many(bodies: Iterable[tuple[bytes]], most_bytes: int) -> tuple[Event, ...]:
    """The first events, up to so many bytes, but one at the least."""
    events: list[Event] = []
    size = 0
    for (body,) in bodies:
        size += len(body) + 1
        if events and size > most_bytes:
            break
        events.append(_decode(body))
    return tuple(events)
