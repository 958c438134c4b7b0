"""As much of central as an agent's tests need: it listens to agents, commits what it hears, and acknowledges."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

from protocol import codec, topics
from protocol.messages import AgentStatus, Event, EventAck, EventBatch, StateSnapshot
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, NotConnected, Subscription
from protocol.topics import Topic, TopicKind


class ListeningCentral:
    """Holds what it heard. ``numbers`` is every seq of every batch as it came, repetitions and all."""

    def __init__(self, port: int) -> None:
        self.statuses: list[AgentStatus] = []
        self.snapshots: dict[str, StateSnapshot] = {}
        """The last live one of each agent."""
        self.events: dict[str, dict[int, Event]] = {}
        """Committed, by stream and seq."""
        self.numbers: list[int] = []
        self.acknowledging = True
        self.taking = True
        """False: it answers every batch with how far it is, and takes none."""
        self.rng = random.Random(1)
        self.lose_acks = 0.0
        """The share of acknowledgements that get lost on the way."""
        self._committed: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.mqtt = MqttLink(
            BrokerAddress(port=port),
            "test-central",
            subscriptions=lambda: [
                Subscription(topics.every_agent(TopicKind.STATUS)),
                Subscription(topics.every_agent(TopicKind.STATE), qos=0),
                Subscription(topics.every_agent(TopicKind.EVENTS)),
            ],
            on_message=self._take,
            on_connected=self._greet,
            rng=self.rng,
        )

    async def say(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Publish a document; wait for the broker if there is none just now."""
        while True:
            await self.mqtt.wait_connected()
            with contextlib.suppress(NotConnected):
                await self.mqtt.publish(topic, payload, retain=retain)
                return

    def of_kind(self, kind: str) -> list[Event]:
        """Every committed event of a kind."""
        return [event for stream in self.events.values() for event in stream.values() if event.kind == kind]

    async def _greet(self) -> None:
        pass

    def _take(self, message: Incoming) -> None:
        topic = topics.parse(message.topic)
        if topic.kind is TopicKind.STATUS:
            self.statuses.append(codec.decode(AgentStatus, message.payload))
        elif topic.kind is TopicKind.STATE and not message.retained:
            self.snapshots[topic.agent or ""] = codec.decode(StateSnapshot, message.payload)
        elif topic.kind is TopicKind.EVENTS:
            self._commit(topic, codec.decode(EventBatch, message.payload))

    def _commit(self, topic: Topic, batch: EventBatch) -> None:
        stream = self.events.setdefault(batch.stream, {})
        committed = self._committed.get(batch.stream, 0)
        self.numbers.extend(event.seq for event in batch.events)
        if self.taking and (committed >= batch.after or committed < batch.floor):
            for event in batch.events:
                stream.setdefault(event.seq, event)
            committed = max(committed, batch.events[-1].seq)
            self._committed[batch.stream] = committed
        if self.acknowledging and self.rng.random() >= self.lose_acks:
            ack = codec.encode(EventAck(stream=batch.stream, committed=committed))
            answer = topics.of_agent(TopicKind.EVENTS_ACK, topic.site or "", topic.agent or "")
            task = asyncio.create_task(self._answer(answer, ack))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, topic: str, payload: bytes) -> None:
        with contextlib.suppress(NotConnected):
            await self.mqtt.publish(topic, payload)


@contextlib.asynccontextmanager
async def listening(port: int, central: ListeningCentral | None = None) -> AsyncIterator[ListeningCentral]:
    """A central, this one or a plain one, that is connected until the block ends."""
    central = central or ListeningCentral(port)
    task = asyncio.create_task(central.mqtt.run())
    try:
        async with asyncio.timeout(30):
            await central.mqtt.wait_connected()
        yield central
    finally:
        while not task.done():  # aiomqtt's wait_for can swallow a cancellation before Python 3.12
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
