"""The crash-safe queue of events that central has not committed yet. Numbers them; deletes only what is acknowledged.

It does not know how events travel. All its methods block on the disk and are called from one thread, which is not
the loop's (see `edge_agent.journal`); the counters may be read from anywhere.

When it is full, which takes weeks without central, routine events make room first, then the oldest of all. What is
lost is itself recorded, in an ``events_dropped`` event of the same transaction, and seen by central as a hole.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.database import open_durable
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
)

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened and has no number yet."""

    kind: str
    at: Stamp
    door: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


class Outbox:
    """``outbox.db``: one stream of numbered events. sqlite3.Error where the disk refuses; nothing is half done."""

    def __init__(self, path: Path, *, capacity: int = CAPACITY) -> None:
        if capacity < 10:
            raise ValueError(f"an outbox holds 10 events at the least, not {capacity}")
        self.capacity = capacity
        self._db: sqlite3.Connection = open_durable(path, _MIGRATIONS)
        self._db.execute("INSERT OR IGNORE INTO outbox VALUES (1, ?, 0, 0, 0)", (uuid.uuid4().hex,))
        row = self._db.execute("SELECT stream, last_seq, acknowledged, dropped FROM outbox").fetchone()
        self.stream: str = row[0]
        """Names this outbox; a new file is a new stream."""
        self.last_seq: int = row[1]
        self.acknowledged: int = row[2]
        self.dropped: int = row[3]
        self.depth: int = self._db.execute("SELECT count(*) FROM events").fetchone()[0]
        self._filling = False

    def close(self) -> None:
        """Close the file."""
        self._db.close()

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

    def next_batch(self, after: int, *, most: int = 200, most_bytes: int = 128 * 1024) -> EventBatch | None:
        """The events after a number, or None: at most so many, and so many bytes unless one alone is larger."""
        rows = self._db.execute("SELECT seq, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, most))
        events: list[Event] = []
        size = 0
        for _, body in rows:
            size += len(body) + 1
            if events and size > most_bytes:
                break
            events.append(_decode(body))
        if not events:
            return None
        floor = self._floor()
        (before,) = self._db.execute("SELECT max(seq) FROM events WHERE seq < ?", (events[0].seq,)).fetchone()
        return EventBatch(
            stream=self.stream, floor=floor, after=floor if before is None else before, events=tuple(events)
        )

    def acknowledge(self, stream: str, committed: int) -> bool:
        """Delete what central has committed. False (and nothing deleted) for another stream or a number never given.

        A number of this stream that was never given means that the disk went back in time: its next numbers would
        be taken for duplicates. So a new stream begins, with all that waits.
        """
        if stream != self.stream or committed < 0:
            return False
        if committed > self.last_seq:
            self._begin_stream(committed)
            return False
        if committed <= self.acknowledged:
            return True
        with self._transaction() as change:
            change.depth -= self._db.execute("DELETE FROM events WHERE seq <= ?", (committed,)).rowcount
            change.acknowledged = committed
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

    def _add(self, change: _Change, event: NewEvent) -> None:
        change.last_seq += 1
        data = msgspec.Raw(_encode(event.data))
        body = _encode(Event(seq=change.last_seq, kind=event.kind, at=event.at, door=event.door, data=data))
        routine = event.kind in ROUTINE
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (change.last_seq, routine, body))
        change.depth += 1

    def _make_room(self, change: _Change, at: Stamp) -> None:
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
        change.depth -= len(lost)
        change.dropped += len(lost)
        data = {"count": len(lost), "first": min(lost), "last": max(lost)}
        self._add(change, NewEvent(EventKind.EVENTS_DROPPED, at, data=data))

    def _transaction(self) -> _Change:
        return _Change(self, self._db)


class _Change:
    """A transaction with the counters as they will be; the outbox's own change only once it is on the disk."""

    def __init__(self, outbox: Outbox, db: sqlite3.Connection) -> None:
        self._outbox = outbox
        self._db = db
        self.last_seq = outbox.last_seq
        self.depth = outbox.depth
        self.acknowledged = outbox.acknowledged
        self.dropped = outbox.dropped

    def __enter__(self) -> _Change:
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute(
                    "UPDATE outbox SET last_seq = ?, acknowledged = ?, dropped = ?",
                    (self.last_seq, self.acknowledged, self.dropped),
                )
                self._db.execute("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        if kind is not None:
            self._roll_back()
            return
        outbox = self._outbox
        outbox.last_seq, outbox.depth = self.last_seq, self.depth
        outbox.acknowledged, outbox.dropped = self.acknowledged, self.dropped

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")
