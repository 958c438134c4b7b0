"""Events are taken once each, in order, and acknowledged only when they are on disk (invariant 6)."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, text

from central.events.ingest import Commit, CommittedEvent, Ingest
from central.events.ingest_batch import take
from central.records.engine import open_records
from central.records.schema import agent_presence, events, stream_cursors, stream_gaps
from protocol import codec
from protocol.messages import EventAck, EventBatch
from tests.central.databases import private_postgres, sqlite_url
from tests.central.event_batches import batch, wait_until
from tests.central.event_batches import event as make_event


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    url = sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    engine = open_records(url)
    with engine.begin() as connection:
        for table in (events, stream_cursors, stream_gaps, agent_presence):
            connection.execute(table.delete())
    yield engine
    engine.dispose()


class Bench:
    """An ingest with everything it said."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.acks: list[tuple[str, str, EventAck]] = []
        self.committed: list[CommittedEvent] = []
        self.ingest = Ingest(engine)
        self.ingest.listen(self._hear)
        self.ingest.start()

    def _hear(self, commit: Commit) -> None:
        self.acks += [
            (site, agent, EventAck(stream=stream, committed=committed))
            for (site, agent, stream), committed in commit.cursors.items()
        ]
        self.committed += commit.events

    def offer(self, payload: bytes) -> int:
        """Offer a batch, wait, and say the cursor of the last acknowledgement."""
        assert self.ingest.offer("lincoln", "east", payload)
        assert self.ingest.flush(20)
        return self.acks[-1][2].committed

    def stored(self) -> list[int]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(events.c.seq).order_by(events.c.id)).scalars())

    def gaps(self) -> list[tuple[int, int]]:
        with self.engine.connect() as connection:
            found = connection.execute(select(stream_gaps.c.first_seq, stream_gaps.c.last_seq))
            return [(row[0], row[1]) for row in found]


@pytest.fixture
def bench(engine: Engine) -> Iterator[Bench]:
    bench = Bench(engine)
    yield bench
    bench.ingest.close()


def test_a_batch_is_stored_whole_and_acknowledged_and_passed_on(bench: Bench) -> None:
    assert bench.offer(batch([1, 2, 3])) == 3
    assert bench.stored() == [1, 2, 3]
    assert [found.event.seq for found in bench.committed] == [1, 2, 3]
    with bench.engine.connect() as connection:
        row = connection.execute(select(events).where(events.c.seq == 2)).mappings().one()
    sent = make_event(2)
    assert (row["site"], row["agent"], row["stream"], row["door"]) == ("lincoln", "east", "s1", "front")
    assert (row["kind"], row["utc_ns"], row["mono_ms"]) == (sent.kind, sent.at.utc_ns, sent.at.mono_ms)
    assert (row["clock_trusted"], row["boot"], row["data"]) == (True, "boot-1", '{"n":2}')
    assert row["id"] == bench.committed[1].id
    assert row["received_ns"] == bench.committed[1].received_ns


def test_a_batch_that_comes_twice_is_stored_once_and_acknowledged_twice(bench: Bench) -> None:
    assert bench.offer(batch([1, 2, 3])) == 3
    assert bench.offer(batch([1, 2, 3])) == 3
    assert bench.stored() == [1, 2, 3]
    assert len(bench.acks) == 2
    assert len(bench.committed) == 3  # a replay triggers nothing
    assert bench.ingest.health().duplicates == 3


def test_of_a_batch_that_overlaps_only_what_is_new_is_taken(bench: Bench) -> None:
    bench.offer(batch([1, 2, 3]))
    assert bench.offer(batch([2, 3, 4, 5])) == 5
    assert bench.stored() == [1, 2, 3, 4, 5]


def test_a_batch_ahead_of_a_missing_one_is_not_taken_and_the_answer_makes_the_agent_go_back(bench: Bench) -> None:
    bench.offer(batch([1, 2]))
    assert bench.offer(batch([5, 6])) == 2
    assert bench.stored() == [1, 2]
    assert bench.ingest.health().out_of_order == 1
    assert bench.offer(batch([3, 4])) == 4
    assert bench.offer(batch([5, 6])) == 6
    assert bench.stored() == [1, 2, 3, 4, 5, 6]
    assert bench.gaps() == []


