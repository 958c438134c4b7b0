"""Scenarios: what happens in a virtual district, step by step, and what must come of it. Parsing only.

A scenario is a YAML file (see simulators/scenarios/). Every step may say when: ``at: "08:00"`` (school time) or
``after: 2s`` (since the step before). Then it says ``do:`` something to a door, a school or the district, or
``expect:`` something to be shown by central within a time. simulators.scenario_player plays it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge_agent import yaml_fields
from edge_agent.yaml_fields import ConfigError, Fields
from protocol import topics
from protocol.words import Condition, ScopeKind, SrpAction
from simulators.rhythm import DAY_BEGINS, time_of_day

__all__ = [
    "ConfigError",
    "Declare",
    "DoorRef",
    "ExpectClosure",
    "ExpectDoor",
    "Never",
    "People",
    "Release",
    "Scenario",
    "SiteOrder",
    "Step",
    "Wait",
    "load_scenario",
    "scenario_file",
    "scenario_names",
]

FOLDER = Path(__file__).parent / "scenarios"
WITHIN_S = 10.0

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
class Step:
    """When a step begins: at a minute of the school day, or some seconds after the step before."""

    at: int | None = None
    after_s: float = 0.0
    fault: Fault = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Nothing but time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People(Step):
    """Everybody begins the day, or rests."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOrder(Step):
    """An order to a virtual school, as simulators.site_orders has them. ``agent``, or the one that has ``door``."""

    site: str
    agent: str | None
    order: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declare(Step):
    """Somebody declares an SRP action. ``name`` is what later steps call it."""

    name: str
    action: str
    scope: dict[str, str]
    drill: bool
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Step):
    """Somebody asks for the end of a declaration, or is the second to."""

    name: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectDoor(Step):
    """Central shows a door in a condition."""

    door: DoorRef
    condition: Condition
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectClosure(Step):
    """Of a declaration's doors, all but those broken on purpose are proven, at one and the same time."""

    name: str
    within_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Never(Step):
    """From here to the end central does not show a door in a condition."""

    door: DoorRef
    condition: Condition


@dataclass(frozen=True, slots=True)
class Scenario:
    """A parsed scenario. ``breaks``: the doors it breaks on purpose, which nobody expects to be proven."""

    name: str
    title: str
    starts: int
    speed: float
    breaks: frozenset[DoorRef]
    steps: tuple[Step, ...]


class _Order(StrEnum):
    """What ``do:`` may say."""

    WAIT = "wait"
    PEOPLE = "people"
    DECLARE = "declare"
    RELEASE = "release"
    SWIPE = "swipe"
    PRESS_REX = "press_rex"
    PERSON_OPENS = "person_opens"
    FORCE = "force"
    PROP = "prop"
    CLOSE = "close"
    JAM = "jam"
    UNJAM = "unjam"
    BOUNCE = "bounce"
    TAMPER = "tamper"
    FREEZE_READER = "freeze_reader"
    FIRE = "fire"
    PANIC = "panic"


class _Expectation(StrEnum):
    """What ``expect:`` may say."""

    DOOR = "door"
    PROVEN = "proven"
    NEVER = "never"


_WHOLE_AGENT = (_Order.FIRE, _Order.PANIC)
_MAY_SAY_ON = (_Order.PROP, _Order.TAMPER, _Order.FREEZE_READER, _Order.FIRE)


def scenario_names() -> tuple[str, ...]:
    """The scenarios that come with Doorward."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def scenario_file(name: str) -> Path:
    """The file of a scenario by its name, or by a path that ends in .yaml. ValueError names those there are."""
    if name.endswith((".yaml", ".yml")):
        return Path(name)
    if name not in scenario_names():
        raise ValueError(
            f"there is no scenario {name!r}; there are: {', '.join(scenario_names())}, or give a path to a .yaml"
        )
    return FOLDER / f"{name}.yaml"


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario. :class:`ConfigError` names file, line and field, and what to do."""
    with yaml_fields.read(path) as fields:
        declared: set[str] = set()
        steps = tuple(_step(entry, declared) for entry in fields.sections("steps"))
        if not steps:
            raise fields.error("steps", "is empty; a scenario has at least one step, like '- do: people'")
        return Scenario(
            name=fields.checked("scenario", topics.check_name),
            title=fields.text("title"),
            starts=fields.checked("starts", time_of_day) if fields.given("starts") else DAY_BEGINS,
            speed=float(fields.integer("speed", 1, 600, default=60)),
            breaks=frozenset(_broken(entry) for entry in fields.sections("breaks")),
            steps=steps,
        )


