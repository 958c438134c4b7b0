"""Declares every message, once. JSON on the wire; unknown fields are ignored, so newer peers may send more.

Times: ``*_ms`` are milliseconds, ``utc_ns`` is nanoseconds since 1970 in UTC, ``mono_ms`` is the sender's
monotonic clock, which is never set and restarts with each boot. A Pi boots with a wrong clock, so a moment carries
both, and whether the sender trusts its UTC.
"""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct, field

from protocol.words import Bolt, Condition, Contact, DoorMode, Identification, KeyRole, Passback, ScopeKind

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$", description="1 to 48 of a-z, 0-9 and '-'")]
Count = Annotated[int, Meta(ge=0)]
ShortText = Annotated[str, Meta(max_length=200)]
Text = Annotated[str, Meta(max_length=2000)]
Token = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="a keyed hash, see protocol.credentials")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256, 64 hex digits")]

MOST_PAGES = 512
"""Pages of credentials an agent may have: 250,000 credentials are 256 of about a thousand."""


class Message(Struct, frozen=True, kw_only=True, gc=False):
    """Base of every message: immutable, and cheap by the ten thousand."""


class Stamp(Message, frozen=True, kw_only=True):
    """A moment as an agent saw it."""

    mono_ms: Count
    utc_ns: Count
    clock_trusted: bool
    boot: ShortText  # names the boot, within which mono_ms can be compared


# --- state and events ---------------------------------------------------------------------------------------


