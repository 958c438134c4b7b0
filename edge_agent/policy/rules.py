"""A configuration bundle made ready for use: settings by door, credentials by token, schedules in their time zone.

Built whole or not at all; never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.policy import stricter
from edge_agent.policy.credentials import Credentials, MemoryCredentials
from edge_agent.policy.decision import Calendar
from edge_agent.policy.schedule import scheduled_mode
from protocol.messages import AccessRule, AgentConfig, DoorSettings, Holiday, Period, PinPolicy
from protocol.refusal import Reason, Refused
from protocol.words import DoorMode, strictest


@dataclass(frozen=True, slots=True)
class Rules:
    """What central has said of this agent's doors. Without arguments: nothing yet.

    ``no_looser_than``: the rules of a newer configuration that was rolled back. Doors and badges must satisfy them,
    too, until another configuration comes; see :meth:`held_to`.
    """

    version: int = 0
    timezone: tzinfo = UTC
    doors: Mapping[str, DoorSettings] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=MemoryCredentials)
    access: tuple[AccessRule, ...] = ()
    schedules: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)
    holidays: tuple[Holiday, ...] = ()
    pin_policy: PinPolicy = field(default_factory=PinPolicy)
    no_looser_than: Rules | None = None

    def settings(self, door: str) -> DoorSettings:
        """A door's settings. A door that central has not configured is controlled, and counts as perimeter, so that
        every declaration that may mean it covers it."""
        found = self.doors.get(door) or DoorSettings(door=door, name=door, perimeter=True)
        newer = None if self.no_looser_than is None else self.no_looser_than.doors.get(door)
        return found if newer is None else stricter.settings(found, newer)

    def held_to(self, newer: Rules | None) -> Rules:
        """These rules, no looser than a newer configuration's; None: as they are."""
        if newer is None:
            return self
        known = stricter.NoLooserCredentials(self.credentials, newer.credentials)
        # Of one of version 0 only its existence is known.
        return replace(self, no_looser_than=newer, credentials=known if newer.version else self.credentials)

    def calendar(self, utc_ns: int, *, clock_trusted: bool) -> Calendar:
        """The calendar by which times are judged at a moment."""
        return Calendar(
            utc_ns=utc_ns,
            clock_trusted=clock_trusted,
            timezone=self.timezone,
            schedules=self.schedules,
            holidays=self.holidays,
        )

    def scheduled(self, door: str, utc_ns: int, *, clock_trusted: bool) -> DoorMode:
        """What a door's schedule asks of it at a moment."""
        mode = _scheduled(self, door, utc_ns, clock_trusted=clock_trusted)
        if self.no_looser_than is None:
            return mode
        try:
            return strictest(mode, _scheduled(self.no_looser_than, door, utc_ns, clock_trusted=clock_trusted))
        except Exception:  # noqa: BLE001 - it was rolled back, perhaps for this
            return strictest(mode, DoorMode.CONTROLLED)


def _scheduled(rules: Rules, door: str, utc_ns: int, *, clock_trusted: bool) -> DoorMode:
    settings = rules.doors.get(door)
    periods = None if settings is None or settings.schedule is None else rules.schedules.get(settings.schedule)
    return scheduled_mode(periods, utc_ns, rules.timezone, clock_trusted=clock_trusted, holidays=rules.holidays)


def rules_as_far_as_they_go(config: AgentConfig, credentials: Credentials | None = None) -> Rules:
    """The credentials, doors and access rules of a bundle that cannot be used; without any hours."""
    return Rules(
        version=config.version,
        doors={settings.door: settings for settings in config.doors},
        credentials=MemoryCredentials(config.credentials) if credentials is None else credentials,
        access=tuple(msgspec.structs.replace(rule, schedule=None) for rule in config.rules),
    )


def compile_rules(config: AgentConfig, credentials: Credentials | None = None) -> Rules:
    """The rules of a bundle; :class:`Refused` (malformed) if they contradict themselves. ``credentials`` are those of
    a bundle whose credentials come in pages."""
    pages = len(config.credential_pages)
    if pages & (pages - 1):
        raise Refused(Reason.MALFORMED, f"{pages} pages of credentials; expected a power of two")
    try:
        timezone = ZoneInfo(config.timezone)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise Refused(Reason.MALFORMED, f"{config.timezone!r} is no time zone") from None
    except KeyError:
        raise Refused(Reason.MALFORMED, f"time zone {config.timezone!r} is not known here") from None
    doors = {settings.door: settings for settings in config.doors}
    if len(doors) < len(config.doors):
        raise Refused(Reason.MALFORMED, "two doors of one name")
    used = {(f"door {one.door!r}", name) for one in config.doors for name in (one.schedule, one.card_only_schedule)}
    used |= {(f"a rule of group {rule.group!r}", rule.schedule) for rule in config.rules}
    for who, name in sorted(used, key=str):
        if name is not None and name not in config.schedules:
            raise Refused(Reason.MALFORMED, f"{who} follows schedule {name!r}, which is not in the bundle")
    for holiday in config.holidays:
        if holiday.last < holiday.first:
            raise Refused(Reason.MALFORMED, f"holiday {holiday.name!r} ends before it begins")
    return Rules(
        version=config.version,
        timezone=timezone,
        doors=doors,
        credentials=MemoryCredentials(config.credentials) if credentials is None else credentials,
        access=config.rules,
        schedules=config.schedules,
        holidays=config.holidays,
        pin_policy=config.pin_policy,
    )
