"""What the district consists of: sites, agents, doors, schedules, access rules, credentials. Frozen; no I/O.

``central.district.directory`` reads it from district.yaml and vouches for it; everybody else takes it as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protocol.messages import (
    AccessRule,
    Credential,
    DoorSettings,
    Holiday,
    Period,
    PinPolicy,
    Scope,
    TrustedKey,
)
from protocol.words import ScopeKind, door_mode_for


@dataclass(frozen=True, slots=True)
class Door:
    """A door and who looks after it. Its name is unique within the site."""

    site: str
    agent: str
    settings: DoorSettings

    @property
    def door(self) -> str:
        """Its name in topics and paths."""
        return self.settings.door


@dataclass(frozen=True, slots=True)
class Agent:
    """One Raspberry Pi: its public key and its doors."""

    site: str
    agent: str
    key: TrustedKey
    doors: tuple[Door, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """One school with its agents."""

    site: str
    name: str
    timezone: str  # IANA name
    agents: tuple[Agent, ...]
    rules: tuple[AccessRule, ...] = ()  # their doors are named, never '*'
    holidays: tuple[Holiday, ...] = ()  # the district's and its own

    @property
    def doors(self) -> Iterator[Door]:
        """All doors, agent by agent."""
        for agent in self.agents:
            yield from agent.doors

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones that have a door, sorted."""
        return tuple(sorted({zone for door in self.doors for zone in door.settings.zones}))


class Inventory:
    """The whole district. Lookups are by the names in topics."""

    def __init__(
        self,
        name: str,
        sites: tuple[Site, ...],
        *,
        schedules: Mapping[str, tuple[Period, ...]] | None = None,
        credentials: tuple[Credential, ...] = (),
        pin_policy: PinPolicy | None = None,
    ) -> None:
        self.name = name
        self.pin_policy = pin_policy or PinPolicy()
        self.sites: Mapping[str, Site] = {site.site: site for site in sites}
        self.agents: Mapping[tuple[str, str], Agent] = {
            (site.site, agent.agent): agent for site in sites for agent in site.agents
        }
        self.doors: Mapping[tuple[str, str], Door] = {
            (site.site, door.door): door for site in sites for door in site.doors
        }
        self.schedules: Mapping[str, tuple[Period, ...]] = dict(schedules or {})
        self.credentials = credentials

    def members(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """Site, agent and the names of its doors, for the fleet."""
        for (site, name), agent in self.agents.items():
            yield site, name, tuple(door.door for door in agent.doors)

    def in_scope(self, scope: Scope) -> Iterator[Door]:
        """The doors a scope reaches; none if it names a site, zone or door that is not here."""
        match scope.kind:
            case ScopeKind.DISTRICT:
                yield from self.doors.values()
            case ScopeKind.DOOR:
                if scope.site is not None and (found := self.doors.get((scope.site, scope.door or ""))) is not None:
                    yield found
            case ScopeKind.SITE | ScopeKind.ZONE:
                site = self.sites.get(scope.site or "")
                for door in site.doors if site is not None else ():
                    if scope.kind is ScopeKind.SITE or scope.zone in door.settings.zones:
                        yield door

    def secured_by(self, action: str, scope: Scope) -> list[tuple[str, str]]:
        """(site, door) of the doors of a scope that an SRP action secures; none for those that lock nothing."""
        if door_mode_for(action, perimeter=True) is None:
            return []
        everywhere = door_mode_for(action, perimeter=False) is not None
        if everywhere and scope.kind is ScopeKind.DISTRICT:
            return list(self.doors)
        return [(door.site, door.door) for door in self.in_scope(scope) if everywhere or door.settings.perimeter]

    def missing(self, scope: Scope) -> str | None:
        """What a scope names that is not here, as a sentence; None if all is."""
        if scope.kind is ScopeKind.DISTRICT:
            return None
        if scope.site is None or scope.site not in self.sites:
            return f"there is no site {scope.site!r}"
        if scope.kind is ScopeKind.ZONE and scope.zone not in self.sites[scope.site].zones:
            known = ", ".join(self.sites[scope.site].zones) or "none"
            return f"{scope.site} has no zone {scope.zone!r}; its zones: {known}"
        if scope.kind is ScopeKind.DOOR and (scope.site, scope.door) not in self.doors:
            return f"{scope.site} has no door {scope.door!r}"
        return None
