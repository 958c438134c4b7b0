"""Who holds a door open hears it at the door's own reader, before anybody else does."""

import asyncio
import contextlib
import secrets
from pathlib import Path

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring, LockWiring, SwitchWiring, WiegandWiring
from edge_agent.policy.rules import compile_rules
from protocol.messages import AgentConfig, DoorSettings
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import Alarm, Condition, KeyRole
from simulators.school.site import VirtualSite
from tests.support.waiting import until

DOOR, BUZZER = "gym", 16


def wired(folder: Path) -> AgentFile:
    lock = LockWiring(17, LockKind.STRIKE, FailMode.FAIL_SECURE)
    return AgentFile(
        site="lincoln-high",
        agent="east",
        data=folder / "data",
        signing_key=SigningKey.generate("lincoln-high-east"),
        credential_key=secrets.token_bytes(32),
        broker=BrokerAddress(port=1),
        trust=(SigningKey.generate("district-1").trusted(KeyRole.DISTRICT),),
        doors=(DoorWiring(DOOR, lock, contact=SwitchWiring(4), bolt=SwitchWiring(5), rex=SwitchWiring(6)),),
        wiegand_readers=(WiegandWiring("gym-in", DOOR, data0=14, data1=15, buzzer=BUZZER),),
        require_sync=False,
    )


async def test_the_reader_sounds_while_there_is_still_time_to_shut_the_door(tmp_path: Path) -> None:
    with VirtualSite(wired(tmp_path)) as site:
        task = asyncio.create_task(site.run())
        await until(lambda: site.agent.ready.is_set() or task.done(), "the agent")
        settings = DoorSettings(door=DOOR, name="Gym", held_ms=1_000, held_warning_ms=500)
        config = AgentConfig(audience="", version=1, timezone="UTC", doors=(settings,))
        site.agent.doors.set_rules(compile_rules(config))
        held = site.agent.doors.held[DOOR]
        await until(lambda: held.state.condition is Condition.SECURE, "the door")
        buzzer = site._factory.pin(BUZZER)
        silent = buzzer.state
        site.doors[DOOR].person_opens(30, from_inside=True)
        await until(lambda: held.state.condition is Condition.OPEN, "the open door")
        await until(lambda: buzzer.state != silent, "the sound", within=5)
        assert held.state.warned
        await until(lambda: Alarm.HELD in held.state.alarms, "the alarm", within=5)
        site.doors[DOOR].close(firmly=True)
        await until(lambda: held.state.condition is Condition.SECURE, "the shut door")
        task.cancel()
        await asyncio.wait([task])
        with contextlib.suppress(asyncio.CancelledError):
            task.result()
