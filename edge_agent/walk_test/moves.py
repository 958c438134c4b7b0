"""Finds inputs that moved in a step though they should not: crossed cables, tied inputs, broken lines. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.walk_test.words import Finding, FindingKind, InputName, Record, Sensor, Step, StepKind

TOGETHER_MS = 60
"""Two inputs that touch change within one debounce time of each other."""

_MAY_MOVE: dict[StepKind, frozenset[Sensor]] = {
    StepKind.INPUTS: frozenset(),
    StepKind.REST: frozenset(),
    StepKind.UNLOCK: frozenset({Sensor.BOLT}),
    StepKind.LOCK: frozenset({Sensor.BOLT}),
    StepKind.PULL: frozenset({Sensor.CONTACT, Sensor.BOLT, Sensor.REX}),
    StepKind.OPEN: frozenset({Sensor.CONTACT, Sensor.BOLT, Sensor.REX}),
    StepKind.CLOSE: frozenset({Sensor.CONTACT, Sensor.BOLT, Sensor.REX}),
    StepKind.BADGE: frozenset({Sensor.REX}),
    StepKind.KEYPAD: frozenset({Sensor.REX}),
    StepKind.REX: frozenset({Sensor.REX, Sensor.BOLT, Sensor.CONTACT}),
    StepKind.TAMPER: frozenset({Sensor.TAMPER, Sensor.REX}),
    StepKind.END: frozenset({Sensor.CONTACT, Sensor.BOLT, Sensor.REX}),
}
"""Inputs of the door itself that may move in a step. A motion sensor (REX) sees people inside."""

_LINE_FAULTS = {"cut": FindingKind.LINE_CUT, "short": FindingKind.LINE_SHORT}


@dataclass(slots=True)
class Judgement:
    """The outcome of a step."""

    findings: list[Finding] = field(default_factory=list)
    measured: dict[str, int] = field(default_factory=dict)
    void: str = ""
    """Why the step shows nothing, if it does not."""

    def found(self, kind: FindingKind, about: str = "", **detail: str | int) -> None:
        self.findings.append(Finding(kind, about, detail))


def crossed(wanted: InputName, step: Step, record: Record, out: Judgement) -> bool:
    """Whether exactly one other input moved in place of the wanted one: then the two cables are crossed."""
    may = _MAY_MOVE[step.kind]
    others = {
        change.input
        for change in record.changes
        if change.input != wanted and not (change.door == step.door and change.sensor in may)
    }
    if len(others) != 1:
        return False
    door, sensor = others.pop()
    out.found(FindingKind.CROSSED, wanted[1], other_door=door or "of the board", other_sensor=sensor)
    return True


def tied(step: Step, wanted: InputName, record: Record, out: Judgement) -> None:
    """Report inputs that moved whenever the wanted one did. Once may be somebody at another door: see `is_hint`."""
    may = _MAY_MOVE[step.kind]
    moves = record.of(wanted)
    others = {change.input for change in record.changes} - {wanted}
    for door, sensor in sorted(others):
        if door == step.door and sensor in may:
            continue
        theirs = record.of((door, sensor))
        if len(theirs) == len(moves) and all(
            abs(one.at_ms - other.at_ms) <= TOGETHER_MS for one, other in zip(moves, theirs, strict=True)
        ):
            other_door = door or "of the board"
            out.found(FindingKind.TIED, wanted[1], other_door=other_door, other_sensor=sensor, times=len(moves))


def unexpected(step: Step, record: Record, out: Judgement) -> None:
    """Report inputs of the door itself that moved, or lost their reading, without cause."""
    named = {finding.detail.get("other_sensor") for finding in out.findings}
    if any(finding.kind is FindingKind.SWAPPED for finding in out.findings):
        named.add(Sensor.CONTACT)
    for input_ in sorted({change.input for change in record.changes if change.door == step.door}):
        if record.value(input_) is None:
            no_reading(input_, record, out)
        elif input_[1] not in _MAY_MOVE[step.kind] and input_[1] not in named:
            out.found(FindingKind.UNSTEADY, input_[1])


def no_reading(input_: InputName, record: Record, out: Judgement) -> None:
    out.found(_LINE_FAULTS.get(record.faults.get(input_, ""), FindingKind.NO_READING), input_[1])
