"""The vocabulary of the walk test: steps, records, findings. Plain data, no rules.

Times are milliseconds of the rig's own clock, 0 or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Sensor(StrEnum):
    """The inputs that are watched. The first four belong to a door, the others to the agent (door "")."""

    CONTACT = "contact"  # true: closed
    BOLT = "bolt"  # true: thrown; a maglock: bonded
    REX = "rex"  # true: pressed
    TAMPER = "tamper"  # true: cover open
    FIRE = "fire"  # true: alarm
    PANIC = "panic"  # true: pressed
    MAINS = "mains"  # true: there
    BATTERY = "battery"  # true: good


InputName: TypeAlias = tuple[str, Sensor]
"""A door ("" for the agent itself) and one of its inputs."""


class StepKind(StrEnum):
    """The steps at a door, in this order."""

    INPUTS = "inputs"  # the agent's own: fire, panic, power
    REST = "rest"
    UNLOCK = "unlock"
    LOCK = "lock"
    PULL = "pull"
    OPEN = "open"
    CLOSE = "close"
    BADGE = "badge"
    KEYPAD = "keypad"
    REX = "rex"
    TAMPER = "tamper"
    END = "end"


@dataclass(frozen=True, slots=True)
class Step:
    """One step at one door."""

    kind: StepKind
    door: str
    reader: str | None = None
    person: bool = False  # whether somebody must do something
    limit_ms: int = 60_000  # given up after this long

    @property
    def key(self) -> str:
        return self.kind if self.reader is None else f"{self.kind}:{self.reader}"


@dataclass(frozen=True, slots=True)
class DoorFacts:
    """What judging needs to know of a door beside the record."""

    maglock: bool = False
    bolt_fitted: bool = True
    bolt_ms: int = 2_000  # longest a bolt may take before the agent calls it jammed
    shut: bool = True  # how the contact read while the door was shut
    locked: bool = True  # how the bolt read while the door was locked


class ReaderState(StrEnum):
    """Whether a reader can be read."""

    STARTING = "starting"  # no answer yet
    ONLINE = "online"
    SILENT = "silent"
    UNSTEADY = "unsteady"  # answers, but its secure channel does not come up or stay up
    WRONG_KEY = "wrong_key"  # showed that it holds another key, or none
    PORT = "port"  # its serial port cannot be opened
    UNKNOWABLE = "unknowable"  # a kind that sends nothing until it reads a card


class NewsKind(StrEnum):
    """What a reader reports."""

    READ = "read"
    REFUSED = "refused"
    LOST = "lost"  # its secure channel went down, or a badge waited there for too long
    KEYS = "keys"


@dataclass(frozen=True, slots=True)
class ReaderNews:
    """A report of a reader. ``detail``: how many bits, why refused, which keys; never what is on a card."""

    at_ms: int
    reader: str
    kind: NewsKind
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one input."""

    at_ms: int
    door: str
    sensor: Sensor
    value: bool | None  # None: no reading any more

    @property
    def input(self) -> InputName:
        return self.door, self.sensor


@dataclass(slots=True)
class Record:
    """Every input and reader during one step, of all doors."""

    began_ms: int
    before: Mapping[InputName, bool | None]
    changes: list[Change] = field(default_factory=list)
    news: list[ReaderNews] = field(default_factory=list)
    faults: dict[InputName, str] = field(default_factory=dict)  # supervised lines that were cut or short
    readers: Mapping[str, ReaderState] = field(default_factory=dict)
    now_ms: int = 0  # how far it goes
    done_ms: int | None = None  # when the person said that it is done

    @property
    def said_done(self) -> bool:
        return self.done_ms is not None

    def value(self, input_: InputName) -> bool | None:
        changes = self.of(input_)
        return changes[-1].value if changes else self.before.get(input_)

    def of(self, input_: InputName) -> list[Change]:
        return [change for change in self.changes if change.input == input_]

    def first(self, input_: InputName, value: bool) -> Change | None:
        return next((change for change in self.of(input_) if change.value is value), None)


class Verdict(StrEnum):
    """How a step or a door came out."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  # by the person, or it could not be done
    NOT_REACHED = "not_reached"


class FindingKind(StrEnum):
    """What can be wrong. Texts are in edge_agent.walk_test.findings."""

    NO_READING = "no_reading"
    LINE_CUT = "line_cut"
    LINE_SHORT = "line_short"
    UNSTEADY = "unsteady"
    CROSSED = "crossed"
    TIED = "tied"
    SWAPPED = "swapped"
    CONTACT_OPEN = "contact_open"
    CONTACT_REVERSED = "contact_reversed"
    CONTACT_DEAD = "contact_dead"
    CONTACT_NOT_BACK = "contact_not_back"
    BOLT_NOT_THROWN = "bolt_not_thrown"
    BOLT_STAYS = "bolt_stays"
    BOLT_OPPOSITE = "bolt_opposite"
    BOLT_REVERSED = "bolt_reversed"
    BOLT_SLOW = "bolt_slow"
    BOLT_BOUNCES = "bolt_bounces"
    LATCH_NOT_CAUGHT = "latch_not_caught"
    LOCK_CROSSED = "lock_crossed"
    LOCK_INVERTED = "lock_inverted"
    NOT_HELD = "not_held"
    NOT_RELEASED = "not_released"
    READER_SILENT = "reader_silent"
    READER_UNSTEADY = "reader_unsteady"
    READER_KEY = "reader_key"
    READER_PORT = "reader_port"
    READER_CROSSED = "reader_crossed"
    BADGE_GARBLED = "badge_garbled"
    BADGE_NOT_READ = "badge_not_read"
    KEYPAD_SILENT = "keypad_silent"
    KEYPAD_WRONG = "keypad_wrong"
    REX_STUCK = "rex_stuck"
    REX_DEAD = "rex_dead"
    REX_REVERSED = "rex_reversed"
    EGRESS_HELD = "egress_held"
    TAMPER_OPEN = "tamper_open"
    TAMPER_DEAD = "tamper_dead"
    TAMPER_REVERSED = "tamper_reversed"
    NOT_SECURE_AT_END = "not_secure_at_end"
    FIRE_ACTIVE = "fire_active"
    PANIC_PRESSED = "panic_pressed"
    MAINS_FAILED = "mains_failed"
    BATTERY_LOW = "battery_low"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``about``: the input, the reader or the other door it is about."""

    kind: FindingKind
    about: str = ""
    detail: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step came out. ``measured``: milliseconds by name (throw_ms, retract_ms)."""

    key: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    measured: Mapping[str, int] = field(default_factory=dict)
    why: str = ""  # of a step that was skipped
    at_ms: int = 0  # UTC
