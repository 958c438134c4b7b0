"""The decision table: every reason for which a door stays shut, every rule that lets somebody in, and their order."""

from dataclasses import replace
from datetime import date

import pytest

from edge_agent.agent_yaml.wiring import Passage
from edge_agent.policy.decision import CHECKS, MAX_READ_AGE_MS, Attempt, Denied, Granted, decide
from edge_agent.policy.identification import Shown
from edge_agent.policy.passback import Position
from protocol.messages import AccessRule, Clearance, Holiday
from protocol.words import Denial, DoorMode, Identification, Passback
from tests.support.attempts import HOUR_NS, MONDAY_NOON, MORNING_RULE, NOON_MS, RESPONDER, STAFF, STAFF_RULE, but
from tests.support.attempts import attempt as tried

AND_PIN, OR_PIN, PIN_ONLY = Identification.CARD_AND_PIN, Identification.CARD_OR_PIN, Identification.PIN
GYM = {"door_area_to": "gym", "door_passback": Passback.HARD}
MORNING = MONDAY_NOON - 2 * HOUR_NS
BACKGROUND_CHECK = Clearance(name="background check", valid_until_ms=NOON_MS - 1)

DENIALS = [
    (Denial.READ_TOO_OLD, tried(read_age_ms=MAX_READ_AGE_MS + 1)),
    (Denial.UNKNOWN_CREDENTIAL, tried(credential=None)),
    (Denial.UNKNOWN_CREDENTIAL, tried(credential=None, mode=DoorMode.UNLOCKED)),
    (Denial.CREDENTIAL_SUSPENDED, tried(credential=but(STAFF, suspended=True))),
    (Denial.CREDENTIAL_SUSPENDED, tried(credential=but(RESPONDER, suspended=True), mode=DoorMode.SECURED)),
    (Denial.NOT_YET_VALID, tried(credential=but(STAFF, valid_from_ms=NOON_MS + 1))),
    (Denial.EXPIRED, tried(credential=but(STAFF, valid_until_ms=NOON_MS - 1))),
    (Denial.EXPIRED, tried(credential=but(RESPONDER, valid_until_ms=NOON_MS - 1), mode=DoorMode.SECURED)),
    (Denial.CLEARANCE_LAPSED, tried(credential=but(STAFF, clearances=(BACKGROUND_CHECK,)))),
    (
        Denial.CLEARANCE_LAPSED,
        tried(credential=but(RESPONDER, clearances=(BACKGROUND_CHECK,)), mode=DoorMode.SECURED),
    ),
    (Denial.CLOCK_UNTRUSTED, tried(credential=but(STAFF, valid_from_ms=0), clock_trusted=False)),
    (Denial.CLOCK_UNTRUSTED, tried(credential=but(STAFF, valid_until_ms=NOON_MS), clock_trusted=False)),
    (Denial.CLOCK_UNTRUSTED, tried(credential=but(STAFF, clearances=(BACKGROUND_CHECK,)), clock_trusted=False)),
    (Denial.CLOCK_UNTRUSTED, tried(rules=(MORNING_RULE,), utc_ns=MORNING, clock_trusted=False)),
    (Denial.DOOR_SECURED, tried(mode=DoorMode.SECURED)),
    (Denial.DOOR_SECURED, tried(mode=DoorMode.SECURED, fire=True)),
    (Denial.NO_ACCESS_HERE, tried(rules=())),
    (Denial.NO_ACCESS_HERE, tried(rules=(AccessRule(group="staff", doors=("gym",)),))),
    (Denial.NO_ACCESS_HERE, tried(rules=(AccessRule(group="coaches", doors=("main-entrance",)),))),
    (Denial.NO_ACCESS_HERE, tried(credential=RESPONDER, mode=DoorMode.SECURED, rules=())),
    (Denial.OUTSIDE_SCHEDULE, tried(rules=(MORNING_RULE,))),
    (Denial.OUTSIDE_SCHEDULE, tried(rules=(but(STAFF_RULE, schedule="of-nobody"),))),
    (Denial.OUTSIDE_SCHEDULE, tried(rules=(MORNING_RULE,), credential=RESPONDER)),
    (
        Denial.OUTSIDE_SCHEDULE,
        tried(
            rules=(MORNING_RULE,),
            utc_ns=MORNING,
            holidays=(Holiday(name="today", first=date(2026, 11, 23), last=date(2026, 11, 23)),),
        ),
    ),
    (Denial.PIN_MISSING, tried(door_identification=AND_PIN)),
    (Denial.PIN_MISSING, tried(door_identification=AND_PIN, shown=Shown.CARD_AND_NO_PIN)),
    (Denial.PIN_MISSING, tried(door_identification=PIN_ONLY)),
    (Denial.PIN_MISSING, tried(door_identification=AND_PIN, door_card_only_schedule="mornings")),
    (
        Denial.PIN_MISSING,
        tried(
            door_identification=AND_PIN,
            door_card_only_schedule="mornings",
            utc_ns=MORNING,
            clock_trusted=False,
        ),
    ),
    (Denial.WRONG_PIN, tried(door_identification=AND_PIN, shown=Shown.CARD_AND_WRONG_PIN)),
    (Denial.WRONG_PIN, tried(door_identification=OR_PIN, credential=None, shown=Shown.PIN)),
    (Denial.CARD_MISSING, tried(door_identification=AND_PIN, credential=None, shown=Shown.PIN_FIRST)),
    (Denial.CARD_MISSING, tried(door_identification=AND_PIN, shown=Shown.PIN)),
    (Denial.CARD_MISSING, tried(shown=Shown.PIN)),
    (Denial.READER_LOCKED_OUT, tried(door_identification=OR_PIN, credential=None, shown=Shown.PIN_AT_REST)),
    (Denial.READER_LOCKED_OUT, tried(door_identification=AND_PIN, shown=Shown.CARD_AT_REST)),
    (Denial.FIRST_PERSON_MISSING, tried(door_first_person_for_all=True, first_person_came=False)),
    (Denial.PASSBACK, tried(**GYM, position=Position("gym"))),
    (Denial.PASSBACK, tried(**GYM, position=Position("library"))),
    (Denial.PASSBACK, tried(**GYM, position=Position(None), passage=Passage.OUT)),
    (
        Denial.PASSBACK,
        tried(**GYM | {"door_passback": Passback.TIMED}, position=Position("gym", 999_999)),
    ),
    (Denial.INTERLOCKED, tried(door_interlock="vestibule", interlock_free=False)),
]


