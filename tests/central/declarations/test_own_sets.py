"""What agents declare by themselves, when the records fail or an agent is not honest."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from central.records import engine as records
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, Scope
from protocol.topics import TopicKind
from protocol.words import ScopeKind
from tests.central.centrals import LINCOLN_TOPIC, AgentVoice, Town
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


def own_set(revision: int, *declared: Declaration) -> DeclarationSet:
    return DeclarationSet(audience=EAST_TOPIC, revision=revision, declarations=declared)


def panic(id_: str = "panic-1", **changes: Any) -> Declaration:
    made: dict[str, Any] = {
        "id": id_,
        "action": "lockdown",
        "scope": Scope(kind=ScopeKind.SITE, site="lincoln"),
        "by": "lincoln/east",
        "at_ms": time.time_ns() // 1_000_000,
    }
    return Declaration(**made | changes)


@pytest.mark.parametrize(
    "changes",
    [{"scope": Scope(kind=ScopeKind.DOOR, site="lincoln", door="front")}, {"action": "secure"}, {"drill": True}],
)
async def test_a_panic_that_its_agent_alone_makes_less_of_is_declared_again_by_central(
    town: Town, broker: RunningBroker, changes: dict[str, Any]
) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker, agent="west").speaking() as other:
        key, declarations = town.agent_keys["lincoln", "east"], running.central.declarations
        declarations.receive("lincoln", "east", EAST_TOPIC, key.sign(own_set(1, panic())))
        await until(lambda: declarations.active, "the panic in central")
        declarations.receive("lincoln", "east", EAST_TOPIC, key.sign(own_set(2, panic(**changes))))
        await until(lambda: "panic-1" in other.held(), "central's own word for it")
        [told] = other.sets[LINCOLN_TOPIC].declarations
        assert (told.action, told.scope.kind, told.drill) == ("lockdown", ScopeKind.SITE, False)
    async with town.central(broker) as running, AgentVoice(town, broker, agent="west").speaking() as other:
        await until(lambda: "panic-1" in other.held(), "the same after a restart")


async def test_one_agent_may_declare_only_so_much_and_a_real_lockdown_always_may(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        key, declarations = town.agent_keys["lincoln", "east"], running.central.declarations
        flood = [panic(f"{number:0200}", reason="x" * 300) for number in range(200)]
        declarations.receive("lincoln", "east", EAST_TOPIC, key.sign(own_set(1, *flood)))
        await until(lambda: running.central.refusals.by_reason().get("not_allowed"), "the refusal of the surplus")
        assert len(declarations.active) == 20
        declarations.receive("lincoln", "east", EAST_TOPIC, key.sign(own_set(2)))
        made = await running.declare("olive", kind="site", site="lincoln")
        assert made["id"] in {one.id for one in declarations.active}
