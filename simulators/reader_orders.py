"""What can be ordered of the virtual readers and their lines: cards, PINs, covers, cables and attackers."""

from __future__ import annotations

from collections.abc import Sequence

from simulators.cards import Card
from simulators.control import Answer, OrderRefused
from simulators.door_orders import find_door
from simulators.line_tap import LineTap
from simulators.order_book import Verb, flag, nearest, number, text
from simulators.people import People
from simulators.virtual_line import VirtualLine
from simulators.virtual_reader import VirtualOsdpReader
from simulators.virtual_site import VirtualReader, VirtualSite

LOST_CARD = "lost"
SPLICE_S = 1.5
"""Long enough to strip two wires, and to be heard as a silence."""


class ReaderOrders:
    """The verbs that take a reader, by its own name or its door's."""

    def __init__(self, site: VirtualSite, people: People, cards: Sequence[Card]) -> None:
        self._site = site
        self._people = people
        self._cards = {card.cardholder or LOST_CARD: card for card in cards}

    def verbs(self) -> tuple[Verb, ...]:
        """All of them."""
        where = (
            text("door", "the door the reader opens", None),
            text("reader", "or the reader's own name", None),
        )
        back = flag("on", "false puts it right again", default=True)
        line = text("line", "the line's device in agent.yaml; may be left out where there is one", None)
        return (
            Verb(
                "swipe",
                "somebody holds a card to the reader",
                (
                    *where,
                    text("card", 'a cardholder\'s id, or "lost" for a card the district does not know'),
                    flag("walk", "walk in if the reader shows green", default=True),
                ),
                self._swipe,
            ),
            Verb(
                "type_pin",
                "somebody types at the keypad; without # at the end nothing is entered",
                (*where, text("pin", "0-9, * clears, # enters"), flag("walk", "walk in on green", default=True)),
                self._type_pin,
            ),
            Verb("freeze_reader", "the reader hangs: it hears and says nothing", (*where, back), self._freeze),
            Verb("unplug_reader", "pull the reader's data pair", (*where, back), self._unplug),
            Verb("restart_reader", "cut and restore the reader's power", where, self._restart),
            Verb("reader_tamper", "take the reader's cover off", (*where, back), self._tamper),
            Verb("reader_power", "the reader reports that its supply fails", (*where, back), self._power),
            Verb("noise", "noise on the reader's wires", (*where, number("seed", "which noise", 1)), self._noise),
            Verb("cut_line", "cut an RS-485 line", (line, back), self._cut_line),
            Verb(
                "splice",
                "cut an RS-485 line, join a tap into it, and mend it: for the tap to hear and to speak",
                (line, number("seconds", "how long the line is open meanwhile", SPLICE_S)),
                self._splice,
            ),
            Verb(
                "replay",
                "the tap says to the panel again all that it has heard from the readers",
                (line,),
                self._replay,
            ),
        )

    def _find(self, door: str | None, reader: str | None) -> tuple[str, VirtualReader]:
        """A reader and its door."""
        site = self._site
        if reader is not None:
            if reader not in site.readers:
                raise OrderRefused(f"no reader {reader!r} here{nearest(reader, site.readers)}")
            return site.door_of[reader], site.readers[reader]
        if door is None:
            raise OrderRefused("needs 'door' (text) or 'reader' (text)")
        find_door(site, door)
        if door not in site.reader_of:
            raise OrderRefused(f"door {door!r} has no reader; these have: {', '.join(site.reader_of)}")
        return door, site.readers[site.reader_of[door]]

    def _osdp(self, door: str | None, reader: str | None) -> VirtualOsdpReader:
        _, found = self._find(door, reader)
        if not isinstance(found, VirtualOsdpReader):
            raise OrderRefused("this is no OSDP reader: it cannot report that")
        return found

    def _swipe(self, door: str | None, reader: str | None, card: str, walk: bool) -> Answer:
        at, found = self._find(door, reader)
        held = self._cards.get(card)
        if held is None:
            raise OrderRefused(f"no card of {card!r}{nearest(card, self._cards)}")
        if walk:
            self._people.wait_for_green(at)
        found.swipe(held.bits, held.data)
        return {}

    def _type_pin(self, door: str | None, reader: str | None, pin: str, walk: bool) -> Answer:
        if not pin or set(pin) - set("0123456789*#"):
            raise OrderRefused(f"type_pin: expected keys out of 0-9, * and #, not {len(pin)} others")
        at, found = self._find(door, reader)
        if walk:
            self._people.wait_for_green(at)
        found.press(pin)
        return {}

    def _freeze(self, door: str | None, reader: str | None, on: bool) -> None:
        found = self._osdp(door, reader)
        (found.freeze if on else found.thaw)()

    def _unplug(self, door: str | None, reader: str | None, on: bool) -> None:
        _, found = self._find(door, reader)
        (found.unplug if on else found.plug)()

    def _restart(self, door: str | None, reader: str | None) -> None:
        self._osdp(door, reader).restart()

    def _tamper(self, door: str | None, reader: str | None, on: bool) -> None:
        self._osdp(door, reader).tamper(on)

    def _power(self, door: str | None, reader: str | None, on: bool) -> None:
        self._osdp(door, reader).power_fault(on)

    def _noise(self, door: str | None, reader: str | None, seed: float) -> None:
        _, found = self._find(door, reader)
        found.noise(int(seed))

    # --- lines ---

    def _line(self, name: str | None) -> tuple[VirtualLine, LineTap]:
        lines = self._site.lines
        if not lines:
            raise OrderRefused("this agent has no RS-485 line")
        if name is None:
            if len(lines) > 1:
                raise OrderRefused(f"which 'line'? there are: {', '.join(lines)}")
            name = next(iter(lines))
        if name not in lines:
            raise OrderRefused(f"no line {name!r} here{nearest(name, lines)}")
        return lines[name], self._site.taps[name]

    def _cut_line(self, line: str | None, on: bool) -> None:
        found, _ = self._line(line)
        (found.cut if on else found.mend)()

    def _splice(self, line: str | None, seconds: float) -> None:
        found, tap = self._line(line)
        found.cut()
        tap.splice_in()
        self._site.later(seconds, found.mend)

    def _replay(self, line: str | None) -> Answer:
        found, tap = self._line(line)
        if not tap.tape:
            raise OrderRefused("the tap has heard nothing yet; 'splice' it in first, and let somebody swipe")
        found.inject(tap.tape)
        return {"bytes": len(tap.tape)}
