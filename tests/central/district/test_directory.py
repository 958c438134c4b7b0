"""district.yaml: what it makes, and that every mistake is told by file, line and field."""

from pathlib import Path

import pytest

from central.district.directory import DirectoryError, load_directory
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
        ("name: Gym,", "", 13, "sites[0].agents[0].doors[1]", "'name' is missing"),
        ("name: Lincoln High", "name: Lincoln High\n    name: Again", 8, "name", "twice"),
        ("sites:", "sites: {", 6, "not YAML", ""),
        ("    agents:", "    rooms: []\n    agents:", 8, "sites[0].rooms", "no such field"),
    ],
)
def test_a_mistake_is_told_by_file_line_and_field(
    tmp_path: Path, *, old: str, new: str, line: int, field: str, says: str
) -> None:
    old, new = old.replace("}}", "}"), new.replace("}}", "}")
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DirectoryError) as caught:
        load_directory(path)
    told = str(caught.value).splitlines()[0]
    assert told.startswith(f"{path}:{line}: {field}"), told
    assert says in told


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("America/Chicago", "America/Gotham").replace("doors: [back]", "doors: [attic]")
    with pytest.raises(DirectoryError) as caught:
        load_directory(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_or_empty_says_so(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match="cannot be read"):
        load_directory(tmp_path / "nothing.yaml")
    with pytest.raises(DirectoryError, match="empty"):
        load_directory(write(tmp_path, ""))
