"""Plans the steps of a door's test: one for everything that is fitted, and no others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.gpio import LockKind
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring, KeypadKind
from edge_agent.walk_test.judge import moves_ms
from edge_agent.walk_test.words import DoorFacts, Step, StepKind

PERSON_MS = 60_000
"""How long to wait for a person, who may be on a ladder at the other end of the corridor."""


@dataclass(frozen=True, slots=True)
class DoorReader:
    """A reader of a door, whatever its kind."""

    reader: str
    door: str
    keypad: bool = False


def door_readers(config: AgentFile) -> tuple[DoorReader, ...]:
    keypads = {one.reader for one in config.wiegand_readers if one.keypad is not KeypadKind.NONE}
    return tuple(DoorReader(one.reader, one.door, keypad=one.reader in keypads) for one in config.readers)


def plan(wiring: DoorWiring, readers: Sequence[DoorReader], facts: DoorFacts) -> tuple[Step, ...]:
    """The steps of one door, in order.

    The door is locked before and after each step but ``open``, so that it never stays unlocked when the person walks
    away.
    """
    door, bolt_ms = wiring.door, moves_ms(facts)
    steps = [
        Step(StepKind.REST, door, person=True, limit_ms=PERSON_MS),
        Step(StepKind.UNLOCK, door, limit_ms=bolt_ms),
        Step(StepKind.LOCK, door, limit_ms=bolt_ms),
        Step(StepKind.PULL, door, person=True, limit_ms=PERSON_MS),
        Step(StepKind.OPEN, door, person=True, limit_ms=PERSON_MS),
        Step(StepKind.CLOSE, door, person=True, limit_ms=PERSON_MS),
    ]
    for reader in readers:
        if reader.door != door:
            continue
        steps.append(Step(StepKind.BADGE, door, reader.reader, person=True, limit_ms=PERSON_MS))
        if reader.keypad:
            steps.append(Step(StepKind.KEYPAD, door, reader.reader, person=True, limit_ms=PERSON_MS))
    if wiring.rex is not None:
        steps.append(Step(StepKind.REX, door, person=True, limit_ms=PERSON_MS))
    if wiring.tamper is not None:
        steps.append(Step(StepKind.TAMPER, door, person=True, limit_ms=PERSON_MS))
    steps.append(Step(StepKind.END, door, limit_ms=bolt_ms))
    return tuple(steps)


def facts_of(wiring: DoorWiring, *, bolt_ms: int) -> DoorFacts:
    """The facts of a door before its test. ``bolt_ms``: the longest a bolt may take, from the door's settings."""
    return DoorFacts(
        maglock=wiring.lock.kind is LockKind.MAGLOCK, bolt_fitted=wiring.bolt is not None, bolt_ms=bolt_ms
    )