@pytest.mark.parametrize(("reason", "attempt"), DENIALS)
def test_an_attempt_is_denied_for_its_reason(reason: Denial, attempt: Attempt) -> None:
    assert decide(attempt) == Denied(reason)


def test_every_reason_has_its_row() -> None:
    # A second person is waited for after a yes: tests/edge_agent/access/test_desk_rules.py has the row.
    assert {reason for reason, _ in DENIALS} | {Denial.SECOND_PERSON_MISSING} == set(Denial)


GRANTS = [
    tried(),
    tried(mode=DoorMode.UNLOCKED),
    tried(clock_trusted=False),
    tried(read_age_ms=MAX_READ_AGE_MS),
    tried(credential=but(STAFF, valid_from_ms=NOON_MS, valid_until_ms=NOON_MS)),
    tried(credential=but(STAFF, clearances=(but(BACKGROUND_CHECK, valid_until_ms=NOON_MS),))),
    tried(rules=(MORNING_RULE,), utc_ns=MONDAY_NOON - HOUR_NS - 1),
    tried(rules=(MORNING_RULE, STAFF_RULE)),
    tried(rules=(MORNING_RULE, STAFF_RULE), clock_trusted=False),
    tried(door_identification=AND_PIN, shown=Shown.CARD_AND_PIN),
    tried(door_identification=AND_PIN, door_card_only_schedule="mornings", utc_ns=MORNING),
    tried(door_identification=PIN_ONLY, shown=Shown.PIN),
    tried(door_identification=OR_PIN, shown=Shown.PIN),
    tried(door_identification=OR_PIN),
    tried(
        credential=but(STAFF, groups=("staff", "principals")),
        door_first_person_group="principals",
        door_first_person_for_all=True,
        first_person_came=False,
    ),
    tried(door_first_person_group="principals", first_person_came=False),
    tried(**GYM),
    tried(**GYM, position=Position(None)),
    tried(**GYM, position=Position("gym"), passage=Passage.OUT),
    tried(**GYM, position=Position("gym"), credential=but(STAFF, passback_exempt=True)),
    tried(**GYM | {"door_passback": Passback.TIMED}, position=Position("gym", 700_000)),
    tried(**GYM | {"door_passback": Passback.TIMED}, position=Position("gym")),
    tried(**GYM | {"door_passback": Passback.TIMED}, position=Position("library", 999_999)),
    tried(**GYM | {"door_passback": Passback.OFF}, position=Position("gym")),
]


@pytest.mark.parametrize("attempt", GRANTS)
def test_an_attempt_with_nothing_against_it_is_granted(attempt: Attempt) -> None:
    assert decide(attempt) == Granted("staff-1")


def test_soft_anti_passback_lets_in_and_notes_it() -> None:
    inside = tried(**GYM | {"door_passback": Passback.SOFT}, position=Position("gym"))
    assert decide(inside) == Granted("staff-1", passback_noted=True)


