"""Every reason for which a badge does not open a door, and what does open it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from edge_agent.access import MAX_READ_AGE_MS, Decision, Denied, Granted, decide
from protocol.messages import AccessRule, Credential, DoorSettings, Period
from protocol.words import Denial, DoorMode

CHICAGO = ZoneInfo("America/Chicago")
MONDAY_NOON = int(datetime(2026, 11, 23, 12, tzinfo=CHICAGO).timestamp()) * 1_000_000_000
NOON_MS = MONDAY_NOON // 1_000_000

DOOR = DoorSettings(door="main-entrance", name="Main entrance")
STAFF = Credential(token="0" * 64, cardholder="staff-1", groups=("staff",))
RESPONDER = Credential(token="1" * 64, cardholder="responder-1", groups=("staff",), override=True)
STAFF_RULE = AccessRule(group="staff", doors=("main-entrance", "gym"))
MORNINGS = {"mornings": (Period(days=(0, 1, 2, 3, 4), start="07:00", end="11:00"),)}
MORNING_RULE = AccessRule(group="staff", doors=("main-entrance",), schedule="mornings")


@dataclass(frozen=True)
class Case:
    """A badge at a door that would open, but for what a test changes."""

    credential: Credential | None = STAFF
    mode: DoorMode = DoorMode.CONTROLLED
    rules: tuple[AccessRule, ...] = (STAFF_RULE,)
    now_utc_ns: int = MONDAY_NOON
    clock_trusted: bool = True
    read_age_ms: int = 0

    def decide(self) -> Decision:
        return decide(
            self.credential,
            DOOR,
            self.mode,
            rules=self.rules,
            schedules=MORNINGS,
            now_utc_ns=self.now_utc_ns,
            clock_trusted=self.clock_trusted,
            timezone=CHICAGO,
            read_age_ms=self.read_age_ms,
        )


def but(credential: Credential, **changes: Any) -> Credential:
    return msgspec.structs.replace(credential, **changes)


DENIALS = [
    (Denial.READ_TOO_OLD, Case(read_age_ms=MAX_READ_AGE_MS + 1)),
    (Denial.UNKNOWN_CREDENTIAL, Case(credential=None)),
    (Denial.UNKNOWN_CREDENTIAL, Case(credential=None, mode=DoorMode.UNLOCKED)),
    (Denial.CREDENTIAL_SUSPENDED, Case(credential=but(STAFF, suspended=True))),
    (Denial.CREDENTIAL_SUSPENDED, Case(credential=but(RESPONDER, suspended=True), mode=DoorMode.SECURED)),
    (Denial.NOT_YET_VALID, Case(credential=but(STAFF, valid_from_ms=NOON_MS + 1))),
    (Denial.EXPIRED, Case(credential=but(STAFF, valid_until_ms=NOON_MS - 1))),
    (Denial.CLOCK_UNTRUSTED, Case(credential=but(STAFF, valid_from_ms=0), clock_trusted=False)),
    (Denial.CLOCK_UNTRUSTED, Case(credential=but(STAFF, valid_until_ms=NOON_MS), clock_trusted=False)),
    (Denial.CLOCK_UNTRUSTED, Case(rules=(MORNING_RULE,), clock_trusted=False)),
    (Denial.DOOR_SECURED, Case(mode=DoorMode.SECURED)),
    (Denial.NO_ACCESS_HERE, Case(rules=())),
    (Denial.NO_ACCESS_HERE, Case(rules=(AccessRule(group="staff", doors=("gym",)),))),
    (Denial.NO_ACCESS_HERE, Case(rules=(AccessRule(group="coaches", doors=("main-entrance",)),))),
    (Denial.NO_ACCESS_HERE, Case(credential=RESPONDER, mode=DoorMode.SECURED, rules=())),
    (Denial.OUTSIDE_SCHEDULE, Case(rules=(MORNING_RULE,))),
    (
        Denial.OUTSIDE_SCHEDULE,
        Case(rules=(AccessRule(group="staff", doors=("main-entrance",), schedule="of-nobody"),)),
    ),
]


@pytest.mark.parametrize(("reason", "case"), DENIALS)
def test_a_badge_is_denied_for_its_reason(reason: Denial, case: Case) -> None:
    assert case.decide() == Denied(reason)


def test_every_reason_has_its_case() -> None:
    assert {reason for reason, _ in DENIALS} == set(Denial)


@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(mode=DoorMode.UNLOCKED),
        Case(clock_trusted=False),
        Case(read_age_ms=MAX_READ_AGE_MS),
        Case(credential=but(STAFF, valid_from_ms=NOON_MS, valid_until_ms=NOON_MS)),
        Case(rules=(MORNING_RULE,), now_utc_ns=MONDAY_NOON - 3_600 * 1_000_000_000 - 1),
        Case(rules=(MORNING_RULE, STAFF_RULE)),
        Case(rules=(MORNING_RULE, STAFF_RULE), clock_trusted=False),
    ],
)
def test_a_badge_with_nothing_against_it_is_granted(case: Case) -> None:
    assert case.decide() == Granted("staff-1", override=False)


@pytest.mark.parametrize("mode", list(DoorMode))
def test_an_override_credential_passes_in_every_mode(mode: DoorMode) -> None:
    assert Case(credential=RESPONDER, mode=mode).decide() == Granted("responder-1", override=True)


@pytest.mark.parametrize("mode", list(DoorMode))
def test_nothing_is_granted_on_a_secured_door_without_override(mode: DoorMode) -> None:
    for _, case in DENIALS:
        decision = replace(case, mode=DoorMode.SECURED).decide()
        assert isinstance(decision, Denied)
