"""Anti-passback: a badge that is inside an area cannot go in again, handed back over the fence.

Pure. Unknown positions are lenient: a person who was never seen, or not since the agent lost its memory, passes,
and has a position from then on. Each agent knows its own positions only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from edge_agent.agent_yaml.wiring import Passage
from protocol.messages import DoorSettings
from protocol.words import Passback


@dataclass(frozen=True, slots=True)
class Position:
    """Where somebody is known to be: in an area, or outside all (None)."""

    area: str | None
    since_ms: int | None = None  # monotonic; None: since before this start of the agent


class Finding(Enum):
    """What anti-passback finds about somebody who wants to pass."""

    FREE = auto()
    NOTED = auto()  # in the wrong area, and passes
    AGAINST = auto()


def counts(door: DoorSettings) -> bool:
    """Whether passing this door changes where somebody is."""
    return door.area_from != door.area_to


def destination(door: DoorSettings, passage: Passage) -> str | None:
    """The area somebody is in after passing; None is outside."""
    return door.area_to if passage is Passage.IN else door.area_from


def origin(door: DoorSettings, passage: Passage) -> str | None:
    """The area somebody must be in to pass; None is outside."""
    return door.area_from if passage is Passage.IN else door.area_to


def one_way(readers: Iterable[tuple[DoorSettings, Passage]]) -> frozenset[tuple[str, Passage]]:
    """(door, side) of readers at which soft and hard cannot apply: no reader leads to where they lead from, or none
    leads out of where they lead to. People who passed one could never pass it again."""
    sides = [(door, passage) for door, passage in readers if counts(door)]
    entered = {destination(door, passage) for door, passage in sides}
    left = {origin(door, passage) for door, passage in sides}
    return frozenset(
        (door.door, passage)
        for door, passage in sides
        if door.passback in {Passback.SOFT, Passback.HARD}
        and not (origin(door, passage) in entered and destination(door, passage) in left)
    )


def judge(
    door: DoorSettings, passage: Passage, position: Position | None, *, now_ms: int, exempt: bool = False
) -> Finding:
    """Whether somebody may pass a reader of this door. ``position`` None: not known.

    Soft and hard require that they are where the door leads from. Timed requires that they did not enter the area
    it leads to within the last ``passback_ms``, and so needs no exit reader.
    """
    if door.passback is Passback.OFF or exempt or position is None or not counts(door):
        return Finding.FREE
    source, target = origin(door, passage), destination(door, passage)
    if door.passback is Passback.TIMED:
        just = position.since_ms is not None and now_ms - position.since_ms < door.passback_ms
        return Finding.AGAINST if position.area == target and just else Finding.FREE
    if position.area == source:
        return Finding.FREE
    return Finding.NOTED if door.passback is Passback.SOFT else Finding.AGAINST
