"""What people do at a school's doors over its day. Pure: a seed and a minute give the same acts, always.

It knows the hours of a school and nothing of hardware; simulators.school.people carries the acts out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

DAY_BEGINS = 7 * 60 + 30
DAY_ENDS = 16 * 60
MINUTE_MS = 60_000

CLASS_CHANGE_EVERY = 50
CLASS_CHANGE_LASTS = 5


class ActKind(StrEnum):
    """What somebody does at a door."""

    BADGE = "badge"  # hold a card to its reader, and walk in if it shows green
    LEAVE = "leave"  # push it open from inside
    TRY = "try"  # pull at it from outside, without a card


@dataclass(frozen=True, slots=True)
class DoorAct:
    """One thing somebody does. ``card`` is a place in the list of cards, None where none is held up."""

    after_ms: int  # school time, since the minute began
    kind: ActKind
    door: str
    card: int | None = None


@dataclass(frozen=True, slots=True)
class _Hour:
    """How busy a part of the day is: acts a minute at one agent's doors, and of what kind."""

    busy: float
    badge: int
    leave: int
    try_: int


_ARRIVAL = _Hour(0.3, 8, 1, 1)
_CLASS_CHANGE = _Hour(0.4, 1, 8, 1)
_LUNCH = _Hour(0.3, 5, 4, 1)
_LEAVING = _Hour(0.35, 1, 9, 0)
_LESSON = _Hour(0.15, 4, 5, 1)


class Rhythm:
    """The day of one agent's doors: ``doors`` all of them, ``entrances`` those with a reader, ``cards`` how many."""

    def __init__(self, seed: int | str, doors: Sequence[str], entrances: Sequence[str], cards: int) -> None:
        self._seed = seed
        self._doors = tuple(doors)
        self._entrances = tuple(entrances)
        self._cards = cards

    def acts(self, minute: int) -> tuple[DoorAct, ...]:
        """The acts of one minute (minutes since midnight, school time), in order."""
        hour = _hour(minute)
        # Python's own hash of a tuple differs between processes; a text seeds alike everywhere.
        rng = random.Random(f"{self._seed}/{minute}")
        acts = []
        for _ in range(_count(hour.busy, rng)):
            kind = rng.choices(tuple(ActKind), (hour.badge, hour.leave, hour.try_))[0]
            if kind is ActKind.BADGE and not (self._entrances and self._cards):
                kind = ActKind.LEAVE
            acts.append(self._act(kind, rng))
        return tuple(sorted(acts, key=lambda act: act.after_ms))

    def _act(self, kind: ActKind, rng: random.Random) -> DoorAct:
        after_ms = rng.randrange(MINUTE_MS)
        if kind is ActKind.BADGE:
            return DoorAct(after_ms, kind, rng.choice(self._entrances), rng.randrange(self._cards))
        return DoorAct(after_ms, kind, rng.choice(self._doors))


@dataclass(frozen=True, slots=True)
class DayClock:
    """School time: ``starts`` (minutes since midnight) at moment 0, ``speed`` times as fast as the world's.

    After the school day the next one begins at once: a demonstration of the night shows nothing.
    """

    starts: float = DAY_BEGINS
    speed: float = 1.0

    def __post_init__(self) -> None:
        if not DAY_BEGINS <= self.starts < DAY_ENDS:
            raise ValueError(f"the school day is {shown(DAY_BEGINS)} to {shown(DAY_ENDS)}, not {shown(self.starts)}")
        if not 0 < self.speed <= 600:
            raise ValueError(f"speed {self.speed}: expected more than 0 and at most 600 times")

    def minute(self, elapsed_s: float) -> float:
        """Minutes since midnight, ``elapsed_s`` real seconds after the start."""
        passed = self.starts - DAY_BEGINS + elapsed_s * self.speed / 60
        return DAY_BEGINS + passed % (DAY_ENDS - DAY_BEGINS)

    def seconds_until(self, minute: float, elapsed_s: float) -> float:
        """Real seconds from ``elapsed_s`` until school time is next ``minute``."""
        ahead = (minute - self.minute(elapsed_s)) % (DAY_ENDS - DAY_BEGINS)
        return ahead * 60 / self.speed


def time_of_day(text: str) -> int:
    """Minutes since midnight of ``HH:MM``. ValueError if it is not one of the school day."""
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and len(minutes) == 2 and int(minutes) < 60):
        raise ValueError(f"{text!r} is not a time of day; write HH:MM, in quotes")
    minute = int(hours) * 60 + int(minutes)
    if not DAY_BEGINS <= minute < DAY_ENDS:
        raise ValueError(f"{text} is outside the school day, {shown(DAY_BEGINS)} to {shown(DAY_ENDS)}")
    return minute


def shown(minute: float) -> str:
    """A minute of the day as ``HH:MM``."""
    return f"{int(minute) // 60:02d}:{int(minute) % 60:02d}"


def _hour(minute: int) -> _Hour:
    if minute < 8 * 60 + 15:
        return _ARRIVAL
    if 11 * 60 + 30 <= minute < 12 * 60 + 45:
        return _LUNCH
    if minute >= 15 * 60:
        return _LEAVING
    if (minute - DAY_BEGINS) % CLASS_CHANGE_EVERY < CLASS_CHANGE_LASTS:
        return _CLASS_CHANGE
    return _LESSON


def _count(busy: float, rng: random.Random) -> int:
    """A whole number of acts whose mean is ``busy`` (below 2)."""
    return int(rng.random() < busy / 2) + int(rng.random() < busy / 2)
