"""district.yaml: what it makes, and that every mistake is told by file, line and field."""

import random
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from central.district.directory import ConfigError, load_directory
from ground.problems import Problem
from protocol.messages import Scope
from protocol.words import DoorMode, ScopeKind

X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
GOOD = f"""\
district: {{name: Riverside, timezone: America/Chicago}}
schedules:
  school-day:
    - {{days: [0, 1], start: "07:30", end: "08:30", mode: unlocked}}
sites:
  - site: lincoln
    name: Lincoln High
    agents:
      - agent: east
        key: {{kid: lincoln-east, x: {X}}}
        doors:
          - {{door: front, name: Main entrance, zones: [entry], perimeter: true, schedule: school-day}}
          - {{door: gym, name: Gym, unlock_ms: 7000}}
      - agent: west
        key: {{kid: lincoln-west, x: {X}}}
        doors:
          - {{door: back, name: Back door, zones: [entry]}}
    rules:
      - {{group: staff, doors: ['*']}}
      - {{group: cleaners, doors: [back], schedule: school-day}}
credentials:
  - {{token: "{"a" * 64}", cardholder: ch-0001, groups: [staff], override: true}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "district.yaml"
    path.write_text(text)
    return path


def test_a_district_is_read_whole(tmp_path: Path) -> None:
    inventory = load_directory(write(tmp_path, GOOD))
    assert inventory.name == "Riverside"
    assert list(inventory.doors) == [("lincoln", "front"), ("lincoln", "gym"), ("lincoln", "back")]
    assert inventory.doors["lincoln", "gym"].settings.unlock_ms == 7000
    assert inventory.sites["lincoln"].zones == ("entry",)
    assert inventory.sites["lincoln"].rules[0].doors == ("front", "gym", "back")
    assert inventory.schedules["school-day"][0].mode is DoorMode.UNLOCKED
    assert inventory.credentials[0].override
    assert list(inventory.members()) == [("lincoln", "east", ("front", "gym")), ("lincoln", "west", ("back",))]


@pytest.mark.parametrize(
    ("scope", "lockdown", "secure"),
    [
        (Scope(kind=ScopeKind.DISTRICT), ["front", "gym", "back"], ["front"]),
        (Scope(kind=ScopeKind.ZONE, site="lincoln", zone="entry"), ["front", "back"], ["front"]),
        (Scope(kind=ScopeKind.DOOR, site="lincoln", door="gym"), ["gym"], []),
        (Scope(kind=ScopeKind.SITE, site="elsewhere"), [], []),
    ],
)
def test_lockdown_secures_all_doors_of_a_scope_and_secure_the_perimeter(
    tmp_path: Path, scope: Scope, lockdown: list[str], secure: list[str]
) -> None:
    inventory = load_directory(write(tmp_path, GOOD))
    assert [door for _, door in inventory.secured_by("lockdown", scope)] == lockdown
    assert [door for _, door in inventory.secured_by("secure", scope)] == secure
    assert inventory.secured_by("evacuate", scope) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        ("unlock_ms: 7000", "unlock_ms: 70", 13, "sites[0].agents[0].doors[1].unlock_ms", "500"),
        ("unlock_ms: 7000", "unlok_ms: 7000", 13, "sites[0].agents[0].doors[1].unlok_ms", "did you mean 'unlock_ms'"),
        ("door: gym", "door: Gym", 13, "sites[0].agents[0].doors[1].door", "expected"),
        ("door: back,", "door: gym,", 17, "sites[0].agents[1].doors[0].door", "twice"),
        ("agent: west", "agent: east", 14, "sites[0].agents[1].agent", "twice"),
        ("kid: lincoln-west", "kid: lincoln-east", 15, "sites[0].agents[1].key.kid", "twice"),
        (f"x: {X}", f"x: {'A' * 43}", 10, "sites[0].agents[0].key.x", "anybody could sign"),
        (f"x: {X}", f"x: REPLACE-{'K' * 35}", 10, "sites[0].agents[0].key.x", "doorward agent keygen"),
        (f"x: {X}", f"x: {X[:-1]}p", 10, "sites[0].agents[0].key.x", "32 bytes"),
        ("schedule: school-day}}", "schedule: night}}", 12, "sites[0].agents[0].doors[0].schedule", "school-day"),
        ("doors: [back]", "doors: [attic]", 20, "sites[0].rules[1].doors[0]", "no door 'attic'"),
        ("America/Chicago", "America/Gotham", 1, "district.timezone", "IANA"),
        ('"07:30"', "10:30", 4, "schedules.school-day[0].start", "quotes"),
        ('end: "08:30"', 'end: "07:00"', 4, "schedules.school-day[0].end", "two periods"),
        ("name: Gym,", "", 13, "sites[0].agents[0].doors[1].name: is missing", "add 'name: …'"),
        ("name: Lincoln High", "name: Lincoln High\n    name: Again", 8, "sites[0].name", "twice"),
        ("sites:", "sites: {", 6, "the file: not YAML", "brackets"),
        ("    agents:", "    rooms: []\n    agents:", 8, "sites[0].rooms", "no such field"),
    ],
)
def test_a_mistake_is_told_by_file_line_and_field(
    tmp_path: Path, *, old: str, new: str, line: int, field: str, says: str
) -> None:
    old, new = old.replace("}}", "}"), new.replace("}}", "}")
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_directory(path)
    told = str(caught.value).splitlines()[0]
    assert told.startswith(f"{path}:{line}: {field}"), told
    assert says in told


MISTAKES = {
    "America/Chicago": ("America/Gotham", "district.timezone", "IANA"),
    '"08:30"': ('"8:30"', "schedules.school-day[0].end", "expected"),
    "unlock_ms: 7000": ("unlock_ms: 70", "sites[0].agents[0].doors[1].unlock_ms", "from 500 to 60000"),
    "name: Back door": ("nam: Back door", "sites[0].agents[1].doors[0].nam", "did you mean 'name'"),
    "doors: [back]": ("doors: [attic]", "sites[0].rules[1].doors[0]", "no door 'attic'"),
    "cardholder: ch-0001, ": ("", "credentials[0].cardholder", "is missing; add 'cardholder: …'"),
}


@pytest.mark.parametrize("few", [list(few) for few in combinations(MISTAKES, 5)])
def test_five_mistakes_of_any_kind_are_five_problems_in_the_order_of_the_file(tmp_path: Path, few: list[str]) -> None:
    text = GOOD
    for old in few:
        assert text.count(old) == 1
        text = text.replace(old, MISTAKES[old][0])
    with pytest.raises(ConfigError) as caught:
        load_directory(write(tmp_path, text))
    assert [problem.field for problem in caught.value.problems] == [MISTAKES[old][1] for old in few]
    for line, old in zip(str(caught.value).splitlines(), few, strict=True):
        assert MISTAKES[old][2] in line


def test_whatever_stands_wherever_is_read_or_answered_with_a_line_and_a_cure(tmp_path: Path) -> None:
    rng = random.Random(5)
    for _ in range(300):
        document = yaml.safe_load(GOOD)
        inner: Any = document
        while True:
            at = rng.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
            if not isinstance(inner[at], (dict, list)) or not inner[at] or rng.random() < 0.2:
                break
            inner = inner[at]
        inner[at] = rng.choice([None, "", [], {}, -1, 1.5, True, "x", 1 << 70, [[]], {"a": 1}, date(2026, 1, 1)])
        path = write(tmp_path, yaml.safe_dump(document, sort_keys=False))
        uncured = [str(each) for each in problems_of(path) if not each.cure or each.line < 1]
        assert uncured == []


def problems_of(path: Path) -> tuple[Problem, ...]:
    try:
        load_directory(path)
    except ConfigError as error:
        return error.problems
    return ()


def test_a_file_that_is_not_there_or_empty_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_directory(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match="empty"):
        load_directory(write(tmp_path, ""))
