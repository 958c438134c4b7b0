"""What holds of every attempt whatever, tried on some thousands that nobody would think of."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.access import keypad_rest
from edge_agent.access.keypad_rest import WrongPins
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.doors import interlock
from edge_agent.doors.state import DoorState
from edge_agent.policy import second_person
from edge_agent.policy.decision import Attempt, Denied, Granted, decide
from edge_agent.policy.identification import Shown
from edge_agent.policy.passback import Position
from protocol.messages import Clearance, PinPolicy
from protocol.proof import FRESH_MS
from protocol.words import Condition, Contact, DoorMode, Identification, Passback
from tests.support.attempts import DOOR, HOUR_NS, MONDAY_NOON, MORNING_RULE, NOON_MS, STAFF, but
from tests.support.attempts import attempt as tried

MANY = settings(max_examples=200, deadline=None)

AREAS = st.sampled_from([None, "gym", "library"])
NEAR_NOON = st.one_of(st.none(), st.integers(NOON_MS - 2, NOON_MS + 2))
LAPSED = Clearance(name="check", valid_until_ms=NOON_MS - 86_400_000)
OF_THE_CREDENTIAL = {
    "groups": st.sampled_from([(), ("coaches",), ("staff", "principals")]),
    "override": st.just(True),
    "suspended": st.just(True),
    "valid_from_ms": NEAR_NOON,
    "valid_until_ms": NEAR_NOON,
    "duress": st.just(True),
    "clearances": st.just((LAPSED,)),
    "passback_exempt": st.just(True),
}
OF_THE_DOOR = {
    "identification": st.sampled_from(Identification),
    "card_only_schedule": st.just("mornings"),
    "area_from": AREAS,
    "area_to": AREAS,
    "passback": st.sampled_from(Passback),
    "first_person_group": st.just("principals"),
    "first_person_for_all": st.just(True),
}
OF_THE_ATTEMPT = {
    "mode": st.sampled_from(DoorMode),
    "utc_ns": st.just(MONDAY_NOON - 2 * HOUR_NS),
    "clock_trusted": st.just(False),
    "rules": st.sampled_from([(), (MORNING_RULE,)]),
    "shown": st.sampled_from(Shown),
    "passage": st.just(Passage.OUT),
    "read_age_ms": st.sampled_from([2_000, 2_001]),
    "fire": st.just(True),
    "position": st.builds(Position, AREAS, st.sampled_from([None, 999_999, 1])),
    "first_person_came": st.just(False),
    "interlock_free": st.just(False),
}


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """An attempt that would succeed, changed in a few things: so that about every other one still does."""

    def some(of: dict[str, st.SearchStrategy[Any]], most: int) -> dict[str, Any]:
        names = draw(st.lists(st.sampled_from(sorted(of)), max_size=most, unique=True))
        return {name: draw(of[name]) for name in names}

    known = draw(st.integers(0, 9)) > 0
    return tried(
        credential=but(STAFF, **some(OF_THE_CREDENTIAL, 2)) if known else None,
        door=but(DOOR, **some(OF_THE_DOOR, 3)),
        **some(OF_THE_ATTEMPT, 3),
    )


@MANY
@given(attempts())
def test_a_secured_door_opens_for_override_credentials_only(attempt: Attempt) -> None:
    decision = decide(replace(attempt, mode=DoorMode.SECURED))
    if isinstance(decision, Granted):
        assert attempt.credential is not None
        assert attempt.credential.override
        assert decision.override


@MANY
@given(attempts())
def test_nobody_unknown_suspended_or_without_a_rule_is_ever_let_in(attempt: Attempt) -> None:
    credential = attempt.credential
    if credential is None or credential.suspended or not attempt.rules or "staff" not in credential.groups:
        assert isinstance(decide(attempt), Denied)
    lapsed = attempt.calendar.utc_ns // 1_000_000 > LAPSED.valid_until_ms
    if credential is not None and credential.clearances and lapsed and attempt.calendar.clock_trusted:
        assert isinstance(decide(attempt), Denied)


@MANY
@given(attempts())
def test_rules_are_passed_by_in_an_emergency_only(attempt: Attempt) -> None:
    decision = decide(attempt)
    if isinstance(decision, Granted) and decision.override:
        assert attempt.mode is DoorMode.SECURED or attempt.fire


@MANY
@given(attempts())
def test_a_duress_pin_opens_exactly_what_the_plain_one_opens(attempt: Attempt) -> None:
    plain = decide(replace(attempt, shown=Shown.CARD_AND_PIN))
    forced = decide(replace(attempt, shown=Shown.CARD_AND_DURESS_PIN))
    assert replace(plain, duress=False) == replace(forced, duress=False)


@MANY
@given(attempts())
def test_a_clock_that_is_not_trusted_opens_nothing_but_to_responders_that_a_trusted_one_keeps_shut(
    attempt: Attempt,
) -> None:
    doubted = replace(attempt, calendar=replace(attempt.calendar, clock_trusted=False))
    if isinstance(decide(doubted), Granted) and not doubted.emergency:
        believed = replace(attempt, calendar=replace(attempt.calendar, clock_trusted=True))
        assert isinstance(decide(believed), Granted)


@MANY
@given(
    st.builds(
        PinPolicy,
        attempts=st.integers(1, 6),
        within_ms=st.integers(1_000, 9_000),
        lockout_ms=st.integers(1_000, 9_000),
    ),
    st.lists(st.integers(0, 3_000), max_size=40),
)
def test_a_keypads_rest_never_forgets_early_and_never_compares_more_pins_than_it_may(
    policy: PinPolicy, gaps: list[int]
) -> None:
    pins, now = WrongPins(), 0
    compared: list[int] = []
    rested_from: int | None = None
    for gap in gaps:
        now += gap
        if pins.resting(now):
            assert rested_from is not None
            continue
        assert rested_from is None or now >= rested_from + policy.lockout_ms
        if pins.forgotten(policy, now):
            pins = WrongPins()
        compared.append(now)
        pins = keypad_rest.after_wrong_pin(pins, policy, now)
        rested_from = now if pins.resting(now) else None
    for first in compared:
        window = [at for at in compared if first <= at < first + min(policy.within_ms, policy.lockout_ms)]
        assert len(window) <= policy.attempts


LEAVES = st.builds(
    DoorState,
    at_ms=st.just(10_000),
    started_ms=st.just(0),
    released=st.sampled_from([False, False, False, True]),
    condition=st.sampled_from([Condition.SECURE, Condition.SECURE, Condition.SECURE, *Condition]),
    contact=st.sampled_from([Contact.CLOSED, Contact.CLOSED, Contact.OPEN, None]),
    tampered=st.sampled_from([False, False, False, True, None]),
    sensed_at_ms=st.sampled_from([10_000, 10_000 - FRESH_MS, 9_999 - FRESH_MS, None]),
)


@MANY
@given(st.lists(LEAVES, max_size=3))
def test_an_interlocked_door_is_free_only_while_no_other_may_be_open(others: list[DoorState]) -> None:
    if interlock.free(others, 10_000):
        assert all(other.contact is Contact.CLOSED and not other.released for other in others)
        assert all(other.tampered is False and other.condition is Condition.SECURE for other in others)
        assert all(other.sensed_at_ms is not None and other.sensed_at_ms >= 10_000 - FRESH_MS for other in others)


@MANY
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([0, 1, 5_000, 9_999, 10_000])), max_size=30)
)
def test_a_two_person_door_never_opens_for_one_person_alone(arrivals: list[tuple[str, int]]) -> None:
    door, waiting, now = but(DOOR, two_person=True), None, 0
    shown: list[tuple[str, int]] = []
    for cardholder, gap in arrivals:
        now += gap
        waiting, first = second_person.arrive(waiting, door, cardholder, "in", now)
        if first is not None:
            assert first.cardholder != cardholder
            assert any(who == first.cardholder and now - at < door.two_person_ms for who, at in shown)
            shown.clear()
        else:
            shown.append((cardholder, now))
