"""Declaring and releasing through the API, on a real broker with records on the disk."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from central.records.schema import declaration_sets
from protocol import topics
from protocol.messages import DeclarationSet
from protocol.topics import TopicKind
from tests.central.centrals import DISTRICT_TOPIC, LINCOLN_TOPIC, AgentVoice, Running, Town
from tests.support.brokers import RunningBroker, embedded, mosquitto
from tests.support.waiting import until


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def stored_revision(running: Running, topic: str) -> int:
    with running.central.engine.connect() as connection:
        query = select(declaration_sets.c.revision).where(declaration_sets.c.topic == topic)
        return connection.execute(query).scalar() or 0


async def test_one_person_cannot_end_a_real_lockdown_and_a_second_can(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        made = await running.declare("rita")
        await until(lambda: agent.held() == {made["id"]}, "the declaration at the agent")

        first = await running.release("olive", made["id"])
        again = await running.release("olive", made["id"])

        assert (first.status_code, first.json()["state"]) == (200, "release_requested")
        assert first.json()["release_requested_by"] == "olive"
        assert (again.status_code, again.json()["type"]) == (409, "same_person")
        assert agent.held() == {made["id"]}

        second = await running.release("otto", made["id"])
        assert second.json()["state"] == "ended"
        assert second.json()["ended_by"] == "otto"
        await until(lambda: not agent.held(), "the end at the agent")
        late = await running.release("olive", made["id"])
        assert (late.status_code, late.json()["type"]) == (409, "already_ended")


async def test_who_declared_may_ask_for_the_release_but_still_needs_a_second(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive")
        assert (await running.release("olive", made["id"])).json()["state"] == "release_requested"
        assert (await running.release("olive", made["id"])).status_code == 409


async def test_a_drill_ends_by_one_person(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive", drill=True)
        assert (await running.release("olive", made["id"])).json()["state"] == "ended"


async def test_a_withdrawn_request_must_be_made_again_by_two(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive")
        await running.release("olive", made["id"])
        withdrawn = await (await running.as_("rita")).delete(f"/api/declarations/{made['id']}/release")
        assert withdrawn.json()["state"] == "active"
        assert (await running.release("otto", made["id"])).json()["state"] == "release_requested"
        nothing = await (await running.as_("rita")).delete("/api/declarations/nothing/release")
        assert nothing.status_code == 404


async def test_two_who_agree_at_the_same_moment_end_it_once(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        made = await running.declare("olive")
        await running.as_("otto")
        answers = await asyncio.gather(*(running.release(name, made["id"]) for name in ("olive", "otto")))
        assert sorted(answer.json()["state"] for answer in answers) == ["ended", "release_requested"]


async def test_every_revision_is_higher_and_in_the_records_before_an_agent_sees_it(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running:
        published: list[tuple[int, int]] = []
        publish = running.central.wire.publish_document

        async def watched(topic: str, jws: bytes) -> bool:
            document = town.keyring.open(DeclarationSet, topic, jws)
            published.append((document.revision, stored_revision(running, topic)))
            return await publish(topic, jws)

        running.central.declarations._publish = watched
        for _ in range(3):
            made = await running.declare("olive", drill=True)
            await running.release("olive", made["id"])

        revisions = [revision for revision, _ in published]
        assert len(revisions) == 6
        assert all(earlier < later for earlier, later in itertools.pairwise(revisions))
        assert [stored for _, stored in published] == revisions


async def test_a_revision_rises_even_when_the_clock_goes_back(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running:
        await running.declare("olive", drill=True)
        before = stored_revision(running, DISTRICT_TOPIC)
        town.clock.ahead_ms -= 60_000
        await running.declare("olive", drill=True)
        assert stored_revision(running, DISTRICT_TOPIC) == before + 1


async def test_a_restarted_central_follows_what_holds_and_tells_a_broker_that_forgot(town: Town) -> None:
    with embedded() as broker:
        async with town.central(broker) as running:
            made = await running.declare("olive")
            await running.release("olive", made["id"])
        broker.kill()
        broker.start()
        async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
            await until(lambda: agent.held() == {made["id"]}, "the declaration out of the records")
            assert agent.config is not None
            closure = running.central.closure
            await until(lambda: closure.summary(made["id"]).proven == 2, "the proof of the agent's two doors")
            assert (await running.release("olive", made["id"])).status_code == 409
            assert (await running.release("otto", made["id"])).json()["state"] == "ended"


async def test_the_closure_counts_proven_doors_and_says_why_others_are_not(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        agent.openings.add("gym")
        made = await running.declare("olive", kind="site", site="lincoln")
        assert made["closure"]["doors"] == 3

        gym = running.central.fleet.doors["lincoln", "gym"]
        closure = running.central.closure
        await until(lambda: closure.summary(made["id"]).proven == 1 and gym.condition == "open", "front's proof")

        rows = (await running.get("rita", f"/api/declarations/{made['id']}"))["doors"]
        found = {row["door"]: row for row in rows}
        assert found["front"]["why"] == ""
        assert found["gym"]["why"] == "open"
        assert "west" in str(found["back"]["why"])


async def test_a_panic_button_is_adopted_ended_by_two_and_listed_as_ended(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        await agent.panic("panic-1")
        await until(lambda: running.central.declarations.active, "the panic in central")
        [found] = await running.get("rita", "/api/declarations", active="true")
        assert found["id"] == "panic-1"
        assert found["origin"] == "agent"
        assert found["by"] == "panic button at lincoln/east"
        assert not found["drill"]
        assert found["closure"]["doors"] == 3

        assert (await running.release("olive", "panic-1")).json()["state"] == "release_requested"
        assert (await running.release("olive", "panic-1")).status_code == 409
        assert (await running.release("otto", "panic-1")).json()["state"] == "ended"
        await until(lambda: LINCOLN_TOPIC in agent.sets, "the word that it has ended")
        assert agent.sets[LINCOLN_TOPIC].ended == ("panic-1",)
        assert agent.sets[LINCOLN_TOPIC].declarations == ()

        made = await running.declare("olive", kind="site", site="lincoln")
        await until(lambda: agent.held() >= {made["id"]}, "a later set")
        assert agent.sets[LINCOLN_TOPIC].ended == ("panic-1",), "the agent lists it still"


async def test_a_panic_that_its_agent_drops_alone_is_declared_again_by_central(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        await agent.panic("panic-1")
        await until(lambda: running.central.declarations.active, "the panic in central")
        await agent.panic()
        await until(lambda: "panic-1" in agent.held(), "central's own word for it")
        assert [one.id for one in running.central.declarations.active] == ["panic-1"]


async def test_an_ended_panic_does_not_come_back_with_an_old_set_or_a_restart(
    town: Town, broker: RunningBroker
) -> None:
    async with AgentVoice(town, broker).speaking() as agent:
        async with town.central(broker) as running:
            old = await agent.panic("panic-1")
            await until(lambda: running.central.declarations.active, "the panic in central")
            await running.release("olive", "panic-1")
            await running.release("otto", "panic-1")
            await agent.panic()
            topic = topics.of_agent(TopicKind.DECLARATIONS, "lincoln", "east")
            await agent._link.publish(topic, old, retain=True)
            refusals = running.central.refusals
            await until(lambda: refusals.by_reason().get("older_revision"), "the refusal of the old set")
        async with town.central(broker) as running:
            await until(lambda: running.central.refusals.by_reason().get("older_revision"), "the old set again")
            assert running.central.declarations.active == []


async def test_an_agent_may_declare_neither_for_the_district_nor_in_anothers_name(
    town: Town, broker: RunningBroker
) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker, "oak", "main").speaking() as agent:
        jws = await agent.panic("panic-1")
        await until(lambda: running.central.declarations.active, "the honest one")
        other = topics.of_agent(TopicKind.DECLARATIONS, "lincoln", "east")
        await agent._link.publish(other, jws, retain=True)
        await until(lambda: running.central.refusals.by_reason().get("wrong_target"), "the refusal")
        assert [one.id for one in running.central.declarations.active] == ["panic-1"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"action": "lockdown", "scope": {"kind": "site", "site": "elm"}, "drill": False}, "elm"),
        ({"action": "lockdown", "scope": {"kind": "site"}, "drill": False}, "scope"),
        ({"action": "lockdown", "scope": {"kind": "district", "site": "lincoln"}, "drill": False}, "scope"),
        (
            {"action": "lockdown", "scope": {"kind": "zone", "site": "lincoln", "zone": "north"}, "drill": False},
            "east",
        ),
        ({"action": "panic", "scope": {"kind": "district"}, "drill": False}, "action"),
        ({"action": "lockdown", "scope": {"kind": "district"}}, "drill"),
    ],
)
async def test_a_declaration_that_cannot_be_is_refused_with_what_was_wrong(
    town: Town, broker: RunningBroker, body: dict[str, object], where: str
) -> None:
    async with town.central(broker) as running:
        answer = await (await running.as_("olive")).post("/api/declarations", json=body)
        assert answer.status_code == (404 if answer.json()["type"] == "no_such_scope" else 422)
        assert answer.headers["content-type"] == "application/problem+json"
        assert where in answer.json()["detail"]
        assert running.central.declarations.active == []


async def test_drills_never_keep_a_real_lockdown_out(
    town: Town, broker: RunningBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.declarations.service.MOST_ALIKE", 2)
    async with town.central(broker) as running:
        body = {"action": "lockdown", "scope": {"kind": "district"}, "drill": True}
        client = await running.as_("rita")
        answers = [await client.post("/api/declarations", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 409]
        assert answers[-1].json()["type"] == "too_many_active"
        assert (await client.post("/api/declarations", json=body | {"drill": False})).status_code == 201


async def test_an_ended_declaration_keeps_the_closure_it_ended_with(town: Town, broker: RunningBroker) -> None:
    async with town.central(broker) as running, AgentVoice(town, broker).speaking() as agent:
        made = await running.declare("olive", drill=True, kind="door", site="lincoln", door="front")
        await until(lambda: running.central.closure.summary(made["id"]).proven == 1, "the proof")
        assert agent.held() == {made["id"]}
        ended = (await running.release("olive", made["id"])).json()
        assert ended["closure"]["proven"] == 1
    async with town.central(broker) as running:
        [found] = await running.get("olive", "/api/declarations", active="false")
        assert found["closure"] == ended["closure"]
        assert (await running.get("olive", f"/api/declarations/{made['id']}"))["doors"] == []
