"""The live view's own records of doors, agents and sites. The fleet alone writes them; other parts read.

Times are milliseconds of central's monotonic clock unless named UTC.
"""

from collections import Counter
from dataclasses import dataclass, field

from central.fleet.arrival import Arrivals
from protocol.messages import DoorState, OutboxState
from protocol.words import Condition, DoorMode


class AgentSession:
    """One run of an agent's program, as central has heard it."""

    __slots__ = ("arrivals", "ended_ms", "name", "replaced", "seq")

    def __init__(self, name: str) -> None:
        self.name = name
        self.arrivals = Arrivals()
        self.seq = -1  # of the last live snapshot
        self.ended_ms: int | None = None  # when its death was reported
        self.replaced = False  # by another session, once


class LiveAgent:
    """One agent. ``alive``: heard by a snapshot made within proof.SILENT_MS, and not reported dead since."""

    __slots__ = (
        "agent", "alarms", "alive", "applied", "config_version", "doors", "fire", "heard_ms", "oldest_proof_ms",
        "outbox", "reason", "session", "sessions", "site", "stamp", "versions",
    )  # fmt: skip

    def __init__(self, site: str, agent: str) -> None:
        self.site = site
        self.agent = agent
        self.alive = False
        self.heard_ms: int | None = None  # when its latest live snapshot was made
        self.session: AgentSession | None = None  # the current one
        self.sessions: dict[str, AgentSession] = {}  # the last few
        self.versions: dict[str, str] = {}
        self.reason = ""  # why it went offline, if reported
        self.applied: dict[str, int] = {}  # declarations topic -> revision it holds
        self.config_version = 0
        self.fire = False
        self.alarms: tuple[str, ...] = ()  # of no door
        self.outbox: OutboxState | None = None
        self.doors: dict[str, LiveDoor] = {}
        self.oldest_proof_ms: int | None = None  # of the doors shown secure
        self.stamp = 0  # counts snapshots, to find doors that one leaves out

    def __repr__(self) -> str:
        return f"<{self.site}/{self.agent} {'alive' if self.alive else 'not alive'}>"


class LiveDoor:
    """One door. ``condition`` is how it may be shown; ``mode`` and ``state`` are the last reported."""

    __slots__ = ("agent", "condition", "door", "mode", "proof_ms", "since_ms", "site", "stamp", "state")

    def __init__(self, agent: LiveAgent, door: str, since_ms: int) -> None:
        self.site = agent.site
        self.agent = agent
        self.door = door
        self.mode: DoorMode | None = None
        self.condition = Condition.UNKNOWN
        self.since_ms = since_ms  # UTC; since when it is shown in this condition
        self.state: DoorState | None = None
        self.proof_ms: int | None = None  # when the oldest reading behind its condition was taken
        self.stamp = 0

    @property
    def proven(self) -> bool:
        """Shown secure, which takes fresh evidence (invariant 2)."""
        return self.condition is Condition.SECURE

    def __repr__(self) -> str:
        return f"<{self.site}/{self.agent.agent}/{self.door} {self.mode} {self.condition}>"


@dataclass(slots=True)
class Totals:
    """Sums over doors and agents, kept up to date."""

    doors: int = 0
    agents: int = 0
    agents_alive: int = 0
    alarms: int = 0  # raised at doors, and of agents: power, a cut fire line
    duress: int = 0  # doors with a duress alarm, by their last report
    fires: int = 0  # agents whose fire input is on, by their last report
    conditions: Counter[Condition] = field(default_factory=Counter)
    modes: Counter[DoorMode] = field(default_factory=Counter)

    @property
    def proven(self) -> int:
        return self.conditions[Condition.SECURE]


@dataclass(slots=True)
class Changes:
    """The changes of one step of the fleet. A door whose evidence is only newer has not changed."""

    now_ms: int
    doors: list[LiveDoor] = field(default_factory=list)
    agents: list[LiveAgent] = field(default_factory=list)  # in anything that an operator sees
    presence: list[LiveAgent] = field(default_factory=list)  # came alive, or went silent
    applied: list[LiveAgent] = field(default_factory=list)  # hold other revisions of declarations than before

    def __bool__(self) -> bool:
        return bool(self.doors or self.agents)
