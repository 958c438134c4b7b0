"""What a scenario expects of central: met as soon as it is so, and answered with what was shown if it is not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ground.problems import ConfigError
from simulators.district.api import DistrictApi
from simulators.scenario.expectations import Expectations, within
from simulators.scenario.steps import DoorRef, ExpectClosure, ExpectDoor, ExpectEvents, ExpectMode, ExpectSeen
from tests.central.centrals import PASSWORD, AgentVoice, Town
from tests.support.brokers import RunningBroker, mosquitto

FAULT = ConfigError
FRONT = DoorRef("lincoln", "front")


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running


async def test_it_is_asked_until_it_is_so_and_no_longer() -> None:
    asked = 0

    async def third_time() -> str | None:
        nonlocal asked
        asked += 1
        return None if asked == 3 else "not yet"

    assert await within(30, third_time) is None
    assert asked == 3


async def test_when_time_is_up_it_is_asked_once_more() -> None:
    asked = 0

    async def never() -> str | None:
        nonlocal asked
        asked += 1
        return "never"

    assert await within(0, never) == "never"
    assert asked >= 1


async def test_what_central_shows_meets_it_or_is_said(tmp_path: Path, broker: RunningBroker) -> None:
    town = Town(tmp_path)
    async with (
        town.central(broker) as running,
        AgentVoice(town, broker, "lincoln", "east").speaking(),
        DistrictApi(running.central.address) as api,
    ):
        await api.sign_in("olive", PASSWORD)
        expected = Expectations(api, frozenset({DoorRef("lincoln", "back")}), ("lincoln", "oak"), 4)
        assert await expected.check(ExpectDoor(fault=FAULT, door=FRONT, condition="secure", within_s=20)) is None
        assert "is shown secure, not jammed" in str(
            await expected.check(ExpectDoor(fault=FAULT, door=FRONT, condition="jammed", within_s=0.2))
        )
        assert "not unlocked" in str(
            await expected.check(ExpectMode(fault=FAULT, door=FRONT, mode="unlocked", within_s=0.2))
        )
        assert "lincoln/back" in str(await expected.check(ExpectSeen(fault=FAULT, within_s=0.2)))
        assert "0 access_granted events" in str(
            await expected.check(
                ExpectEvents(fault=FAULT, site="lincoln", door=None, kind="access_granted", at_least=1, within_s=0.2)
            )
        )
        made = await api.declare("lockdown", {"kind": "site", "site": "lincoln"}, drill=True, reason="a test")
        assert await expected.closure(ExpectClosure(fault=FAULT, name="it", within_s=20), made["id"]) is None
