"""district.yaml to inventory: everything is checked before anything is used, every problem reported at once."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from central.district import checks
from central.district.directory_file import DistrictFile, DoorEntry, RuleEntry, SiteEntry
from central.district.inventory import Agent, Door, Inventory, Site
from ground import yaml_forms
from ground.problems import ConfigError, Report
from protocol.messages import AccessRule, Credential, DoorSettings, Holiday, Period, PinPolicy, TrustedKey
from protocol.public_keys import check_public_key
from protocol.words import KeyRole

__all__ = ["ConfigError", "load_directory"]

T = TypeVar("T", bound=msgspec.Struct)

LARGEST = 256 << 20
"""Bytes. 32,000 doors and 60,000 credentials are 15 MiB."""


def load_directory(path: Path) -> Inventory:
    """The district in a file. :class:`ConfigError` has all that is wrong with it, one problem a line."""
    report = Report(path)
    file = yaml_forms.read(path, DistrictFile, report, largest=LARGEST)
    _Checker(report, file).check()
    report.refuse_errors()
    return Inventory(
        file.district.name,
        tuple(_site(entry, file) for entry in file.sites),
        pin_policy=_plain(file.pin_policy, PinPolicy),
        schedules={name: tuple(_plain(each, Period) for each in periods) for name, periods in file.schedules.items()},
        credentials=tuple(_plain(entry, Credential) for entry in file.credentials),
    )


class _Checker:
    """What the types cannot say: names that must differ, and names that must exist."""

    def __init__(self, report: Report, file: DistrictFile) -> None:
        self._report = report
        self._file = file
        self._first: dict[tuple[str, str], str] = {}

    def check(self) -> None:
        for name, periods in self._file.schedules.items():
            for place, period in enumerate(periods):
                at = f"schedules.{name}[{place}]"
                if period.start >= period.end:
                    what = f"{period.end} is not after {period.start}; write two periods"
                    self._tell(f"{at}.end", what, of=[f"{at}.start"])
        self._timezone(self._file.district.timezone, "district.timezone")
        for place, site in enumerate(self._file.sites):
            self._site(site, f"sites[{place}]")
        for place, credential in enumerate(self._file.credentials):
            at = f"credentials[{place}]"
            self._once("token", credential.token, f"{at}.token", "credentials")
            begin, end = credential.valid_from_ms, credential.valid_until_ms
            if begin is not None and end is not None and begin >= end:
                self._tell(f"{at}.valid_until_ms", "is not after valid_from_ms; write a later time")
        for at, what in checks.problems(self._file):
            self._tell(at, what)

    def _site(self, site: SiteEntry, at: str) -> None:
        self._once("site", site.site, f"{at}.site", "sites")
        if site.timezone is not None:
            self._timezone(site.timezone, f"{at}.timezone")
        doors: set[str] = set()
        for place, agent in enumerate(site.agents):
            where = f"{at}.agents[{place}]"
            self._once(f"agent of {site.site}", agent.agent, f"{where}.agent", f"agents of {site.site}")
            self._once("kid", agent.key.kid, f"{where}.key.kid", "keys")
            self._public_key(agent.key.x, f"{where}.key.x")
            for number, door in enumerate(agent.doors):
                inside = f"{where}.doors[{number}]"
                self._once(f"door of {site.site}", door.door, f"{inside}.door", f"doors of {site.site}")
                self._known_schedule(door.schedule, f"{inside}.schedule")
                doors.add(door.door)
        for place, rule in enumerate(site.rules):
            self._rule(rule, doors, f"{at}.rules[{place}]")

    def _public_key(self, x: str, at: str) -> None:
        cure = "paste the line of 'doorward agent keygen'"
        if x.startswith("REPLACE"):
            self._tell(at, f"a placeholder; {cure}")
            return
        try:
            check_public_key(x)
        except ValueError as error:
            self._tell(at, f"{error}; a placeholder or a slip: {cure}")

    def _rule(self, rule: RuleEntry, doors: set[str], at: str) -> None:
        self._known_schedule(rule.schedule, f"{at}.schedule")
        for place, door in enumerate(rule.doors):
            if door != "*" and door not in doors:
                self._tell(f"{at}.doors[{place}]", f"this site has no door {door!r}; name one of its doors, or '*'")

    def _known_schedule(self, name: str | None, at: str) -> None:
        if name is not None and name not in self._file.schedules:
            known = ", ".join(self._file.schedules) or "none"
            self._tell(at, f"there is no schedule {name!r}; schedules: {known}")

    def _timezone(self, name: str, at: str) -> None:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            self._tell(at, f"{name!r} is no time zone; expected an IANA name such as America/Chicago")

    def _once(self, kind: str, name: str, at: str, where: str) -> None:
        first = self._first.setdefault((kind, name), at)
        if first != at:
            self._tell(at, f"{name!r} stands twice among the {where}, first at {first}; change one of them")

    def _tell(self, at: str, what: str, of: Iterable[str] = ()) -> None:
        problem, _, cure = what.partition("; ")
        self._report.error(at, problem, cure, of=of)


def _site(entry: SiteEntry, file: DistrictFile) -> Site:
    agents = tuple(
        Agent(
            site=entry.site,
            agent=agent.agent,
            key=TrustedKey(kid=agent.key.kid, x=agent.key.x, role=KeyRole.AGENT, site=entry.site, agent=agent.agent),
            doors=tuple(_door(entry.site, agent.agent, door) for door in agent.doors),
        )
        for agent in entry.agents
    )
    doors = [door.door for agent in agents for door in agent.doors]
    return Site(
        site=entry.site,
        name=entry.name,
        timezone=entry.timezone or file.district.timezone,
        agents=agents,
        rules=tuple(_rule(rule, doors) for rule in entry.rules),
        holidays=tuple(_plain(holiday, Holiday) for holiday in (*file.holidays, *entry.holidays)),
    )


def _door(site: str, agent: str, entry: DoorEntry) -> Door:
    return Door(site, agent, _plain(entry, DoorSettings))


def _rule(entry: RuleEntry, doors: Iterable[str]) -> AccessRule:
    named = tuple(doors) if "*" in entry.doors else entry.doors
    return AccessRule(group=entry.group, doors=named, schedule=entry.schedule)


def _plain(entry: msgspec.Struct, kind: type[T]) -> T:
    """An entry of the file as the message it extends."""
    return kind(**{name: getattr(entry, name) for name in kind.__struct_fields__})
