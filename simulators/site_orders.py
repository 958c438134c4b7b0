"""The orders a virtual school takes: those of its doors and readers, and of the site as a whole.

Not a protocol of the doors: what is ordered here happens to the hardware, and the agent must find out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulators.cards import Card
from simulators.control import Answer, Order
from simulators.door_orders import door_verbs
from simulators.faults import FaultOrders
from simulators.order_book import OrderBook, Verb, flag, number, text
from simulators.people import People
from simulators.reader_orders import ReaderOrders
from simulators.rhythm import DAY_BEGINS, DayClock, time_of_day
from simulators.virtual_site import VirtualSite
from simulators.virtual_switch import WireFault


class SiteOrders:
    """Carries out orders on a site. Call it on the site's loop. Raises :class:`OrderRefused`."""

    def __init__(self, site: VirtualSite, people: People, cards: Sequence[Card]) -> None:
        self._site = site
        self._people = people
        faults = FaultOrders(site.fitted(), lambda: self._book)
        self._book = OrderBook(
            (*door_verbs(site), *ReaderOrders(site, people, cards).verbs(), *faults.verbs(), *self._verbs())
        )

    def __call__(self, order: Order) -> Answer:
        """Carry out one order."""
        return self._book(order)

    def catalogue(self) -> list[dict[str, Any]]:
        """Every order there is, and what it needs."""
        return self._book.catalogue()

    def _verbs(self) -> tuple[Verb, ...]:
        site = self._site
        off_ends = flag("on", "false ends it", default=True)
        own = text("input", "which of the agent's own inputs", choices=("fire", "panic", "mains", "battery"))
        return (
            Verb("fire", "the fire alarm panel opens its relay", (off_ends,), lambda on: site.trip("fire", on)),
            Verb("panic", "somebody presses the panic button", (), site.panic),
            Verb("mains", "the mains fail", (flag("fail", "false: they are back", default=True),), self._mains),
            Verb("battery", "the battery runs low", (flag("low", "false: it is good", default=True),), self._battery),
            Verb(
                "input_wire",
                "cut or short the line of one of the agent's own inputs",
                (own, text("fault", "what is done to it; none mends it", "cut", [str(fault) for fault in WireFault])),
                self._input_wire,
            ),
            Verb(
                "shift_clock",
                "set the machine's clock ahead, or with a number below 0 behind; 0 sets it right",
                (number("seconds", "how far", 0.0, signed=True),),
                self._shift_clock,
            ),
            Verb(
                "distrust_clock",
                "as after a boot without a time server",
                (flag("on", "false: the time server has answered", default=True),),
                site.clock.distrust,
            ),
            Verb(
                "people",
                "everybody begins the day; or rests",
                (
                    flag("on", "false: they rest", default=True),
                    number("speed", "how many times as fast as life", 60.0),
                    text("from", "school time, HH:MM", None),
                ),
                self._move_people,
            ),
            Verb("state", "the truth about every door, whatever its sensors say", (), self._state),
        )

    def _mains(self, fail: bool) -> None:
        self._site.trip("mains", fail)

    def _battery(self, low: bool) -> None:
        self._site.trip("battery", low)

    def _input_wire(self, **fields: Any) -> None:
        name = fields["input"]
        if name not in self._site.switches:
            raise ValueError(f"this agent has no {name} input")
        self._site.switches[name].set_fault(WireFault(fields["fault"]))

    def _shift_clock(self, seconds: float) -> Answer:
        self._site.clock.shift(seconds)
        return {"ahead_s": seconds}

    def _move_people(self, **fields: Any) -> None:
        starts = DAY_BEGINS if fields["from"] is None else time_of_day(fields["from"])
        if fields["on"]:
            self._people.begin(DayClock(starts, float(fields["speed"])))
        else:
            self._people.rest()

    def _state(self) -> Answer:
        site = self._site
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
