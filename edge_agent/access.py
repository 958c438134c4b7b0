"""Whether a credential opens a door now: one answer, and if it is no, one reason a person can read.

Pure: the credential is looked up before (by its token), the lock is driven after (edge_agent.door_machine).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeAlias

from edge_agent.schedule import inside, local_time
from protocol.messages import AccessRule, Credential, DoorSettings, Period
from protocol.words import Denial, DoorMode

MAX_READ_AGE_MS = 2_000
"""A read that waited longer than this opens nothing: whoever held the card may be gone, and another be there."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The door opens for this cardholder. ``override``: it may do so though it is secured."""

    cardholder: str
    override: bool


@dataclass(frozen=True, slots=True)
class Denied:
    """The door stays as it is."""

    reason: Denial


Decision: TypeAlias = Granted | Denied


def decide(
    credential: Credential | None,
    door: DoorSettings,
    mode: DoorMode,
    *,
    rules: Iterable[AccessRule],
    schedules: Mapping[str, tuple[Period, ...]],
    now_utc_ns: int,
    clock_trusted: bool,
    timezone: tzinfo,
    read_age_ms: int = 0,
) -> Decision:
    """Judge a credential (None: its token is not known) at a door in a mode.

    The first reason that applies is given: age of the read, the credential itself, the door's mode, the rules.
    ``override`` passes a secured door and nothing else: a rule must give the door all the same. An unlocked
    door's reader judges as a controlled one's, so that the log tells who was there.
    """
    if read_age_ms > MAX_READ_AGE_MS:
        return Denied(Denial.READ_TOO_OLD)
    if credential is None:
        return Denied(Denial.UNKNOWN_CREDENTIAL)
    fault = _fault(credential, now_utc_ns, clock_trusted=clock_trusted)
    if fault is None and mode is DoorMode.SECURED and not credential.override:
        fault = Denial.DOOR_SECURED
    if fault is None:
        fitting = [rule for rule in rules if rule.group in credential.groups and door.door in rule.doors]
        fault = _no_rule(fitting, schedules, now_utc_ns, timezone, clock_trusted=clock_trusted)
    return Granted(credential.cardholder, credential.override) if fault is None else Denied(fault)


def _no_rule(
    fitting: list[AccessRule],
    schedules: Mapping[str, tuple[Period, ...]],
    now_utc_ns: int,
    timezone: tzinfo,
    *,
    clock_trusted: bool,
) -> Denial | None:
    """Why none of the rules that give this cardholder this door holds now."""
    if not fitting:
        return Denial.NO_ACCESS_HERE
    if any(rule.schedule is None for rule in fitting):
        return None
    if not clock_trusted:
        return Denial.CLOCK_UNTRUSTED
    when = local_time(now_utc_ns, timezone)
    # A rule that names a schedule nobody wrote is never in time.
    in_time = any(inside(schedules.get(rule.schedule or "", ()), when) for rule in fitting)
    return None if in_time else Denial.OUTSIDE_SCHEDULE


def _fault(credential: Credential, now_utc_ns: int, *, clock_trusted: bool) -> Denial | None:
    """What is wrong with the credential itself. Its validity includes both its ends' milliseconds."""
    if credential.suspended:
        return Denial.CREDENTIAL_SUSPENDED
    if credential.valid_from_ms is None and credential.valid_until_ms is None:
        return None
    if not clock_trusted:
        return Denial.CLOCK_UNTRUSTED
    now_ms = now_utc_ns // 1_000_000
    if credential.valid_from_ms is not None and now_ms < credential.valid_from_ms:
        return Denial.NOT_YET_VALID
    if credential.valid_until_ms is not None and now_ms > credential.valid_until_ms:
        return Denial.EXPIRED
    return None
