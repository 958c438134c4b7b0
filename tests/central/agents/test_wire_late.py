"""A broker that is late with its answers, on a link that stays up: central's greeting leaves nothing out."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.agents import wire
from protocol import topics
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, Subscription
from protocol.topics import TopicKind
from tests.central.agents.test_wire import Central, running
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until

DECLARED = topics.district_declarations()
PAGES = tuple(topics.credential_page("lincoln", "east", number) for number in range(30))
CONFIG = topics.of_agent(TopicKind.CONFIG, "lincoln", "east")


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as broker:
        yield broker


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "DECLARED_WITHIN_S", 0.2)
    monkeypatch.setattr(wire, "DOCUMENT_WITHIN_S", 0.2)
    monkeypatch.setattr(wire, "AGAIN_AFTER_S", 0.05)


class Hearer:
    """Hears what central publishes, in its order."""

    def __init__(self, broker: RunningBroker) -> None:
        self.heard: list[Incoming] = []
        self.link = MqttLink(
            BrokerAddress(broker.host, broker.port),
            "hearer",
            subscriptions=lambda: [Subscription("doorward/#")],
            on_message=self.heard.append,
            on_connected=self._nothing,
        )

    async def _nothing(self) -> None:
        """Nobody to greet."""

    @property
    def topics(self) -> list[str]:
        return [incoming.topic for incoming in self.heard]


@pytest.fixture
async def hearer(broker: RunningBroker) -> Hearer:
    return Hearer(broker)


def sent_again(caplog: pytest.LogCaptureFixture, topic: str) -> int:
    return sum(topic in record.getMessage() and "sent again" in record.getMessage() for record in caplog.records)


async def test_a_broker_that_is_late_once_hears_every_document_on_the_same_link_and_declarations_first(
    broker: RunningBroker, hearer: Hearer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "central.agents.wire")
    central = Central(broker, tmp_path)
    greetings: list[None] = []

    def documents() -> list[tuple[str, bytes]]:
        greetings.append(None)
        broker.freeze()  # connected and subscribed, and no answer from now on
        return [*((page, b"page") for page in PAGES), (CONFIG, b"config"), (DECLARED, b"declared")]

    central.wire.remember(documents)
    async with running(hearer.link.run()):
        await hearer.link.wait_connected()
        async with running(central.wire.run()):
            await until(lambda: sent_again(caplog, DECLARED) >= 2, "the declarations to be late twice")
            broker.thaw()
            await until(lambda: {*PAGES, CONFIG, DECLARED} <= set(hearer.topics), "every document")
            assert central.wire.connected
    assert greetings == [None], "the link stayed up"
    first_page = next(number for number, topic in enumerate(hearer.topics) if topic != DECLARED)
    assert set(hearer.topics[:first_page]) == {DECLARED}
    assert DECLARED not in hearer.topics[first_page:]
    await asyncio.to_thread(central.ingest.close)
    central.engine.dispose()


async def test_what_was_published_meanwhile_is_not_overwritten_by_a_late_elder_sent_again(
    broker: RunningBroker, hearer: Hearer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    central = Central(broker, tmp_path)

    def documents() -> list[tuple[str, bytes]]:
        broker.freeze()
        return [(DECLARED, b"old"), (CONFIG, b"config")]

    central.wire.remember(documents)
    async with running(hearer.link.run()):
        await hearer.link.wait_connected()
        async with running(central.wire.run()):
            await until(lambda: sent_again(caplog, DECLARED) >= 1, "the elder to be late")
            newer = asyncio.ensure_future(central.wire.publish_document(DECLARED, b"new"))
            await until(lambda: DECLARED in central.wire._published_since_greeting, "the newer to be sent")
            broker.thaw()
            assert await newer
            await until(lambda: CONFIG in hearer.topics, "the rest of the greeting")
    said = [incoming.payload for incoming in hearer.heard if incoming.topic == DECLARED]
    assert said[-1] == b"new"
    await asyncio.to_thread(central.ingest.close)
    central.engine.dispose()
