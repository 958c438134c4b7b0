"""Feeds a time-series server (InfluxDB 2 or one that takes the same writes) from the records, also after outages.

It reads ``events`` after a stored cursor, in the order of ids. That is the order of commits because the ingest
is the only writer and numbers rows itself under the writers' lock; with several writers on PostgreSQL a lower id
could become visible after a higher one, and the feed would miss it.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from sqlalchemy import Engine, Row, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from central.events.influx_points import line_of
from central.events.ingest import Commit
from central.records.engine import writing
from central.records.schema import events, export_cursors

log = logging.getLogger(__name__)

BATCH_EVENTS = 5_000

SETTLED_AFTER_MS = 10_000
"""A server may keep points in memory for some seconds (VictoriaMetrics: 5) and lose them when killed. The cursor
passes a write only after this time without a failure; after a failure, the feed writes the rest again."""

IDLE_S = 1.0
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0

_REFUSES_POINTS = frozenset({400, 413, 422})
"""Answers that blame the points (malformed, too many, beyond retention): a retry would fail as well."""


@dataclass(frozen=True, slots=True)
class InfluxHealth:
    """How far the feed has got. ``refused``: points that the server rejects, logged and left out."""

    last_event_id: int  # written
    stored_event_id: int  # a new run would start from here
    written: int  # points, counting those written again
    refused: int
    failing: str | None  # why it cannot write just now


class InfluxFeed:
    """A thread that writes new events. ``token`` is the server's secret: pass it from a file, never log it."""

    def __init__(
        self,
        engine: Engine,
        *,
        url: str,
        token: str,
        org: str,
        bucket: str,
        name: str = "influx",
        settled_after_ms: int = SETTLED_AFTER_MS,
        now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        """``name`` is the cursor's: one for each server fed."""
        self._engine = engine
        self._name = name
        self._org = org
        self._bucket = bucket
        self._settled_after_ms = settled_after_ms
        self._now_ms = now_ms
        self._client = InfluxDBClient(url=url, token=token, org=org, timeout=10_000, retries=Retry(0, redirect=3))
        self._write = self._client.write_api(write_options=SYNCHRONOUS).write
        self._changed = threading.Condition()
        self._woken = False
        self._closing = False
        self._position = self._stored = self._read_cursor()
        self._settling: deque[tuple[int, int]] = deque()  # (written at, up to event id)
        self._last_line: str | None = None
        self._written = 0
        self._refused = 0
        self._failing: str | None = None
        self._thread = threading.Thread(target=self._run, name="influx-feed", daemon=True)

    def start(self) -> None:
        """Start the feed's thread."""
        self._thread.start()

    def on_commit(self, commit: Commit) -> None:
        """Feed the new events at once. From any thread; without it the feed finds them within a second."""
        if commit.events:
            self.wake()

    def wake(self) -> None:
        """Read new events at once. From any thread."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self, timeout_s: float = 15.0) -> None:
        """Stop the thread. The next run writes the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._client.close()  # type: ignore[no-untyped-call]

    def health(self) -> InfluxHealth:
        """The feed's progress. Safe from any thread."""
        return InfluxHealth(self._position, self._stored, self._written, self._refused, self._failing)

    # --- the feed's thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = FIRST_RETRY_S
        while not self._closing:
            try:
                more = self._step()
            except (ApiException, HTTPError, OSError, SQLAlchemyError) as error:
                self._fail(error)
                self._pause(wait_s, wakeable=False)
                wait_s = min(2 * wait_s, LONGEST_RETRY_S)
                continue
            except Exception as error:  # a fault of ours must be seen, and must not end the feed
                log.exception("a fault of ours while feeding %s", self._name)
                self._fail(error)
                self._pause(LONGEST_RETRY_S, wakeable=False)
                continue
            if self._failing is not None:
                log.warning("the time-series server takes points again")
                self._failing = None
            wait_s = FIRST_RETRY_S
            if not more:
                self._pause(IDLE_S, wakeable=True)

    def _step(self) -> bool:
        """Write the next events. True: more may be waiting."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(events).where(events.c.id > self._position).order_by(events.c.id).limit(BATCH_EVENTS)
            ).all()
        if rows:
            lines = [line for line in map(line_of, rows) if line is not None]
            if lines:
                self._write_lines(lines)
                self._last_line = lines[-1]
            self._position = rows[-1].id
            self._settling.append((self._now_ms(), self._position))
        elif self._settling and self._last_line is not None:
            self._write_lines([self._last_line])  # checks that the server has not restarted since
        self._settle()
        return len(rows) == BATCH_EVENTS

    def _write_lines(self, lines: list[str]) -> None:
        """Write, leaving out points that the server rejects."""
        try:
            self._write(bucket=self._bucket, org=self._org, record="\n".join(lines))
        except ApiException as error:
            if error.status not in _REFUSES_POINTS:
                raise
            if len(lines) == 1:
                self._refused += 1
                log.warning("the time-series server refuses a point (%s): %s", error.status, lines[0])
                return
            middle = len(lines) // 2
            self._write_lines(lines[:middle])
            self._write_lines(lines[middle:])
            return
        self._written += len(lines)

    def _settle(self) -> None:
        """Store the cursor up to the last write that is old enough."""
        settled = self._stored
        while self._settling and self._now_ms() - self._settling[0][0] >= self._settled_after_ms:
            settled = self._settling.popleft()[1]
        if settled == self._stored:
            return
        values = {"last_event_id": settled, "updated_ms": time.time_ns() // 1_000_000}
        with writing(self._engine) as connection:
            mine = export_cursors.c.name == self._name
            if connection.execute(update(export_cursors).where(mine).values(values)).rowcount == 0:
                connection.execute(insert(export_cursors).values(name=self._name, **values))
        self._stored = settled

    def _fail(self, error: Exception) -> None:
        reason = f"{error.status} {error.reason}" if isinstance(error, ApiException) else str(error)
        if self._failing is None:
            log.warning("the time-series server takes no points, trying again: %s", reason)
        self._failing = reason
        self._settling.clear()
        self._position = self._stored  # the points in its memory may be lost

    def _pause(self, seconds: float, *, wakeable: bool) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or (wakeable and self._woken), seconds)
            self._woken = False

    def _read_cursor(self) -> int:
        with self._engine.connect() as connection:
            found: Row[Any] | None = connection.execute(
                select(export_cursors.c.last_event_id).where(export_cursors.c.name == self._name)
            ).first()
        return int(found[0]) if found is not None else 0
