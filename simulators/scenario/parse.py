"""Scenarios: what happens in a virtual district, step by step, and what must come of it. Parsing only.

A scenario is a YAML file (see simulators/scenario/library/). Every step may say when: ``at: "08:00"`` (school time)
or ``after: 2s`` (since the step before). Then it says ``do:`` something to a door, a school or the district, or
``expect:`` something to be shown by central within a time. simulators.scenario.player plays it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any

from edge_agent.agent_yaml import yaml_fields
from edge_agent.agent_yaml.yaml_fields import Fields
from protocol import topics
from protocol.words import Alarm, Condition, DoorMode, EventKind, ScopeKind, SrpAction
from simulators.orders.book import nearest
from simulators.orders.site import site_catalogue
from simulators.scenario.steps import (
    Declare,
    DoorRef,
    ExpectAlarm,
    ExpectClosure,
    ExpectDoor,
    ExpectEvents,
    ExpectMode,
    ExpectSeen,
    Never,
    People,
    Power,
    Release,
    Scenario,
    SiteOrder,
    Step,
    Wait,
)
from simulators.school.rhythm import DAY_BEGINS, time_of_day

FOLDER = Path(__file__).parent / "library"
WITHIN_S = 10.0


class _Order(StrEnum):
    """What ``do:`` may say beside the orders of a virtual school."""

    WAIT = "wait"
    PEOPLE = "people"
    POWER_CUT = "power_cut"
    POWER_BACK = "power_back"
    DECLARE = "declare"
    RELEASE = "release"


class _Expectation(StrEnum):
    """What ``expect:`` may say."""

    DOOR = "door"
    MODE = "mode"
    ALARM = "alarm"
    EVENTS = "events"
    PROVEN = "proven"
    SEEN = "seen"
    NEVER = "never"


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
            leaves_broken=fields.boolean("leaves_broken", default=False),
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
    verb = fields.text("do")
    if verb not in list(_Order):
        return _site_order(fields, verb, when)
    match _Order(verb):
        case _Order.WAIT:
            return Wait(**when)
        case _Order.PEOPLE:
            return People(on=fields.boolean("on", default=True), **when)
        case _Order.POWER_CUT | _Order.POWER_BACK as power:
            return Power(
                site=fields.checked("site", topics.check_name),
                agent=fields.checked("agent", topics.check_name),
                on=power is _Order.POWER_BACK,
                **when,
            )
        case _Order.DECLARE:
            return _declare(fields, declared, when)
        case _Order.RELEASE:
            return Release(name=_declared(fields, declared), by=fields.text("by", "officer"), **when)


def _site_order(fields: Fields, verb: str, when: dict[str, Any]) -> SiteOrder:
    """An order of the virtual schools' own book, with the fields that the book gives it."""
    book = {entry["do"]: entry for entry in site_catalogue()}
    if verb not in book:
        known = [*book, *map(str, _Order)]
        raise fields.error("do", f"{verb!r} is none of {', '.join(sorted(known))}{nearest(verb, known)}")
    entry = {field["name"]: field for field in book[verb]["fields"]}
    site = fields.checked("site", topics.check_name)
    order: dict[str, Any] = {"do": verb}
    if "door" in entry and fields.given("door"):
        order["door"] = fields.checked("door", topics.check_name)
    elif entry.get("door", {"required": False})["required"]:
        raise fields.error("door", "is missing; add 'door: …'")
    # A field that a door names is the door's; only what concerns the whole agent needs to say which.
    agent = None if "door" in order else fields.checked("agent", topics.check_name)
    for name, field in entry.items():
        if name == "door":
            continue
        if field["required"] or fields.given(name):
            order[name] = _value(fields, name, field["kind"])
    return SiteOrder(site=site, agent=agent, order=order, **when)


def _value(fields: Fields, name: str, kind: str) -> Any:
    if kind == "flag":
        return fields.boolean(name, default=None)
    if kind == "text":
        return fields.text(name)
    return fields.integer(name, -1_000_000, 1_000_000)


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
        return Never(door=_door(fields), condition=_condition(fields), **when)
    when["within_s"] = fields.checked("within", duration_s) if fields.given("within") else WITHIN_S
    if kind is _Expectation.PROVEN:
        return ExpectClosure(name=_declared(fields, declared), **when)
    if kind is _Expectation.SEEN:
        return ExpectSeen(**when)
    if kind is _Expectation.EVENTS:
        return _events(fields, when)
    return _of_door(fields, kind, when)


def _of_door(fields: Fields, kind: _Expectation, when: dict[str, Any]) -> Step:
    door = _door(fields)
    if kind is _Expectation.MODE:
        return ExpectMode(door=door, mode=fields.choice("mode", DoorMode), **when)
    if kind is _Expectation.ALARM:
        alarm = fields.choice("alarm", Alarm)
        return ExpectAlarm(door=door, alarm=alarm, on=fields.boolean("on", default=True), **when)
    return ExpectDoor(door=door, condition=_condition(fields), **when)


def _events(fields: Fields, when: dict[str, Any]) -> ExpectEvents:
    return ExpectEvents(
        site=fields.checked("site", topics.check_name),
        door=fields.checked("door", topics.check_name) if fields.given("door") else None,
        kind=str(fields.choice("kind", EventKind)),
        at_least=fields.integer("at_least", 1, 10_000, default=1),
        **when,
    )


def _condition(fields: Fields) -> Condition:
    return fields.choice("condition", _KnownCondition).condition


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
