"""Somebody is made to open a door: an alarm for officers, of which nothing shows at the door."""

from __future__ import annotations

from edge_agent.doors.doors import Doors
from edge_agent.events.journal import Journal
from edge_agent.storage.presence import Presence
from protocol.words import Alarm, EventKind


class DuressAlarms:
    """Of one agent. Each stays until an officer clears it, over restarts too."""

    def __init__(self, doors: Doors, presence: Presence, journal: Journal) -> None:
        self._doors = doors
        self._presence = presence
        self._journal = journal

    def restore(self) -> None:
        """Raise again every alarm that was not cleared, even if its reader is gone. Keeps one whose
        door is not wired to this agent any more: the door may come back."""
        for door, reader in sorted(self._presence.duress()):
            if door in self._doors.held:
                self._set(reader, door, on=True)

    def begin(self, reader: str, door: str, cardholder: str | None, *, opened: bool) -> None:
        """A cardholder is made to use a reader; the door opened, or not."""
        self._journal.add(EventKind.DURESS, {"reader": reader, "cardholder": cardholder, "opened": opened}, door=door)
        self._presence.duress_began(door, reader)
        self._set(reader, door, on=True)

    def clear(self, door: str) -> bool:
        """Clear a door's alarm, by an officer's order; whether there was one."""
        readers = sorted(reader for at, reader in self._presence.duress() if at == door)
        for reader in readers:
            self._set(reader, door, on=False)
            self._presence.duress_cleared(door, reader)
        return bool(readers)

    def _set(self, reader: str, door: str, *, on: bool) -> None:
        self._doors.set_alarm(door, Alarm.DURESS, on=on, source={"reader": reader})
