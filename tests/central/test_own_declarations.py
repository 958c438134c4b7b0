"""What agents declare by themselves, when the records fail or an agent is not honest."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.records import engine as records
from protocol import topics
from protocol.topics import TopicKind
from tests.central.centrals import AgentVoice, Town
from tests.support.brokers import RunningBroker, mosquitto
from tests.support.waiting import until

EAST_TOPIC = topics.of_agent(TopicKind.DECLARATIONS, "lincoln", "east")


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


async def test_a_panic_whose_commit_fails_is_adopted_once_the_records_are_free(
    town: Town, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "BUSY_TIMEOUT_MS", 50)
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        other = sqlite3.connect(town.folder / "central.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            await agent.panic("panic-1")
            await until(
                lambda: any("lincoln/east" in problem for problem in running.central.health().problems),
                "the failure in health",
            )
            other.execute("ROLLBACK")
        finally:
            other.close()
        await until(lambda: running.central.declarations.active, "the panic in central")
        assert [one.id for one in running.central.declarations.active] == ["panic-1"]
        await until(lambda: not running.central.health().problems, "health again")