@pytest.mark.parametrize(
    "attempt",
    [
        tried(door_identification=AND_PIN, shown=Shown.CARD_AND_DURESS_PIN),
        tried(credential=but(STAFF, duress=True)),
    ],
)
def test_a_duress_pin_opens_and_says_so(attempt: Attempt) -> None:
    assert decide(attempt) == Granted("staff-1", duress=True)


def test_a_duress_is_told_though_another_rule_keeps_the_door_shut() -> None:
    inside = tried(**GYM, position=Position("gym"), door_identification=AND_PIN, shown=Shown.CARD_AND_DURESS_PIN)
    assert decide(inside) == Denied(Denial.PASSBACK, duress=True)


EVERYTHING_AGAINST = {
    **GYM,
    "position": Position("gym"),
    "door_identification": AND_PIN,
    "door_first_person_for_all": True,
    "first_person_came": False,
    "door_interlock": "vestibule",
    "interlock_free": False,
    "rules": (MORNING_RULE,),
    "clock_trusted": False,
}


@pytest.mark.parametrize("emergency", [{"mode": DoorMode.SECURED}, {"fire": True}])
def test_in_an_emergency_a_responder_passes_every_rule_that_binds_others(emergency: dict[str, object]) -> None:
    given = tried(credential=RESPONDER, **EVERYTHING_AGAINST | emergency)
    assert decide(given) == Granted("responder-1", override=True)


@pytest.mark.parametrize("emergency", [{"mode": DoorMode.SECURED}, {"fire": True}])
def test_after_a_power_cut_a_responder_is_not_asked_what_only_the_clock_could_tell(
    emergency: dict[str, object],
) -> None:
    timed = but(RESPONDER, valid_from_ms=0, valid_until_ms=NOON_MS, clearances=(BACKGROUND_CHECK,))
    given = tried(credential=timed, clock_trusted=False, **emergency)
    assert decide(given) == Granted("responder-1", override=True)
    suspended = replace(given, credential=but(timed, suspended=True))
    assert decide(suspended) == Denied(Denial.CREDENTIAL_SUSPENDED)
    assert decide(replace(given, rules=())) == Denied(Denial.NO_ACCESS_HERE)
    assert decide(replace(given, credential=but(timed, override=False))) == Denied(Denial.CLOCK_UNTRUSTED)


@pytest.mark.parametrize("mode", [DoorMode.CONTROLLED, DoorMode.UNLOCKED])
def test_on_other_days_a_responders_badge_is_one_like_any_other(mode: DoorMode) -> None:
    assert decide(tried(credential=RESPONDER, mode=mode)) == Granted("responder-1")
    assert isinstance(decide(tried(credential=RESPONDER, mode=mode, **EVERYTHING_AGAINST)), Denied)


def test_reasons_are_given_in_their_order() -> None:
    """Everything is against it; each step takes away what was told, and the next reason shows."""
    given = tried(
        credential=None,
        mode=DoorMode.SECURED,
        read_age_ms=MAX_READ_AGE_MS + 1,
        utc_ns=MONDAY_NOON,
        **EVERYTHING_AGAINST | {"clock_trusted": True, "rules": ()},
    )
    lapsed = but(
        STAFF, suspended=True, valid_until_ms=NOON_MS - 1, clearances=(BACKGROUND_CHECK,), valid_from_ms=NOON_MS + 1
    )
    steps = [
        (Denial.READ_TOO_OLD, {"read_age_ms": 0}),
        (Denial.UNKNOWN_CREDENTIAL, {"credential": lapsed}),
        (Denial.CREDENTIAL_SUSPENDED, {"credential": but(lapsed, suspended=False)}),
        (Denial.NOT_YET_VALID, {"credential": but(lapsed, suspended=False, valid_from_ms=None)}),
        (Denial.EXPIRED, {"credential": but(STAFF, clearances=(BACKGROUND_CHECK,))}),
        (Denial.CLEARANCE_LAPSED, {"credential": STAFF}),
        (Denial.DOOR_SECURED, {"mode": DoorMode.CONTROLLED}),
        (Denial.NO_ACCESS_HERE, {"rules": (MORNING_RULE,)}),
        (Denial.OUTSIDE_SCHEDULE, {"rules": (STAFF_RULE,)}),
        (Denial.PIN_MISSING, {"shown": Shown.CARD_AND_WRONG_PIN}),
        (Denial.WRONG_PIN, {"shown": Shown.CARD_AND_PIN}),
        (Denial.FIRST_PERSON_MISSING, {"first_person_came": True}),
        (Denial.PASSBACK, {"position": None}),
        (Denial.INTERLOCKED, {"interlock_free": True}),
    ]
    for reason, cure in steps:
        assert decide(given) == Denied(reason)
        given = replace(given, **cure)
    assert decide(given) == Granted("staff-1")
    assert len(CHECKS) == 10, "a new check needs its place in this order"