def duration_s(text: str) -> float:
    """Seconds of ``10s``, ``1.5s``, ``500ms`` or ``2min``. ValueError otherwise."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|min)", text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write it like 10s, 500ms or 2min")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "min": 60.0}[found[2]]


def _broken(entry: Fields) -> DoorRef:
    with entry as fields:
        return _door(fields)


def _step(entry: Fields, declared: set[str]) -> Step:
    with entry as fields:
        verb = "do" if fields.given("do") else "expect"
        if verb == "expect" and not fields.given("expect"):
            raise fields.error("do", "is missing: a step needs a 'do: …' or an 'expect: …'")
        when: dict[str, Any] = {"fault": lambda problem: fields.error(verb, problem)}
        if fields.given("at"):
            when["at"] = fields.checked("at", time_of_day)
        if fields.given("after"):
            when["after_s"] = fields.checked("after", duration_s)
        if len(when) > 2:
            raise fields.error("after", "stands beside 'at'; a step begins at one time, keep one of the two")
        if verb == "expect":
            return _expectation(fields, declared, when)
        return _deed(fields, declared, when)


def _deed(fields: Fields, declared: set[str], when: dict[str, Any]) -> Step:
    verb = fields.choice("do", _Order)
    match verb:
        case _Order.WAIT:
            return Wait(**when)
        case _Order.PEOPLE:
            return People(on=fields.boolean("on", default=True), **when)
        case _Order.DECLARE:
            return _declare(fields, declared, when)
        case _Order.RELEASE:
            return Release(name=_declared(fields, declared), by=fields.text("by", "officer"), **when)
    return _site_order(fields, verb, when)


def _site_order(fields: Fields, verb: _Order, when: dict[str, Any]) -> SiteOrder:
    order: dict[str, Any] = {"do": str(verb)}
    agent = None
    if verb in _WHOLE_AGENT:
        agent = fields.checked("agent", topics.check_name)
    else:
        order["door"] = fields.checked("door", topics.check_name)
    if verb in _MAY_SAY_ON and fields.given("on"):
        order["on"] = fields.boolean("on", default=None)
    if verb is _Order.SWIPE:
        order["card"] = fields.text("card")
    if verb is _Order.PERSON_OPENS:
        order["from_inside"] = fields.boolean("from_inside", default=False)
    return SiteOrder(site=fields.checked("site", topics.check_name), agent=agent, order=order, **when)


def _declare(fields: Fields, declared: set[str], when: dict[str, Any]) -> Declare:
    name = fields.checked("name", topics.check_name)
    if name in declared:
        raise fields.error("name", f"{name!r} is declared already; give this one another name")
    declared.add(name)
    with fields.section("scope") as scope:
        kind = scope.choice("kind", ScopeKind)
        named = [part for part in ("site", "zone", "door") if scope.given(part)]
        wanted = {ScopeKind.DISTRICT: [], ScopeKind.SITE: ["site"]}.get(kind, ["site", str(kind)])
        if named != wanted:
            raise scope.error("kind", f"{kind} takes {' and '.join(wanted) or 'nothing else'}, not {named or 'that'}")
        where = {part: scope.checked(part, topics.check_name) for part in named}
    return Declare(
        name=name,
        action=str(fields.choice("action", SrpAction)),
        scope={"kind": str(kind), **where},
        drill=fields.boolean("drill", default=None),
        reason=fields.text("reason", "scenario"),
        by=fields.text("by", "officer"),
        **when,
    )


def _expectation(fields: Fields, declared: set[str], when: dict[str, Any]) -> Step:
    kind = fields.choice("expect", _Expectation)
    if kind is _Expectation.NEVER:
        return Never(door=_door(fields), condition=fields.choice("condition", _KnownCondition).condition, **when)
    within_s = fields.checked("within", duration_s) if fields.given("within") else WITHIN_S
    if kind is _Expectation.PROVEN:
        return ExpectClosure(name=_declared(fields, declared), within_s=within_s, **when)
    condition = fields.choice("condition", _KnownCondition).condition
    return ExpectDoor(door=_door(fields), condition=condition, within_s=within_s, **when)


class _KnownCondition(StrEnum):
    """protocol.words.Condition, for which every unknown word is "unknown"; here a wrong word is an error."""

    SECURE = "secure"
    OPEN = "open"
    UNLATCHED = "unlatched"
    JAMMED = "jammed"
    FORCED = "forced"
    HELD = "held"
    TAMPERED = "tampered"
    UNKNOWN = "unknown"

    @property
    def condition(self) -> Condition:
        return Condition(self.value)


def _door(fields: Fields) -> DoorRef:
    return DoorRef(fields.checked("site", topics.check_name), fields.checked("door", topics.check_name))


def _declared(fields: Fields, declared: set[str]) -> str:
    name = fields.text("name")
    if name not in declared:
        known = ", ".join(sorted(declared)) or "none yet"
        raise fields.error("name", f"nothing called {name!r} is declared before this step; there is: {known}")
    return name
