"""The orders a virtual school takes at its control socket, and what each needs. Carries them out on the site.

Not a protocol of the doors: what is ordered here happens to the hardware, and the agent must find out.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from simulators.cards import Card
from simulators.control import Answer, Order, OrderRefused
from simulators.people import WALK_THROUGH_S, People
from simulators.rhythm import DAY_BEGINS, DayClock, time_of_day
from simulators.virtual_door import VirtualDoor
from simulators.virtual_reader import VirtualOsdpReader
from simulators.virtual_site import VirtualSite

LOST_CARD = "lost"
BOUNCES = 8
BOUNCE_EVERY_S = 0.004


class SiteOrders:
    """Carries out orders on a site. Call it on the site's loop. Raises :class:`OrderRefused`."""

    def __init__(self, site: VirtualSite, people: People, cards: Sequence[Card]) -> None:
        self._site = site
        self._people = people
        self._cards = {card.cardholder or LOST_CARD: card for card in cards}
        self._verbs: dict[str, Callable[[_Fields], Answer]] = {
            "swipe": self._swipe,
            "press_rex": self._on_door(VirtualDoor.press_rex),
            "person_opens": self._person_opens,
            "force": self._on_door(VirtualDoor.force_open),
            "prop": self._prop,
            "close": self._close,
            "jam": self._on_door(partial(VirtualDoor.jam, on=True)),
            "unjam": self._on_door(partial(VirtualDoor.jam, on=False)),
            "bounce": self._on_door(_bounce),
            "tamper": self._tamper,
            "fire": self._fire,
            "panic": self._panic,
            "freeze_reader": self._freeze_reader,
            "people": self._move_people,
            "state": self._state,
        }

    def __call__(self, order: Order) -> Answer:
        """Carry out one order."""
        verb = order["do"]
        act = self._verbs.get(verb)
        if act is None:
            raise OrderRefused(f"no such order: {verb!r}{_nearest(verb, self._verbs)}")
        fields = _Fields(order)
        try:
            answer = act(fields)
        except (ValueError, RuntimeError) as error:
            raise OrderRefused(f"{verb}: {error}") from None
        return answer

    # --- doors ---

    def _door(self, fields: _Fields) -> VirtualDoor:
        name = fields.text("door")
        if name not in self._site.doors:
            raise OrderRefused(f"no door {name!r} here{_nearest(name, self._site.doors)}")
        return self._site.doors[name]

    def _on_door(self, act: Callable[[VirtualDoor], object]) -> Callable[[_Fields], Answer]:
        def carry_out(fields: _Fields) -> Answer:
            door = self._door(fields)
            fields.refuse_others()
            act(door)
            return {}

        return carry_out

    def _person_opens(self, fields: _Fields) -> Answer:
        door = self._door(fields)
        hold_s, inside = fields.number("hold_s", WALK_THROUGH_S), fields.flag("from_inside", default=False)
        fields.refuse_others()
        return {"opened": door.person_opens(hold_s, from_inside=inside)}

    def _prop(self, fields: _Fields) -> Answer:
        door, on = self._door(fields), fields.flag("on", default=True)
        fields.refuse_others()
        if on:
            door.person_opens(from_inside=True)
        door.prop(on)
        return {}

    def _close(self, fields: _Fields) -> Answer:
        door = self._door(fields)
        fields.refuse_others()
        door.prop(False)
        door.close(firmly=True)
        return {}

    def _tamper(self, fields: _Fields) -> Answer:
        door, on = self._door(fields), fields.flag("on", default=True)
        fields.refuse_others()
        door.pull_tamper(on)
        return {}

    # --- readers and cards ---

    def _reader(self, fields: _Fields) -> tuple[str, VirtualOsdpReader]:
        if not fields.given("reader"):
            self._door(fields)
            door = fields.text("door")
            if door not in self._site.reader_of:
                raise OrderRefused(f"door {door!r} has no reader; these have: {', '.join(self._site.reader_of)}")
            return door, self._site.readers[self._site.reader_of[door]]
        name = fields.text("reader")
        if name not in self._site.readers:
            raise OrderRefused(f"no reader {name!r} here{_nearest(name, self._site.readers)}")
        door = next(door for door, reader in self._site.reader_of.items() if reader == name)
        return door, self._site.readers[name]

    def _swipe(self, fields: _Fields) -> Answer:
        """The card is a cardholder's id, or "lost" for one the district does not know."""
        door, reader = self._reader(fields)
        holder, walk = fields.text("card"), fields.flag("walk", default=True)
        fields.refuse_others()
        card = self._cards.get(holder)
        if card is None:
            raise OrderRefused(f"no card of {holder!r}{_nearest(holder, self._cards)}")
        if walk:
            self._people.wait_for_green(door)
        reader.swipe(card.bits, card.data)
        return {}

    def _freeze_reader(self, fields: _Fields) -> Answer:
        _, reader = self._reader(fields)
        on = fields.flag("on", default=True)
        fields.refuse_others()
        (reader.freeze if on else reader.thaw)()
        return {}

    # --- the whole site ---

    def _fire(self, fields: _Fields) -> Answer:
        on = fields.flag("on", default=True)
        fields.refuse_others()
        self._site.fire(on)
        return {}

    def _panic(self, fields: _Fields) -> Answer:
        fields.refuse_others()
        self._site.panic()
        return {}

    def _move_people(self, fields: _Fields) -> Answer:
        """Begin the day at ``from`` (HH:MM, school time), ``speed`` times as fast; or with ``on`` false, rest."""
        on, speed = fields.flag("on", default=True), fields.number("speed", 60.0)
        starts = time_of_day(fields.text("from")) if fields.given("from") else DAY_BEGINS
        fields.refuse_others()
        if on:
            self._people.begin(DayClock(starts, speed))
        else:
            self._people.rest()
        return {}

    def _state(self, fields: _Fields) -> Answer:
        """The truth about every door, whatever its sensors say."""
        fields.refuse_others()
        doors = {
            name: {
                "leaf_closed": door.leaf_closed,
                "bolt_thrown": door.bolt_thrown,
                "energised": door.energised,
                "released": door.released,
                "holds": door.holds,
                "mode": self._site.mode(name),
            }
            for name, door in self._site.doors.items()
        }
        readers = {name: reader.leds[-1] if reader.leds else None for name, reader in self._site.readers.items()}
        return {"site": self._site.site, "agent": self._site.agent_name, "doors": doors, "readers": readers}


