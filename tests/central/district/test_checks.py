"""Access rules in district.yaml that contradict each other: each is told at its field, and what is right is sent."""

from datetime import date
from pathlib import Path

import pytest

from central.agents.bundles import agent_config
from central.agents.credential_pages import Shares
from central.district.directory import ConfigError, load_directory
from protocol.messages import Holiday, PinPolicy
from protocol.signing import SigningKey
from protocol.words import Identification, KeyRole, Passback

X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
A, B, C = "a" * 64, "b" * 64, "c" * 64
GOOD = f"""\
district: {{name: Riverside, timezone: America/Chicago}}
schedules:
  school-day:
    - {{days: [0, 1], start: "07:30", end: "08:30"}}
    - {{days: [7], start: "10:00", end: "12:00"}}
  quiet:
    - {{days: [0], start: "09:00", end: "11:00", mode: controlled}}
holidays:
  - {{name: Thanksgiving, first: 2026-11-26, last: 2026-11-27}}
pin_policy: {{attempts: 3, within_ms: 60000, lockout_ms: 120000}}
sites:
  - site: lincoln
    name: Lincoln High
    areas: [gym, hall]
    holidays:
      - {{name: Founders day, first: 2027-03-01, last: 2027-03-01}}
    agents:
      - agent: east
        key: {{kid: lincoln-east, x: {X}}}
        doors:
          - {{door: front, name: Front, schedule: school-day, first_person_group: principals}}
          - {{door: gym, name: Gym, area_from: hall, area_to: gym, passback: hard}}
          - {{door: lab, name: Lab, identification: card_and_pin, card_only_schedule: quiet, two_person: true}}
          - {{door: outer, name: Outer, interlock: vestibule}}
          - {{door: inner, name: Inner, interlock: vestibule, schedule: quiet}}
    rules:
      - {{group: staff, doors: ['*']}}
      - {{group: principals, doors: [front]}}
credentials:
  - token: "{A}"
    cardholder: ch-0001
    groups: [staff]
    pin: "{B}"
    duress_pin: "{C}"
    clearances: [{{name: background check, valid_until_ms: 1800000000000}}]
    passback_exempt: true
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "district.yaml"
    path.write_text(text)
    return path


def test_what_the_file_says_of_access_reaches_the_agent(tmp_path: Path) -> None:
    inventory = load_directory(write(tmp_path, GOOD))
    agent = inventory.agents["lincoln", "east"]
    share = Shares(inventory.credentials).of(["staff"])
    config = agent_config(inventory, agent, SigningKey.generate("d").trusted(KeyRole.DISTRICT), share)
    assert config.holidays == (
        Holiday(name="Thanksgiving", first=date(2026, 11, 26), last=date(2026, 11, 27)),
        Holiday(name="Founders day", first=date(2027, 3, 1), last=date(2027, 3, 1)),
    )
    assert config.pin_policy == PinPolicy(attempts=3, within_ms=60_000, lockout_ms=120_000)
    assert set(config.schedules) == {"school-day", "quiet"}, "also what a door's card alone follows"
    doors = {settings.door: settings for settings in config.doors}
    assert (doors["gym"].area_from, doors["gym"].area_to, doors["gym"].passback) == ("hall", "gym", Passback.HARD)
    assert doors["lab"].identification is Identification.CARD_AND_PIN
    (credential,) = config.credentials
    assert (credential.pin, credential.duress_pin, credential.passback_exempt) == (B, C, True)
    assert credential.clearances[0].name == "background check"


@pytest.mark.parametrize(
    ("old", "new", "line", "field", "says"),
    [
        ("last: 2026-11-27", "last: 2026-11-25", 9, "holidays[0].last", "before the first day"),
        ("last: 2027-03-01", "last: 2027-02-28", 16, "sites[0].holidays[0].last", "before the first day"),
        ("first: 2026-11-26", "first: 2026-13-26", 9, "holidays[0].first", "no such date"),
        ("days: [7]", "days: [8]", 5, "schedules.school-day[1].days[0]", "7"),
        ("area_from: hall", "area_from: hal", 22, "sites[0].agents[0].doors[1].area_from", "gym, hall"),
        ("area_from: hall", "area_from: gym", 22, "sites[0].agents[0].doors[1].passback", "differ"),
        (
            "area_from: hall, area_to: gym",
            "schedule: school-day, area_from: hall, area_to: gym",
            22,
            "sites[0].agents[0].doors[1].passback",
            "'gym', and who walks",
        ),
        (
            "first_person_group: principals",
            "first_person_group: principals, area_to: hall",
            22,
            "sites[0].agents[0].doors[1].passback",
            "unlocks door 'front', and who walks through it to or from 'hall'",
        ),
        ("passback: hard", "passback: strict", 22, "sites[0].agents[0].doors[1].passback", "strict"),
        (
            "card_only_schedule: quiet",
            "card_only_schedule: quite",
            23,
            "sites[0].agents[0].doors[2].card_only",
            "quiet",
        ),
        (
            "identification: card_and_pin",
            "identification: card",
            23,
            "sites[0].agents[0].doors[2].card_only",
            "no effect",
        ),
        (
            f'    pin: "{B}"\n    duress_pin: "{C}"\n',
            "",
            23,
            "sites[0].agents[0].doors[2].identification",
            "no credential",
        ),
        (
            "first_person_group: principals",
            "first_person_group: heads",
            21,
            "sites[0].agents[0].doors[0].first",
            "staff",
        ),
        (
            "first_person_group: principals",
            "first_person_for_all: true",
            21,
            "sites[0].agents[0].doors[0].first",
            "who",
        ),
        ("schedule: school-day, first", "first", 21, "sites[0].agents[0].doors[0].first_person_group", "no effect"),
        ("Outer, interlock: vestibule", "Outer", 25, "sites[0].agents[0].doors[4].interlock", "no other door"),
        (
            "vestibule, schedule: quiet",
            "vestibule, schedule: school-day",
            25,
            "sites[0].agents[0].doors[4].sch",
            "unlocks",
        ),
        (f'    pin: "{B}"\n', "", 33, "credentials[0].duress_pin", "needs a pin"),
        (C, B, 34, "credentials[0].duress_pin", "the pin itself"),
        ("attempts: 3", "attempts: 0", 10, "pin_policy.attempts", "1"),
    ],
)
def test_rules_that_contradict_each_other_are_told_by_line_and_field(
    tmp_path: Path, *, old: str, new: str, line: int, field: str, says: str
) -> None:
    assert GOOD.count(old) >= 1
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load_directory(path)
    told = str(caught.value).splitlines()
    assert any(one.startswith(f"{path}:{line}: {field}") and says in one for one in told), told


def test_what_a_schedule_opens_goes_with_soft_and_timed_anti_passback_and_elsewhere_with_hard(tmp_path: Path) -> None:
    opened = "schedule: school-day, area_from: hall, area_to: gym"
    for text in (
        GOOD.replace("area_from: hall, area_to: gym, passback: hard", f"{opened}, passback: soft"),
        GOOD.replace("area_from: hall, area_to: gym, passback: hard", f"{opened}, passback: timed"),
        GOOD.replace("area_from: hall, area_to: gym", "schedule: quiet, area_from: hall, area_to: gym"),
    ):
        assert text != GOOD
        assert load_directory(write(tmp_path, text)).doors


def test_the_example_of_the_page_on_access_is_accepted(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "access.md").read_text(encoding="utf-8")
    sample = page.split("```yaml\n")[1].split("```")[0].replace("x: …", f"x: {X}")
    for digit in "0123456789":  # what the page leaves out
        sample = sample.replace('"…"', f'"{digit * 64}"', 1)
    assert len(load_directory(write(tmp_path, sample)).doors) == 6
