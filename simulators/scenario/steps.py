"""What a scenario is made of: its steps, as plain data. Parsed by simulators.scenario.parse, played by its player."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from ground.problems import ConfigError
from protocol.words import Alarm, Condition, DoorMode

Fault = Callable[[str], ConfigError]
"""Makes the error that names a step's file and line."""


@dataclass(frozen=True, slots=True)
class DoorRef:
    """A door of the district."""

    site: str
    door: str

    def __str__(self) -> str:
        return f"{self.site}/{self.door}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStep:
    """When a step begins: at a minute of the school day, or some seconds after the step before."""

    at: int | None = None
    after_s: float = 0.0
    fault: Fault = field(compare=False, repr=False)

    @property
    def said(self) -> str:
        """The step in a few words, for the log."""
        unsaid = ("at", "after_s", "fault", "within_s")
        given = [getattr(self, part.name) for part in fields(self) if part.name not in unsaid]
        return " ".join(str(value) for value in given if value is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(ScenarioStep):
    """A step that only lets time pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovePeople(ScenarioStep):
    """Everybody begins the day, or rests."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOrder(ScenarioStep):
    """An order to a virtual school, as simulators.orders.site has them. ``agent``, or the one that has ``door``."""

    site: str
    agent: str | None
    order: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Power(ScenarioStep):
    """An agent's machine loses its power without a warning, or has it again."""

    site: str
    agent: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Declare(ScenarioStep):
    """Somebody declares an SRP action. ``name`` is what later steps call it."""

    name: str
    action: str
    scope: dict[str, str]
    drill: bool
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(ScenarioStep):
    """Somebody asks for the end of a declaration, or is the second to."""

    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectDoor(ScenarioStep):
    """Central shows a door in a condition."""

    door: DoorRef
    condition: Condition
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectMode(ScenarioStep):
    """Central shows a door in a mode."""

    door: DoorRef
    mode: DoorMode
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectAlarm(ScenarioStep):
    """Central lists an alarm with a door; or, with ``on`` false, lists it no more."""

    door: DoorRef
    alarm: Alarm
    on: bool
    within_s: float

    @property
    def said(self) -> str:
        return f"{self.door} shows {'the alarm' if self.on else 'no alarm'} {self.alarm}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectEvents(ScenarioStep):
    """Central has at least so many events of a kind from a school (or one door of it) since the scenario began."""

    site: str
    door: str | None
    kind: str
    at_least: int
    within_s: float

    @property
    def said(self) -> str:
        return f"{self.site} {self.door or ''} has at least {self.at_least} {self.kind} events"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectClosure(ScenarioStep):
    """Of a declaration's doors, all but those broken on purpose are proven, at one and the same time."""

    name: str
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSeen(ScenarioStep):
    """Every door of the district is shown with fresh evidence."""

    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Never(ScenarioStep):
    """From here to the end central does not show a door in a condition."""

    door: DoorRef
    condition: Condition


@dataclass(frozen=True, slots=True)
class Scenario:
    """A parsed scenario. ``breaks``: the doors it breaks on purpose, which are not expected to be proven.

    ``leaves_broken``: they are broken still at its end, so it is the last to be played in a district.
    """

    name: str
    title: str
    starts: int
    speed: float
    breaks: frozenset[DoorRef]
    leaves_broken: bool
    steps: tuple[ScenarioStep, ...]

    @property
    def moves_people(self) -> bool:
        """Whether people walk about in it of their own accord."""
        orders = [step.order["do"] for step in self.steps if isinstance(step, SiteOrder)]
        return "rush" in orders or any(isinstance(step, MovePeople) for step in self.steps)