class AgentStatus(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/status``, retained, and the last will. A death of an older session is ignored."""

    online: bool
    session: ShortText  # new at each start of the agent
    versions: dict[str, str] = field(default_factory=dict)
    reason: ShortText = ""  # for offline: "stopped", or "lost" from the will


class Evidence(Message, frozen=True, kw_only=True):
    """The sensor readings that prove a door's condition, and their age when the snapshot was made."""

    contact: Contact | None  # None: no reading
    bolt: Bolt | None  # None: no reading, or no bolt monitor fitted
    bolt_fitted: bool
    age_ms: Count | None  # of the oldest reading behind the condition; None: there is none
    locked_ms: Count | None  # since the lock was last commanded locked; None: it is released


class DoorState(Message, frozen=True, kw_only=True):
    """One door in a snapshot."""

    door: Name
    mode: DoorMode
    condition: Condition
    released: bool  # the lock output's command, not the door's condition
    evidence: Evidence
    declarations: tuple[ShortText, ...] = ()  # ids of those that hold it
    alarms: tuple[ShortText, ...] = ()
    maintenance: tuple[ShortText, ...] = ()  # the alarms that came too often, for the alarm `maintenance`
    fire_released: bool = False


class OutboxState(Message, frozen=True, kw_only=True):
    """The agent's queue of events that central has not acknowledged."""

    depth: Count  # events not yet acknowledged
    capacity: Count
    last_seq: Count
    dropped: Count = 0


class StateSnapshot(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/state``, retained: all doors of an agent. Sent on change and every few seconds."""

    session: ShortText
    seq: Count  # rises within a session
    at: Stamp
    applied: dict[str, int]  # declarations topic -> revision that the agent holds
    doors: tuple[DoorState, ...]
    config_version: Count = 0
    fire: bool = False
    alarms: tuple[ShortText, ...] = ()  # of no door: power, the lines of the fire and panic inputs
    outbox: OutboxState | None = None


class Event(Message, frozen=True, kw_only=True):
    """One thing that happened. (agent, stream, seq) is unique for ever."""

    seq: Annotated[int, Meta(ge=1)]
    kind: ShortText
    at: Stamp
    door: Name | None = None
    data: Raw  # a JSON object whose fields depend on the kind


class EventBatch(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/events``: the next events of an outbox, in order.

    ``after`` is the number that precedes the first event in this outbox, ``floor`` the last number that the agent no
    longer has. Central takes a batch only if it has committed up to ``after``, or if the agent no longer has the
    missing events; central then records the hole.
    """

    stream: ShortText  # names the outbox; a new database is a new stream
    floor: Count
    after: Count
    events: Annotated[tuple[Event, ...], Meta(max_length=500)]


class EventAck(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/events/ack``: central has committed the stream up to and including this number."""

    stream: ShortText
    committed: Count


# --- declarations -------------------------------------------------------------------------------------------


class Scope(Message, frozen=True, kw_only=True):
    """Where a declaration holds. ``site`` for all but the district, ``zone`` or ``door`` for those kinds."""

    kind: ScopeKind
    site: Name | None = None
    zone: Name | None = None
    door: Name | None = None


class Declaration(Message, frozen=True, kw_only=True):
    """One active SRP action over a scope."""

    id: ShortText
    action: ShortText  # see words.SrpAction; one this version does not know is kept and reported
    scope: Scope
    by: ShortText  # a person or a panic button
    at_ms: Count  # UTC ms
    drill: bool = False
    reason: Text = ""


class DeclarationSet(Message, frozen=True, kw_only=True):
    """The whole set of active declarations of one topic; it replaces the one before.

    Central's sets are signed with a district key. An agent's own (panic button) is signed by the agent and
    may only lock. ``ended`` names agents' own declarations that two people have ended in central.
    """

    audience: str  # the exact topic it was signed for
    revision: Annotated[int, Meta(ge=1)]
    declarations: Annotated[tuple[Declaration, ...], Meta(max_length=500)] = ()
    ended: Annotated[tuple[ShortText, ...], Meta(max_length=500)] = ()


# --- configuration ------------------------------------------------------------------------------------------


class Period(Message, frozen=True, kw_only=True):
    """A weekly period of a schedule, in the site's time zone. May not cross midnight: write two."""

    days: tuple[Annotated[int, Meta(ge=0, le=7)], ...]  # 0 is Monday, 7 a holiday, which is no other day
    start: Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]  # not included
    mode: DoorMode = DoorMode.UNLOCKED  # of a door's schedule; access rules ignore it


class Holiday(Message, frozen=True, kw_only=True):
    """Days of the site's calendar on which only the periods of day 7 hold."""

    name: ShortText
    first: date
    last: date  # included


class PinPolicy(Message, frozen=True, kw_only=True):
    """The wrong PINs within a time after which a keypad rests. Also counted for each credential alone."""

    attempts: Annotated[int, Meta(ge=1, le=100)] = 5
    within_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 300_000
    lockout_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 60_000


class DoorSettings(Message, frozen=True, kw_only=True):
    """A door's settings, beyond its wiring."""

    door: Name
    name: ShortText  # as on the wall: "Main entrance"
    zones: tuple[Name, ...] = ()
    perimeter: bool = False
    schedule: Name | None = None  # None: controlled at all times
    unlock_ms: Annotated[int, Meta(ge=500, le=60_000)] = 5_000
    held_ms: Annotated[int, Meta(ge=1_000, le=3_600_000)] = 30_000
    bolt_ms: Annotated[int, Meta(ge=100, le=10_000)] = 2_000  # longest a healthy bolt takes to throw
    fire_release: bool = False  # has effect on fail-safe locks only
    held_warning_ms: Annotated[int, Meta(ge=0, le=3_600_000)] = 10_000  # warning time before the door counts as held
    identification: Identification = Identification.CARD
    card_only_schedule: Name | None = None  # while it holds, a card alone suffices
    area_from: Name | None = None  # which area a reader with passage "in" leads from; None: outside
    area_to: Name | None = None  # and to
    passback: Passback = Passback.OFF
    passback_ms: Annotated[int, Meta(ge=1_000, le=86_400_000)] = 300_000  # of timed anti-passback
    two_person: bool = False
    two_person_ms: Annotated[int, Meta(ge=1_000, le=60_000)] = 10_000  # how long the first waits for the second
    first_person_group: Name | None = None  # the schedule unlocks only once a member has been let in
    first_person_for_all: bool = False  # and no other badge passes before a member's, that day
    interlock: Name | None = None  # of the doors of one name on one agent, at most one is not closed


class AccessRule(Message, frozen=True, kw_only=True):
    """Members of a group may pass some doors, at all times or in a schedule's periods."""

    group: Name
    doors: tuple[Name, ...]
    schedule: Name | None = None


class Clearance(Message, frozen=True, kw_only=True):
    """A condition of a badge that runs out: a background check, a training."""

    name: ShortText
    valid_until_ms: Count  # UTC ms, included


class Credential(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A card or PIN as a keyed hash, with its cardholder. Defaults are left out: credentials may be many, and a newer
    version of this message must not change the bytes (and so the page's digest) of those without its new fields.
    """

    token: Token
    cardholder: ShortText  # an id, not a person's name
    groups: tuple[Name, ...] = ()
    override: bool = False  # passes a secured door
    suspended: bool = False
    valid_from_ms: Count | None = None
    valid_until_ms: Count | None = None
    pin: Token | None = None  # credentials.pin_token
    duress_pin: Token | None = None  # likewise: opens, and raises a silent alarm
    duress: bool = False  # every use is duress: the second PIN of a person without a card
    clearances: tuple[Clearance, ...] = ()
    passback_exempt: bool = False


class TrustedKey(Message, frozen=True, kw_only=True):
    """A public key, and its role: the documents it may sign."""

    kid: ShortText
    x: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")
    ]  # the Ed25519 public key, base64url (RFC 8037)
    role: KeyRole
    site: Name | None = None  # for an agent's key
    agent: Name | None = None


class CredentialPage(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/credentials/{page}``, retained: a part of an agent's credentials, by their tokens' first bits.

    It is not signed: the agent's signed configuration lists the SHA-256 of its bytes. Its credentials are in the
    order of their tokens, with only a comma between two.
    """

    page: Annotated[int, Meta(ge=0, lt=MOST_PAGES)]
    credentials: tuple[Credential, ...]


class AgentConfig(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/config``, signed and retained. Applied whole or not at all; the last good one is kept.

    A few credentials stand in ``credentials``; many come in pages. The agent applies a configuration with pages once
    it holds every page. Their number is a power of two: with 2^n pages, a token's first n bits are its page's number.
    """

    audience: str
    version: Annotated[int, Meta(ge=1)]
    timezone: ShortText  # IANA name
    doors: Annotated[tuple[DoorSettings, ...], Meta(max_length=128)]
    schedules: dict[Name, tuple[Period, ...]] = field(default_factory=dict)
    holidays: Annotated[tuple[Holiday, ...], Meta(max_length=400)] = ()
    pin_policy: PinPolicy = PinPolicy()
    rules: tuple[AccessRule, ...] = ()
    credentials: tuple[Credential, ...] = ()
    credential_pages: Annotated[tuple[Digest, ...], Meta(max_length=MOST_PAGES)] = ()
    trusted_keys: tuple[TrustedKey, ...] = ()


# --- commands -----------------------------------------------------------------------------------------------


class Command(Message, frozen=True, kw_only=True):
    """``{site}/{agent}/command``: a momentary act. Signed, single-use, expiring in seconds, never retained.

    Answered by a ``command_done`` or ``message_refused`` event that carries its id.
    """

    audience: str
    id: ShortText
    kind: ShortText  # see words.CommandKind
    door: Name
    by: ShortText
    issued_ms: Count
    expires_ms: Count
    data: dict[str, Any] = field(default_factory=dict)
