"""The orders a virtual school takes: those of its doors and readers, and of the site as a whole.

Not a protocol of the doors: what is ordered here happens to the hardware, and the agent must find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulators.hardware.switch import WireFault
from simulators.orders.book import DOOR, OrderBook, Verb, catalogue, flag, number, text
from simulators.orders.control import Answer, Order
from simulators.orders.doors import door_verbs, find_door
from simulators.orders.faults import fault_verbs
from simulators.orders.readers import LOST_CARD, reader_verbs
from simulators.school.cards import Card
from simulators.school.people import People
from simulators.school.rhythm import DAY_BEGINS, DayClock, time_of_day
from simulators.school.site import VirtualSite
from simulators.school.world import World


def site_catalogue() -> list[dict[str, Any]]:
    """Every order that a virtual site takes, and what it needs."""
    return catalogue(_verbs())


class SiteOrders:
    """Carries out orders on a site. Call it on the site's loop. Raises :class:`OrderRefused`."""

    def __init__(self, site: VirtualSite, people: People, cards: Sequence[Card]) -> None:
        world = World(site, people, {card.cardholder or LOST_CARD: card for card in cards})
        self._book = OrderBook(_verbs(), world)

    def __call__(self, order: Order) -> Answer:
        """Carry out one order."""
        return self._book(order)


def _verbs() -> tuple[Verb, ...]:
    def again(world: World, order: Order) -> Answer:
        return OrderBook(door_verbs() + reader_verbs(), world)(order)

    return (*door_verbs(), *reader_verbs(), *fault_verbs(again), *_site_verbs())


def _site_verbs() -> tuple[Verb, ...]:
    off_ends = flag("on", "unticked (false) ends it", default=True)
    own = text("input", "which of the agent's own inputs", choices=("fire", "panic", "mains", "battery"))
    faults = [str(fault) for fault in WireFault]
    return (
        Verb(
            "fire", "the fire alarm panel opens its relay", (off_ends,), lambda world, on: world.site.trip("fire", on)
        ),
        Verb("panic", "somebody presses the panic button", (), lambda world: world.site.panic()),
        Verb(
            "mains",
            "the mains fail",
            (flag("fail", "unticked (false): they are back", default=True),),
            lambda world, fail: world.site.trip("mains", fail),
        ),
        Verb(
            "battery",
            "the battery runs low",
            (flag("low", "unticked (false): it is good", default=True),),
            lambda world, low: world.site.trip("battery", low),
        ),
        Verb(
            "input_wire",
            "cut or short the line of one of the agent's own inputs",
            (own, text("fault", "what is done to it; none mends it", "cut", faults)),
            _input_wire,
        ),
        Verb(
            "shift_clock",
            "set the machine's clock ahead, or with a number below 0 behind; 0 sets it right",
            (number("seconds", "how far", 0.0, signed=True),),
            _shift_clock,
        ),
        Verb(
            "distrust_clock",
            "as after a boot without a time server",
            (flag("on", "unticked (false): the time server has answered", default=True),),
            lambda world, on: world.site.clock.distrust(on),
        ),
        Verb(
            "people",
            "everybody begins the day; or rests",
            (
                flag("on", "unticked (false): they rest", default=True),
                number("speed", "how many times as fast as life", 60.0),
                text("from", "school time, HH:MM", None),
            ),
            _move_people,
        ),
        Verb(
            "rush",
            "one after the other, people hold up their cards at a door and walk in on green",
            (DOOR, number("people", "how many", 10), number("every_s", "seconds between two of them", 2)),
            _rush,
        ),
        Verb("state", "the truth about every door, whatever its sensors say", (), _state),
    )


def _input_wire(world: World, **fields: Any) -> None:
    name = fields["input"]
    if name not in world.site.switches:
        raise ValueError(f"this agent has no {name} input")
    world.site.switches[name].set_fault(WireFault(fields["fault"]))


def _shift_clock(world: World, seconds: float) -> Answer:
    world.site.clock.shift(seconds)
    return {"ahead_s": seconds}


def _move_people(world: World, **fields: Any) -> None:
    starts = DAY_BEGINS if fields["from"] is None else time_of_day(fields["from"])
    if fields["on"]:
        world.people.begin(DayClock(starts, float(fields["speed"])))
    else:
        world.people.rest()


def _rush(world: World, door: str, people: float, every_s: float) -> None:
    find_door(world.site, door)
    world.people.rush(door, int(people), every_s)


def _state(world: World) -> Answer:
    site = world.site
    doors = {
        name: {
            "leaf_closed": door.leaf_closed,
            "bolt_thrown": door.bolt_thrown,
            "energised": door.energised,
            "released": door.released,
            "holds": door.holds,
            "mode": site.mode(name),
        }
        for name, door in site.doors.items()
    }
    readers = {name: reader.leds[-1] if reader.leds else None for name, reader in site.readers.items()}
    return {"site": site.site, "agent": site.agent_name, "doors": doors, "readers": readers}
