"""A virtual school: the real agent finds out what happens to its doors, and people find out what it decides.

No broker: a school stands alone. What central would have sent is put into the agent's own store first.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent_yaml.config_file import load
from edge_agent.policy.rules import Rules, compile_rules
from protocol.credentials import token
from protocol.messages import AccessRule, AgentConfig, Credential, DoorSettings
from protocol.words import Condition, DoorMode
from simulators.district.make import MadeDistrict, make_district
from simulators.district.plan import DistrictSize
from simulators.orders.control import OrderRefused
from simulators.orders.doors import BOUNCE_EVERY_S, BOUNCES
from simulators.orders.site import SiteOrders
from simulators.school.cards import Card, load_cards
from simulators.school.people import REACH_S, WALK_THROUGH_S, People
from simulators.school.rhythm import DayClock
from simulators.school.site import VirtualSite
from tests.support import virtual_schools
from tests.support.swipes import reader_alarms
from tests.support.waiting import until, until_after

NOBODY = 1  # a port without a broker


@dataclass
class School:
    """One agent of a made district, running."""

    site: VirtualSite
    people: People
    order: Callable[..., Any]

    def condition(self, door: str) -> Condition:
        return virtual_schools.condition(self.site, door)

    async def reaches(self, door: str, condition: Condition) -> None:
        await virtual_schools.reaches(self.site, door, condition)

    async def opens(self, door: str, card: str) -> None:
        swipe = partial(self.order, "swipe", door=door, card=card)
        await until_after(swipe, lambda: self.condition(door) is Condition.OPEN, f"{door} open")


@pytest.fixture
def district(tmp_path: Path) -> MadeDistrict:
    return make_district(tmp_path / "d", broker_port=NOBODY, size=DistrictSize(1, 1, 6, 2))


@pytest.fixture
async def school(district: MadeDistrict) -> AsyncIterator[School]:
    cards = load_cards(district.cards)
    with VirtualSite(load(district.agents[0].config)) as site:
        people = People(site, cards)
        orders = SiteOrders(site, people, cards)
        async with virtual_schools.running(site, _rules(district, cards)):
            await until(lambda: all(reader.leds for reader in site.readers.values()), "the readers")
            try:
                yield School(site, people, lambda do, **fields: orders({"do": do, **fields}))
            finally:
                people.rest()


def _rules(district: MadeDistrict, cards: tuple[Card, ...]) -> Rules:
    """Staff and responders pass every door."""
    config = load(district.agents[0].config)
    doors = tuple(DoorSettings(door=door.door, name=door.door, unlock_ms=1500) for door in config.doors)
    return compile_rules(
        AgentConfig(
            audience="",
            version=1,
            timezone="UTC",
            doors=doors,
            rules=tuple(
                AccessRule(group=group, doors=tuple(door.door for door in doors)) for group in ("staff", "responders")
            ),
            credentials=tuple(
                Credential(
                    token=token(config.credential_key, card.bits, card.data),
                    cardholder=card.cardholder,
                    groups=card.groups,
                    override=card.override,
                )
                for card in cards
                if card.cardholder
            ),
        )
    )


async def test_a_known_card_opens_its_door_for_who_holds_it(school: School) -> None:
    await school.opens("gym", "ch-0001")
    await school.reaches("gym", Condition.SECURE)


async def test_a_lost_card_opens_nothing(school: School) -> None:
    school.order("swipe", door="gym", card="lost")
    reader = school.site.readers["gym-in"]
    seen = len(reader.leds)
    await until(lambda: "red" in reader.leds[seen:], "the reader to say no")
    assert school.site.doors["gym"].leaf_closed
    assert "green" not in reader.leds


async def test_a_jammed_bolt_is_found_and_a_mended_one_too(school: School) -> None:
    school.order("jam", door="gym")
    await school.reaches("gym", Condition.JAMMED)
    school.order("unjam", door="gym")
    await school.reaches("gym", Condition.SECURE)


async def test_a_forced_door_is_found_and_shutting_it_makes_it_secure(school: School) -> None:
    school.order("force", door="gym")
    await school.reaches("gym", Condition.FORCED)
    school.order("close", door="gym")
    await school.reaches("gym", Condition.SECURE)


async def test_somebody_leaves_and_no_alarm_is_raised(school: School) -> None:
    assert school.order("person_opens", door="gym", from_inside=True) == {"opened": True}
    await school.reaches("gym", Condition.OPEN)
    await school.reaches("gym", Condition.SECURE)


async def test_a_locked_door_holds_against_who_pulls_at_it(school: School) -> None:
    assert school.order("person_opens", door="gym") == {"opened": False}


async def test_a_shaking_wire_does_not_open_a_door(school: School) -> None:
    seen: set[Condition] = set()
    end = asyncio.get_running_loop().time() + 10 * BOUNCES * BOUNCE_EVERY_S

    def over() -> bool:
        seen.add(school.condition("gym"))
        return asyncio.get_running_loop().time() > end

    school.order("bounce", door="gym")
    await until(over, "quiet")
    assert seen == {Condition.SECURE}


async def test_an_open_cover_is_tampering(school: School) -> None:
    school.order("tamper", door="main-entrance")
    await school.reaches("main-entrance", Condition.TAMPERED)
    school.order("tamper", door="main-entrance", on=False)
    await school.reaches("main-entrance", Condition.SECURE)


async def test_the_panic_button_secures_every_door_with_nobody_else_there(school: School) -> None:
    school.order("panic")
    await until(lambda: {school.site.mode(door) for door in school.site.doors} == {DoorMode.SECURED}, "a lockdown")


async def test_the_fire_loop_is_heard_and_its_end_too(school: School) -> None:
    school.order("fire", on=True)
    await until(lambda: school.site.agent.doors.fire, "fire")
    school.order("fire", on=False)
    await until(lambda: not school.site.agent.doors.fire, "the end of it")


async def test_the_state_tells_the_truth_about_the_doors(school: School) -> None:
    state = school.order("state")
    assert state["doors"]["gym"] == {
        "leaf_closed": True,
        "bolt_thrown": True,
        "energised": False,
        "released": False,
        "holds": True,
        "mode": "controlled",
    }


async def test_people_live_their_day_and_keep_still_in_a_lockdown(school: School) -> None:
    school.order("people", speed=600)
    await until(lambda: school.people.acts > 10, "ten acts")
    school.order("panic")
    await until(lambda: school.site.mode("gym") is DoorMode.SECURED, "a lockdown")
    doors = school.site.doors.values()
    loop = asyncio.get_running_loop()
    walked_through = loop.time() + REACH_S + WALK_THROUGH_S  # whoever was on the way out as it began
    await until(lambda: loop.time() > walked_through and all(door.leaf_closed for door in doors), "an empty hall")
    before = school.people.acts
    opened: list[bool] = []

    def in_vain() -> bool:
        opened.append(not all(door.leaf_closed for door in doors))
        return school.people.acts > before

    await until(in_vain, "a card held up in vain", within=20)
    assert not any(opened)


async def test_an_override_card_passes_in_a_lockdown(school: School) -> None:
    school.order("panic")
    await until(lambda: school.site.mode("gym") is DoorMode.SECURED, "a lockdown")
    await school.opens("gym", _responder(school))


def _responder(school: School) -> str:
    rules = school.site.agent.doors.rules
    return next(known.cardholder for known in rules.credentials if known.override)


async def test_a_frozen_reader_is_missed_and_a_thawed_one_comes_back(school: School) -> None:
    alarms = partial(reader_alarms, school.site.agent, "gym")
    school.order("freeze_reader", door="gym")
    await until(alarms, "the alarm", within=20)
    school.order("freeze_reader", door="gym", on=False)
    await until(lambda: not alarms(), "the end of the alarm", within=20)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({"do": "jamm", "door": "gym"}, "did you mean 'jam'"),
        ({"do": "jam"}, "needs 'door'"),
        ({"do": "jam", "door": "gim"}, "did you mean 'gym'"),
        ({"do": "jam", "door": "gym", "dor": 1}, "no such field: 'dor'; did you mean 'door'"),
        ({"do": "jam", "door": 3}, "expected text"),
        ({"do": "fire", "on": "yes"}, "expected true or false"),
        ({"do": "swipe", "door": "bus-loop", "card": "lost"}, "has no reader; these have"),
        ({"do": "swipe", "door": "gym", "card": "ch-01"}, "no card of 'ch-01'"),
        ({"do": "tamper", "door": "gym"}, "no tamper switch"),
        ({"do": "people", "speed": -1}, "a number above 0"),
        ({"do": "people", "from": "03:00"}, "outside the school day"),
        ({"do": "person_opens", "door": "gym", "hold_s": True}, "a number"),
    ],
)
async def test_an_order_that_makes_no_sense_is_refused_with_a_cure(
    district: MadeDistrict, order: dict[str, Any], expected: str
) -> None:
    cards = load_cards(district.cards)
    with VirtualSite(load(district.agents[0].config)) as site:
        orders = SiteOrders(site, People(site, cards), cards)
        with pytest.raises(OrderRefused, match=expected):
            orders(order)


def test_the_day_of_people_needs_a_clock_within_the_school_day() -> None:
    with pytest.raises(ValueError, match="the school day is"):
        DayClock(60)


async def test_a_jammed_door_that_falls_shut_is_not_secure_for_a_moment(school: School) -> None:
    door = school.site.doors["gym"]
    school.order("jam", door="gym")
    await school.reaches("gym", Condition.JAMMED)
    await school.opens("gym", "ch-0001")
    school.order("panic")
    await until(lambda: door.bolt_thrown and not door.leaf_closed, "the bolt thrown into the air")
    seen: set[Condition] = set()

    def jammed() -> bool:
        seen.add(school.condition("gym"))
        return school.condition("gym") is Condition.JAMMED

    await until(jammed, "the jam")
    assert Condition.SECURE not in seen
