"""What may be wrong with the access rules of district.yaml though each field by itself is right. Pure.

A mistake here would lock people out on a Monday morning, or let them in: names that lead nowhere, rules that
contradict each other, rules that nobody could satisfy.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from central.district.directory_file import (
    AgentEntry,
    CredentialEntry,
    DistrictFile,
    DoorEntry,
    HolidayEntry,
    SiteEntry,
)
from protocol.words import DoorMode, Identification, Passback

Problem = tuple[str, str]
"""Where (``sites[0].name``) and what; after the first semicolon, the cure."""


def problems(file: DistrictFile) -> Iterator[Problem]:
    """Every one, in the order of the file."""
    yield from _holidays(file.holidays, "holidays")
    some_pin = any(credential.pin is not None for credential in file.credentials)
    for place, site in enumerate(file.sites):
        at = f"sites[{place}]"
        yield from _holidays(site.holidays, f"{at}.holidays")
        for number, agent in enumerate(site.agents):
            for index, door in enumerate(agent.doors):
                for check in _DOOR_CHECKS:
                    for field, what in check(door, agent, site, file):
                        yield f"{at}.agents[{number}].doors[{index}].{field}", what
                if door.identification is Identification.CARD_AND_PIN and not some_pin:
                    where = f"{at}.agents[{number}].doors[{index}].identification"
                    yield (
                        where,
                        "asks for a PIN, and no credential has one; give credentials a pin, or ask for a card",
                    )
    for place, credential in enumerate(file.credentials):
        yield from _credential(credential, f"credentials[{place}]")


def _holidays(holidays: Iterable[HolidayEntry], at: str) -> Iterator[Problem]:
    for place, holiday in enumerate(holidays):
        if holiday.last < holiday.first:
            yield f"{at}[{place}].last", f"{holiday.last} is before the first day, {holiday.first}"


def _credential(credential: CredentialEntry, at: str) -> Iterator[Problem]:
    if credential.duress_pin is not None and credential.pin is None:
        yield f"{at}.duress_pin", "needs a pin beside it: whoever is forced must seem to use an ordinary one"
    if credential.duress_pin is not None and credential.duress_pin == credential.pin:
        yield f"{at}.duress_pin", "is the pin itself, so every entry would be a duress; choose another"
    twice = [name for name, often in Counter(one.name for one in credential.clearances).items() if often > 1]
    if twice:
        yield f"{at}.clearances", f"{twice[0]!r} stands twice; keep the later one"


# --- doors --------------------------------------------------------------------------------------------------


def _identification(door: DoorEntry, _agent: AgentEntry, _site: SiteEntry, file: DistrictFile) -> Iterator[Problem]:
    name = door.card_only_schedule
    if name is None:
        return
    if name not in file.schedules:
        yield "card_only_schedule", f"there is no schedule {name!r}; schedules: {_list(file.schedules)}"
    if door.identification in {Identification.CARD, Identification.CARD_OR_PIN}:
        yield "card_only_schedule", f"has no effect: with {door.identification} a card suffices at all times"


def _areas(door: DoorEntry, _agent: AgentEntry, site: SiteEntry, _file: DistrictFile) -> Iterator[Problem]:
    for field, area in (("area_from", door.area_from), ("area_to", door.area_to)):
        if area is not None and area not in site.areas:
            yield field, f"this site has no area {area!r}; its areas: {_list(site.areas)}"
    if door.passback is not Passback.OFF and door.area_from == door.area_to:
        yield "passback", "needs area_from and area_to, and that they differ; leave one out for outside"


def _walked_past(door: DoorEntry, _agent: AgentEntry, site: SiteEntry, file: DistrictFile) -> Iterator[Problem]:
    """Who walks through an unlocked door shows no badge, so the next hard door takes them to be elsewhere."""
    if door.passback is not Passback.HARD:
        return
    mine = {door.area_from, door.area_to}
    for other in (other for agent in site.agents for other in agent.doors):
        shared = mine & {other.area_from, other.area_to}
        if other.area_from != other.area_to and shared and _opens_by_schedule(other, file):
            area = min(area or "outside" for area in shared)
            what = (
                f"hard would lock people out: schedule {other.schedule!r} unlocks door {other.door!r}, and who walks "
                f"through it to or from {area!r} shows no badge; use soft or timed, or leave that schedule out"
            )
            yield "passback", what
            return


def _first_person(door: DoorEntry, _agent: AgentEntry, site: SiteEntry, _file: DistrictFile) -> Iterator[Problem]:
    group = door.first_person_group
    if group is None:
        if door.first_person_for_all:
            yield "first_person_for_all", "needs a first_person_group: who must come first?"
        return
    with_access = {rule.group for rule in site.rules if "*" in rule.doors or door.door in rule.doors}
    if group not in with_access:
        yield (
            "first_person_group",
            f"no rule gives {group!r} this door, so nobody could come first; groups with it: {_list(with_access)}",
        )
    if door.schedule is None and not door.first_person_for_all:
        yield "first_person_group", "has no effect: the door has no schedule to hold back; give it one"


def _interlock(door: DoorEntry, agent: AgentEntry, _site: SiteEntry, file: DistrictFile) -> Iterator[Problem]:
    name = door.interlock
    if name is None:
        return
    if sum(other.interlock == name for other in agent.doors) < 2:
        yield (
            "interlock",
            f"no other door of agent {agent.agent!r} has interlock {name!r}; an interlock is within one agent",
        )
    if _opens_by_schedule(door, file):
        yield "schedule", f"unlocks a door of interlock {name!r}; then two could stand open, so leave it out"


def _opens_by_schedule(door: DoorEntry, file: DistrictFile) -> bool:
    return any(period.mode is DoorMode.UNLOCKED for period in file.schedules.get(door.schedule or "", ()))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


_DOOR_CHECKS: tuple[Callable[[DoorEntry, AgentEntry, SiteEntry, DistrictFile], Iterator[Problem]], ...] = (
    _identification,
    _areas,
    _walked_past,
    _first_person,
    _interlock,
)
