"""The records reach a time-series server whole: after outages, kills and restarts of either side (invariant 6)."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from sqlalchemy import Engine, select

from central.events.influx import InfluxFeed
from central.events.influx_points import line_of
from central.events.ingest import Ingest
from central.records.engine import open_records
from central.records.schema import export_cursors
from ground.free_port import free_port
from protocol import codec
from protocol.messages import Event, EventBatch
from tests.central.databases import sqlite_url
from tests.central.event_batches import UTC_NS, event, wait_until
from tests.central.time_series import TimeSeriesServer, time_series


@pytest.fixture
def server() -> Iterator[TimeSeriesServer]:
    with time_series() as server:
        yield server


class Bench:
    """Records with an ingest, and feeds made on them."""

    def __init__(self, directory: Path) -> None:
        self.engine: Engine = open_records(sqlite_url(directory))
        self.ingest = Ingest(self.engine)
        self.ingest.start()
        self.feeds: list[InfluxFeed] = []
        self.last = 0

    def store(self, *events: Event) -> None:
        batch = EventBatch(stream="s1", floor=0, after=self.last, events=events)
        self.last = events[-1].seq
        self.ingest.offer("lincoln", "east", codec.encode(batch))
        assert self.ingest.flush(20)

    def feed(self, url: str, settled_after_ms: int = 0) -> InfluxFeed:
        feed = InfluxFeed(self.engine, url=url, token="t", org="o", bucket="b", settled_after_ms=settled_after_ms)
        self.feeds.append(feed)
        feed.start()
        return feed

    def cursor(self) -> int:
        with self.engine.connect() as connection:
            return connection.execute(select(export_cursors.c.last_event_id)).scalar() or 0

    def close(self) -> None:
        for feed in self.feeds:
            feed.close()
        self.ingest.close()
        self.engine.dispose()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_each_kind_becomes_its_measurement_with_its_tags(bench: Bench, server: TimeSeriesServer) -> None:
    bench.store(
        event(1, "condition_changed", data={"from": "open", "to": "secure"}),
        event(2, "mode_changed", data={"to": "secured"}),
        event(3, "access_granted", data={"cardholder": "ch-1"}),
        event(4, "access_denied", data={"reason": "door_secured"}),
        event(5, "agent_health", door=None, data={"rss_mib": 41.5, "cpu_percent": 2, "ok": True, "name": "x"}),
        event(6, "reader_online"),
    )
    feed = bench.feed(server.url)
    wait_until(lambda: bench.cursor() == 6, "the cursor")
    at_ms = UTC_NS // 10**6

    def only(metric: str) -> tuple[list[int], list[float]]:
        ((found, times, values),) = server.samples(metric)
        tags = {"site": "lincoln", "agent": "east"} | ({} if metric.startswith("agent") else {"door": "front"})
        assert tags.items() <= found.items()
        assert ("door" in found) == ("door" in tags)
        return times, values

    assert only("door_condition_secure") == ([at_ms + 1], [1])
    assert only("door_mode_code") == ([at_ms + 2], [2])
    assert only("access_granted") == ([at_ms + 3, at_ms + 4], [1, 0])
    assert only("agent_health_rss_mib") == ([at_ms + 5], [41.5])
    assert only("agent_health_cpu_percent") == ([at_ms + 5], [2])
    assert feed.health().failing is None


def test_the_cursor_is_kept_over_a_restart_of_central(bench: Bench, server: TimeSeriesServer) -> None:
    bench.store(*(event(number, data={"to": "open"}) for number in range(1, 11)))
    first = bench.feed(server.url)
    wait_until(lambda: bench.cursor() == 10, "the cursor")
    first.close()
    bench.store(*(event(number, data={"to": "open"}) for number in range(11, 16)))
    second = bench.feed(server.url)
    wait_until(lambda: bench.cursor() == 15, "the cursor again")
    assert second.health().written == 5
    ((_, times, _),) = server.samples("door_condition_code")
    assert times == [UTC_NS // 10**6 + number for number in range(1, 16)]


def test_a_server_that_is_not_there_loses_nothing_and_is_reported(bench: Bench) -> None:
    bench.store(event(1, data={"to": "open"}))
    feed = bench.feed(f"http://127.0.0.1:{free_port()}")
    wait_until(lambda: feed.health().failing, "the outage in health")
    assert bench.cursor() == 0
    assert feed.health().written == 0


def test_nothing_is_settled_before_the_server_had_time_to_store_it(bench: Bench, server: TimeSeriesServer) -> None:
    bench.store(event(1, data={"to": "open"}))
    feed = bench.feed(server.url, settled_after_ms=10**9)
    wait_until(lambda: feed.health().last_event_id == 1, "the write")
    assert bench.cursor() == 0
    server.kill()
    bench.store(event(2, data={"to": "open"}))
    feed.wake()
    wait_until(lambda: feed.health().failing, "the outage")
    assert feed.health().last_event_id == 0  # all that may be lost is written again


@pytest.mark.slow
def test_a_server_killed_and_restarted_under_load_has_every_point_once(
    bench: Bench, server: TimeSeriesServer
) -> None:
    total, stop = 6_000, threading.Event()

    def load() -> None:
        for first in range(1, total, 50):
            bench.store(*(event(number, data={"to": "open"}) for number in range(first, first + 50)))
            stop.wait(0.05)  # a rate, not a synchronisation

    feed = bench.feed(server.url, settled_after_ms=3_000)
    writer = threading.Thread(target=load)
    writer.start()
    for threshold in (1_000, 3_000):
        wait_until(lambda threshold=threshold: feed.health().last_event_id >= threshold, "points on their way", 30)
        server.kill()  # also what it took in the last second, and had only in memory
        wait_until(lambda: feed.health().failing, "the outage", 30)
        server.start()
    writer.join()
    wait_until(lambda: bench.cursor() == total, "everything written and settled", 60)
    ((_, times, values),) = server.samples("door_condition_code")
    assert times == [UTC_NS // 10**6 + number for number in range(1, total + 1)]
    assert len(values) == total


class Row(NamedTuple):
    """An event's row, as far as a point needs it."""

    kind: str = "condition_changed"
    data: str = '{"to":"open"}'
    seq: int = 1
    utc_ns: int = UTC_NS
    received_ns: int = UTC_NS + 10**9
    clock_trusted: bool = True
    site: str = "lincoln"
    agent: str = "east"
    door: str | None = "front"


