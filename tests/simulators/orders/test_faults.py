"""Trouble ordered of a virtual school: the real agent finds it, by the names an officer knows."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from edge_agent.agent_yaml.config_file import load
from edge_agent.policy.rules import Rules, compile_rules
from protocol.messages import AgentConfig, DoorSettings
from protocol.words import Alarm, Condition
from simulators.district.make import MadeDistrict, make_district
from simulators.district.plan import DistrictSize
from simulators.orders.site import SiteOrders
from simulators.school.cards import load_cards
from simulators.school.people import People
from simulators.school.site import VirtualSite
from tests.support import virtual_schools
from tests.support.swipes import reader_alarms
from tests.support.waiting import until, until_after


@dataclass
class School:
    """One agent of a made district, running."""

    site: VirtualSite
    order: Callable[..., Any]

    def condition(self, door: str) -> Condition:
        return virtual_schools.condition(self.site, door)

    def alarms(self, door: str) -> set[str]:
        return virtual_schools.alarms(self.site, door)

    async def reaches(self, door: str, condition: Condition) -> None:
        await virtual_schools.reaches(self.site, door, condition)


@pytest.fixture
def district(tmp_path: Any) -> MadeDistrict:
    return make_district(tmp_path / "d", broker_port=1, size=DistrictSize(1, 1, 6, 2))


@pytest.fixture
async def school(district: MadeDistrict) -> AsyncIterator[School]:
    cards = load_cards(district.cards)
    with VirtualSite(load(district.agents[0].config)) as site:
        orders = SiteOrders(site, People(site, cards), cards)
        async with virtual_schools.running(site, _rules(site)):
            await until(lambda: all(reader.leds for reader in site.readers.values()), "the readers")
            yield School(site, lambda do, **fields: orders({"do": do, **fields}))


def _rules(site: VirtualSite) -> Rules:
    doors = tuple(DoorSettings(door=door, name=door, unlock_ms=500, bolt_ms=1_000) for door in site.doors)
    return compile_rules(AgentConfig(audience="", version=1, timezone="UTC", doors=doors))


@pytest.mark.parametrize(
    ("verb", "which", "condition"),
    [
        ("cut", "contact", Condition.FORCED),
        ("miswire", "contact", Condition.FORCED),
        ("cut", "bolt", Condition.JAMMED),
        ("miswire", "bolt", Condition.JAMMED),
    ],
)
async def test_a_door_with_a_broken_wire_is_never_secure_until_it_is_mended(
    school: School, verb: str, which: str, condition: Condition
) -> None:
    school.order(verb, door="gym", input=which)
    await school.reaches("gym", condition)
    school.order(verb, door="gym", input=which, on=False)
    await school.reaches("gym", Condition.SECURE)


async def test_a_short_on_an_unsupervised_contact_cannot_be_told_from_a_shut_door(school: School) -> None:
    """Nothing can find this but a supervised line, which is why there are such."""
    school.order("short", door="gym")
    school.order("force", door="gym")
    await until(lambda: not school.site.doors["gym"].leaf_closed, "the open leaf")
    school.site.agent.doors.sample_all()
    assert school.condition("gym") is Condition.SECURE


async def test_a_weak_bolt_is_found_by_the_time_it_takes(school: School) -> None:
    school.order("weak_bolt", door="gym", travel_s=30)
    school.site.agent.doors.grant("gym", {})
    await school.reaches("gym", Condition.UNLATCHED)
    await school.reaches("gym", Condition.JAMMED)


async def test_a_dead_strike_leaves_the_bolt_where_it_is(school: School) -> None:
    school.order("dead_strike", door="gym")
    school.site.agent.doors.grant("gym", {})
    await until(lambda: school.site.doors["gym"].released, "the release")
    assert school.site.doors["gym"].bolt_thrown


async def test_a_clock_set_wrong_is_what_the_agent_goes_by_and_a_distrusted_one_is_not(school: School) -> None:
    agent = school.site.agent
    before = agent.clock.utc_ns()
    school.order("shift_clock", seconds=-3600)
    assert agent.clock.utc_ns() < before
    school.order("distrust_clock")
    assert not agent.clock.trusted()
    school.order("distrust_clock", on=False)
    school.order("shift_clock", seconds=0)
    assert agent.clock.trusted()
    assert agent.clock.utc_ns() >= before


async def test_a_spliced_line_is_heard_as_a_silence_and_what_the_tap_replays_opens_nothing(school: School) -> None:
    school.order("splice", seconds=4)
    await until(lambda: Alarm.LINE_SILENT in school.alarms("gym"), "the silence")
    await until(lambda: not reader_alarms(school.site.agent, "gym"), "the mended line")
    school.order("swipe", door="gym", card="lost", walk=False)
    tap = next(iter(school.site.taps.values()))
    await until(lambda: len(tap.tape) > 200, "the tap to hear")
    leds = school.site.readers["gym-in"].leds
    assert school.order("replay")["bytes"] > 200
    await until(lambda: not school.site.doors["gym"].released, "no release")
    assert "green" not in leds


async def test_noise_on_a_line_does_not_stop_its_readers(school: School) -> None:
    for seed in range(5):
        school.order("noise", door="gym", seed=seed + 1)
    seen = len(school.site.readers["gym-in"].leds)
    swipe = partial(school.order, "swipe", door="gym", card="lost", walk=False)
    await until_after(swipe, lambda: "red" in school.site.readers["gym-in"].leds[seen:], "the answer")


async def test_faults_by_lot_are_made_and_all_mended(school: School) -> None:
    answer = school.order("faults", seed=3, count=4)
    assert len(answer["faults"]) == 4
    for name in answer["faults"]:
        assert name in school.site.doors
    assert sorted(school.order("mend")["mended"]) == sorted(answer["faults"])
    for door in school.site.doors:
        await until(lambda door=door: school.condition(door) is Condition.SECURE, f"{door} secure again", within=20)


async def test_a_pin_is_typed_at_the_keypad_and_reaches_the_agent(school: School) -> None:
    assert school.order("type_pin", door="gym", pin="2468#", walk=False) == {}
