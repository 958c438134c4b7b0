"""The outbox: numbered without a hole, safe from a killed process, and never silent about what it could not keep."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_agent.events.outbox import NewEvent, Outbox
from protocol import codec
from protocol.messages import Event, Stamp
from protocol.words import EventKind

AT = Stamp(mono_ms=1, utc_ns=1, clock_trusted=True, boot="boot")


def events(count: int, kind: str = EventKind.CONDITION_CHANGED, **data: object) -> list[NewEvent]:
    return [NewEvent(kind, AT, "door-0", {"n": n, **data}) for n in range(count)]


def everything(outbox: Outbox) -> list[Event]:
    found: list[Event] = []
    while batch := outbox.next_batch(found[-1].seq if found else 0):
        found.extend(batch.events)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def test_events_are_numbered_from_one_without_a_hole_over_restarts(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append(events(3))
    outbox.append(events(2))
    stream = outbox.stream
    outbox.close()
    again = Outbox(path)
    again.append(events(1))
    assert again.stream == stream
    assert [event.seq for event in everything(again)] == [1, 2, 3, 4, 5, 6]
    again.close()


def test_a_new_file_is_a_new_stream(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "a.db").stream != Outbox(tmp_path / "b.db").stream


def test_only_what_is_acknowledged_is_deleted_and_numbers_go_on(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append(events(5))
    assert outbox.acknowledge(outbox.stream, 3)
    assert [event.seq for event in everything(outbox)] == [4, 5]
    assert outbox.acknowledge(outbox.stream, 2), "an older acknowledgement changes nothing"
    assert outbox.acknowledge(outbox.stream, 5)
    assert everything(outbox) == []
    outbox.close()
    again = Outbox(path)
    again.append(events(1))
    (batch,) = [again.next_batch(0)]
    assert batch is not None
    assert (batch.floor, batch.after, batch.events[0].seq) == (5, 5, 6)


@pytest.mark.parametrize(("stream", "committed"), [("another", 2), (None, 6), (None, -1)])
def test_an_acknowledgement_for_another_stream_or_of_the_future_deletes_nothing(
    path: Path, stream: str | None, committed: int
) -> None:
    outbox = Outbox(path)
    outbox.append(events(5))
    assert not outbox.acknowledge(stream or outbox.stream, committed)
    assert len(everything(outbox)) == 5


def test_a_disk_that_went_back_in_time_begins_a_new_stream_with_all_that_waits(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append(events(5))
    outbox.acknowledge(outbox.stream, 3)
    before = outbox.stream
    assert not outbox.acknowledge(before, 9)
    assert outbox.stream != before
    batch = outbox.next_batch(outbox.acknowledged)
    assert batch is not None
    assert (batch.stream, batch.floor, batch.after) == (outbox.stream, 0, 0)
    assert [(event.seq, json.loads(bytes(event.data))["n"]) for event in batch.events] == [(1, 3), (2, 4)]
    stream = outbox.stream
    outbox.close()
    again = Outbox(path)
    again.append(events(1))
    assert (again.stream, again.acknowledged, again.depth) == (stream, 0, 3)
    assert [event.seq for event in everything(again)] == [1, 2, 3]
    again.close()


def test_a_batch_holds_at_most_so_many_events_and_bytes(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append(events(300))
    first = outbox.next_batch(0)
    assert first is not None
    assert (len(first.events), first.after, first.floor) == (200, 0, 0)
    second = outbox.next_batch(200)
    assert second is not None
    assert (len(second.events), second.after, second.floor) == (100, 200, 0)
    outbox.acknowledge(outbox.stream, 300)
    outbox.append(events(100, why="x" * 5_000))
    large = outbox.next_batch(300)
    assert large is not None
    assert len(codec.encode(large)) <= 132 * 1024
    assert len(large.events) < 100


def test_the_data_of_an_event_comes_out_as_it_went_in(path: Path) -> None:
    outbox = Outbox(path)
    outbox.append([NewEvent(EventKind.MODE_CHANGED, AT, None, {"to": EventKind.AGENT_HEALTH, "list": ["ä", 1]})])
    (event,) = everything(outbox)
    assert event.door is None
    assert json.loads(bytes(event.data)) == {"to": "agent_health", "list": ["ä", 1]}


def test_a_full_outbox_drops_routine_events_first_and_records_every_loss(path: Path) -> None:
    outbox = Outbox(path, capacity=100)
    outbox.append(events(10, EventKind.ALARM_RAISED))
    outbox.append(events(80, EventKind.ACCESS_GRANTED))
    for _ in range(40):
        outbox.append(events(1, EventKind.CONDITION_CHANGED))
        assert outbox.depth <= 100
    kept = everything(outbox)
    assert [event.seq for event in kept if event.kind == EventKind.ALARM_RAISED] == list(range(1, 11))
    assert_every_loss_is_recorded(outbox)


def test_without_routine_events_the_oldest_of_all_make_room(path: Path) -> None:
    outbox = Outbox(path, capacity=100)
    outbox.append(events(250, EventKind.ALARM_RAISED))
    outbox.append(events(1, EventKind.FIRE_STARTED))
    kept = everything(outbox)
    assert kept[-1].kind == EventKind.FIRE_STARTED
    assert outbox.depth == len(kept) <= 100
    assert outbox.dropped == outbox.last_seq - len(kept)


def test_the_record_of_a_loss_survives_a_restart_and_the_filling_shows(path: Path) -> None:
    outbox = Outbox(path, capacity=100)
    assert not outbox.filling
    outbox.append(events(80))
    assert outbox.filling
    outbox.append(events(100, EventKind.ACCESS_GRANTED))
    dropped = outbox.dropped
    assert dropped > 0
    outbox.close()
    again = Outbox(path, capacity=100)
    assert again.dropped == dropped
    assert_every_loss_is_recorded(again)
    again.acknowledge(again.stream, again.last_seq)
    assert not again.filling


def assert_every_loss_is_recorded(outbox: Outbox) -> None:
    kept = everything(outbox)
    missing = set(range(1, outbox.last_seq + 1)) - {event.seq for event in kept}
    records = [json.loads(bytes(event.data)) for event in kept if event.kind == EventKind.EVENTS_DROPPED]
    assert sum(record["count"] for record in records) == len(missing) == outbox.dropped > 0
    for seq in missing:
        assert any(record["first"] <= seq <= record["last"] for record in records)


WRITER = """
import sys
from pathlib import Path
from edge_agent.events.outbox import NewEvent, Outbox
from protocol.messages import Stamp
outbox = Outbox(Path(sys.argv[1]))
at = Stamp(mono_ms=1, utc_ns=1, clock_trusted=True, boot="boot")
n = outbox.last_seq
while True:
    size = n % 7 + 1
    outbox.append([NewEvent("condition_changed", at, None, {"n": n + i}) for i in range(size)])
    n += size
    print(n, flush=True)
    if n % 5 == 0:
        outbox.acknowledge(outbox.stream, n - n % 20)
"""


def test_a_killed_writer_leaves_numbers_without_a_hole_and_loses_nothing_it_had_reported(path: Path) -> None:
    rng = random.Random(7)
    stream = None
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            reported = int(writer.stdout.readline())
            end = time.monotonic() + rng.uniform(0.02, 0.2)
            while time.monotonic() < end:
                reported = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:
                if line.endswith(b"\n"):
                    reported = int(line)
        outbox = Outbox(path)
        stream = stream or outbox.stream
        assert outbox.stream == stream
        assert outbox.last_seq >= reported
        numbers = [event.seq for event in everything(outbox)]
        assert numbers == list(range(outbox.acknowledged + 1, outbox.last_seq + 1))
        assert outbox.depth == len(numbers)
        outbox.close()
