"""The first of two people, who waits at one side of a door for the second. The rule is policy.second_person's."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.agent_yaml.wiring import Passage
from edge_agent.policy import second_person
from edge_agent.policy.second_person import Waiting
from protocol.messages import DoorSettings

Side = tuple[str, Passage]


class Pairs:
    """Who waits at the doors of one agent. In memory only; times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._waiting: dict[Side, Waiting] = {}

    def waiting(self, side: Side) -> Waiting | None:
        """Who waits at a side of a door, perhaps for too long already."""
        return self._waiting.get(side)

    def arrive(
        self, door: DoorSettings, passage: Passage, cardholder: str, reader: str, now_ms: int, *, member: bool
    ) -> Waiting | None:
        """Somebody whom the door would let in. Who has waited for them; None if they wait themselves from now on."""
        side = (door.door, passage)
        waiting, first = second_person.arrive(
            self._waiting.pop(side, None), door, cardholder, reader, now_ms, member=member
        )
        if waiting is not None:
            self._waiting[side] = waiting
        return first

    def clear(self) -> None:
        """Another configuration: they were judged by the former one, and ask again."""
        self._waiting.clear()

    def overdue(self, secured: Callable[[str], bool], now_ms: int) -> list[tuple[str, Waiting]]:
        """(door, who has waited there in vain): too long, or at a door that is secured now. They are forgotten."""
        over = [side for side, one in self._waiting.items() if now_ms >= one.until_ms or secured(side[0])]
        return [(side[0], self._waiting.pop(side)) for side in over]

    def due_ms(self) -> int | None:
        return min((one.until_ms for one in self._waiting.values()), default=None)
