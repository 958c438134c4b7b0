"""The pure parts of the walk test: which steps a door has, and what a step's record means."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.walk_test.judge import complete, judge
from edge_agent.walk_test.plan import DoorReader, facts_of, plan
from edge_agent.walk_test.words import (
    Change,
    DoorFacts,
    InputName,
    NewsKind,
    ReaderNews,
    ReaderState,
    Record,
    Sensor,
    Step,
    StepKind,
)
from tests.support.walks import School

DOOR, OTHER = "gym", "main"
CONTACT, BOLT, REX, TAMPER = ((DOOR, sensor) for sensor in (Sensor.CONTACT, Sensor.BOLT, Sensor.REX, Sensor.TAMPER))
AT_REST: dict[InputName, bool | None] = {CONTACT: True, BOLT: True, REX: False, TAMPER: False}
OPEN: dict[InputName, bool | None] = {CONTACT: False, BOLT: False}
UNLOCKED: dict[InputName, bool | None] = {BOLT: False}


def record(before: dict[InputName, bool | None], *changes: tuple[int, InputName, bool | None]) -> Record:
    moved = [Change(at, *input_, value) for at, input_, value in changes]
    return Record(began_ms=0, before=AT_REST | before, changes=moved, now_ms=5_000)


@pytest.mark.parametrize(
    ("kind", "seen", "found"),
    [
        (StepKind.REST, record({}), []),
        (StepKind.REST, record({CONTACT: False}), ["contact_open"]),
        (StepKind.REST, record({BOLT: False}), ["bolt_not_thrown"]),
        (StepKind.REST, record({REX: True, TAMPER: True}), ["rex_stuck", "tamper_open"]),
        (StepKind.REST, record({}, (10, CONTACT, False), (900, CONTACT, True)), ["unsteady"]),
        (StepKind.REST, record({}, (10, CONTACT, None)), ["no_reading"]),
        (StepKind.UNLOCK, record({}, (80, BOLT, False)), []),
        (StepKind.UNLOCK, record({}, (1_800, BOLT, False)), ["bolt_slow"]),
        (StepKind.UNLOCK, record({}, (80, BOLT, False), (120, BOLT, True), (150, BOLT, False)), ["bolt_bounces"]),
        (StepKind.UNLOCK, record({}), ["bolt_stays"]),
        (StepKind.UNLOCK, record({}, (80, CONTACT, False)), ["swapped"]),
        (StepKind.UNLOCK, record({}, (80, (OTHER, Sensor.BOLT), False)), ["lock_crossed"]),
        (StepKind.UNLOCK, record({BOLT: False}, (80, BOLT, True)), ["bolt_opposite"]),
        (StepKind.LOCK, record(UNLOCKED, (1_499, BOLT, True)), []),
        (StepKind.LOCK, record(UNLOCKED, (1_501, BOLT, True)), ["bolt_slow"]),
        (StepKind.LOCK, record(UNLOCKED), ["bolt_stays"]),
        (StepKind.LOCK, record({BOLT: None}), ["no_reading"]),
        (StepKind.OPEN, record({CONTACT: None}), ["no_reading"]),
        (StepKind.CLOSE, record({CONTACT: None, BOLT: None}), ["no_reading", "no_reading"]),
        (StepKind.PULL, record({}, (10, (OTHER, Sensor.CONTACT), False)), []),
        (StepKind.PULL, record({}, (10, CONTACT, False)), ["not_held"]),
        (StepKind.OPEN, record({}, (10, BOLT, False), (500, CONTACT, False)), []),
        (StepKind.OPEN, record(UNLOCKED), ["contact_dead"]),
        (StepKind.OPEN, record(UNLOCKED, (500, (OTHER, Sensor.CONTACT), False)), ["crossed"]),
        (StepKind.OPEN, record(UNLOCKED, (500, TAMPER, True)), ["crossed"]),
        (StepKind.CLOSE, record(OPEN, (500, CONTACT, True), (900, BOLT, True)), []),
        (StepKind.CLOSE, record(OPEN, (900, BOLT, True)), ["contact_not_back"]),
        (StepKind.CLOSE, record(OPEN, (500, CONTACT, True)), ["latch_not_caught"]),
        (StepKind.CLOSE, record(OPEN, (500, CONTACT, True), (2_600, BOLT, True)), ["bolt_slow"]),
        (StepKind.REX, record({}, (500, REX, True), (900, REX, False)), []),
        (StepKind.REX, record({}, (500, REX, True)), ["rex_stuck"]),
        (StepKind.REX, record({}, (500, TAMPER, True), (900, TAMPER, False)), ["crossed"]),
        (StepKind.TAMPER, record({}, (500, TAMPER, True), (900, TAMPER, False)), []),
        (
            StepKind.TAMPER,
            record({}, (500, CONTACT, False), (600, BOLT, False)),
            ["tamper_dead", "unsteady", "unsteady"],
        ),
        (StepKind.END, record({}), []),
        (StepKind.END, record({BOLT: False}), ["not_secure_at_end"]),
    ],
)
def test_what_a_record_means(kind: StepKind, seen: Record, found: list[str]) -> None:
    assert [finding.kind for finding in judge(Step(kind, DOOR), seen, DoorFacts()).findings] == found


@pytest.mark.parametrize(
    ("state", "told", "found"),
    [
        (ReaderState.ONLINE, [("gym-in", NewsKind.READ)], []),
        (ReaderState.UNKNOWABLE, [("gym-in", NewsKind.REFUSED), ("gym-in", NewsKind.READ)], []),
        (ReaderState.UNKNOWABLE, [("gym-in", NewsKind.REFUSED)], ["badge_garbled"]),
        (ReaderState.ONLINE, [("main-in", NewsKind.READ)], ["reader_crossed"]),
        (ReaderState.ONLINE, [], ["badge_not_read"]),
        (ReaderState.SILENT, [], ["reader_silent"]),
        (ReaderState.WRONG_KEY, [], ["reader_key"]),
        (ReaderState.PORT, [], ["reader_port"]),
        (ReaderState.UNSTEADY, [], ["reader_unsteady"]),
        (ReaderState.ONLINE, [("gym-in", NewsKind.LOST)], ["reader_unsteady"]),
        (ReaderState.ONLINE, [("gym-in", NewsKind.LOST), ("gym-in", NewsKind.READ)], []),
    ],
)
def test_what_a_reader_tells(state: ReaderState, told: list[tuple[str, NewsKind]], found: list[str]) -> None:
    seen = record({})
    seen.readers = {"gym-in": state}
    seen.news = [ReaderNews(100, reader, kind, "parity") for reader, kind in told]
    step = Step(StepKind.BADGE, DOOR, "gym-in")
    assert [finding.kind for finding in judge(step, seen, DoorFacts()).findings] == found


@pytest.mark.parametrize(
    ("keys", "found"), [("123", []), ("9123", []), ("147", ["keypad_wrong"]), ("", ["keypad_silent"])]
)
def test_what_a_keypad_tells_never_names_the_keys(keys: str, found: list[str]) -> None:
    seen = record({})
    seen.news = [ReaderNews(100 * n, "gym-in", NewsKind.KEYS, key) for n, key in enumerate(keys)]
    findings = judge(Step(StepKind.KEYPAD, DOOR, "gym-in"), seen, DoorFacts()).findings
    assert [finding.kind for finding in findings] == found
    assert all("147" not in str(finding) for finding in findings)


def test_a_door_that_shut_is_waited_for_only_as_long_as_a_slow_bolt_needs() -> None:
    step, facts = Step(StepKind.CLOSE, DOOR), DoorFacts(bolt_ms=2_000)
    seen = record(OPEN, (500, CONTACT, True))
    assert not complete(step, replace(seen, now_ms=5_400), facts)
    assert complete(step, replace(seen, now_ms=5_600), facts)


def test_only_what_is_fitted_is_tested_and_every_door_is_locked_at_the_end(tmp_path: Path) -> None:
    wiring = School(tmp_path, doors=1).config.doors[0]
    bare = replace(wiring, rex=None, tamper=None)
    readers = (DoorReader("in", wiring.door, keypad=True), DoorReader("elsewhere", "main"))
    steps = plan(bare, readers, facts_of(bare, bolt_ms=2_000))
    keys = ["rest", "unlock", "lock", "pull", "open", "close", "badge:in", "keypad:in", "end"]
    assert [step.key for step in steps] == keys
    assert {"rex", "tamper"} <= {step.key for step in plan(wiring, (), facts_of(wiring, bolt_ms=2_000))}
