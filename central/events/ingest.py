"""Takes the agents' events into the records: each once, none lost, acknowledged only after the commit.

The network side hands bytes over and never waits. One writer thread puts all waiting batches into one transaction (so
a slow commit serves more of them), then calls its listeners. It is the only writer of ``events``, whose ids therefore
rise in the order of commits. It does not interpret events.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from central.events.ingest_batch import Row, Taken, rows_of, take
from central.events.ingest_sql import IngestSql
from central.events.refusal_log import RefusalLog
from central.records.engine import writing
from protocol import codec, topics
from protocol.messages import Event, EventBatch
from protocol.refusal import Reason, Refused
from protocol.topics import TopicKind

log = logging.getLogger(__name__)

WAITING_BYTES = 64 * codec.KIB * codec.KIB
"""The most bytes waiting for the writer. Batches beyond are dropped unacknowledged: their agents send them again."""

BATCHES_PER_COMMIT = 256
BYTES_PER_COMMIT = 1024 * 1024
"""Some 4,000 events. A declaration waits for the commit in progress, so a commit must stay short."""

FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0
"""The writer's wait after a failed commit (full disk, lost database); it doubles from one to the other."""

_MAY_PASS = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError)
"""Faults of the database or the disk; any other fault lies in the events."""


class CommittedEvent(NamedTuple):
    """An event in the records. ``id`` is its row; ``received_ns``: when it arrived (UTC, central's clock)."""

    id: int
    site: str
    agent: str
    stream: str
    received_ns: int
    event: Event


@dataclass(frozen=True, slots=True)
class IngestHealth:
    """Counts since the start, and the present obstacle."""

    committed: int  # events
    duplicates: int  # events already in the records
    out_of_order: int  # batches refused because an earlier one is missing
    gaps: int  # holes recorded, because the agent no longer had the missing events
    waiting: int  # batches not yet written
    dropped: int  # batches dropped, over WAITING_BYTES
    refused: dict[str, int] = field(default_factory=dict)
    failing: str | None = None  # why it cannot commit just now


class _Batch(NamedTuple):
    site: str
    agent: str
    payload: bytes
    received_ns: int


class _Decoded(NamedTuple):
    batch: _Batch
    message: EventBatch
    rows: list[Row]


class _Presence(NamedTuple):
    site: str
    agent: str
    at_ms: int
    alive: bool


