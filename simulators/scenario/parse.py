"""Scenarios: what happens in a virtual district, step by step, and what must come of it. Forms and parsing only.

A scenario is a YAML file (see simulators/scenario/library/). Every step may say when: ``at: "08:00"`` (school time)
or ``after: 2s`` (since the step before). Then it says ``do:`` something to a door, a school or the district, or
``expect:`` something to be shown by central within a time. simulators.scenario.player plays it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ground import yaml_forms
from ground.problems import ConfigError, Problem, Report
from protocol import topics
from protocol.words import Alarm, Condition, DoorMode, EventKind, ScopeKind, SrpAction
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
    MovePeople,
    Never,
    Power,
    Release,
    Scenario,
    ScenarioStep,
    SiteOrder,
    Wait,
)
from simulators.school.rhythm import DAY_BEGINS, time_of_day

FOLDER = Path(__file__).parent / "library"


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


def duration_s(text: str) -> float:
    """Seconds of ``10s``, ``1.5s``, ``500ms`` or ``2min``. ValueError otherwise."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|min)", text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write it like 10s, 500ms or 2min")
    return float(found[1]) * {"ms": 0.001, "s": 1.0, "min": 60.0}[found[2]]


def _name(text: str) -> None:
    try:
        topics.check_name(text)
    except ValueError as error:
        raise ValueError(f"{error}; write it like north-stairs-2") from None


Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, extra={"check": _name})]
Minute = Annotated[int, Meta(extra={"make": time_of_day})]
Seconds = Annotated[float, Meta(extra={"make": duration_s})]


# --- forms: what a step may say ---------------------------------------------------------------------------------


class StepForm(Struct, kw_only=True):
    """When a step begins."""

    at: Minute | None = None
    after: Seconds | None = None


class BrokenDoorForm(Struct, kw_only=True):
    """A door of the district."""

    site: Name
    door: Name


class PeopleForm(StepForm, kw_only=True):
    """A step that says ``do: people``."""

    on: bool = True


class PowerStepForm(StepForm, kw_only=True):
    """``do: power_cut`` and ``do: power_back``"""

    site: Name
    agent: Name


class ScopeForm(Struct, kw_only=True):
    """What a declaration covers."""

    kind: ScopeKind
    site: Name | None = None
    zone: Name | None = None
    door: Name | None = None


class DeclareForm(StepForm, kw_only=True):
    """A step that says ``do: declare``."""

    name: Name
    action: SrpAction
    scope: ScopeForm
    drill: bool
    reason: Text = "scenario"
    by: Text = "officer"


class ReleaseForm(StepForm, kw_only=True):
    """A step that says ``do: release``."""

    name: Text
    by: Text = "officer"


class ExpectForm(StepForm, kw_only=True):
    """``expect: seen``, and what every expectation has."""

    within: Seconds = 10.0


class ProvenForm(ExpectForm, kw_only=True):
    """A step that says ``expect: proven``."""

    name: Text


class AtDoorForm(ExpectForm, kw_only=True):
    """Every expectation of one door."""

    site: Name
    door: Name


class ConditionForm(AtDoorForm, kw_only=True):
    """A step that says ``expect: door``."""

    condition: Condition


class ModeForm(AtDoorForm, kw_only=True):
    """A step that says ``expect: mode``."""

    mode: DoorMode


class AlarmForm(AtDoorForm, kw_only=True):
    """A step that says ``expect: alarm``."""

    alarm: Alarm
    on: bool = True


class EventsForm(ExpectForm, kw_only=True):
    """A step that says ``expect: events``."""

    site: Name
    kind: EventKind
    door: Name | None = None
    at_least: Annotated[int, Meta(ge=1, le=10_000)] = 1


class NeverForm(StepForm, kw_only=True):
    """A step that says ``expect: never``."""

    site: Name
    door: Name
    condition: Condition


_KINDS: dict[str, Any] = {"flag": bool, "text": Text}
_NUMBER = Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]


def _order_form(entry: dict[str, Any]) -> type[Struct]:
    """The form of an order of the virtual schools' own book. A door's school is enough to find its agent."""
    fields: list[Any] = [("site", Name)]
    for field in entry["fields"]:
        kind = Name if field["name"] == "door" else _KINDS.get(field["kind"], _NUMBER)
        fields.append((field["name"], kind) if field["required"] else (field["name"], kind | None, None))
    if all(field["name"] != "door" or not field["required"] for field in entry["fields"]):
        fields.append(("agent", Name | None, None))
    return msgspec.defstruct(entry["do"], fields, bases=(StepForm,), kw_only=True)


_FORMS: dict[str, dict[str, type[Struct]]] = {
    "do": {entry["do"]: _order_form(entry) for entry in site_catalogue()}
    | {
        "wait": StepForm,
        "people": PeopleForm,
        "power_cut": PowerStepForm,
        "power_back": PowerStepForm,
        "declare": DeclareForm,
        "release": ReleaseForm,
    },
    "expect": {
        "door": ConditionForm,
        "mode": ModeForm,
        "alarm": AlarmForm,
        "events": EventsForm,
        "proven": ProvenForm,
        "seen": ExpectForm,
        "never": NeverForm,
    },
}

_EMPTY = {"missing": "is empty", "cure": "a scenario has at least one step, like '- do: people'"}


