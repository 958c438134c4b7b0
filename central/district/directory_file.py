"""The shape of district.yaml: what may stand where, and within which limits. Types only.

Doors, periods and credentials have the limits of the wire's own messages, so that what is accepted here is also
accepted by the agents.
"""

from typing import Annotated

from msgspec import Meta, Struct, field

from protocol.messages import AccessRule, Credential, DoorSettings, Holiday, Name, Period, PinPolicy, ShortText

KeyX = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{43}$",
        description="a public key of 43 characters, as 'doorward agent keygen' prints it",
    ),
]
DoorOrAll = Annotated[str, Meta(pattern=r"^(\*|[a-z0-9][a-z0-9-]{0,47})$", description="a door's name, or '*'")]

MOST_DOORS_PER_AGENT = 128


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all entries have in common: a field nobody knows is a mistake."""


class DistrictEntry(Entry, frozen=True, kw_only=True):
    """The district's name and time zone."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: ShortText


class PeriodEntry(Period, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One period of a schedule."""


class HolidayEntry(Holiday, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days on which only the periods of day 7 hold."""


class PinPolicyEntry(PinPolicy, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When keypads rest after wrong PINs."""


class KeyEntry(Entry, frozen=True, kw_only=True):
    """An agent's public key, as ``doorward agent keygen`` prints it."""

    kid: Annotated[str, Meta(min_length=1, max_length=200)]
    x: KeyX


class DoorEntry(DoorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One door of an agent."""


class AgentEntry(Entry, frozen=True, kw_only=True):
    """One Raspberry Pi with its doors."""

    agent: Name
    key: KeyEntry
    doors: Annotated[list[DoorEntry], Meta(max_length=MOST_DOORS_PER_AGENT)]


class RuleEntry(AccessRule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One access rule; a door may be ``'*'``, all doors of the site."""

    doors: tuple[DoorOrAll, ...]


class SiteEntry(Entry, frozen=True, kw_only=True):
    """One school with its agents."""

    site: Name
    name: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: ShortText | None = None  # else the district's
    agents: list[AgentEntry]
    rules: list[RuleEntry] = field(default_factory=list)
    areas: list[Name] = field(default_factory=list)  # what doors lead from and to
    holidays: list[HolidayEntry] = field(default_factory=list)  # beside the district's


class CredentialEntry(Credential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One credential, by its token."""


class DistrictFile(Entry, frozen=True, kw_only=True):
    """The whole of district.yaml."""

    district: DistrictEntry
    sites: list[SiteEntry]
    schedules: dict[Name, tuple[PeriodEntry, ...]] = field(default_factory=dict)
    holidays: list[HolidayEntry] = field(default_factory=list)
    pin_policy: PinPolicyEntry = field(default_factory=PinPolicyEntry)
    credentials: list[CredentialEntry] = field(default_factory=list)