@dataclass(slots=True)
class Commit:
    """One transaction: how far it committed each stream, and its new events in the order of their ids."""

    cursors: dict[tuple[str, str, str], int] = field(default_factory=dict)  # (site, agent, stream) -> seq
    events: list[CommittedEvent] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Ingest:
    """Call :meth:`start` before the first batch is needed and :meth:`close` at the end."""

    def __init__(
        self,
        engine: Engine,
        *,
        refusals: RefusalLog | None = None,
        utc_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._engine = engine
        self._listeners: list[Callable[[Commit], None]] = []
        self._refusals = refusals or RefusalLog()
        self._utc_ns = utc_ns
        self._sql = IngestSql.of(engine.dialect.name)
        self._changed = threading.Condition()
        self._batches: deque[_Batch] = deque()
        self._waiting_bytes = 0
        self._presence: list[_Presence] = []
        self._closing = False
        self._idle = True
        self._counts: Counter[str] = Counter()
        self._failing: str | None = None
        self._thread = threading.Thread(target=self._run, name="ingest-writer", daemon=True)

    def listen(self, listener: Callable[[Commit], None]) -> None:
        """Call a function after every commit, on the writer's thread and in the order of registration. It must not
        block. Every new event is in one commit only.
        """
        self._listeners.append(listener)

    def start(self) -> None:
        """Start the writer. Closes the presence of agents that the last run left open."""
        with writing(self._engine) as connection:
            connection.exec_driver_sql(self._sql.close_presence)
        self._thread.start()

    def offer(self, site: str, agent: str, payload: bytes) -> bool:
        """Queue a batch from the network; never blocks. False: dropped, because too much waits."""
        with self._changed:
            if self._closing or self._waiting_bytes + len(payload) > WAITING_BYTES:
                self._counts["dropped"] += 1
                return False
            self._batches.append(_Batch(site, agent, payload, self._utc_ns()))
            self._waiting_bytes += len(payload)
            self._changed.notify_all()
            return True

    def note_presence(self, site: str, agent: str, *, alive: bool, at_ms: int) -> None:
        """Record that an agent is alive, or no longer, as of ``at_ms`` (UTC)."""
        with self._changed:
            self._presence.append(_Presence(site, agent, at_ms, alive))
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything queued is written. False: not within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._idle and not self._batches and not self._presence, timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """Write the queue and stop. Agents keep what is not written in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def health(self) -> IngestHealth:
        """The writer's counts. Safe from any thread."""
        with self._changed:
            counts = self._counts
            return IngestHealth(
                committed=counts["committed"],
                duplicates=counts["duplicates"],
                out_of_order=counts["out_of_order"],
                gaps=counts["gaps"],
                waiting=len(self._batches),
                dropped=counts["dropped"],
                refused=self._refusals.by_reason(),
                failing=self._failing,
            )

    # --- the writer's thread ---------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._batches or self._presence or self._closing)
                if not self._batches and not self._presence:
                    return
                self._idle = False
                batches = self._next_group()
                presence, self._presence = self._presence, []
            if not self._store(self._decoded(batches), presence):
                return

    def _next_group(self) -> list[_Batch]:
        """The batches of the next commit: at least one, if any waits."""
        group: list[_Batch] = []
        taken = 0
        while self._batches and len(group) < BATCHES_PER_COMMIT and taken < BYTES_PER_COMMIT:
            group.append(self._batches.popleft())
            taken += len(group[-1].payload)
        self._waiting_bytes -= taken
        return group

    def _decoded(self, batches: Sequence[_Batch]) -> list[_Decoded]:
        decoded: list[_Decoded] = []
        for batch in batches:
            try:
                message = codec.decode(EventBatch, batch.payload)
                rows = rows_of(batch.site, batch.agent, message, batch.received_ns)
                decoded.append(_Decoded(batch, message, rows))
            except Refused as refused:
                self._refusals.note(topics.of_agent(TopicKind.EVENTS, batch.site, batch.agent), refused)
        return decoded

    def _store(self, batches: list[_Decoded], presence: list[_Presence]) -> bool:
        """Commit a group and announce it; False: closed before the commit.

        If the database rejects the group, commit each batch alone and refuse the one at fault.
        """
        try:
            commit = self._commit(batches, presence)
        except Exception as error:
            if len(batches) > 1:
                return all(self._store([batch], []) for batch in batches) and self._store([], presence)
            log.exception("the records will not have a batch")
            for decoded in batches:
                topic = topics.of_agent(TopicKind.EVENTS, decoded.batch.site, decoded.batch.agent)
                self._refusals.note(topic, Refused(Reason.MALFORMED, f"the records will not have it: {error}"))
            return True
        if commit is None:
            return False
        self._announce(commit)
        return True

    def _commit(self, batches: list[_Decoded], presence: list[_Presence]) -> Commit | None:
        """Commit, with as many tries as it takes; None: closed meanwhile. Raises if a retry cannot help."""
        wait_s = FIRST_RETRY_S
        while True:
            try:
                with writing(self._engine) as connection:
                    commit = self._write(connection, batches, presence)
            except _MAY_PASS as error:
                if self._failing is None:
                    log.exception("cannot commit events, trying again until it works")
                with self._changed:
                    self._failing = str(getattr(error, "orig", None) or error)
                    if self._changed.wait_for(lambda: self._closing, wait_s):
                        return None
                wait_s = min(2 * wait_s, LONGEST_RETRY_S)
                continue
            if self._failing is not None:
                log.warning("events are committed again")
            with self._changed:
                self._failing = None
                self._counts.update(commit.counts)
            return commit

    def _write(
        self,
        connection: Connection,
        batches: list[_Decoded],
        presence: list[_Presence],
    ) -> Commit:
        sql = self._sql
        commit = Commit()
        last_id: int = connection.exec_driver_sql(sql.last_id).scalar_one()
        rows: list[tuple[int | str | bool | None, ...]] = []
        gaps: list[tuple[str, str, str, int, int, int]] = []
        moved: dict[tuple[str, str, str], int] = {}
        for batch, message, batch_rows in batches:
            key = (batch.site, batch.agent, message.stream)
            cursor = commit.cursors.get(key)
            if cursor is None:
                cursor = connection.exec_driver_sql(sql.cursor, key).scalar() or 0
            taken: Taken = take(cursor, message)
            commit.cursors[key] = taken.committed
            commit.counts.update(taken.counts)
            if taken.committed > cursor:
                moved[key] = batch.received_ns // 10**6
            gaps += [(*key, first, last, batch.received_ns // 10**6) for first, last in taken.gaps]
            if taken.skip is None:
                continue
            for event, row in zip(message.events[taken.skip :], batch_rows[taken.skip :], strict=True):
                last_id += 1
                rows.append((last_id, *row))
                commit.events.append(
                    CommittedEvent(last_id, batch.site, batch.agent, message.stream, batch.received_ns, event)
                )
        if rows:
            self._insert(connection, rows, commit)
        if gaps:
            connection.exec_driver_sql(sql.insert_gap, gaps)
        if moved:
            connection.exec_driver_sql(
                sql.move_cursor, [(*key, commit.cursors[key], at_ms) for key, at_ms in moved.items()]
            )
        if presence:
            connection.exec_driver_sql(sql.insert_presence, [tuple(seen) for seen in presence])
        commit.counts["committed"] += len(commit.events)
        return commit

    def _insert(
        self, connection: Connection, rows: list[tuple[int | str | bool | None, ...]], commit: Commit
    ) -> None:
        """Insert, and remove from the commit the events that the unique constraint (the second line) rejects."""
        if connection.exec_driver_sql(self._sql.insert_event, rows).rowcount == len(rows):
            return
        new = set(connection.exec_driver_sql(self._sql.ids_from, (rows[0][0],)).scalars())
        commit.counts["duplicates"] += len(rows) - len(new)
        commit.events[:] = [event for event in commit.events if event.id in new]

    def _announce(self, commit: Commit) -> None:
        for listener in self._listeners:
            try:
                listener(commit)
            except Exception:  # agents ask again; the next events must be written
                log.exception("a fault of ours after a commit")
