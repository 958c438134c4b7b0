"""A virtual school with every kind of reader and input: the agent knows them as it would on a wall."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from edge_agent.agent_yaml.config_file import AgentFile, load
from edge_agent.policy.rules import Rules, compile_rules
from protocol.credentials import token
from protocol.messages import AccessRule, AgentConfig, Credential, DoorSettings
from protocol.words import Alarm, Condition
from simulators.district.make import make_district
from simulators.district.plan import DistrictSize
from simulators.orders.site import SiteOrders
from simulators.school.cards import Card, wiegand_26
from simulators.school.people import People
from simulators.school.site import VirtualSite
from tests.support import virtual_schools
from tests.support.waiting import until

PROX = bytes.fromhex("0a00bead42")
CARDS = (
    Card("ch-1", ("staff",), False, 26, wiegand_26(12, 3456)),
    Card("ch-2", ("staff",), False, 40, PROX),
)


def _agent_yaml(folder: Path) -> Path:
    """An agent of four doors: OSDP, Wiegand with a keypad and a lamp, serial, and one on supervised lines."""
    district = make_district(folder, broker_port=1, size=DistrictSize(1, 1, 4, 1))
    path = district.agents[0].config
    agent = yaml.safe_load(path.read_text())
    agent["adcs"] = [{"adc": "adc0", "pins": {"clock": 40, "mosi": 41, "miso": 42, "select": 43}}]
    supervised = {"end_of_line": {"series": 1000, "parallel": 1000, "pull_up": 2200}, "adc": "adc0"}
    agent["doors"][3]["contact"] = {"channel": 0, **supervised}
    agent["doors"][3]["bolt"] = {"channel": 1, **supervised}
    doors = [door["door"] for door in agent["doors"]]
    agent["wiegand_readers"] = [
        {"reader": "pad", "door": doors[1], "data0": 30, "data1": 31, "keypad": "4-bit", "led": 32}
    ]
    agent["serial_readers"] = [{"reader": "prox", "door": doors[2], "device": "/dev/ttyS9", "kind": "id-12"}]
    agent["power"] = {"mains": {"pin": 33}, "battery": {"pin": 34}}
    path.write_text(yaml.safe_dump(agent))
    return path


class School:
    """One running agent, its orders, and what it has written down."""

    def __init__(self, site: VirtualSite) -> None:
        self.site = site
        self.doors = list(site.doors)
        self._orders = SiteOrders(site, People(site, CARDS), CARDS)

    def order(self, do: str, **fields: object) -> dict[str, object]:
        return self._orders({"do": do, **fields})

    def condition(self, door: int) -> Condition:
        return virtual_schools.condition(self.site, self.doors[door])

    def alarms(self, door: int) -> set[str]:
        return virtual_schools.alarms(self.site, self.doors[door])

    async def reaches(self, door: int, condition: Condition) -> None:
        await virtual_schools.reaches(self.site, self.doors[door], condition)


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    config = load(_agent_yaml(tmp_path / "d"))
    with VirtualSite(config) as site:
        async with virtual_schools.running(site, _rules(config)):
            yield School(site)


def _rules(config: AgentFile) -> Rules:
    """Everybody with a card passes every door."""
    names = tuple(door.door for door in config.doors)
    return compile_rules(
        AgentConfig(
            audience="",
            version=1,
            timezone="UTC",
            doors=tuple(DoorSettings(door=door, name=door, unlock_ms=700) for door in names),
            rules=(AccessRule(group="staff", doors=names),),
            credentials=tuple(
                Credential(
                    token=token(config.credential_key, card.bits, card.data),
                    cardholder=card.cardholder or "",
                    groups=card.groups,
                )
                for card in CARDS
            ),
        )
    )


async def test_a_card_opens_a_door_over_wiegand_and_the_lamp_turns_green(school: School) -> None:
    school.order("swipe", reader="pad", card="ch-1")
    await school.reaches(1, Condition.OPEN)
    await school.reaches(1, Condition.SECURE)
    assert "green" in school.site.readers["pad"].leds


async def test_a_card_opens_a_door_over_a_serial_reader(school: School) -> None:
    school.order("swipe", reader="prox", card="ch-2", walk=False)
    await until(lambda: school.site.doors[school.doors[2]].released, "the strike")
    await school.reaches(2, Condition.SECURE)


async def test_a_cut_or_a_short_on_a_supervised_line_is_no_closed_door(school: School) -> None:
    door = school.doors[3]
    for verb, alarm in (("cut", Alarm.LINE_CUT), ("short", Alarm.LINE_SHORT)):
        school.order(verb, door=door, input="contact")
        await until(lambda alarm=alarm: alarm in school.alarms(3), f"{alarm}")
        assert school.condition(3) is not Condition.SECURE
        school.order(verb, door=door, input="contact", on=False)
        await school.reaches(3, Condition.SECURE)
        assert alarm not in school.alarms(3)


async def test_mains_and_battery_are_told(school: School) -> None:
    agent = school.site.agent
    school.order("mains")
    await until(lambda: Alarm.MAINS_FAILED in agent.snapshots.make().alarms, "the mains")
    school.order("battery")
    await until(lambda: Alarm.BATTERY_LOW in agent.snapshots.make().alarms, "the battery")
    school.order("mains", fail=False)
    school.order("battery", low=False)
    await until(lambda: not agent.snapshots.make().alarms, "both back")
