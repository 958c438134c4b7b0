"""People who were granted a door and have not opened it yet: their position changes when the door opens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.agent_yaml.wiring import Passage
from edge_agent.doors.state import DoorState
from edge_agent.policy import passback
from edge_agent.policy.passback import Position
from edge_agent.storage.presence import Presence
from protocol.messages import DoorSettings
from protocol.words import Contact


@dataclass(frozen=True, slots=True)
class _Entering:
    cardholder: str
    area: str | None
    until_ms: int


class Movements:
    """Brings those who were granted a door to their new area once its contact shows that it opened."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._entering: dict[str, list[_Entering]] = {}

    def granted(
        self, settings: DoorSettings, passage: Passage, cardholders: Iterable[str], state: DoorState, now_ms: int
    ) -> None:
        """Note people who may pass now. ``state`` is the door's after the grant; if it stands open they pass at once.

        If the door is not opened within the grant, they are where they were.
        """
        if not passback.counts(settings):
            return
        area, new = passback.destination(settings, passage), tuple(cardholders)
        before = self._entering.get(settings.door, ())
        waiting = [one for one in before if one.until_ms > now_ms and one.cardholder not in new]
        waiting += [_Entering(cardholder, area, state.grant_until_ms) for cardholder in new]
        self._entering[settings.door] = waiting
        if state.contact is Contact.OPEN:
            self.opened(settings.door, closed_seen_ms=now_ms - 1, now_ms=now_ms)

    def forget(self) -> None:
        """Forget all grants: no position follows from them any more."""
        self._entering.clear()

    def opened(self, door: str, *, closed_seen_ms: int, now_ms: int) -> None:
        """A door opened, some time after it was last seen closed: all who had the right to pass since then have."""
        for one in self._entering.pop(door, ()):
            if one.until_ms > closed_seen_ms:
                self._presence.move(one.cardholder, Position(one.area, now_ms))
