"""What can be ordered of a virtual door: people at it, trouble with it, and faults in its wires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from simulators.hardware.door import DoorInput, VirtualDoor
from simulators.hardware.switch import WireFault
from simulators.orders.book import DOOR, Verb, flag, nearest, number, text
from simulators.orders.control import Answer, OrderRefused
from simulators.school.people import WALK_THROUGH_S
from simulators.school.site import VirtualSite
from simulators.school.world import World

BOUNCES = 8
BOUNCE_EVERY_S = 0.004

INPUTS = tuple(str(one) for one in DoorInput)


def find_door(site: VirtualSite, name: str) -> VirtualDoor:
    """A door by its name. :class:`OrderRefused` with those that are near."""
    if name not in site.doors:
        raise OrderRefused(f"no door {name!r} here{nearest(name, site.doors)}")
    return site.doors[name]


def door_verbs() -> tuple[Verb, ...]:
    """The verbs that take a door."""

    def on(act: Callable[..., Any]) -> Callable[..., Answer]:
        def carry_out(world: World, door: str, **fields: Any) -> Answer:
            result = act(find_door(world.site, door), **fields)
            return result if isinstance(result, dict) else {}

        return carry_out

    which = text("input", "which switch of the door", "contact", INPUTS)
    off_mends = flag("on", "unticked (false) mends it", default=True)
    return (
        Verb("press_rex", "somebody presses the request-to-exit button", (DOOR,), on(VirtualDoor.press_rex)),
        Verb(
            "person_opens",
            "somebody pulls at the door (from inside: pushes the bar) and walks through if it gives way",
            (
                DOOR,
                number("hold_s", "seconds until it falls shut", WALK_THROUGH_S),
                flag("from_inside", "a person who leaves is always let out", default=False),
            ),
            on(_person_opens),
        ),
        Verb("force", "break the door open", (DOOR,), on(VirtualDoor.force_open)),
        Verb(
            "prop",
            "leave by the door and put a wedge under it",
            (DOOR, flag("on", "unticked (false) takes the wedge away", default=True)),
            on(_prop),
        ),
        Verb("close", "take any wedge away and shut the door firmly", (DOOR,), on(_close)),
        Verb("jam", "the bolt cannot enter the frame", (DOOR,), on(partial(VirtualDoor.jam, on=True))),
        Verb("unjam", "the bolt can enter the frame again", (DOOR,), on(partial(VirtualDoor.jam, on=False))),
        Verb("bounce", "the contact's wire shakes for a moment", (DOOR,), on(_bounce)),
        Verb(
            "weak_bolt",
            "from now on the bolt takes this long to be thrown: a worn spring",
            (DOOR, number("travel_s", "seconds", 3.0)),
            on(VirtualDoor.weaken_bolt),
        ),
        Verb(
            "weak_latch",
            "the latch does not catch when the door falls shut by itself",
            (DOOR, off_mends),
            on(VirtualDoor.weaken_latch),
        ),
        Verb(
            "dead_strike",
            "the bolt stays where it is, whatever the lock is commanded",
            (DOOR, off_mends),
            on(VirtualDoor.kill_strike),
        ),
        Verb(
            "lock_power",
            "the lock's own supply: off, a strike stays locked and a maglock lets go",
            (DOOR, flag("on", "unticked (false) takes the power away", default=True)),
            on(VirtualDoor.lock_power),
        ),
        Verb(
            "tamper",
            "take the cover off",
            (DOOR, flag("on", "unticked (false) puts it back", default=True)),
            on(VirtualDoor.pull_tamper),
        ),
        Verb("cut", "cut the wire of a switch", (DOOR, which, off_mends), on(partial(_break, WireFault.CUT))),
        Verb(
            "short",
            "let the two wires of a switch touch",
            (DOOR, which, off_mends),
            on(partial(_break, WireFault.SHORT)),
        ),
        Verb(
            "miswire",
            "connect a switch the wrong way round: normally open for normally closed",
            (DOOR, which, off_mends),
            on(partial(_break, WireFault.REVERSED)),
        ),
    )


def _person_opens(door: VirtualDoor, hold_s: float, from_inside: bool) -> Answer:
    return {"opened": door.person_opens(hold_s, from_inside=from_inside)}


def _prop(door: VirtualDoor, on: bool) -> None:
    if on:
        door.person_opens(from_inside=True)
    door.prop(on)


def _close(door: VirtualDoor) -> None:
    door.prop(False)
    door.close(firmly=True)


def _break(fault: WireFault, door: VirtualDoor, **fields: Any) -> None:
    door.break_wire(DoorInput(fields["input"]), fault if fields["on"] else WireFault.NONE)


def _bounce(door: VirtualDoor) -> None:
    """Faster than any debouncing lets through."""
    loop = asyncio.get_running_loop()
    for turn in range(BOUNCES):
        loop.call_later(
            turn * BOUNCE_EVERY_S, door.break_wire, DoorInput.CONTACT, WireFault.NONE if turn % 2 else WireFault.CUT
        )
