"""What the records tell of the past: pages of events, doors and agents over time."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from central.events.history import AgentPoint, DoorPoint, History
from central.events.history_buckets import BadRange, Buckets, Since, lasted, overlaid
from central.events.ingest import Ingest
from central.records.engine import open_records
from protocol import codec
from protocol.messages import Event, EventBatch
from tests.central.databases import sqlite_url
from tests.central.event_batches import event

T0 = 1_790_000_000_000
MINUTE = 60_000


class Bench:
    """Records written by the real ingest."""

    def __init__(self, directory: Path) -> None:
        self.engine: Engine = open_records(sqlite_url(directory))
        self.history = History(self.engine)
        self.ingest = Ingest(self.engine)
        self.ingest.start()
        self.last: dict[tuple[str, str], int] = {}

    def store(
        self, *said: tuple[int, str, dict[str, object]], agent: str = "east", door: str | None = "front"
    ) -> None:
        """Store events of an agent: minutes after T0, kind, data."""
        for minutes, kind, data in said:
            before = self.last.get(("lincoln", agent), 0)
            self.last["lincoln", agent] = before + 1
            of_door = None if kind.startswith("agent") else door
            made = event(before + 1, kind, utc_ms=T0 + minutes * MINUTE, door=of_door, data=data)
            self.offer(made, before, agent)
        assert self.ingest.flush(20)

    def offer(self, made: Event, after: int, agent: str) -> None:
        batch = EventBatch(stream="s1", floor=0, after=after, events=(made,))
        self.ingest.offer("lincoln", agent, codec.encode(batch))

    def door(self, buckets: Buckets, now_minutes: int = 1_000) -> list[DoorPoint]:
        (series,) = self.history.doors("lincoln", buckets, now_ms=T0 + now_minutes * MINUTE)
        assert (series.site, series.agent, series.door) == ("lincoln", "east", "front")
        return series.points


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.ingest.close()
    bench.engine.dispose()


def minutes(first: int, last: int, resolution: int = 1) -> Buckets:
    return Buckets(T0 + first * MINUTE, T0 + last * MINUTE, resolution * MINUTE)


def to(condition: str) -> dict[str, object]:
    return {"from": "unknown", "to": condition}


def test_a_door_over_time_shows_how_long_it_was_what_and_who_passed(bench: Bench) -> None:
    bench.store(
        (0, "condition_changed", to("secure")),
        (0, "mode_changed", to("controlled")),
        (12, "access_granted", {"cardholder": "c"}),
        (12, "condition_changed", to("open")),
        (14, "condition_changed", to("secure")),
        (25, "access_denied", {"reason": "expired"}),
        (26, "mode_changed", to("secured")),
    )
    first, second, third = bench.door(minutes(0, 30, 10))
    assert first == DoorPoint(T0, "secure", "controlled", {"secure": 10 * MINUTE}, 0, 0)
    expected = {"secure": 8 * MINUTE, "open": 2 * MINUTE}
    assert second == DoorPoint(T0 + 10 * MINUTE, "secure", "controlled", expected, 1, 0)
    assert third == DoorPoint(T0 + 20 * MINUTE, "secure", "secured", {"secure": 10 * MINUTE}, 0, 1)


def test_what_was_so_before_the_range_still_is_at_its_beginning(bench: Bench) -> None:
    bench.store((0, "condition_changed", to("held")), (1, "mode_changed", to("unlocked")))
    (point,) = bench.door(minutes(100, 101))
    assert (point.condition, point.mode, point.conditions_ms) == ("held", "unlocked", {"held": MINUTE})


def test_time_that_has_not_come_is_not_counted(bench: Bench) -> None:
    bench.store((0, "condition_changed", to("secure")))
    first, second = bench.door(minutes(0, 20, 10), now_minutes=5)
    assert (first.conditions_ms, second.conditions_ms) == ({"secure": 5 * MINUTE}, {})


def test_a_door_is_unknown_from_its_agents_last_word_to_its_next_start(bench: Bench) -> None:
    bench.store(
        (0, "agent_started", {}),
        (1, "condition_changed", to("secure")),
        (3, "agent_health", {"outbox_depth": 0}),
        (7, "agent_started", {}),
        (8, "condition_changed", to("secure")),
    )
    conditions = [point.condition for point in bench.door(minutes(0, 10))]
    assert conditions == [
        "unknown", "secure", "secure", "unknown", "unknown", "unknown", "unknown", "secure", "secure", "secure",
    ]  # fmt: skip


def test_a_door_of_an_agent_that_is_gone_is_unknown_now(bench: Bench) -> None:
    bench.store((0, "condition_changed", to("secure")))
    bench.ingest.note_presence("lincoln", "east", alive=True, at_ms=T0)
    bench.ingest.note_presence("lincoln", "east", alive=False, at_ms=T0 + 4 * MINUTE)
    assert bench.ingest.flush(20)
    points = bench.door(minutes(0, 8), now_minutes=6)
    assert [point.condition for point in points[:6]] == ["secure"] * 4 + ["unknown"] * 2
    assert points[5].conditions_ms == {"unknown": MINUTE}
    # It was only cut off: what it did meanwhile has come, and stands.
    bench.ingest.note_presence("lincoln", "east", alive=True, at_ms=T0 + 6 * MINUTE)
    bench.store((5, "condition_changed", to("open")))
    assert [point.condition for point in bench.door(minutes(0, 6))] == ["secure"] * 5 + ["open"]


def test_a_condition_of_a_newer_version_and_odd_data_read_as_unknown(bench: Bench) -> None:
    bench.store((0, "condition_changed", {"to": "levitating"}), (1, "condition_changed", {"to": 7}))
    assert [point.condition for point in bench.door(minutes(0, 2))] == ["unknown", "unknown"]


def test_agents_over_time_are_alive_when_central_heard_them(bench: Bench) -> None:
    bench.ingest.note_presence("lincoln", "east", alive=True, at_ms=T0 + 5 * MINUTE)
    bench.ingest.note_presence("lincoln", "east", alive=False, at_ms=T0 + 12 * MINUTE)
    bench.store(
        (6, "agent_health", {"outbox_depth": 3, "rss_mib": 40.5, "cpu_percent": 1}),
        (7, "agent_health", {"outbox_depth": 4, "rss_mib": 41.5, "cpu_percent": 2, "more": "x"}),
    )
    bench.store((1, "agent_health", {"outbox_depth": "many"}), agent="west")
    east, west = bench.history.agents(minutes(0, 20, 10), now_ms=T0 + 100 * MINUTE, site="lincoln")
    assert (east.agent, west.agent) == ("east", "west")
    assert east.points == [
        AgentPoint(T0, 5 * MINUTE, 4, 41.5, 2.0),
        AgentPoint(T0 + 10 * MINUTE, 2 * MINUTE, None, None, None),
    ]
    assert west.points[0] == AgentPoint(T0, 0, None, None, None)
    assert len(bench.history.agents(minutes(0, 20), now_ms=T0, site="lincoln", agent="west")) == 1


def test_events_come_in_pages_newest_first_by_what_is_asked(bench: Bench) -> None:
    bench.store(*((number, "condition_changed", to("open")) for number in range(5)))
    bench.store((9, "access_denied", {"reason": "expired"}), door="gym")
    bench.store((10, "agent_started", {}), agent="west")
    page = bench.history.events(limit=3)
    assert [found.kind for found in page] == ["agent_started", "access_denied", "condition_changed"]
    rest = bench.history.events(before_id=page[-1].id)
    assert [found.seq for found in rest] == [4, 3, 2, 1]
    assert (page[1].door, page[1].at_ms, page[1].data) == ("gym", T0 + 9 * MINUTE, '{"reason":"expired"}')
    assert [found.seq for found in bench.history.events(site="lincoln", agent="east", door="gym")] == [6]
    assert len(bench.history.events(kind="condition_changed")) == 5
    inside = bench.history.events(from_ms=T0 + MINUTE, to_ms=T0 + 3 * MINUTE)
    assert [found.seq for found in inside] == [3, 2]
    assert bench.history.events(site="elsewhere") == []


@pytest.mark.parametrize(
    ("from_ms", "to_ms", "resolution_ms", "said"),
    [
        (T0, T0, 1_000, "is not before"),
        (T0, T0 + MINUTE, 999, "expected 1000 or more"),
        (T0, T0 + 2_001_000, 1_000, "ask for a resolution_ms of 1001 or more"),
        (-1, T0, 1_000, "expected UTC milliseconds"),
        (0, 2**60, 10**18, "expected UTC milliseconds"),
    ],
)
def test_a_range_that_cannot_be_served_is_answered_with_what_would_do(
    from_ms: int, to_ms: int, resolution_ms: int, said: str
) -> None:
    with pytest.raises(BadRange, match=said):
        Buckets(from_ms, to_ms, resolution_ms)


CHANGES = st.lists(st.builds(Since, at_ms=st.integers(0, 30_000), value=st.sampled_from("abc")), max_size=12).map(
    lambda changes: sorted(changes, key=lambda change: change.at_ms)
)


@given(CHANGES, st.integers(0, 10_000), st.integers(1, 20_000), st.integers(0, 40_000))
def test_buckets_agree_with_asking_every_moment(
    changes: list[Since[str]], from_ms: int, length_ms: int, until_ms: int
) -> None:
    buckets = Buckets(from_ms, from_ms + length_ms, 1_000)

    def value_at(at_ms: int) -> str:
        return next((change.value for change in reversed(changes) if change.at_ms <= at_ms), "initial")

    found = lasted(buckets, "initial", changes, until_ms)
    for (start, end), bucket in zip(buckets, found, strict=True):
        edges = sorted(
            {start, end, *(c.at_ms for c in changes if start < c.at_ms < end)} | {min(max(until_ms, start), end)}
        )
        expected: dict[str, int] = {}
        for left, right in itertools.pairwise(edges):
            if right <= until_ms:
                expected[value_at(left)] = expected.get(value_at(left), 0) + right - left
        assert bucket.ms == expected


def test_a_span_covers_what_was_said_within_it_and_gives_it_back_after() -> None:
    changes = [Since(1, "a"), Since(5, "b"), Since(8, "c")]
    assert overlaid("i", changes, [(3, 6)], "x") == [Since(1, "a"), Since(3, "x"), Since(6, "b"), Since(8, "c")]
    assert overlaid("i", changes, [(0, 1), (8, 9)], "x") == [
        Since(0, "x"), Since(1, "i"), Since(1, "a"), Since(5, "b"), Since(8, "x"), Since(9, "c"),
    ]  # fmt: skip
