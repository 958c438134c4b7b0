"""Faults by lot: a seed breaks some doors of a virtual site, always the same ones, and one order mends them all.

For an exercise nobody has rehearsed: the seed is in the answer, so the same trouble can be had again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulators.orders.book import Verb, number
from simulators.orders.control import Answer, Order, OrderRefused
from simulators.school.world import World


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault a door can have: the order that makes it, and the order that mends it."""

    name: str
    make: dict[str, Any]
    mend: dict[str, Any]
    needs: str = ""  # an input the door must have


KINDS = (
    FaultKind("jam", {"do": "jam"}, {"do": "unjam"}, "bolt"),
    FaultKind("weak bolt", {"do": "weak_bolt", "travel_s": 6.0}, {"do": "weak_bolt", "travel_s": 0.3}, "bolt"),
    FaultKind("dead strike", {"do": "dead_strike"}, {"do": "dead_strike", "on": False}, "bolt"),
    FaultKind("contact cut", {"do": "cut"}, {"do": "cut", "on": False}),
    FaultKind("contact shorted", {"do": "short"}, {"do": "short", "on": False}),
    FaultKind("contact reversed", {"do": "miswire"}, {"do": "miswire", "on": False}),
    FaultKind(
        "bolt wire cut",
        {"do": "cut", "input": "bolt"},
        {"do": "cut", "input": "bolt", "on": False},
        "bolt",
    ),
    FaultKind("propped", {"do": "prop"}, {"do": "close"}),
    FaultKind("cover off", {"do": "tamper"}, {"do": "tamper", "on": False}, "tamper"),
    FaultKind("reader frozen", {"do": "freeze_reader"}, {"do": "freeze_reader", "on": False}, "reader"),
)


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One door and what is to be wrong with it."""

    door: str
    kind: FaultKind


def plan_faults(seed: int, count: int, doors: dict[str, frozenset[str]]) -> tuple[PlannedFault, ...]:
    """``count`` doors, each with one fault. Pure: the same seed and doors give the same faults.

    ``doors``: every door -> which of contact, bolt, rex, tamper, reader it has. ValueError if there are fewer doors.
    """
    if not 1 <= count <= len(doors):
        raise ValueError(f"{count} faults: expected 1 to {len(doors)}, one a door at most")
    rng = random.Random(seed)
    chosen = rng.sample(sorted(doors), count)
    return tuple(
        PlannedFault(door, rng.choice([kind for kind in KINDS if not kind.needs or kind.needs in doors[door]]))
        for door in chosen
    )


def fault_verbs(order: Callable[[World, Order], Answer]) -> tuple[Verb, ...]:
    """``faults`` and ``mend``. ``order`` carries out the orders that a fault is made of."""

    def make(world: World, seed: float, count: float) -> Answer:
        if world.faults:
            raise OrderRefused(f"faults: there are {len(world.faults)} already; 'mend' first")
        planned = plan_faults(int(seed), int(count), world.site.fitted())
        for fault in planned:
            order(world, {"door": fault.door, **fault.kind.make})
            world.faults[fault.door] = fault.kind.name
        return {"seed": int(seed), "faults": dict(world.faults)}

    def mend(world: World) -> Answer:
        kinds = {kind.name: kind for kind in KINDS}
        for door, name in world.faults.items():
            order(world, {"door": door, **kinds[name].mend})
        mended = list(world.faults)
        world.faults.clear()
        return {"mended": mended}

    return (
        Verb(
            "faults",
            "break some doors, chosen by lot; the same seed chooses the same again",
            (number("seed", "names the lot", 1), number("count", "how many doors", 1)),
            make,
        ),
        Verb("mend", "put right every fault that 'faults' made", (), mend),
    )
