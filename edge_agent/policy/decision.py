"""Whether somebody may pass a door now: one answer, and if it is no, one reason a person can read.

Pure: who a credential belongs to is looked up before (by its token), the lock is driven after
(edge_agent.doors.machine). The two-person rule comes after a yes (edge_agent.policy.second_person).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TypeAlias

from edge_agent.agent_yaml.wiring import Passage
from edge_agent.policy import first_person, identification, passback
from edge_agent.policy.identification import Shown
from edge_agent.policy.passback import Finding, Position
from edge_agent.policy.schedule import inside, local_time
from protocol.messages import AccessRule, Credential, DoorSettings, Holiday, Period
from protocol.words import Denial, DoorMode

MAX_READ_AGE_MS = 2_000
"""A read that waited longer than this opens nothing: somebody else may stand at the door by now."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The door opens for this cardholder.

    ``override``: as a responder in an emergency, past rules that bind others. ``duress``: somebody forces them.
    ``passback_noted``: soft anti-passback found them in an area that this reader does not lead from.
    """

    cardholder: str
    override: bool = False
    duress: bool = False
    passback_noted: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """The door stays as it is. ``duress`` holds whether it opens or not."""

    reason: Denial
    duress: bool = False


Decision: TypeAlias = Granted | Denied


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """What a decision needs to judge times: the moment, whether to trust it, and the site's calendar."""

    utc_ns: int
    clock_trusted: bool
    timezone: tzinfo = UTC
    schedules: Mapping[str, tuple[Period, ...]] = field(default_factory=dict)
    holidays: tuple[Holiday, ...] = ()

    def holds(self, schedule: str | None) -> bool:
        """Whether a schedule certainly holds now. A name without a schedule never does."""
        periods = self.schedules.get(schedule or "", ())
        return self.clock_trusted and inside(periods, local_time(self.utc_ns, self.timezone), self.holidays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """All that bears on one attempt to pass a door. ``credential`` None: unknown."""

    credential: Credential | None
    door: DoorSettings
    mode: DoorMode
    calendar: Calendar
    rules: tuple[AccessRule, ...]
    shown: Shown = Shown.CARD
    passage: Passage = Passage.IN
    read_age_ms: int = 0
    now_ms: int = 0  # monotonic
    fire: bool = False
    position: Position | None = None  # where the cardholder is known to be
    first_person_came: bool = True
    interlock_free: bool = True
    rolled_back: tuple[tuple[AccessRule, ...], Calendar] | None = None
    """Rules and calendar of a newer configuration that was rolled back: it must allow the attempt, too."""

    @property
    def emergency(self) -> bool:
        """Whether the cardholder passes as a responder: with an override, at a secured door or in a fire."""
        override = self.credential is not None and self.credential.override
        return override and (self.mode is DoorMode.SECURED or self.fire)

    @property
    def card_suffices(self) -> bool:
        """Whether the door asks for no PIN at this time."""
        hours = self.door.card_only_schedule
        if hours is None or not self.calendar.holds(hours):
            return False
        return self.rolled_back is None or self.rolled_back[1].holds(hours)


def decide(attempt: Attempt) -> Decision:
    """Judge an attempt. The first reason that applies is given, in the order of ``CHECKS``.

    In an emergency (see :class:`Attempt`) a responder needs a credential that is known, valid and not suspended,
    and a rule that gives them the door. The rule's hours, PINs and the other checks do not apply; nor, while the
    clock is not trusted, do validity times. An unlocked door's reader judges as a controlled one's, so that the log
    shows who was there.
    """
    credential = attempt.credential
    forced = attempt.shown is Shown.CARD_AND_DURESS_PIN or (credential is not None and credential.duress)
    for check in CHECKS:
        reason = check(attempt)
        if reason is not None:
            return Denied(reason, duress=forced and reason is not Denial.READ_TOO_OLD)
    if credential is None:  # _identity has refused it already
        return Denied(Denial.UNKNOWN_CREDENTIAL)
    return Granted(
        credential.cardholder,
        override=attempt.emergency,
        duress=forced,
        passback_noted=not attempt.emergency and _passed_back(attempt, credential) is Finding.NOTED,
    )


# --- the checks, each None or a reason ----------------------------------------------------------


def _age(attempt: Attempt) -> Denial | None:
    return Denial.READ_TOO_OLD if attempt.read_age_ms > MAX_READ_AGE_MS else None


def _identity(attempt: Attempt) -> Denial | None:
    if attempt.credential is not None:
        return None
    return identification.WITHOUT_CARD.get(attempt.shown, Denial.UNKNOWN_CREDENTIAL)


def _suspended(attempt: Attempt) -> Denial | None:
    suspended = attempt.credential is not None and attempt.credential.suspended
    return Denial.CREDENTIAL_SUSPENDED if suspended else None


def _validity(attempt: Attempt) -> Denial | None:
    """Whether the credential and its clearances hold. The last millisecond of each still counts."""
    credential, calendar = attempt.credential, attempt.calendar
    if credential is None:
        return None
    ends = [clearance.valid_until_ms for clearance in credential.clearances]
    if credential.valid_from_ms is None and credential.valid_until_ms is None and not ends:
        return None
    if not calendar.clock_trusted:
        return None if attempt.emergency else Denial.CLOCK_UNTRUSTED  # a power cut must keep no responder out
    now_ms = calendar.utc_ns // 1_000_000
    if credential.valid_from_ms is not None and now_ms < credential.valid_from_ms:
        return Denial.NOT_YET_VALID
    if credential.valid_until_ms is not None and now_ms > credential.valid_until_ms:
        return Denial.EXPIRED
    return Denial.CLEARANCE_LAPSED if any(now_ms > end for end in ends) else None


def _mode(attempt: Attempt) -> Denial | None:
    return Denial.DOOR_SECURED if attempt.mode is DoorMode.SECURED and not attempt.emergency else None


def _rule(attempt: Attempt) -> Denial | None:
    """Why none of the rules that give this cardholder this door holds now."""
    reason = _rule_of(attempt, attempt.rules, attempt.calendar)
    return reason if reason is not None or attempt.rolled_back is None else _rule_of(attempt, *attempt.rolled_back)


def _rule_of(attempt: Attempt, rules: tuple[AccessRule, ...], calendar: Calendar) -> Denial | None:
    groups = attempt.credential.groups if attempt.credential is not None else ()
    fitting = [rule for rule in rules if rule.group in groups and attempt.door.door in rule.doors]
    if not fitting:
        return Denial.NO_ACCESS_HERE
    if attempt.emergency or any(rule.schedule is None for rule in fitting):
        return None
    if not calendar.clock_trusted:
        return Denial.CLOCK_UNTRUSTED
    return None if any(calendar.holds(rule.schedule) for rule in fitting) else Denial.OUTSIDE_SCHEDULE


def _shown(attempt: Attempt) -> Denial | None:
    if attempt.emergency:
        return None
    return identification.judge(attempt.door, attempt.shown, card_suffices=attempt.card_suffices)


def _first_person(attempt: Attempt) -> Denial | None:
    if attempt.emergency or attempt.first_person_came or not attempt.door.first_person_for_all:
        return None
    if attempt.passage is Passage.OUT:
        return None
    member = attempt.credential is not None and first_person.is_one(attempt.door, attempt.credential)
    return None if member else Denial.FIRST_PERSON_MISSING


def _passback(attempt: Attempt) -> Denial | None:
    if attempt.emergency or attempt.credential is None:
        return None
    return Denial.PASSBACK if _passed_back(attempt, attempt.credential) is Finding.AGAINST else None


def _interlock(attempt: Attempt) -> Denial | None:
    return None if attempt.emergency or attempt.interlock_free else Denial.INTERLOCKED


CHECKS: tuple[Callable[[Attempt], Denial | None], ...] = (
    _age,
    _identity,
    _suspended,
    _validity,
    _mode,
    _rule,
    _shown,
    _first_person,
    _passback,
    _interlock,
)


def _passed_back(attempt: Attempt, credential: Credential) -> Finding:
    return passback.judge(
        attempt.door,
        attempt.passage,
        attempt.position,
        now_ms=attempt.now_ms,
        exempt=credential.passback_exempt,
    )
