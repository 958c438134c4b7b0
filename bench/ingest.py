"""Measures events a second from MQTT to the commit, over raw SQLite ``executemany`` of the same rows and disk.

Raw clients stand for agents with full outboxes: each keeps a few batches in flight and sends the next at each
acknowledgement, as the real sender does.
"""

import asyncio
import contextlib
import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import children, raw_mqtt
from bench.central_process import central, wait_until
from bench.figures import median
from bench.raw_mqtt import RawClient
from bench.replayers import AGENT, door_name, site_name
from protocol import codec, topics
from protocol.messages import Event, EventAck, EventBatch, Stamp
from protocol.topics import TopicKind
from protocol.words import EventKind

SITES, DOORS = 20, 8
BATCH = 200
BATCHES = 15  # of each site, a round
IN_FLIGHT = 4
ROUNDS, WARM_UP = 5, 1


def measure() -> dict[str, float]:
    """Measure ingest_ratio and its two speeds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        children.embedded_broker() as port,
        central(Path(folder), port, SITES, DOORS) as server,
    ):
        wait_until(lambda: server.overview()["broker_connected"], "central connected to the broker")
        ours = asyncio.run(_rounds(port))
        floor = [_floor(Path(folder) / f"floor-{round_}.db") for round_ in range(WARM_UP + ROUNDS)]
    events = SITES * BATCH * BATCHES
    ours_s, floor_s = median(ours[WARM_UP:]), median(floor[WARM_UP:])
    return {
        "ingest_ratio": round(floor_s / ours_s, 3),
        "ingest_events_per_s": round(events / ours_s),
        "ingest_floor_events_per_s": round(events / floor_s),
    }


def _events(first: int) -> tuple[Event, ...]:
    """A batch of a school day's events."""
    kinds = [
        (EventKind.ACCESS_GRANTED, b'{"cardholder":"ch-00042","reader":"door-01-in","by":"card"}'),
        (EventKind.CONDITION_CHANGED, b'{"from":"secure","to":"unlatched"}'),
        (EventKind.CONDITION_CHANGED, b'{"from":"unlatched","to":"open"}'),
        (EventKind.REQUEST_TO_EXIT, b"{}"),
    ]
    now = time.time_ns()
    return tuple(
        Event(
            seq=seq,
            kind=kinds[seq % 4][0],
            at=Stamp(mono_ms=seq, utc_ns=now + seq, clock_trusted=True, boot="bench"),
            door=door_name(seq % DOORS),
            data=msgspec.Raw(kinds[seq % 4][1]),
        )
        for seq in range(first, first + BATCH)
    )


class _Sender:
    """The outbox of one site's agent."""

    def __init__(self, site: str, port: int) -> None:
        self._events_topic = topics.of_agent(TopicKind.EVENTS, site, AGENT)
        ack_topic = topics.of_agent(TopicKind.EVENTS_ACK, site, AGENT)
        self._client = RawClient(f"ingest-{site}", [(ack_topic, 1)], self._acknowledged)
        self._port = port
        self._stream = uuid.uuid4().hex
        self._committed = self._sent = self._target = 0
        self._packets: list[bytes] = []
        self._done = asyncio.Event()

    async def connect(self) -> None:
        """Connect and subscribe to the acknowledgements."""
        await raw_mqtt.connect(self._port, self._client)

    def prepare(self) -> None:
        """Make a round's packets, so that making them is not measured."""
        self._packets = []
        for number in range(BATCHES):
            after = self._sent + number * BATCH
            batch = EventBatch(stream=self._stream, floor=self._committed, after=after, events=_events(after + 1))
            payload = codec.encode(batch)
            self._packets.append(raw_mqtt.publish_packet(self._events_topic, payload, qos=1, number=number + 1))
        self._target = self._sent + BATCHES * BATCH
        self._done.clear()

    async def send(self) -> None:
        """Send the round's batches; return once all are committed."""
        for _ in range(IN_FLIGHT):
            self._next()
        async with asyncio.timeout(60):
            await self._done.wait()

    def _next(self) -> None:
        if self._packets:
            self._client.send(self._packets.pop(0))
            self._sent += BATCH

    def _acknowledged(self, _client: RawClient, flags: int, body: bytes) -> None:
        ack = codec.decode(EventAck, raw_mqtt.topic_and_payload(flags, body)[1])
        for _ in range((ack.committed - self._committed) // BATCH):
            self._next()
        self._committed = max(self._committed, ack.committed)
        if self._committed >= self._target:
            self._done.set()


async def _rounds(port: int) -> list[float]:
    senders = [_Sender(site_name(number), port) for number in range(SITES)]
    for sender in senders:
        await sender.connect()
    taken = []
    for _ in range(WARM_UP + ROUNDS):
        for sender in senders:
            sender.prepare()
        began = time.perf_counter()
        await asyncio.gather(*(sender.send() for sender in senders))
        taken.append(time.perf_counter() - began)
    return taken


def _floor(path: Path) -> float:
    """The seconds of the same rows through ``executemany``, one commit a batch, as durable as central's."""
    with _connection(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(
            "CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, site TEXT, agent TEXT, stream TEXT,"
            " seq INTEGER, door TEXT, kind TEXT, utc_ns INTEGER, mono_ms INTEGER, clock_trusted INTEGER, boot TEXT,"
            " received_ns INTEGER, data TEXT, UNIQUE (site, agent, stream, seq))"
        )
        connection.execute("CREATE INDEX by_door ON events (site, door, utc_ns)")
        connection.execute("CREATE INDEX by_kind ON events (kind, utc_ns)")
        connection.commit()
        batches = list(_rows())
        began = time.perf_counter()
        for rows in batches:
            connection.executemany(
                "INSERT INTO events (site, agent, stream, seq, door, kind, utc_ns, mono_ms, clock_trusted, boot,"
                " received_ns, data) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                rows,
            )
            connection.commit()
        return time.perf_counter() - began


@contextlib.contextmanager
def _connection(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path)
    try:
        yield connection
    finally:
        connection.close()


def _rows() -> Iterator[list[tuple[object, ...]]]:
    stream = uuid.uuid4().hex
    for number in range(BATCHES):
        for site in range(SITES):
            yield [
                (
                    site_name(site), AGENT, stream, event.seq, event.door, event.kind, event.at.utc_ns,
                    event.at.mono_ms, event.at.clock_trusted, event.at.boot, time.time_ns(),
                    bytes(event.data).decode(),
                )
                for event in _events(number * BATCH + 1)
            ]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))  # noqa: T201 - run by hand while tuning
