"""Alarms as an agent writes them: grouped in its events, true in what it says of its doors."""

import json
from typing import Any

from edge_agent.agent import Agent
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm, Condition, EventKind
from simulators.hardware.door import VirtualDoor
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.waiting import until

DOOR = "door-0"


def alarms(agent: Agent) -> tuple[str, ...]:
    return agent.doors.report(agent.doors.held[DOOR]).alarms


def shows(agent: Agent, condition: Condition) -> bool:
    return agent.doors.held[DOOR].state.condition is condition


async def force(agent: Agent, door: VirtualDoor) -> None:
    """Broken open, found, and put right again."""
    door.force_open()
    await until(lambda: shows(agent, Condition.FORCED), "the forced door")
    assert Alarm.FORCED in alarms(agent), "the door itself shows it, however often it was before"
    door.close(firmly=True)
    await until(lambda: shows(agent, Condition.SECURE), "the door put right")
    assert Alarm.FORCED not in alarms(agent)


async def raised(agent: Agent) -> list[dict[str, Any]]:
    """What is on the disk by now, of alarms that were raised."""
    while agent.journal._writing is not None and not agent.journal._writing.done():
        await agent.journal._writing
    batch = await agent.journal.on_outbox(agent.journal.outbox.next_batch, 0)
    assert batch is not None
    return [json.loads(bytes(event.data)) for event in batch.events if event.kind == EventKind.ALARM_RAISED]


async def test_a_door_that_cries_wolf_is_a_maintenance_fault_and_in_a_lockdown_an_intruder_all_the_same(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), district.config(pi), True))
        await until(lambda: shows(agent, Condition.SECURE), "the door")
        for _ in range(6):
            await force(agent, pi.doors[DOOR])
        told = await raised(agent)
        assert told[0] == {"alarm": "forced"}
        assert [data.get("repeat") for data in told if data["alarm"] == "forced"] == [None, 2, 3, 4, 5, 6]
        assert all(data["grouped"] for data in told[1:] if data["alarm"] == "forced")
        assert [data for data in told if data["alarm"] == "maintenance"] == [
            {"alarm": "maintenance", "of": "forced", "count": 5}
        ]
        assert alarms(agent) == (Alarm.MAINTENANCE,)
        assert agent.doors.reports()[0].maintenance == (Alarm.FORCED,)
        topic = "doorward/v1/declarations"
        agent.inbox.receive(Incoming(topic, district.declare(topic, 1, lockdown()), True))
        await until(lambda: shows(agent, Condition.SECURE), "the door locked down")
        await force(agent, pi.doors[DOOR])
        assert "grouped" not in (await raised(agent))[-1]


async def test_a_door_that_is_forced_as_a_lockdown_begins_is_told_though_it_was_only_counted_before(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), district.config(pi), True))
        await until(lambda: shows(agent, Condition.SECURE), "the door")
        await force(agent, pi.doors[DOOR])
        pi.doors[DOOR].force_open()
        await until(lambda: shows(agent, Condition.FORCED), "the forced door")
        assert (await raised(agent))[-1]["grouped"]
        topic = "doorward/v1/declarations"
        agent.inbox.receive(Incoming(topic, district.declare(topic, 1, lockdown()), True))
        last = (await raised(agent))[-1]
        assert (last["alarm"], last["repeat"], last["count"], "grouped" in last) == ("forced", 2, 0, False)


async def test_a_reader_whose_line_comes_and_goes_is_told_once_and_then_with_its_number(pi: Pi) -> None:
    async with pi.running() as agent:
        doors = agent.doors
        for _ in range(12):
            doors.set_alarm(DOOR, Alarm.READER_OFFLINE, on=True, source={"reader": "door-0-in"})
            assert Alarm.READER_OFFLINE in alarms(agent)
            doors.set_alarm(DOOR, Alarm.READER_OFFLINE, on=False, source={"reader": "door-0-in"})
            assert Alarm.READER_OFFLINE not in alarms(agent)
        doors.set_alarm(DOOR, Alarm.READER_OFFLINE, on=True, source={"reader": "door-0-out"})
        told = await raised(agent)
        reader = {"alarm": "reader_offline", "reader": "door-0-in"}
        assert told == [
            reader,
            {"alarm": "maintenance", "of": "reader_offline", "reader": "door-0-in", "count": 5},
            {"alarm": "reader_offline", "reader": "door-0-out"},
        ], "another reader of the door has a series of its own"
        doors.stop()
        last = (await raised(agent))[-1]
        assert (last["reader"], last["repeat"], last["count"]) == ("door-0-in", 12, 11), "what was counted is told"