def test_what_the_agent_no_longer_has_becomes_a_visible_gap(bench: Bench) -> None:
    bench.offer(batch([1, 2]))
    assert bench.offer(batch([8, 9], after=7, floor=7)) == 9
    assert bench.stored() == [1, 2, 8, 9]
    assert bench.gaps() == [(3, 7)]
    assert bench.ingest.health().gaps == 1


def test_an_agent_that_still_has_some_of_what_is_missing_sends_that_first(bench: Bench) -> None:
    bench.offer(batch([1, 2]))
    assert bench.offer(batch([8, 9], after=7, floor=4)) == 2
    assert bench.offer(batch([5, 6, 7], after=4, floor=4)) == 7
    assert bench.gaps() == [(3, 4)]


def test_a_hole_inside_a_batch_is_recorded(bench: Bench) -> None:
    assert bench.offer(batch([1, 2, 6, 7, 9])) == 9
    assert bench.gaps() == [(3, 5), (8, 8)]


def test_a_new_outbox_is_a_new_stream(bench: Bench) -> None:
    bench.offer(batch([1, 2]))
    assert bench.offer(batch([1, 2, 3], stream="s2")) == 3
    assert bench.stored() == [1, 2, 1, 2, 3]


def test_an_empty_batch_asks_how_far_central_is(bench: Bench) -> None:
    bench.offer(batch([1, 2]))
    assert bench.offer(batch([], after=9, floor=9)) == 2
    assert bench.gaps() == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b'{"stream":"s1","floor":0,"after":0,"events":[{"seq":1}]}',
        batch([1, 2, 2]),
        batch([2, 1], after=0),
        batch([1, 2], after=1),
        batch([1]).replace(b'{"n":1}', b"[1]"),
        batch([1]).replace(b'{"n":1}', b'{"n":"\xff"}'),
        batch([1]).replace(b'"kind":"condition_changed"', b'"kind":"a\\u0000b"'),
        batch([1]).replace(b'"stream":"s1"', b'"stream":"a\\u0000b"'),
        batch([1]).replace(b'"mono_ms":1', b'"mono_ms":9223372036854775808'),
        batch([1]).replace(b'"mono_ms":1', b'"mono_ms":99999999999999999999999'),
        b" " * (codec.LIMITS[EventBatch] + 1),
    ],
)
def test_a_malformed_batch_is_counted_and_keeps_nothing_out(bench: Bench, payload: bytes) -> None:
    bench.ingest.offer("lincoln", "east", payload)
    assert bench.offer(batch([1, 2])) == 2
    assert bench.stored() == [1, 2]
    assert len(bench.acks) == 1
    assert sum(bench.ingest.health().refused.values()) == 1


def test_batches_of_many_agents_share_a_commit_and_each_gets_its_own_answer(bench: Bench) -> None:
    commits: list[None] = []
    event.listen(bench.engine, "commit", lambda _connection: commits.append(None))
    blocker = threading.Event()
    bench.ingest.listen(lambda _: blocker.wait(20) and None)  # the writer is busy with the first
    bench.ingest.offer("lincoln", "east", batch([1]))
    wait_until(lambda: len(bench.acks) == 1, "the first acknowledgement")
    for number in range(30):
        bench.ingest.offer("lincoln", f"a{number}", batch([1, 2]))
    blocker.set()
    assert bench.ingest.flush(20)
    assert len(bench.acks) == 31
    assert len(commits) == 2


def test_too_much_waiting_is_dropped_unacknowledged_and_taken_when_it_comes_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.events.ingest.WAITING_BYTES", 10)
    assert not bench.ingest.offer("lincoln", "east", batch([1]))
    assert bench.ingest.flush(20)
    assert bench.acks == []
    assert bench.ingest.health().dropped == 1
    monkeypatch.undo()
    assert bench.offer(batch([1])) == 1


def test_the_unique_constraint_is_the_second_line(bench: Bench) -> None:
    bench.offer(batch([1, 2, 3]))
    with bench.engine.begin() as connection:
        connection.execute(stream_cursors.update().values(committed=1))  # as records restored by hand might be
    assert bench.offer(batch([2, 3, 4])) == 4
    assert bench.stored() == [1, 2, 3, 4]
    assert [found.event.seq for found in bench.committed] == [1, 2, 3, 4]
    assert bench.ingest.health().committed == 4


def test_a_listener_that_fails_stops_neither_acks_nor_records(bench: Bench) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    bench.ingest._listeners.insert(0, fails)
    assert bench.offer(batch([1])) == 1
    bench.ingest._listeners[:] = [fails]
    bench.ingest.offer("lincoln", "east", batch([2]))
    assert bench.ingest.flush(20)
    assert bench.stored() == [1, 2]


