"""Central on a real broker: what agents say reaches the fleet and the records, what central says reaches agents."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest

from central.agents.wire import ACKS_IN_FLIGHT, Wire
from central.events.ingest import Commit, Ingest
from central.fleet.fleet import Fleet
from central.records.engine import open_records
from ground.clock import SystemClock
from protocol import codec, topics
from protocol.messages import AgentStatus, EventAck, Message, StateSnapshot
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, NotConnected, Subscription
from protocol.topics import TopicKind
from protocol.words import Condition
from tests.central.databases import sqlite_url
from tests.central.event_batches import batch
from tests.central.fleets import District, HandClock, Speaker
from tests.support.brokers import RunningBroker, embedded, mosquitto
from tests.support.waiting import until


@pytest.fixture(params=[mosquitto, embedded], ids=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    with request.param() as broker:
        yield broker


class Central:
    """The data side of central, as the application puts it together."""

    def __init__(self, broker: RunningBroker, records: Path) -> None:
        self.clock = SystemClock()
        self.fleet = Fleet([("lincoln", "east", ["front", "gym"])], self.clock)
        self.engine = open_records(sqlite_url(records))
        self.ingest = Ingest(self.engine)
        self.documents: dict[str, bytes] = {}
        self.adopted: list[tuple[str, str, str, bytes]] = []
        self.wire = Wire(
            BrokerAddress(broker.host, broker.port),
            self.fleet,
            self.ingest,
            self.clock,
        )
        self.wire.listen(lambda *said: self.adopted.append(said))
        self.wire.remember(lambda: list(self.documents.items()))
        self.ingest.listen(self.wire.acknowledge)
        self.ingest.start()


class Agent:
    """An agent's end of the wire."""

    def __init__(self, broker: RunningBroker) -> None:
        self.heard: list[Incoming] = []
        self.link = MqttLink(
            BrokerAddress(broker.host, broker.port),
            f"agent-{random.randrange(10**9)}",
            subscriptions=lambda: (
                [
                    Subscription(topics.of_agent(kind, "lincoln", "east"))
                    for kind in (TopicKind.EVENTS_ACK, TopicKind.CONFIG, TopicKind.COMMAND)
                ]
                + [Subscription(topics.district_declarations()), Subscription(topics.site_declarations("lincoln"))]
            ),
            on_message=self.heard.append,
            on_connected=self._nothing,
        )

    async def _nothing(self) -> None:
        """Nobody to greet."""

    async def say(self, kind: TopicKind, message: Message | bytes, *, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else codec.encode(message)
        await self.link.publish(topics.of_agent(kind, "lincoln", "east"), payload, retain=retain)

    def payloads(self, topic: str) -> list[bytes]:
        return [incoming.payload for incoming in self.heard if incoming.topic == topic]


@pytest.fixture
async def central(broker: RunningBroker, tmp_path: Path) -> AsyncIterator[Central]:
    central = Central(broker, tmp_path)
    async with running(central.wire.run()):
        async with asyncio.timeout(30):
            await central.wire.wait_connected()
        yield central
    await asyncio.to_thread(central.ingest.close)
    central.engine.dispose()


@pytest.fixture
async def agent(broker: RunningBroker) -> AsyncIterator[Agent]:
    agent = Agent(broker)
    async with running(agent.link.run()):
        async with asyncio.timeout(30):
            await agent.link.wait_connected()
        yield agent


@contextlib.asynccontextmanager
async def running(program: object) -> AsyncIterator[None]:
    task = asyncio.ensure_future(program)  # type: ignore[call-overload]
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def snapshot(seq: int, clock: SystemClock) -> StateSnapshot:
    """All doors secure, made now."""
    district = District()
    speaker = Speaker(district, "east", ("front", "gym"))
    speaker.seq = seq - 1
    made = speaker.snapshot()
    at = type(made.at)(mono_ms=clock.mono_ms(), utc_ns=clock.utc_ms() * 10**6, clock_trusted=True, boot="boot")
    return type(made)(session=made.session, seq=made.seq, at=at, applied={}, doors=made.doors)


async def test_what_agents_say_reaches_the_fleet_and_the_records_and_is_acknowledged(
    central: Central, agent: Agent
) -> None:
    await agent.say(TopicKind.STATUS, AgentStatus(online=True, session="s1", versions={"doorward": "1"}), retain=True)
    await agent.say(TopicKind.STATE, snapshot(1, central.clock), retain=True)
    await until(lambda: central.fleet.totals.proven == 2, "two doors shown secure")
    await agent.say(TopicKind.EVENTS, batch(range(1, 51)))
    acked = topics.of_agent(TopicKind.EVENTS_ACK, "lincoln", "east")
    await until(lambda: agent.payloads(acked), "an acknowledgement")
    assert codec.decode(EventAck, agent.payloads(acked)[-1]) == EventAck(stream="s1", committed=50)
    assert central.ingest.health().committed == 50
    await agent.say(TopicKind.STATUS, AgentStatus(online=False, session="s1", reason="stopped"), retain=True)
    await until(lambda: central.fleet.totals.conditions[Condition.UNKNOWN] == 2, "two doors unknown")


async def test_a_panic_set_is_handed_on_as_it_came(central: Central, agent: Agent) -> None:
    await agent.say(TopicKind.DECLARATIONS, b"a.b.c", retain=True)
    await until(lambda: central.adopted, "the set")
    topic = topics.of_agent(TopicKind.DECLARATIONS, "lincoln", "east")
    assert central.adopted == [("lincoln", "east", topic, b"a.b.c")]


async def test_bad_input_is_counted_by_reason_and_the_rest_goes_on(central: Central, agent: Agent) -> None:
    await agent.say(TopicKind.STATUS, b"{")
    await agent.say(TopicKind.STATE, b'{"session":1}')
    await agent.say(TopicKind.STATE, b" " * (codec.LIMITS[StateSnapshot] + 1))
    await agent.link.publish(f"{topics.ROOT}/BAD/east/state", b"{}")
    await agent.say(TopicKind.STATE, snapshot(1, central.clock))
    await until(lambda: central.fleet.totals.proven == 2, "the good one")
    assert central.wire.refusals.by_reason() == {"malformed": 2, "oversized": 1, "unknown_topic": 1}


async def test_a_retained_state_found_at_the_start_shows_nothing_secure(
    broker: RunningBroker, agent: Agent, tmp_path: Path
) -> None:
    central = Central(broker, tmp_path)
    await agent.say(TopicKind.STATE, snapshot(1, central.clock), retain=True)
    async with running(central.wire.run()):
        await until(lambda: central.fleet.doors["lincoln", "front"].state, "the retained state")
        assert central.fleet.totals.proven == 0
        await agent.say(TopicKind.STATE, snapshot(2, central.clock), retain=True)
        await until(lambda: central.fleet.totals.proven == 2, "the live state")
    await asyncio.to_thread(central.ingest.close)
    central.engine.dispose()


async def test_documents_and_commands_reach_the_agent(central: Central, agent: Agent, broker: RunningBroker) -> None:
    topic = topics.site_declarations("lincoln")
    assert await central.wire.publish_document(topic, b"set")
    await central.wire.publish_command("lincoln", "east", b"command")
    await until(lambda: len(agent.heard) == 2, "both")
    late = Agent(broker)
    async with running(late.link.run()):
        await until(lambda: late.heard, "the retained set")
        assert late.heard == [Incoming(topic, b"set", retained=True)]  # and no command


async def test_a_broker_that_forgot_is_given_every_document_again(
    central: Central, agent: Agent, broker: RunningBroker
) -> None:
    documents = {
        topics.of_agent(TopicKind.CONFIG, "lincoln", "east"): b"config",
        topics.district_declarations(): b"district",
        topics.site_declarations("lincoln"): b"site",
    }
    broker.kill()
    await until(lambda: not central.wire.connected, "the drop")
    for topic, jws in documents.items():
        central.documents[topic] = jws
        assert not await central.wire.publish_document(topic, jws)
    with pytest.raises(NotConnected):
        await central.wire.publish_command("lincoln", "east", b"x")
    broker.start()
    await until(lambda: len({incoming.topic for incoming in agent.heard}) == 3, "all documents")
    assert {incoming.topic: incoming.payload for incoming in agent.heard} == documents


async def test_a_document_published_while_greeting_is_not_overwritten_by_its_elder(
    broker: RunningBroker, agent: Agent, tmp_path: Path
) -> None:
    central = Central(broker, tmp_path)
    topic = topics.site_declarations("lincoln")
    older = [(topics.site_declarations(f"s{number}"), b"x") for number in range(200)] + [(topic, b"old")]
    central.wire.remember(lambda: older)
    async with running(central.wire.run()):
        await central.wire.wait_connected()
        await asyncio.sleep(0)  # the greeting has begun
        assert await central.wire.publish_document(topic, b"new")
        done = topics.of_agent(TopicKind.COMMAND, "lincoln", "east")
        await until(lambda: topic in central.wire._published_since_greeting, "noted")
        late = Agent(broker)
        async with running(late.link.run()):
            await until(lambda: late.payloads(topic), "the set")
            await central.wire.publish_command("lincoln", "east", b"last")
            await until(lambda: late.payloads(done), "the command after it")
        assert late.payloads(topic) == [b"new"]
    await asyncio.to_thread(central.ingest.close)
    central.engine.dispose()


async def test_acknowledgements_survive_a_broker_that_is_away(
    central: Central, agent: Agent, broker: RunningBroker
) -> None:
    broker.kill()
    await until(lambda: not central.wire.connected, "the drop")
    central.ingest.offer("lincoln", "east", batch([1, 2]))
    assert await asyncio.to_thread(central.ingest.flush, 15)
    broker.start()
    async with asyncio.timeout(30):
        await central.wire.wait_connected()
    async with asyncio.timeout(30):
        await agent.link.wait_connected()
    await agent.say(TopicKind.EVENTS, batch([1, 2]))  # the agent heard nothing, and sends again
    acked = topics.of_agent(TopicKind.EVENTS_ACK, "lincoln", "east")
    await until(lambda: agent.payloads(acked), "an acknowledgement")
    assert codec.decode(EventAck, agent.payloads(acked)[-1]).committed == 2
    assert central.ingest.health().committed == 2


def test_acknowledgements_leave_room_in_flight_for_a_lockdown() -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    assert client.max_inflight_messages // 2 >= ACKS_IN_FLIGHT


def test_acknowledging_before_the_wire_runs_is_no_fault(tmp_path: Path) -> None:
    clock = HandClock()
    fleet = Fleet([], clock)
    engine = open_records(sqlite_url(tmp_path))
    ingest = Ingest(engine)
    wire = Wire(
        BrokerAddress(),
        fleet,
        ingest,
        clock,
    )
    wire.acknowledge(Commit({("lincoln", "east", "s"): 1}))
    assert not wire.connected
    engine.dispose()