class _Fields:
    """An order's fields, checked as they are taken."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._taken = {"do"}

    def given(self, name: str) -> bool:
        self._taken.add(name)
        return name in self._order

    def text(self, name: str) -> str:
        return str(self._take(name, str, None, "text"))

    def flag(self, name: str, *, default: bool) -> bool:
        return bool(self._take(name, bool, default, "true or false"))

    def number(self, name: str, default: float) -> float:
        value = self._take(name, (int, float), default, "a number")
        if isinstance(value, bool) or not 0 < value < 1e6:
            raise OrderRefused(f"{self._order['do']}: {name!r} is {value!r}; expected a number above 0")
        return float(value)

    def refuse_others(self) -> None:
        """OrderRefused if the order has a field that nobody took."""
        for name in self._order:
            if name not in self._taken:
                hint = _nearest(name, self._taken - {"do"})
                raise OrderRefused(f"{self._order['do']}: no such field: {name!r}{hint}")

    def _take(self, name: str, kinds: Any, default: Any, expected: str) -> Any:
        self._taken.add(name)
        value = self._order.get(name, default)
        if value is None:
            raise OrderRefused(f"{self._order['do']}: needs {name!r} ({expected})")
        if not isinstance(value, kinds):
            raise OrderRefused(f"{self._order['do']}: {name!r} is {value!r}; expected {expected}")
        return value


def _bounce(door: VirtualDoor) -> None:
    """The contact's wire shakes for a moment, faster than any debouncing lets through."""
    loop = asyncio.get_running_loop()
    for turn in range(BOUNCES):
        loop.call_later(turn * BOUNCE_EVERY_S, door.disconnect_contact, turn % 2 == 0)


def _nearest(name: str, known: Any) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    if found:
        return f"; did you mean {found[0]!r}?"
    return f"; there are: {', '.join(sorted(known))}" if len(known) <= 20 else ""