def test_presence_is_recorded_and_what_the_last_run_left_open_is_closed(bench: Bench) -> None:
    bench.ingest.note_presence("lincoln", "east", alive=True, at_ms=1_000)
    bench.ingest.note_presence("lincoln", "west", alive=True, at_ms=1_000)
    bench.ingest.note_presence("lincoln", "west", alive=False, at_ms=2_000)
    bench.offer(batch([1]))
    last_ms = bench.committed[0].received_ns // 10**6
    bench.ingest.close()
    again = Bench(bench.engine)
    again.ingest.close()
    with bench.engine.connect() as connection:
        rows = connection.execute(select(agent_presence).order_by(agent_presence.c.id)).all()
    assert [tuple(row)[1:] for row in rows[3:]] == [("lincoln", "east", last_ms, False)]


def test_a_full_disk_loses_nothing_and_is_reported(tmp_path: Path) -> None:
    engine = open_records(sqlite_url(tmp_path))
    full = True

    @event.listens_for(engine, "begin")
    def _(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar() if full else 2**30  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    bench = Bench(engine)
    for first in range(1, 1001, 100):
        bench.ingest.offer("lincoln", "east", batch(range(first, first + 100)))
    wait_until(lambda: bench.ingest.health().failing, "the fault in health")
    assert "full" in str(bench.ingest.health().failing)
    acknowledged = max((ack.committed for _, _, ack in bench.acks), default=0)
    assert bench.stored() == list(range(1, acknowledged + 1))
    full = False
    assert bench.ingest.flush(20)
    assert bench.acks[-1][2].committed == 1000
    assert bench.stored() == list(range(1, 1001))
    assert bench.ingest.health().failing is None
    bench.ingest.close()
    engine.dispose()


def test_records_that_will_not_have_one_batch_still_take_the_others(bench: Bench) -> None:
    with bench.engine.begin() as connection:
        if bench.engine.dialect.name == "sqlite":
            connection.execute(
                text(
                    "CREATE TRIGGER picky BEFORE INSERT ON events WHEN NEW.agent = 'bad' "
                    "BEGIN SELECT RAISE(ABORT, 'picky'); END"
                )
            )
        else:
            connection.execute(text("ALTER TABLE events ADD CONSTRAINT picky CHECK (agent <> 'bad')"))
    try:
        with bench.ingest._changed:
            for agent in ("good", "bad", "fine"):
                bench.ingest.offer("lincoln", agent, batch([1]))
        assert bench.ingest.flush(20)
        assert sorted(agent for _, agent, _ in bench.acks) == ["fine", "good"]
        assert bench.ingest.health().refused == {"malformed": 1}
    finally:
        if bench.engine.dialect.name == "postgresql":
            with bench.engine.begin() as connection:
                connection.execute(text("ALTER TABLE events DROP CONSTRAINT picky"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_whatever_the_order_losses_and_repeats_each_event_the_agent_kept_is_taken_once(data: st.DataObject) -> None:
    """An agent with an outbox, a network that loses and repeats, and the pure decision between them."""
    kept = sorted(data.draw(st.sets(st.integers(1, 30), min_size=1)))
    floor, committed = 0, 0
    taken: list[int] = []
    gaps: list[tuple[int, int]] = []
    sent: list[EventBatch] = []
    for _ in range(60):
        if sent and data.draw(st.booleans()):
            message = data.draw(st.sampled_from(sent))  # late, again, or out of order
        else:
            start = data.draw(st.integers(0, len(kept) - 1))
            chosen = kept[start : start + data.draw(st.integers(1, 5))]
            before = kept[start - 1] if start else floor
            message = EventBatch(
                stream="s", floor=floor, after=before, events=tuple(make_event(number) for number in chosen)
            )
            sent.append(message)
        answer = take(committed, message)
        assert answer.committed >= committed
        if answer.skip is not None:
            taken += [found.seq for found in message.events[answer.skip :]]
        gaps += answer.gaps
        committed = answer.committed
    assert taken == sorted(set(taken))
    missing = {number for first, last in gaps for number in range(first, last + 1)}
    assert not missing & set(kept)  # nothing the agent had was given up
    assert sorted(set(taken) | missing) == list(range(1, committed + 1))
