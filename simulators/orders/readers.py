"""What can be ordered of the virtual readers and their lines: cards, PINs, covers, cables and attackers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulators.hardware.line import VirtualLine
from simulators.hardware.line_tap import LineTap
from simulators.hardware.osdp_reader import VirtualOsdpReader
from simulators.hardware.readers import VirtualReader
from simulators.orders.book import Verb, flag, nearest, number, text
from simulators.orders.control import Answer, OrderRefused
from simulators.orders.doors import find_door
from simulators.school.world import World

LOST_CARD = "lost"
SPLICE_S = 1.5
"""Long enough to strip two wires, and to be heard as a silence."""


def reader_verbs() -> tuple[Verb, ...]:
    """The verbs that take a reader, by its own name or its door's, or a line of readers."""
    where = (
        text("door", "the door the reader opens", None),
        text("reader", "or the reader's own name", None),
    )
    back = flag("on", "unticked (false) puts it right again", default=True)
    line = text("line", "the line's device in agent.yaml; may be left out where there is one", None)
    return (
        Verb(
            "swipe",
            "somebody holds a card to the reader",
            (
                *where,
                text("card", 'a cardholder\'s id, or "lost" for a card the district does not know'),
                flag("walk", "walk in if the reader shows green", default=True),
                text("pin", "what they type if the reader asks for a PIN", "own", ("own", "duress", "none")),
            ),
            _swipe,
        ),
        Verb(
            "type_pin",
            "somebody types at the keypad; without # at the end nothing is entered",
            (*where, text("pin", "0-9, * clears, # enters"), flag("walk", "walk in on green", default=True)),
            _type_pin,
        ),
        Verb("freeze_reader", "the reader hangs: it hears and says nothing", (*where, back), _on_osdp(_freeze)),
        Verb("unplug_reader", "pull the reader's data pair", (*where, back), _unplug),
        Verb("restart_reader", "cut and restore the reader's power", where, _on_osdp(VirtualOsdpReader.restart)),
        Verb("reader_tamper", "take the reader's cover off", (*where, back), _on_osdp(VirtualOsdpReader.tamper)),
        Verb(
            "reader_power",
            "the reader reports that its supply fails",
            (*where, back),
            _on_osdp(VirtualOsdpReader.power_fault),
        ),
        Verb("noise", "noise on the reader's wires", (*where, number("seed", "which noise", 1)), _noise),
        Verb("cut_line", "cut an RS-485 line", (line, back), _cut_line),
        Verb(
            "splice",
            "cut an RS-485 line, join a tap into it, and mend it: for the tap to hear and to speak",
            (line, number("seconds", "how long the line is open meanwhile", SPLICE_S)),
            _splice,
        ),
        Verb(
            "replay",
            "the tap says to the panel again all that it has heard from the readers",
            (line,),
            _replay,
        ),
    )


def _find(world: World, door: str | None, reader: str | None) -> tuple[str, VirtualReader]:
    """A reader and its door."""
    site = world.site
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


def _on_osdp(act: Callable[..., None]) -> Callable[..., None]:
    def carry_out(world: World, door: str | None, reader: str | None, **fields: Any) -> None:
        _, found = _find(world, door, reader)
        if not isinstance(found, VirtualOsdpReader):
            raise OrderRefused("this is no OSDP reader: it cannot report that")
        act(found, **fields)

    return carry_out


def _swipe(world: World, *, door: str | None, reader: str | None, card: str, walk: bool, pin: str) -> Answer:
    at, found = _find(world, door, reader)
    held = world.cards.get(card)
    if held is None:
        raise OrderRefused(f"no card of {card!r}{nearest(card, world.cards)}")
    if walk:
        world.people.wait_for_green(at, {"own": held.pin, "duress": held.duress_pin}.get(pin))
    found.swipe(held.bits, held.data)
    return {}


def _type_pin(world: World, door: str | None, reader: str | None, pin: str, walk: bool) -> Answer:
    if not pin or set(pin) - set("0123456789*#"):
        raise OrderRefused(f"type_pin: expected keys out of 0-9, * and #, not {len(pin)} others")
    at, found = _find(world, door, reader)
    if walk:
        world.people.wait_for_green(at)
    found.press(pin)
    return {}


def _freeze(reader: VirtualOsdpReader, on: bool) -> None:
    (reader.freeze if on else reader.thaw)()


def _unplug(world: World, door: str | None, reader: str | None, on: bool) -> None:
    _, found = _find(world, door, reader)
    (found.unplug if on else found.plug)()


def _noise(world: World, door: str | None, reader: str | None, seed: float) -> None:
    _, found = _find(world, door, reader)
    found.noise(int(seed))


# --- lines ---


def _line(world: World, name: str | None) -> tuple[VirtualLine, LineTap]:
    lines = world.site.lines
    if not lines:
        raise OrderRefused("this agent has no RS-485 line")
    if name is None:
        if len(lines) > 1:
            raise OrderRefused(f"which 'line'? there are: {', '.join(lines)}")
        name = next(iter(lines))
    if name not in lines:
        raise OrderRefused(f"no line {name!r} here{nearest(name, lines)}")
    return lines[name], world.site.taps[name]


def _cut_line(world: World, line: str | None, on: bool) -> None:
    found, _ = _line(world, line)
    (found.cut if on else found.mend)()


def _splice(world: World, line: str | None, seconds: float) -> None:
    found, tap = _line(world, line)
    found.cut()
    tap.splice_in()
    world.site.later(seconds, found.mend)


def _replay(world: World, line: str | None) -> Answer:
    found, tap = _line(world, line)
    if not tap.tape:
        raise OrderRefused("the tap has heard nothing yet; 'splice' it in first, and let somebody swipe")
    found.inject(tap.tape)
    return {"bytes": len(tap.tape)}