class ScenarioForm(Struct, kw_only=True):
    """The whole of a scenario file."""

    scenario: Name
    title: Text
    steps: Annotated[tuple[Annotated[Any, Meta(extra={"forms": _FORMS})], ...], Meta(extra=_EMPTY)]
    starts: Minute = DAY_BEGINS
    speed: Annotated[int, Meta(ge=1, le=600)] = 60
    leaves_broken: bool = False
    breaks: tuple[BrokenDoorForm, ...] = ()


# --- from forms to steps ----------------------------------------------------------------------------------------


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario. :class:`ConfigError` has every mistake: file, line, field, and what to do."""
    report = Report(path)
    form = yaml_forms.read(path, ScenarioForm, report)
    steps = _Steps(report)
    made = [steps.step(verb, each, f"steps[{n}]") for n, (verb, each) in enumerate(form.steps)]
    if not form.steps:
        report.error("steps", _EMPTY["missing"], _EMPTY["cure"])
    report.refuse_errors()
    return Scenario(
        name=form.scenario,
        title=form.title,
        starts=form.starts,
        speed=float(form.speed),
        leaves_broken=form.leaves_broken,
        breaks=frozenset(DoorRef(each.site, each.door) for each in form.breaks),
        steps=tuple(step for step in made if step is not None),
    )


_WHEN = ("at", "after", "within")
_PLAIN_STEPS: dict[type[StepForm], Callable[..., ScenarioStep]] = {
    PeopleForm: MovePeople,
    EventsForm: ExpectEvents,
    ExpectForm: ExpectSeen,
    ConditionForm: ExpectDoor,
    ModeForm: ExpectMode,
    AlarmForm: ExpectAlarm,
    NeverForm: Never,
}
"""Forms whose fields are the step's own."""


class _Steps:
    """Makes the steps in their order. What no form can say goes to the report."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._declared: set[str] = set()
        self._all_known = True

    def step(self, verb: str, form: Any, at: str) -> ScenarioStep | None:  # noqa: PLR0911 - one a form
        """One step; None where its kind is not known. Of use only if the report has no errors."""
        if form is None:
            self._all_known = False
            return None
        if form.at is not None and form.after is not None:
            self._report.error(f"{at}.after", "stands beside 'at'", "a step begins at one time, keep one of the two")
        when = {"at": form.at, "after_s": form.after or 0.0, "fault": self._fault(at)}
        if isinstance(form, ExpectForm):
            when["within_s"] = form.within
        if type(form) in _PLAIN_STEPS:
            return _plain_step(form, when)
        match form:
            case PowerStepForm():
                return Power(site=form.site, agent=form.agent, on=verb == "power_back", **when)
            case DeclareForm():
                return self._declare(form, at, when)
            case ReleaseForm():
                return Release(name=self._known(form.name, at), by=form.by, **when)
            case ProvenForm():
                return ExpectClosure(name=self._known(form.name, at), **when)
        return Wait(**when) if verb == "wait" else self._order(verb, form, at, when)

    def _fault(self, at: str) -> Callable[[str], ConfigError]:
        def fault(problem: str) -> ConfigError:
            found = Problem(self._report.file, self._report.line(at), at, problem, "")
            return ConfigError(str(found), (found,))

        return fault

    def _declare(self, form: DeclareForm, at: str, when: dict[str, Any]) -> Declare:
        self._all_known &= not self._report.broken(f"{at}.name")
        if form.name in self._declared:
            self._report.error(f"{at}.name", f"{form.name!r} is declared already", "give this one another name")
        self._declared.add(form.name)
        scope = form.scope
        where = {part: name for part in ("site", "zone", "door") if (name := getattr(scope, part)) is not None}
        wanted = {ScopeKind.DISTRICT: [], ScopeKind.SITE: ["site"]}.get(scope.kind, ["site", str(scope.kind)])
        if list(where) != wanted:
            takes = f"{scope.kind} takes {' and '.join(wanted) or 'nothing else'}, not {list(where) or 'that'}"
            self._report.error(f"{at}.scope.kind", takes, "write what it takes, or another kind")
        return Declare(
            name=form.name,
            action=str(form.action),
            scope={"kind": str(scope.kind), **where},
            drill=form.drill,
            reason=form.reason,
            by=form.by,
            **when,
        )

    def _known(self, name: str, at: str) -> str:
        if name not in self._declared and self._all_known:
            problem = f"nothing called {name!r} is declared before this step"
            known = ", ".join(sorted(self._declared)) or "none yet"
            self._report.error(f"{at}.name", problem, f"there is: {known}")
        return name

    def _order(self, verb: str, form: Any, at: str, when: dict[str, Any]) -> SiteOrder:
        given = {name: value for name, value in msgspec.structs.asdict(form).items() if value is not None}
        site, agent = given.pop("site"), given.pop("agent", None)
        if agent is not None and "door" in given:
            self._report.error(f"{at}.agent", "stands beside 'door', which says it", "keep one of the two")
        if agent is None and "door" not in given:
            self._report.error(f"{at}.agent", "is missing", "add 'agent: …'", of=[f"{at}.door"])
        order = {name: value for name, value in given.items() if name not in StepForm.__struct_fields__}
        return SiteOrder(site=site, agent=agent, order={"do": verb, **order}, **when)


def _plain_step(form: StepForm, when: dict[str, Any]) -> ScenarioStep:
    """The step with the form's own fields; site and door of an expectation of one door make its DoorRef."""
    given = {name: value for name, value in msgspec.structs.asdict(form).items() if name not in _WHEN}
    if isinstance(form, AtDoorForm | NeverForm):
        given["door"] = DoorRef(given.pop("site"), given["door"])
    return _PLAIN_STEPS[type(form)](**given, **when)
