"""From what a reader read to what its door does: looks up, judges, opens, tells; the state of every attempt.

The judging is pure and elsewhere (edge_agent.access and the rules it names). It all runs on the loop and waits for
nothing. PINs and card numbers are never logged: events name cardholders.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edge_agent.access import Denied, decide
from edge_agent.clock import Clock
from edge_agent.config_file import AgentFile
from edge_agent.door_state import DoorState, Granted
from edge_agent.journal import Journal
from edge_agent.reader_display import Show
from edge_agent.rules import Rules
from edge_agent.wiring import Passage
from protocol import credentials
from protocol.words import EventKind

log = logging.getLogger(__name__)

REFUSED_EVERY_MS = 60_000
"""What noise at a reader is told at most this often, with its count."""


class Doors(Protocol):
    """What the badge path needs of the doors."""

    @property
    def rules(self) -> Rules:
        """The configuration in use."""

    def door_state(self, door: str) -> DoorState:
        """What is known of a door."""

    def open_for(self, door: str, granted: Granted) -> None:
        """Somebody may pass."""


@dataclass(frozen=True, slots=True)
class ReaderPlace:
    """Where a reader is."""

    door: str
    passage: Passage


@dataclass(slots=True)
class _Noise:
    """Reads of one reader that were no reads, not yet told."""

    count: int = 0
    reason: str = ""
    told_ms: int | None = None


def reader_places(config: AgentFile) -> dict[str, ReaderPlace]:
    """Every reader of an agent, of whatever kind, by name."""
    readers = (
        *(reader for line in config.reader_lines for reader in line.readers),
        *config.wiegand_readers,
        *config.serial_readers,
    )
    return {reader.reader: ReaderPlace(reader.door, reader.passage) for reader in readers}


class BadgePath:
    """The readers' side of an agent's doors. ``on_show(reader, what)`` tells a reader what to show."""

    def __init__(
        self,
        *,
        doors: Doors,
        key: bytes,
        places: Mapping[str, ReaderPlace],
        clock: Clock,
        journal: Journal,
        on_show: Callable[[str, Show], None],
    ) -> None:
        self._doors = doors
        self._key = key
        self._places = dict(places)
        self._clock = clock
        self._journal = journal
        self._on_show = on_show
        self._noise: dict[str, _Noise] = {}

    def readers_of(self, door: str) -> tuple[str, ...]:
        """The names of a door's readers."""
        return tuple(name for name, place in self._places.items() if place.door == door)

    def card_read(self, reader: str, door: str, bits: int, data: bytes, read_ms: int) -> None:
        """A card at a reader (``bits`` left-aligned in ``data``), read at ``read_ms`` of the monotonic clock."""
        rules = self._doors.rules
        token = credentials.token(self._key, bits, data)
        credential = rules.credentials.find(token)
        decision = decide(
            credential,
            rules.settings(door),
            self._doors.door_state(door).mode,
            rules=rules.access,
            schedules=rules.schedules,
            now_utc_ns=self._clock.utc_ns(),
            clock_trusted=self._clock.trusted(),
            timezone=rules.timezone,
            read_age_ms=max(0, self._clock.mono_ms() - read_ms),
        )
        if isinstance(decision, Denied):
            who = None if credential is None else credential.cardholder
            data_: dict[str, Any] = {"reader": reader, "reason": decision.reason, "cardholder": who}
            self._journal.add(EventKind.ACCESS_DENIED, data_, door=door)
        else:
            by = {"reader": reader, "cardholder": decision.cardholder, "override": decision.override}
            self._doors.open_for(door, Granted(by, override=decision.override))
        self._on_show(reader, Show.DENIED if isinstance(decision, Denied) else Show.GRANTED)

    def keys_pressed(self, reader: str, door: str, keys: str, read_ms: int) -> None:
        """Keys at a reader: '0' to '9', '*' clears, '#' enters."""

    def read_refused(self, reader: str, door: str, reason: str) -> None:
        """A reader sent what is no card and no key. Counted, and told at most once a minute a reader."""
        noise = self._noise.setdefault(reader, _Noise())
        noise.count += 1
        noise.reason = reason
        self._tell_noise(reader, door, noise)

    def follow(self) -> None:
        """Do what is due by now."""
        for reader, noise in self._noise.items():
            if noise.count:
                self._tell_noise(reader, self._places[reader].door, noise)

    def _tell_noise(self, reader: str, door: str, noise: _Noise) -> None:
        now = self._clock.mono_ms()
        if noise.told_ms is not None and now - noise.told_ms < REFUSED_EVERY_MS:
            return
        data = {"reader": reader, "reason": noise.reason, "count": noise.count}
        self._journal.add(EventKind.CARD_READ_REFUSED, data, door=door)
        noise.count, noise.told_ms = 0, now
