"""The vocabulary of the door machine: what a door is made of, what is known of it, what happens to it.

Plain frozen data without behaviour; the rules are in :mod:`edge_agent.doors.machine`. All times are the
agent's monotonic clock in milliseconds, 0 or more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from protocol.words import Alarm, Bolt, Condition, Contact, DoorMode, EventKind

NEVER = -1
"""The end of a right that nobody was ever given: before any time."""


@dataclass(frozen=True, slots=True)
class DoorProfile:
    """What does not change while a door works: its hardware and its times."""

    door: str
    bolt_fitted: bool
    tamper_fitted: bool
    bolt_ms: int  # longest a healthy bolt takes to throw
    unlock_ms: int  # how long a grant or a request to exit lasts
    held_ms: int  # how long the door may stand open
    fail_safe: bool  # unlocked without power
    fire_release: bool  # has effect only on a fail-safe lock
    rex_releases: bool  # maglock: REX cuts the lock in every mode. A strike's egress is mechanical
    held_warning_ms: int = 0  # so long before it counts as held, the reader warns; 0: never


@dataclass(frozen=True, slots=True)
class DoorState:
    """All that is known of one door after the last step. Made by :func:`initial` and ``step`` only.

    Readers want ``mode``, ``declarations``, ``condition``, ``alarms`` and ``released``; the rest is how the
    machine remembers.
    """

    at_ms: int  # of the last step
    started_ms: int
    mode: DoorMode = DoorMode.CONTROLLED
    declarations: tuple[str, ...] = ()
    condition: Condition = Condition.UNKNOWN
    alarms: frozenset[Alarm] = frozenset()

    # What the lock was commanded.
    released: bool = False
    release_until_ms: int | None = None  # None while released: without an end
    locked_at_ms: int = 0  # the last command to lock; evidence counts from here

    # Who had the right to pass, until when (exclusive).
    fire: bool = False
    grant_until_ms: int = NEVER
    grant_used: bool = False  # the door has opened since the grant
    rex_until_ms: int = NEVER
    rex_from_ms: int = NEVER  # since when requests to exit have followed each other without a gap
    free_until_ms: int = NEVER  # when the last unlocked mode or fire ended

    # The last sample of the sensors, as it came.
    contact: Contact | None = None
    bolt: Bolt | None = None
    tampered: bool | None = None  # True stays until read otherwise
    sensed_at_ms: int | None = None  # None: never sampled

    # What follows from the samples before it.
    leaf: Contact | None = None  # the last position known, though the contact may be silent now
    closed_seen_ms: int = NEVER  # the last sample that showed it closed
    rebound_until_ms: int = NEVER  # a leaf that swings open again until then was shut too hard, not forced
    held_from_ms: int | None = None  # since when its time to stand open runs
    warned: bool = False  # that this time is nearly over
    forced: bool = False  # until closed and proven secure again
    bolt_due_ms: int = 0  # since when the bolt is under way
    bolt_arrived: bool = False  # thrown since then
    latch_fault: bool = False  # until the bolt is thrown, the door opens or the lock is released
    jammed: bool = False  # likewise


def initial(profile: DoorProfile, now_ms: int) -> DoorState:
    """A door at the agent's start: locked by its driver, controlled, nothing known of it."""
    return DoorState(
        at_ms=now_ms,
        started_ms=now_ms,
        locked_at_ms=now_ms,
        bolt_due_ms=now_ms,
        tampered=None if profile.tamper_fitted else False,
    )


# --- inputs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sensed:
    """One sample of all the door's sensors. None: that sensor gave no reading (or is not fitted).

    ``at_ms`` None: all were taken just now, after every lock command given so far was performed; say so of a
    sample taken at once, it proves from the very millisecond of the command. Otherwise when the oldest of them
    was taken, rounded down: it proves from the millisecond after the command. A sample older than the last one
    changes nothing.
    """

    contact: Contact | None
    bolt: Bolt | None = None
    tampered: bool | None = None
    at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ModeSet:
    """The effective mode and the ids of the declarations that ask for it (edge_agent.policy.effective_mode)."""

    mode: DoorMode
    declarations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Granted:
    """Somebody may pass once. ``by`` becomes the data of the event.

    On a secured door a grant without ``override`` is refused (ACCESS_DENIED, door_secured), whatever decided it.
    """

    by: Mapping[str, Any] = field(default_factory=dict)
    override: bool = False


@dataclass(frozen=True, slots=True)
class RexPressed:
    """A request to exit. While the sensor stays active, say it again with each sample: the window moves on,
    and only the first press of a window makes an event."""


@dataclass(frozen=True, slots=True)
class FireChanged:
    """The fire input's state; may be repeated."""

    active: bool


@dataclass(frozen=True, slots=True)
class LockTested:
    """Give the lock its present command again, so that its evidence must be read again."""


@dataclass(frozen=True, slots=True)
class ReleaseOver:
    """The lock's driver ended a timed release by itself."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; see ``next_deadline_ms``."""


Input: TypeAlias = Sensed | ModeSet | Granted | RexPressed | FireChanged | LockTested | ReleaseOver | Tick


# --- effects ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DriveLock:
    """Command the lock: first of a step's effects, and at most one.

    ``for_ms`` is for a driver that relocks by itself though the agent is busy; None: until the next command.
    A release without an end may be followed by one with an end; a driver that never shortens a release may
    ignore that, because the machine commands the lock at the end in any case.
    """

    released: bool
    for_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Emit:
    """Write an event of this door."""

    kind: EventKind
    data: Mapping[str, Any]


Effect: TypeAlias = DriveLock | Emit
