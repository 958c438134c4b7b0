"""Scenario files: what they say is understood, and what is wrong in one is told by file, line and field."""

from itertools import combinations
from pathlib import Path

import pytest

from ground.problems import ConfigError
from protocol.words import Condition
from simulators.scenario.parse import duration_s, load_scenario, scenario_file, scenario_names
from simulators.scenario.steps import Declare, DoorRef, ExpectClosure, Never, SiteOrder

HEAD = "scenario: test\ntitle: a test\nsteps:\n"
DECLARE = "  - {do: declare, name: one, action: lockdown, scope: {kind: district}, drill: false}\n"


def load(folder: Path, steps: str, head: str = HEAD) -> object:
    path = folder / "test.yaml"
    path.write_text(head + steps)
    return load_scenario(path)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_that_comes_with_doorward_can_be_read(name: str) -> None:
    scenario = load_scenario(scenario_file(name))
    assert scenario.name == name
    assert scenario.steps


def test_the_lockdown_jams_a_door_first_and_expects_all_others_proven_and_that_one_never_secure() -> None:
    scenario = load_scenario(scenario_file("lockdown"))
    gym = DoorRef("thistledown-high", "gym")
    assert scenario.breaks == {gym}
    kinds = [type(step) for step in scenario.steps]
    jam = next(step for step in scenario.steps if isinstance(step, SiteOrder))
    assert jam.order == {"do": "jam", "door": "gym"}
    never = next(step for step in scenario.steps if isinstance(step, Never))
    assert (never.door, never.condition) == (gym, Condition.SECURE)
    assert kinds.index(SiteOrder) < kinds.index(Declare) < kinds.index(ExpectClosure)


def test_a_scenario_nobody_knows_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there are: .*lockdown"):
        scenario_file("lock-down")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", "steps: is empty"),
        ("  - {after: 2s}\n", r"test.yaml:4: .*do: is missing"),
        ("  - {do: jamm, site: a, door: b}\n", r"test.yaml:4: steps\[0\].do: 'jamm' is none of .*did you mean 'jam'"),
        ("  - {do: jam, door: b}\n", r"test.yaml:4: steps\[0\].site: is missing"),
        ("  - {do: jam, site: a, door: b, dor: c}\n", r"dor: no such field; did you mean 'door'"),
        ("  - do: people\n    after: soon\n", r"test.yaml:5: steps\[0\].after: 'soon' is not a duration"),
        ("  - do: people\n    at: '3:00'\n", r"test.yaml:5: steps\[0\].at: 3:00 is outside the school day"),
        ("  - {do: people, at: '08:00', after: 1s}\n", "keep one of the two"),
        ("  - {do: release, name: one}\n", "nothing called 'one' is declared before this step; there is: none yet"),
        (DECLARE + DECLARE, r"test.yaml:5: .*'one' is declared already"),
        (DECLARE + "  - {expect: proven, name: two}\n", "nothing called 'two'.*there is: one"),
        (DECLARE.replace("district", "zone, site: a"), "zone takes site and zone"),
        (DECLARE.replace("lockdown", "lock"), "'lock' is none of .*did you mean"),
        (DECLARE.replace(", drill: false", ""), "drill: is missing"),
        ("  - {expect: door, site: a, door: b, condition: closed}\n", "'closed' is none of"),
        ("  - {expect: door, site: A, door: b, condition: open}\n", "site: 'A' is not a name"),
    ],
)
def test_what_is_wrong_is_told_by_file_line_and_field(tmp_path: Path, steps: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        load(tmp_path, steps)


MISTAKES = {
    "speed: 60": ("speed: 6000", "speed", "from 1 to 600"),
    "{do: jam, site: a, door: b}": ("{do: jam, site: a, door: B}", "steps[0].door", "is not a name"),
    "after: 2s": ("after: soon", "steps[1].after", "write it like 10s"),
    "kind: district": ("kind: zone, site: a", "steps[1].scope.kind", "zone takes site and zone"),
    "name: one, within": ("name: two, within", "steps[2].name", "there is: one"),
    "condition: open": ("conditon: open", "steps[3].conditon", "did you mean 'condition'"),
    "{expect: seen}": ("{expect: mode, site: a, door: b}", "steps[4].mode", "is missing"),
}


@pytest.mark.parametrize("few", [list(few) for few in combinations(MISTAKES, 5)])
def test_five_mistakes_of_any_kind_are_five_problems_in_the_order_of_the_file(tmp_path: Path, few: list[str]) -> None:
    head = HEAD.replace("steps:", "speed: 60\nsteps:")
    steps = (
        "  - {do: jam, site: a, door: b}\n"
        "  - {do: declare, after: 2s, name: one, action: lockdown, scope: {kind: district}, drill: false}\n"
        "  - {expect: proven, name: one, within: 5s}\n"
        "  - {expect: door, site: a, door: b, condition: open}\n"
        "  - {expect: seen}\n"
    )
    assert load(tmp_path, steps, head)
    text = head + steps
    for old in few:
        assert text.count(old) == 1
        text = text.replace(old, MISTAKES[old][0])
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, "")
    assert [problem.field for problem in caught.value.problems] == [MISTAKES[old][1] for old in few]
    for line, old in zip(str(caught.value).splitlines(), few, strict=True):
        assert MISTAKES[old][2] in line


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10.0), ("1.5s", 1.5), ("500ms", 0.5), ("2min", 120.0)])
def test_durations_are_written_with_their_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["10", "s", "-1s", "1 h", ""])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 10s"):
        duration_s(text)
