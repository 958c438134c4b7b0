"""The plan of a believable district: which schools, agents and doors there are, and who may pass them.

Pure data and a pure function; nothing is written and no key is made here (see simulators.district.make). The places
are invented, and people are numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.gpio import FailMode, LockKind

ALL_DAY = ("00:00", "24:00")
WEEK = list(range(7))
WEEKDAYS = list(range(5))

MOST_DOORS = 11
"""Four pins a door, one for fire and one for panic, on the 46 of a Compute Module."""


@dataclass(frozen=True, slots=True)
class DistrictSize:
    """How much of a district: ``doors`` and ``readers`` are an agent's. ValueError where that cannot be wired."""

    sites: int = 3
    agents: int = 2
    doors: int = 8
    readers: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.sites <= 2000:
            raise ValueError(f"{self.sites} sites; expected 1 to 2000")
        if not 1 <= self.agents <= 50:
            raise ValueError(f"{self.agents} agents a site; expected 1 to 50")
        if not 1 <= self.doors <= MOST_DOORS:
            raise ValueError(f"{self.doors} doors an agent; a board's pins are enough for 1 to {MOST_DOORS}")
        if not 0 <= self.readers <= self.doors:
            raise ValueError(f"{self.readers} readers an agent; expected 0 to its {self.doors} doors")

    @property
    def all_doors(self) -> int:
        """Doors of the district."""
        return self.sites * self.agents * self.doors


@dataclass(frozen=True, slots=True)
class DoorPlan:
    """A door and how it is fitted."""

    door: str
    name: str
    zones: tuple[str, ...]
    perimeter: bool = False
    schedule: str | None = None
    maglock: bool = False
    tamper: bool = False
    pin: bool = False  # a card and a PIN are wanted
    reader_rank: int = 9  # doors with the least get the agent's readers

    @property
    def kind(self) -> LockKind:
        return LockKind.MAGLOCK if self.maglock else LockKind.STRIKE

    @property
    def fail_mode(self) -> FailMode:
        """What its lock does without power."""
        return FailMode.FAIL_SAFE if self.maglock else FailMode.FAIL_SECURE


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One Pi and its doors; the doors in ``with_reader`` have a badge reader outside."""

    agent: str
    doors: tuple[DoorPlan, ...]
    with_reader: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SitePlan:
    """A school and its agents."""

    site: str
    name: str
    agents: tuple[AgentPlan, ...]


@dataclass(frozen=True, slots=True)
class CardholderGroup:
    """Cardholders with the same rights: how many, and which doors of a site they pass, when."""

    group: str
    members: int
    doors: tuple[str, ...]  # ("*",) is every door
    schedule: str | None
    override: bool = False
    pins: bool = False  # its members have PINs


GROUPS = (
    CardholderGroup("staff", 24, ("*",), "staff-hours", pins=True),
    CardholderGroup("kitchen", 4, ("cafeteria", "kitchen", "loading-dock"), "staff-hours", pins=True),
    CardholderGroup("coaches", 4, ("gym", "gym-outside"), "staff-hours"),
    CardholderGroup("students", 24, ("main-entrance", "gym", "cafeteria", "library"), "school-day"),
    CardholderGroup("responders", 4, ("*",), None, override=True),
)

LOST_CARDS = 3
"""Cards that are still held and that the district does not know."""

_PLACES = ("Thistledown", "Larkmere", "Quillwater", "Fernhollow", "Ambervale", "Saltbrook", "Windlow", "Copperfen")
_LEVELS = ("High", "Middle", "Elementary")
_WINGS = ("east", "west", "north", "south", "annex")

_EAST = (
    DoorPlan("main-entrance", "Main entrance", ("front",), True, "arrival", tamper=True, reader_rank=0),
    DoorPlan("gym", "Gym", ("athletics",), reader_rank=1),
    DoorPlan("gym-outside", "Gym, outside doors", ("athletics",), True, reader_rank=2),
    DoorPlan("front-office", "Front office", ("front",), schedule="office-hours"),
    DoorPlan("bus-loop", "Bus loop", ("front",), True),
    DoorPlan("east-hall", "East hall", ("classrooms",), maglock=True),
    DoorPlan("room-101", "Room 101", ("classrooms",)),
    DoorPlan("room-102", "Room 102", ("classrooms",)),
)
_WEST = (
    DoorPlan("cafeteria", "Cafeteria", ("commons",), reader_rank=0),
    DoorPlan("loading-dock", "Loading dock", ("commons",), True, tamper=True, pin=True, reader_rank=1),
    DoorPlan("kitchen", "Kitchen", ("commons",), reader_rank=2),
    DoorPlan("library", "Library", ("commons",), reader_rank=3),
    DoorPlan("courtyard", "Courtyard", ("commons",), True),
    DoorPlan("west-hall", "West hall", ("classrooms",), maglock=True),
    DoorPlan("room-201", "Room 201", ("classrooms",)),
    DoorPlan("room-202", "Room 202", ("classrooms",)),
)


def plan(size: DistrictSize) -> tuple[SitePlan, ...]:
    """The schools of a district of this size. The same size gives the same plan."""
    return tuple(_site(number, size) for number in range(size.sites))


def schedules(*, round_the_clock: bool) -> dict[str, list[dict[str, object]]]:
    """The schedules the doors and groups name, as district.yaml has them.

    ``round_the_clock``: school is always in, for a demonstration at any hour of any day.
    """

    def periods(*spans: tuple[str, str]) -> list[dict[str, object]]:
        days, spans = (WEEK, (ALL_DAY,)) if round_the_clock else (WEEKDAYS, spans)
        return [{"days": days, "start": start, "end": end, "mode": "unlocked"} for start, end in spans]

    return {
        "arrival": periods(("07:15", "08:20"), ("14:50", "15:40")),
        "office-hours": periods(("07:30", "16:00")),
        "school-day": periods(("07:15", "15:40")),
        "staff-hours": periods(("06:00", "22:00")),
    }


def _site(number: int, size: DistrictSize) -> SitePlan:
    place, level = _PLACES[number % len(_PLACES)], _LEVELS[number % len(_LEVELS)]
    turn = number // len(_PLACES)
    name = f"{place} {level}" + (f" {turn + 1}" if turn else "")
    agents = tuple(_agent(place, size) for place in range(size.agents))
    return SitePlan(name.lower().replace(" ", "-"), name, agents)


def _agent(number: int, size: DistrictSize) -> AgentPlan:
    wing = _WINGS[number % len(_WINGS)] + (f"-{number // len(_WINGS) + 1}" if number >= len(_WINGS) else "")
    named = (_EAST, _WEST)[number] if number < 2 else ()
    doors = [*named[: size.doors]]
    for extra in range(size.doors - len(doors)):
        room = f"room-{number + 3}{extra + 1:02d}"
        doors.append(DoorPlan(room, room.replace("-", " ").capitalize(), ("classrooms",)))
    by_rank = sorted(range(len(doors)), key=lambda place: doors[place].reader_rank)
    with_reader = tuple(doors[place].door for place in sorted(by_rank[: size.readers]))
    spare_pins = 4 * (MOST_DOORS - size.doors)
    if spare_pins < sum(door.tamper for door in doors):
        doors = [replace(door, tamper=False) for door in doors]
    return AgentPlan(wing, tuple(doors), with_reader)
