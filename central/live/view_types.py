"""The shapes of central's answers, declared once: for the API's document, for the type checker, for readers.

Plain dictionaries: a view of 32,000 doors is built and encoded without a detour over objects. Times named ``*_ms``
are UTC milliseconds since 1970 on central's clock, unless they are durations.
"""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

Counts = dict[str, int]
Utc = Annotated[int, Field(description="UTC milliseconds since 1970, on central's clock")]


class Hello(TypedDict):
    """The live stream's first message: central's time, and how long evidence and silence may last."""

    server_ms: Utc
    evidence_lasts_ms: Annotated[int, Field(description="Evidence older than this proves nothing (ms)")]
    stream_silent_ms: Annotated[int, Field(description="After so long without a word, believe nothing shown (ms)")]


class EvidenceView(TypedDict):
    """The readings of a door's sensors."""

    contact: Annotated[str | None, Field(description="closed or open; null: no reading")]
    bolt: Annotated[str | None, Field(description="thrown or retracted; null: no reading, or none fitted")]
    bolt_fitted: bool


class DoorView(TypedDict):
    """A door as it may be shown now."""

    site: str
    agent: str
    door: str
    name: str
    zones: list[str]
    perimeter: bool
    mode: Annotated[str | None, Field(description="unlocked, controlled or secured: its agent's last word")]
    condition: Annotated[str, Field(description="What the door is; unknown without fresh evidence")]
    proven: Annotated[bool, Field(description="Shown secure, on fresh evidence")]
    evidence: EvidenceView
    evidence_at_ms: Annotated[
        int | None, Field(description="When the oldest reading the condition rests on was taken (UTC ms)")
    ]
    since_ms: Annotated[int, Field(description="Since when it is shown in this condition (UTC ms)")]
    released: Annotated[bool, Field(description="What the lock output commands, not what the door is")]
    declarations: Annotated[list[str], Field(description="Ids of the declarations that hold it")]
    alarms: list[str]
    maintenance: Annotated[list[str], Field(description="Which alarms came so often that the hardware is at fault")]
    fire_released: bool


class OutboxView(TypedDict):
    """The queue of an agent's events that central has not acknowledged."""

    depth: int
    capacity: int
    dropped: int


class AgentView(TypedDict):
    """An agent as it may be shown now."""

    site: str
    agent: str
    alive: bool
    heard_ms: Annotated[int | None, Field(description="When its latest snapshot was made (UTC ms)")]
    session: str | None
    versions: dict[str, str]
    outbox: OutboxView | None
    config_version: Annotated[int, Field(description="What it applies; 0: none yet")]
    config_wanted: Annotated[int | None, Field(description="What central has published for it")]
    fire: bool
    alarms: Annotated[list[str], Field(description="What belongs to no door: power, the fire line")]


class SiteSummary(TypedDict):
    """A site on one line."""

    site: str
    name: str
    doors: int
    conditions: Counts
    modes: Counts
    agents: int
    agents_alive: int
    alarms: int
    agent_alarms: Annotated[dict[str, list[str]], Field(description="What belongs to no door, by agent that has any")]
    duress: Annotated[int, Field(description="Doors that a person was forced to open; each needs help")]
    fire: bool
    declarations: Annotated[list[str], Field(description="Ids of active declarations that reach a door of the site")]


class TotalsView(TypedDict):
    """Sums over the whole district."""

    doors: int
    proven: int
    conditions: Counts
    agents: int
    agents_alive: int


class ScopeView(TypedDict):
    """Where a declaration holds."""

    kind: str
    site: str | None
    zone: str | None
    door: str | None


class ClosureView(TypedDict):
    """How many of a declaration's doors are proven; of an ended one, as at its end."""

    doors: int
    proven: int
    pending: int
    failed: int
    slowest_ms: Annotated[int | None, Field(description="The longest a door now proven took (ms)")]


class DeclarationView(TypedDict):
    """A declaration and its present state."""

    id: str
    action: str
    scope: ScopeView
    drill: bool
    reason: str
    by: str
    at_ms: Utc
    origin: Annotated[str, Field(description="central, or agent: a panic button")]
    state: Literal["active", "release_requested", "ended"]
    release_requested_by: str | None
    release_requested_at_ms: int | None
    ended_by: str | None
    ended_at_ms: int | None
    closure: ClosureView


class ClosureRowView(TypedDict):
    """One door under a declaration."""

    site: str
    agent: str
    door: str
    name: str
    state: Literal["proven", "pending", "failed"]
    why: Annotated[str, Field(description="A sentence for people; empty for a proven door")]
    condition: str
    evidence: EvidenceView
    evidence_at_ms: int | None
    proven_ms: Annotated[int | None, Field(description="From the declaration to the proof (ms)")]


class DeclarationDetail(DeclarationView):
    """A declaration with its doors; none once it has ended."""

    doors: list[ClosureRowView]


class EventView(TypedDict):
    """One event, as its agent wrote it."""

    id: int
    site: str
    agent: str
    stream: str
    seq: int
    door: str | None
    kind: str
    at_ms: Annotated[int, Field(description="UTC ms by the agent's clock; see clock_trusted")]
    clock_trusted: bool
    received_ms: Utc
    data: Annotated[dict[str, object], Field(description="Fields that depend on the kind")]


class DoorDetail(DoorView):
    """A door with its latest events."""

    events: list[EventView]


class SiteView(TypedDict):
    """A site with all its agents and doors."""

    server_ms: Utc
    site: str
    name: str
    timezone: str
    zones: list[str]
    agents: list[AgentView]
    doors: list[DoorView]


class Overview(TypedDict):
    """The district on one screen."""

    server_ms: Utc
    broker_connected: bool
    district: str
    totals: TotalsView
    sites: list[SiteSummary]
    declarations: Annotated[list[DeclarationView], Field(description="Those that hold")]
