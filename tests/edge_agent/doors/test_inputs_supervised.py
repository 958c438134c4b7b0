"""The real agent on doors whose every input is a supervised line, read by the real driver from a virtual chip."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.gpio import FailMode, LockKind
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import (
    AdcWiring,
    DoorWiring,
    LockWiring,
    PowerWiring,
    SupervisedWiring,
    SwitchWiring,
)
from edge_agent.policy.rules import compile_rules
from protocol.messages import AgentConfig, DoorSettings
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import Alarm, Condition, EventKind, KeyRole
from simulators.hardware.adc import VirtualAdc
from simulators.hardware.switch import WireFault
from simulators.school.site import VirtualSite
from tests.support.waiting import until

DOOR, MAGLOCK, MIXED = "main", "office", "gym"
FAULTS = ((WireFault.CUT, Alarm.LINE_CUT), (WireFault.SHORT, Alarm.LINE_SHORT))


def on(channel: int, adc: str = "doors") -> SupervisedWiring:
    return SupervisedWiring(adc, channel)


def wired(folder: Path) -> AgentFile:
    lock = LockWiring(17, LockKind.STRIKE, FailMode.FAIL_SECURE)
    magnet = LockWiring(27, LockKind.MAGLOCK, FailMode.FAIL_SAFE)
    return AgentFile(
        site="lincoln-high",
        agent="east",
        data=folder / "data",
        signing_key=SigningKey.generate("lincoln-high-east"),
        credential_key=secrets.token_bytes(32),
        broker=BrokerAddress(port=1),
        trust=(SigningKey.generate("district-1").trusted(KeyRole.DISTRICT),),
        adcs=(AdcWiring("doors", device=0), AdcWiring("house", pins=(5, 6, 12, 13))),
        doors=(
            DoorWiring(DOOR, lock, contact=on(0), bolt=on(1), rex=on(2), tamper=on(3)),
            DoorWiring(MAGLOCK, magnet, contact=on(4), bolt=on(5), rex=on(6)),
            DoorWiring(MIXED, replace(lock, pin=22), contact=SwitchWiring(23), bolt=SwitchWiring(24), rex=on(7)),
        ),
        fire=on(0, "house"),
        panic=on(1, "house"),
        power=PowerWiring(mains=on(2, "house"), battery=on(3, "house")),
        require_sync=False,
    )


class Here:
    """The agent and its world."""

    def __init__(self, site: VirtualSite) -> None:
        self.site = site
        self.agent: Agent = site.agent

    def condition(self, door: str = DOOR) -> Condition:
        return self.agent.doors.held[door].state.condition

    def alarms(self, door: str | None = DOOR) -> set[str]:
        if door is None:
            return set(self.agent.alarms.alarms(None))
        return set(self.agent.doors.report(self.agent.doors.held[door]).alarms)

    def fault(self, name: str, fault: WireFault, door: str = DOOR) -> None:
        switch = self.site.switches.get(name) or self.site.doors[door]._switches[name]  # type: ignore[index]
        assert switch is not None
        switch.set_fault(fault)

    def chip(self, name: str) -> VirtualAdc:
        return self.site.adcs[name]

    async def told(self, *kinds: EventKind) -> list[dict[str, Any]]:
        journal = self.agent.journal
        while journal._writing is not None and not journal._writing.done():
            await journal._writing
        batch = await journal.on_outbox(journal.outbox.next_batch, 0)
        found = [] if batch is None else [event for event in batch.events if event.kind in kinds]
        return [json.loads(bytes(event.data)) | ({"door": event.door} if event.door else {}) for event in found]


@contextlib.asynccontextmanager
async def running(folder: Path, *, panic: WireFault = WireFault.NONE) -> AsyncIterator[Here]:
    with VirtualSite(wired(folder)) as site:
        site.switches["panic"].set_fault(panic)
        task = asyncio.create_task(site.run())
        try:
            await until(lambda: site.agent.ready.is_set() or task.done(), "the agent")
            doors = (
                DoorSettings(door=DOOR, name="Main entrance", unlock_ms=500, bolt_ms=1_000),
                DoorSettings(door=MIXED, name="Gym", unlock_ms=500, bolt_ms=1_000),
                DoorSettings(door=MAGLOCK, name="Office", unlock_ms=500, bolt_ms=1_000, fire_release=True),
            )
            config = AgentConfig(audience="", version=1, timezone="UTC", doors=doors)
            site.agent.doors.set_rules(compile_rules(config))
            made = Here(site)
            doors_secure = lambda: {made.condition(door) for door in site.doors} == {Condition.SECURE}  # noqa: E731
            await until(doors_secure, "every door secure")
            yield made
        finally:
            task.cancel()
            await asyncio.wait([task])
            with contextlib.suppress(asyncio.CancelledError):
                task.result()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with running(tmp_path) as made:
        yield made


async def test_doors_on_supervised_lines_are_proven_opened_left_and_locked(here: Here) -> None:
    assert here.alarms() == here.alarms(None) == set()
    here.agent.doors.grant(DOOR, {})
    assert here.site.doors[DOOR].person_opens(0.2)
    await until(lambda: here.condition() is Condition.OPEN, "the open door")
    await until(lambda: here.condition() is Condition.SECURE, "proof after it closed")
    assert here.site.doors[DOOR].person_opens(0.2, from_inside=True)
    await until(lambda: here.condition() is Condition.OPEN, "somebody leaving")
    await until(lambda: here.condition() is Condition.SECURE, "proof after they left")
    assert await here.told(EventKind.ALARM_RAISED) == [], "who leaves is known before the bolt they draw"


async def test_who_leaves_is_known_before_a_bolt_and_a_contact_that_are_on_pins(here: Here) -> None:
    for _ in range(3):
        assert here.site.doors[MIXED].person_opens(0.2, from_inside=True)
        await until(lambda: here.condition(MIXED) is Condition.OPEN, "somebody leaving")
        await until(lambda: here.condition(MIXED) is Condition.SECURE, "proof after they left")
    assert await here.told(EventKind.ALARM_RAISED) == []


async def test_proof_after_a_lock_command_does_not_wait_for_the_next_regular_sample(here: Here) -> None:
    here.agent._pulse._next_sample_ms += 60_000
    here.agent.doors.test_lock(DOOR)
    assert here.condition() is Condition.UNKNOWN, "what was read before the command proves nothing"
    await until(lambda: here.condition() is Condition.SECURE, "proof", within=2)


@pytest.mark.parametrize("name", ["contact", "bolt", "tamper"])
async def test_a_door_whose_line_is_cut_or_shorted_is_unknown_and_says_which_line(here: Here, name: str) -> None:
    for fault, alarm in FAULTS:
        here.fault(name, fault)
        await until(lambda alarm=alarm: {alarm, Alarm.NO_EVIDENCE} <= here.alarms(), "the alarms")  # type: ignore[misc]
        assert here.condition() is Condition.UNKNOWN
        assert here.condition(MAGLOCK) is Condition.SECURE, "its neighbour is well"
        assert {"alarm": alarm, "input": name, "door": DOOR} in await here.told(EventKind.ALARM_RAISED)
    here.fault(name, WireFault.NONE)
    await until(lambda: here.condition() is Condition.SECURE and not here.alarms(), "the mended line")
    assert {"alarm": Alarm.LINE_SHORT, "input": name, "door": DOOR} in await here.told(EventKind.ALARM_CLEARED)


async def test_a_cut_contact_never_reads_as_a_shut_door_nor_as_a_forced_one(here: Here) -> None:
    here.fault("contact", WireFault.CUT)
    await until(lambda: Alarm.LINE_CUT in here.alarms(), "the alarm")
    here.site.doors[DOOR].person_opens(0.1, from_inside=True)
    assert here.agent.doors.held[DOOR].state.contact is None
    assert Alarm.FORCED not in here.alarms()


async def test_a_faulty_request_to_exit_opens_nothing_takes_no_way_out_and_is_told(here: Here) -> None:
    door = here.site.doors[MAGLOCK]
    assert door.person_opens(0.1, from_inside=True)
    await until(lambda: door.released, "the magnet lets go")
    for fault, alarm in FAULTS:
        here.fault("rex", fault, MAGLOCK)
        await until(lambda alarm=alarm: alarm in here.alarms(MAGLOCK), "the alarm")  # type: ignore[misc]
    await until(lambda: not door.released, "the end of the way out, by its time")
    assert len(await here.told(EventKind.REQUEST_TO_EXIT)) == 1, "the fault itself asked for nothing"


async def test_a_faulty_fire_line_is_a_fire_and_an_alarm(here: Here) -> None:
    for fault, alarm in FAULTS:
        here.fault("fire", fault)
        await until(lambda: here.agent.doors.fire and here.site.doors[MAGLOCK].released, "the release")
        await until(lambda alarm=alarm: here.alarms(None) == {alarm}, "the agent's own alarm")  # type: ignore[misc]
        assert here.agent.snapshots.make().alarms == (alarm,)
    here.fault("fire", WireFault.NONE)
    await until(lambda: not here.agent.doors.fire and here.alarms(None) == set(), "the mended line")
    assert not here.site.doors[DOOR].released


async def test_a_faulty_panic_line_is_an_alarm_and_no_lockdown(here: Here) -> None:
    for fault, alarm in FAULTS:
        here.fault("panic", fault)
        await until(lambda alarm=alarm: here.alarms(None) == {alarm}, "the alarm")  # type: ignore[misc]
        assert {"alarm": alarm, "input": "panic"} in await here.told(EventKind.ALARM_RAISED)
    assert await here.told(EventKind.PANIC_PRESSED) == []
    here.fault("panic", WireFault.NONE)
    await until(lambda: here.alarms(None) == set(), "the mended line")
    here.site.panic()
    await until(lambda: here.site.mode(DOOR) == "secured", "the lockdown")


async def test_mains_and_battery_are_told_as_they_fail_and_return(here: Here) -> None:
    here.site.trip("mains", True)
    await until(lambda: here.alarms(None) == {Alarm.MAINS_FAILED}, "the mains alarm")
    here.site.trip("battery", True)
    await until(lambda: here.alarms(None) == {Alarm.MAINS_FAILED, Alarm.BATTERY_LOW}, "the battery alarm")
    here.site.trip("mains", False)
    here.site.trip("battery", False)
    await until(lambda: here.alarms(None) == set(), "the power")
    assert [told["alarm"] for told in await here.told(EventKind.ALARM_RAISED)] == ["mains_failed", "battery_low"]


async def test_a_converter_without_power_leaves_its_doors_unknown_and_the_others_alone(here: Here) -> None:
    here.chip("house").powered = False
    await until(lambda: Alarm.NO_EVIDENCE in here.alarms(None), "the alarm")
    assert here.agent.doors.fire, "a fire input that cannot be read lets people out"
    assert here.condition() is Condition.SECURE
    here.chip("doors").powered = False
    await until(lambda: here.condition() is here.condition(MAGLOCK) is Condition.UNKNOWN, "unknown doors")
    here.chip("house").powered = here.chip("doors").powered = True
    await until(lambda: here.condition() is Condition.SECURE and here.alarms(None) == set(), "the power")


async def test_an_agent_that_starts_with_its_panic_line_cut_declares_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, panic=WireFault.CUT) as here:
        await until(lambda: here.alarms(None) == {Alarm.LINE_CUT}, "the alarm")
        assert here.site.mode(DOOR) == "controlled"
