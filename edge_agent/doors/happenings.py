"""What an agent's doors report, at once and in the order it happens. Frozen values: `match` on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class DoorOpened:
    """A door's contact shows it open. It was last seen closed at ``closed_seen_ms`` (monotonic)."""

    door: str
    closed_seen_ms: int


@dataclass(frozen=True, slots=True)
class HeldWarning:
    """A door has stood open for nearly too long."""

    door: str


@dataclass(frozen=True, slots=True)
class FireAlarm:
    """The fire alarm began, or is over. The doors follow after this."""

    active: bool


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """Another configuration is in use. The doors follow after this."""


@dataclass(frozen=True, slots=True)
class SensorsRead:
    """Every sensor was read: time has passed, and what was due by now is done at the doors."""


@dataclass(frozen=True, slots=True)
class DoorsChanged:
    """A snapshot of the doors would look different."""


Happening: TypeAlias = DoorOpened | HeldWarning | FireAlarm | RulesChanged | SensorsRead | DoorsChanged
