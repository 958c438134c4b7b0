"""Which alarms are reported at once, and which are counted: what repeats is one thing with a number, not thirty.

Pure. It decides about the *events* that call people; what a door shows is never grouped, and always true. One
:class:`Group` is one alarm of one source: a door's own sensors, a reader of it, a line of it.

The rules. The first time is reported at once. What comes again within five minutes is counted, and reported as one
event with its count at the end of those minutes. Five times within ten minutes is the hardware's fault and no longer
news: that is reported once, as Alarm.MAINTENANCE, until an hour was quiet. Nothing is hidden by it:

- Five quiet minutes, and the next one is reported at once again, maintenance or not.
- An alarm that comes again and *stays* is reported at once, too, at most once in five minutes.
- Forced doors and opened covers are written every time; those that are grouped are marked so (``grouped``). While
  the hardware is not known to be at fault, one is reported at once as soon as nobody was called for five minutes: who
  forces a door every four minutes is not one event with a number.
- Under a declaration that secures the door they are reported every time (:attr:`Weight.ALWAYS`): nobody takes a door
  forced in a lockdown for a loose wire. On a perimeter door they are, until five of them have shown a loose wire
  (:attr:`Weight.UNTIL_FLAPPING`).

A number counts raised alarms. The sum over all events of a group is how often it was raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeAlias

WINDOW_MS = 5 * 60_000
"""What comes again within this time is counted. An alarm that has been quiet for so long is news again."""

LASTING_MS = 10_000
"""An alarm that comes again and stays for this long is no flapping contact."""

FLAPPING = 5
FLAPPING_MS = 10 * 60_000
"""So often within this time is a fault of the hardware."""

QUIET_MS = 60 * 60_000
"""After this long without it the fault is taken for mended."""


class Weight(Enum):
    """How much a repeated alarm insists on being reported."""

    COUNTED = 1  # it has no event of its own
    WRITTEN = 2  # it has one, marked as grouped; reported at once after five minutes without, until the group flaps
    UNTIL_FLAPPING = 3  # reported at once until the group flaps, written from then on
    ALWAYS = 4  # reported at once


@dataclass(frozen=True, slots=True)
class Group:
    """All that is known of one alarm of one source. Times are monotonic milliseconds."""

    first_ms: int | None = None  # when the series that is counted began; None: quiet
    repeat: int = 0  # how often it was raised in the series
    window_ms: int = 0  # since when repeats are counted for the next event
    repeats: int = 0  # in this window
    uncounted: int = 0  # of the series, not in any event yet
    lasting_reported: bool = False  # in this window
    recent: tuple[int, ...] = ()  # the last times it was raised, at most FLAPPING
    flapping: bool = False
    on_since_ms: int | None = None  # None: it is not on
    written: bool = False  # this time has an event
    loud: bool = False  # which calls people
    loud_ms: int = 0  # when people were last called


@dataclass(frozen=True, slots=True)
class Tell:
    """Write that the alarm was raised (``on``) or cleared, with this beside its name."""

    on: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TellFlapping:
    """Raise or clear Alarm.MAINTENANCE for this group."""

    on: bool
    count: int


Effect: TypeAlias = Tell | TellFlapping
Step: TypeAlias = tuple[Group, tuple[Effect, ...]]


def raised(group: Group, weight: Weight, now_ms: int) -> Step:
    """The alarm is on now, and was not before."""
    group, ended = tick(group, now_ms)
    recent = (*(at for at in group.recent if now_ms - at < FLAPPING_MS), now_ms)[-FLAPPING:]
    new = group.first_ms is None or now_ms - max(group.recent, default=0) >= WINDOW_MS
    loud = new or _reported_alone(group, weight, now_ms)
    written = loud or weight is not Weight.COUNTED
    group = replace(
        group,
        first_ms=now_ms if new else group.first_ms,
        repeat=1 if new else group.repeat + 1,
        window_ms=now_ms if new else group.window_ms,
        repeats=0 if new else group.repeats + 1,
        uncounted=group.uncounted + (0 if written else 1),
        recent=recent,
        on_since_ms=now_ms,
        written=written,
        loud=loud,
        loud_ms=now_ms if loud else group.loud_ms,
    )
    effects = [*ended, Tell(on=True, data=_data(group, count=1))] if written else [*ended]
    if len(recent) >= FLAPPING and not group.flapping:
        group = replace(group, flapping=True)
        effects.append(TellFlapping(on=True, count=max(group.repeat, FLAPPING)))
    return group, tuple(effects)


def cleared(group: Group, now_ms: int) -> Step:
    """The alarm is over. It is reported if that time was."""
    group, effects = tick(group, now_ms)
    told = (Tell(on=False, data={} if group.loud else {"grouped": True}),) if group.written else ()
    return replace(group, on_since_ms=None, written=False, loud=False), (*effects, *told)


def tick(group: Group, now_ms: int) -> Step:
    """Time has passed. Call it every second or so, in any state."""
    effects: list[Effect] = []
    if group.first_ms is not None and now_ms - group.window_ms >= WINDOW_MS:
        if group.uncounted:
            effects.append(Tell(on=True, data=_data(replace(group, loud=False), count=group.uncounted)))
            group = replace(group, uncounted=0, written=group.on_since_ms is not None)
        group = replace(group, window_ms=now_ms, repeats=0, lasting_reported=False, **_end_of(group))
    if _lasts(group, now_ms):
        group, told = insisted(replace(group, lasting_reported=True), now_ms)
        effects.extend(replace(tell, data={**tell.data, "lasting": True}) for tell in told)
    if group.flapping and now_ms - max(group.recent, default=0) >= QUIET_MS:
        effects.append(TellFlapping(on=False, count=0))
        group = replace(group, flapping=False, recent=())
    return group, tuple(effects)


def insisted(group: Group, now_ms: int) -> tuple[Group, tuple[Tell, ...]]:
    """What is on and was only counted or written is reported after all: it stays, or a declaration makes it grave."""
    if group.on_since_ms is None or group.loud:
        return group, ()
    count = 0 if group.written else 1  # a time that has its event already is not counted again
    group = replace(group, written=True, loud=True, loud_ms=now_ms, uncounted=max(0, group.uncounted - count))
    return group, (Tell(on=True, data=_data(group, count=count)),)


def over(group: Group) -> bool:
    """Whether nothing needs to be remembered of it."""
    return group.first_ms is None and not group.flapping and group.on_since_ms is None


def flush(group: Group, now_ms: int) -> tuple[Effect, ...]:
    """What is counted and not reported yet, at the end of the program."""
    group, effects = tick(group, now_ms)
    return (*effects, Tell(on=True, data=_data(group, count=group.uncounted))) if group.uncounted else effects


def _reported_alone(group: Group, weight: Weight, now_ms: int) -> bool:
    """Whether one that comes again is reported at once."""
    match weight:
        case Weight.COUNTED:
            return False
        case Weight.WRITTEN:
            return not group.flapping and now_ms - group.loud_ms >= WINDOW_MS
        case Weight.UNTIL_FLAPPING:
            return not group.flapping
        case Weight.ALWAYS:
            return True


def _end_of(group: Group) -> dict[str, Any]:
    """A window in which nothing came again ends the series."""
    return {} if group.repeats else {"first_ms": None, "repeat": 0}


def _lasts(group: Group, now_ms: int) -> bool:
    quiet = group.on_since_ms is not None and not group.loud and not group.lasting_reported
    return quiet and now_ms - (group.on_since_ms or 0) >= LASTING_MS


def _data(group: Group, *, count: int) -> dict[str, Any]:
    """What an event says beside the alarm's name: nothing, for the first time."""
    data: dict[str, Any] = {}
    if group.repeat > 1:
        data = {"repeat": group.repeat, "first_ms": group.first_ms}
    if count != 1:
        data["count"] = count
    if not group.loud:
        data["grouped"] = True
    return data