def line(row: Row) -> str | None:
    found: Any = row
    return line_of(found)


def test_two_events_of_one_nanosecond_stay_two_and_one_event_is_always_the_same_point() -> None:
    assert line(Row(seq=1)) != line(Row(seq=2))
    assert line(Row(seq=1)) == line(Row(seq=1))
    assert line(Row(seq=12_345)) == (
        f'door_condition,site=lincoln,agent=east,door=front condition="open",code=1i,secure=0i {UTC_NS + 345}'
    )


def test_a_time_its_agent_does_not_trust_gives_way_to_when_it_came() -> None:
    assert str(line(Row(clock_trusted=False, utc_ns=5))).endswith(f" {UTC_NS + 10**9 + 1}")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (Row(kind="door_sang"), None),
        (Row(kind="agent_health", data="{}"), None),
        (Row(kind="agent_health", data='{"a b":1,"c,d=e":2}'), None),
        (Row(data="not json"), 'condition="unknown",code=7i,secure=0i'),
        (Row(data='{"to":"levitating"}'), 'condition="unknown",code=7i,secure=0i'),
        (Row(kind="mode_changed", data='{"to":"a\\"b\\\\c\\nd"}'), 'mode="a\\"b\\\\c d",code=-1i'),
    ],
)
def test_odd_data_makes_no_odd_line(row: Row, expected: str | None) -> None:
    found = line(row)
    assert (found is None) if expected is None else (f" {expected} " in str(found))


class Picky(BaseHTTPRequestHandler):
    """Answers as InfluxDB does for points beyond its retention: 422 for a write that holds one."""

    taken: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        refused = "door=back" in body
        if not refused:
            self.taken.extend(body.splitlines())
        self.send_response(422 if refused else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_point_the_server_refuses_is_counted_and_keeps_no_other_out(bench: Bench) -> None:
    doors = ["front", "gym", "back", "front", "gym", "front", "front"]
    bench.store(*(event(number, door=door, data={"to": "open"}) for number, door in enumerate(doors, 1)))
    with ThreadingHTTPServer(("127.0.0.1", 0), Picky) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            feed = bench.feed(f"http://127.0.0.1:{server.server_address[1]}")
            wait_until(lambda: bench.cursor() == 7, "the cursor past all of them")
        finally:
            server.shutdown()
            serving.join()
    assert feed.health().refused == 1
    assert len({line for line in Picky.taken if "door_condition" in line}) == 6
