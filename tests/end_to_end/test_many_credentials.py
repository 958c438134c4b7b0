"""More credentials than a configuration carries itself, from central's district file to a real agent's disk."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent import Agent
from protocol import topics
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, Subscription
from tests.central.centrals import Town
from tests.support.agents import Pi, TestDistrict
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.people import people
from tests.support.waiting import until

MANY = people(2_100)


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


def hold(town: Town, count: int) -> None:
    """So many people are in the district's file from now on."""
    rows: list[dict[str, Any]] = [
        {"token": one.token, "cardholder": one.cardholder, "groups": list(one.groups)} for one in MANY[:count]
    ]
    town.content["credentials"] = rows
    town.write()


def knows(agent: Agent, count: int) -> bool:
    """Whether the agent knows exactly the first so many."""
    found = agent.configuration.rules.credentials
    return [found.find(one.token) for one in MANY] == [*MANY[:count], *[None] * (len(MANY) - count)]


async def remembered(broker: RunningBroker, site: str, agent: str) -> list[str]:
    """The topics of pages that the broker remembers of an agent."""
    heard: list[Incoming] = []
    link = MqttLink(
        BrokerAddress(broker.host, broker.port),
        "who-asks",
        subscriptions=lambda: [Subscription(topics.credential_page(site, agent, n)) for n in range(8)],
        on_message=heard.append,
        on_connected=lambda: link.publish(topics.credential_page(site, agent, 7), b"the last"),
    )
    task = asyncio.create_task(link.run())
    try:
        await until(lambda: any(one.payload == b"the last" for one in heard), "our own word")
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=0.1)
    return [one.topic for one in heard if one.payload != b"the last"]


async def test_an_agent_knows_everybody_and_the_broker_forgets_the_pages_of_those_who_left(
    tmp_path: Path, broker: RunningBroker
) -> None:
    town, district = Town(tmp_path), TestDistrict()
    district.key = town.key
    pi = Pi(tmp_path / "pi", district, site="lincoln", agent="east", port=broker.port)
    async with pi.running() as agent:
        hold(town, len(MANY))
        async with town.central(broker):
            await until(lambda: agent.configuration.rules.version, "the configuration", 20)
            assert knows(agent, len(MANY))
            assert len(await remembered(broker, pi.site, pi.agent)) == 4
        first = agent.configuration.rules.version
        hold(town, 1_900)
        async with town.central(broker):
            await until(lambda: agent.configuration.rules.version > first, "the next configuration", 20)
            assert knows(agent, 1_900)
            assert await remembered(broker, pi.site, pi.agent) == []
