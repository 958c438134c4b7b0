"""A configuration bundle made ready for use: settings by door, credentials by token, schedules in their time zone.

Built whole or not at all; never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

from edge_agent.credential_store import Credentials, MemoryCredentials
from edge_agent.schedule import scheduled_mode
from protocol.messages import AccessRule, AgentConfig, DoorSettings, Period
from protocol.refusal import Reason, Refused
from protocol.words import DoorMode


@dataclass(frozen=True, slots=True)
class Rules:
    """What central has said of this agent's doors. Without arguments: nothing yet."""

    version: int = 0
    timezone: tzinfo = UTC
    doors: Mapping[str, DoorSettings] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=MemoryCredentials)
    access: tuple[AccessRule, ...] = ()
    schedules: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)

    def settings(self, door: str) -> DoorSettings:
        """A door's settings. One that central has said nothing of is controlled, and counts as perimeter: a
        declaration that may mean it does."""
        return self.doors.get(door) or DoorSettings(door=door, name=door, perimeter=True)

    def scheduled(self, door: str, utc_ns: int, *, clock_trusted: bool) -> DoorMode:
        """What a door's schedule asks of it at a moment."""
        name = self.settings(door).schedule
        periods = None if name is None else self.schedules.get(name)
        return scheduled_mode(periods, utc_ns, self.timezone, clock_trusted=clock_trusted)


def compile_rules(config: AgentConfig) -> Rules:
    """The rules of a bundle; :class:`Refused` (malformed) if they contradict themselves."""
    try:
        timezone = ZoneInfo(config.timezone)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        raise Refused(Reason.MALFORMED, f"{config.timezone!r} is no time zone") from None
    except KeyError:
        raise Refused(Reason.MALFORMED, f"time zone {config.timezone!r} is not known here") from None
    doors = {settings.door: settings for settings in config.doors}
    if len(doors) < len(config.doors):
        raise Refused(Reason.MALFORMED, "two doors of one name")
    used = {(f"door {one.door!r}", one.schedule) for one in config.doors}
    used |= {(f"a rule of group {rule.group!r}", rule.schedule) for rule in config.rules}
    for who, name in sorted(used, key=str):
        if name is not None and name not in config.schedules:
            raise Refused(Reason.MALFORMED, f"{who} follows schedule {name!r}, which is not in the bundle")
    return Rules(
        version=config.version,
        timezone=timezone,
        doors=doors,
        credentials=MemoryCredentials(config.credentials),
        access=config.rules,
        schedules=config.schedules,
    )
