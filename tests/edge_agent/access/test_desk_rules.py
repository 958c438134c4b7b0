"""Rules that remember: areas, who came first, the second of two, the other door of a vestibule, the responder."""

from pathlib import Path

from drivers.readers import ReadRefused, RefusalReason, Show
from edge_agent.doors.happenings import FireAlarm, RulesChanged
from edge_agent.policy.credentials import MemoryCredentials
from protocol.messages import Clearance, Period
from protocol.words import Bolt, Denial, DoorMode, EventKind, Passback
from tests.support.badge_desk import UNLOCK_MS, Desk, ns, person

GYM = {"area_to": "gym", "passback": Passback.HARD}


def entered(desk: Desk, number: int, reader: str = "front-in") -> bool:
    """Whether somebody got in; they walk through and the door closes behind them."""
    if desk.swipe(number, reader) is not Show.GRANTED:
        return False
    desk.walk_through()
    return True


# --- anti-passback --------------------------------------------------------------------------------------------


def test_a_card_that_is_inside_does_not_open_again_until_it_has_left(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    assert entered(desk, 1)
    assert not entered(desk, 1), "handed back over the fence"
    assert entered(desk, 2)
    assert entered(desk, 1, "front-out")
    assert not entered(desk, 1, "front-out")
    assert entered(desk, 1)
    assert desk.reasons() == ["passback", "passback"]


def test_whoever_did_not_open_the_door_is_where_they_were(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert desk.swipe(1) is Show.GRANTED
    desk.later(UNLOCK_MS)
    desk.open()  # forced: nobody's passage
    desk.close()
    assert desk.swipe(1) is Show.GRANTED
    desk.walk_through()
    assert desk.swipe(1) is Show.DENIED


def test_two_who_badge_and_share_one_opening_are_both_inside(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    desk.swipe(1)
    desk.swipe(2)
    desk.walk_through()
    assert [desk.swipe(1), desk.swipe(2)] == [Show.DENIED, Show.DENIED]


def test_whoever_badges_at_a_door_that_stands_open_is_inside_at_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    desk.swipe(1)
    desk.open()
    desk.swipe(2)
    desk.close()
    assert desk.swipe(2) is Show.DENIED


def test_soft_anti_passback_lets_in_and_tells(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM | {"passback": Passback.SOFT})
    assert entered(desk, 1)
    assert entered(desk, 1)
    assert desk.of(EventKind.PASSBACK_NOTED) == [{"reader": "front-in", "cardholder": "ch-1", "known_in": "gym"}]


def test_timed_anti_passback_denies_for_its_time_and_needs_no_reader_on_the_way_out(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM | {"passback": Passback.TIMED, "passback_ms": 60_000})
    assert entered(desk, 1)
    desk.later(59_000)
    assert not entered(desk, 1)
    desk.later(1_000)
    assert entered(desk, 1)


def test_an_exempt_badge_is_not_asked_where_it_was(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1, passback_exempt=True), **GYM)
    assert entered(desk, 1)
    assert entered(desk, 1)


def test_positions_outlive_a_restart_and_are_forgiven_on_command(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    assert entered(desk, 1)
    assert entered(desk, 2)
    desk.restart()
    assert not entered(desk, 1)
    assert desk.desk.forgive("ch-1", "officer") == 1
    assert not entered(desk, 2), "one was forgiven, not all"
    assert entered(desk, 1)
    assert desk.desk.forgive(None, "officer") == 2
    desk.restart()
    assert entered(desk, 1)
    assert entered(desk, 2)
    told = desk.of(EventKind.PASSBACK_FORGIVEN)
    assert [event["cardholder"] for event in told] == ["ch-1", None]


def test_after_a_fire_alarm_nobodys_position_is_known(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert entered(desk, 1)
    desk.desk.hear(FireAlarm(active=True))
    assert entered(desk, 1), "people left by every door and come back in by one"
    told = [event["by"] for event in desk.of(EventKind.PASSBACK_FORGIVEN)]
    assert told == ["the fire alarm"]


def test_nobodys_position_is_learned_while_the_fire_alarm_is_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), **GYM)
    assert desk.swipe(2) is Show.GRANTED
    desk.fire = True
    desk.desk.hear(FireAlarm(active=True))
    desk.open()  # by somebody who leaves
    assert entered(desk, 1), "and then they leave by another door"
    desk.fire = False
    desk.later(1_000)
    assert entered(desk, 1)
    assert entered(desk, 2)
    assert not entered(desk, 1), "and from then on they are known again"


def test_a_denial_by_anti_passback_tells_where_the_badge_is_taken_to_be(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert entered(desk, 1)
    assert not entered(desk, 1)
    assert desk.of(EventKind.ACCESS_DENIED)[0]["known_in"] == "gym"


def test_an_agent_that_has_lost_its_memory_lets_people_through_and_learns(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), **GYM)
    assert entered(desk, 1)
    desk.presence.close()
    (tmp_path / "presence.db").write_bytes(b"not a database, but long enough to be taken for one" * 40)
    desk.restart()
    assert entered(desk, 1)
    assert not entered(desk, 1)


# --- the first person -----------------------------------------------------------------------------------------

PRINCIPAL = {"groups": ("staff", "principals")}
SCHOOL_DAY = {"school-day": (Period(days=(0, 1, 2, 3, 4), start="07:00", end="16:00"),)}


def test_with_first_person_for_all_nobody_else_is_let_in_before_one_has_come_that_day(tmp_path: Path) -> None:
    rule = {"first_person_group": "principals", "first_person_for_all": True}
    desk = Desk(tmp_path, person(1, **PRINCIPAL), person(2), **rule)
    assert not entered(desk, 2)
    assert entered(desk, 1)
    assert entered(desk, 2)
    desk.restart()
    assert entered(desk, 2), "who came is remembered"
    desk.utc += 12 * 3_600 * 10**9
    assert not entered(desk, 2), "another day"
    assert desk.reasons() == ["first_person_missing"] * 2
    assert [event["cardholder"] for event in desk.of(EventKind.FIRST_PERSON_CAME)] == ["ch-1"]


def test_without_a_trusted_clock_nobody_is_known_to_have_come(tmp_path: Path) -> None:
    rule = {"first_person_group": "principals", "first_person_for_all": True}
    desk = Desk(tmp_path, person(1, **PRINCIPAL), person(2), **rule)
    desk.trust = False
    assert entered(desk, 1)
    assert not entered(desk, 2)


def test_leaving_is_always_let_and_is_no_coming(tmp_path: Path) -> None:
    rule = {"first_person_group": "principals", "first_person_for_all": True}
    desk = Desk(tmp_path, person(1, **PRINCIPAL), person(2), **rule)
    assert entered(desk, 2, "front-out")
    assert entered(desk, 1, "front-out")
    assert not entered(desk, 2)


def test_a_coming_is_told_once_a_period(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1, **PRINCIPAL), first_person_group="principals", schedule="school-day")
    desk.change(schedules=SCHOOL_DAY)
    for text in ("06:30", "06:40", "07:10", "07:20", "12:00"):
        desk.utc = ns(f"2026-11-24T{text}:00")
        assert entered(desk, 1)
    assert len(desk.of(EventKind.FIRST_PERSON_CAME)) == 2


# --- two people -----------------------------------------------------------------------------------------------


def test_two_people_within_seconds_open_and_one_alone_does_not(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True)
    assert desk.swipe(1) is Show.SECOND_PERSON
    assert not desk.released()
    desk.later(9_999)
    assert desk.swipe(2) is Show.GRANTED
    assert desk.released()
    (granted,) = desk.of(EventKind.ACCESS_GRANTED)
    assert (granted["cardholder"], granted["with"]) == ("ch-2", ["ch-1"])
    assert [event["cardholder"] for event in desk.of(EventKind.SECOND_PERSON_AWAITED)] == ["ch-1"]


def test_a_second_person_who_does_not_come_is_missed(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True)
    desk.swipe(1)
    assert desk.desk.due_ms() == desk.now + 10_000
    desk.later(10_000)
    assert desk.reasons() == [Denial.SECOND_PERSON_MISSING]
    assert desk.shown[-1] == ("front-in", Show.DENIED)
    assert desk.swipe(2) is Show.SECOND_PERSON
    assert not desk.released()


def test_one_persons_card_twice_or_their_two_cards_are_not_two_people(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2, cardholder="ch-1"), two_person=True)
    assert [desk.swipe(1), desk.swipe(1), desk.swipe(2)] == [Show.SECOND_PERSON] * 3
    assert not desk.released()
    assert len(desk.of(EventKind.SECOND_PERSON_AWAITED)) == 1, "told once"


def test_two_people_on_two_sides_of_a_door_are_not_two_who_enter(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True)
    assert [desk.swipe(1), desk.swipe(2, "front-out")] == [Show.SECOND_PERSON] * 2
    assert not desk.released()


def test_somebody_whom_the_door_would_not_let_in_is_no_second_person(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2, suspended=True), two_person=True)
    desk.swipe(1)
    assert desk.swipe(2) is Show.DENIED
    desk.swipe(3)
    assert not desk.released()


def test_a_lockdown_ends_the_wait_for_a_second_person(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True)
    desk.swipe(1)
    desk.secure()
    desk.later(1)
    desk.secure(on=False)
    assert desk.swipe(2) is Show.SECOND_PERSON
    assert desk.reasons() == [Denial.SECOND_PERSON_MISSING]


def test_a_new_configuration_asks_the_first_of_two_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True)
    desk.swipe(1)
    desk.change(credentials=MemoryCredentials([person(1, suspended=True), person(2)]))
    desk.desk.hear(RulesChanged())
    assert desk.swipe(2) is Show.SECOND_PERSON
    assert not desk.released()


def test_both_of_two_people_are_in_the_area_after_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(2), two_person=True, **GYM)
    desk.swipe(1)
    desk.swipe(2)
    desk.walk_through()
    assert [desk.swipe(1), desk.swipe(2)] == [Show.DENIED, Show.DENIED]


def test_at_a_door_for_two_the_one_who_must_come_first_may_be_either_of_them(tmp_path: Path) -> None:
    for order in ((1, 2), (2, 1)):
        desk = Desk(
            tmp_path / str(order), person(1, **PRINCIPAL), person(2), two_person=True, first_person_group="principals"
        )
        assert [desk.swipe(number) for number in order] == [Show.SECOND_PERSON, Show.GRANTED]
        assert desk.of(EventKind.FIRST_PERSON_CAME) == [{"reader": "front-in", "cardholder": "ch-1"}]


def test_at_a_door_for_two_with_first_person_for_all_a_member_brings_the_second_in(tmp_path: Path) -> None:
    rule = {"first_person_group": "principals", "first_person_for_all": True}
    desk = Desk(tmp_path, person(1, **PRINCIPAL), person(2), person(3), two_person=True, **rule)
    assert desk.swipe(2) is Show.DENIED
    assert desk.swipe(1) is Show.SECOND_PERSON
    assert desk.swipe(2, "back-in") is Show.GRANTED, "it waits at its own door"
    assert desk.of(EventKind.FIRST_PERSON_CAME) == []
    assert desk.swipe(2) is Show.GRANTED
    assert [event["cardholder"] for event in desk.of(EventKind.FIRST_PERSON_CAME)] == ["ch-1"]
    desk.later(UNLOCK_MS)
    assert [desk.swipe(3), desk.swipe(2)] == [Show.SECOND_PERSON, Show.GRANTED], "a member has come today"


def test_a_member_who_waited_in_vain_brings_nobody_in(tmp_path: Path) -> None:
    rule = {"first_person_group": "principals", "first_person_for_all": True}
    desk = Desk(tmp_path, person(1, **PRINCIPAL), person(2), two_person=True, **rule)
    desk.swipe(1)
    desk.later(10_000)
    assert desk.swipe(2) is Show.DENIED
    assert desk.reasons() == ["second_person_missing", "first_person_missing"]


# --- the vestibule --------------------------------------------------------------------------------------------


def test_of_interlocked_doors_a_badge_opens_one_only_while_the_other_is_closed_and_locked(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), interlock="vestibule")
    assert desk.swipe(1, "back-in") is Show.GRANTED
    assert desk.swipe(1) is Show.DENIED, "the other is released"
    desk.open("back")
    desk.later(UNLOCK_MS)
    assert desk.swipe(1) is Show.DENIED, "the other stands open"
    desk.close("back")
    assert desk.swipe(1) is Show.GRANTED
    assert desk.reasons() == ["interlocked"] * 2


def test_a_door_that_is_shut_and_not_latched_keeps_the_other_of_its_vestibule_shut(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), interlock="vestibule")
    desk.close("back", Bolt.RETRACTED)
    assert desk.swipe(1) is Show.DENIED
    desk.later(3_000)
    assert desk.swipe(1) is Show.DENIED, "jammed, or shut upon its latch"
    desk.close("back")
    assert desk.swipe(1) is Show.GRANTED
    assert desk.reasons() == ["interlocked"] * 2


# --- the responder --------------------------------------------------------------------------------------------


def test_a_responders_badge_opens_a_secured_door_for_one_passage_and_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(1), person(9, override=True), two_person=True, **GYM)
    desk.secure()
    assert desk.swipe(1) is Show.DENIED
    assert desk.swipe(9) is Show.GRANTED
    assert desk.released()
    assert desk.of(EventKind.OVERRIDE_USED) == [{"reader": "front-in", "cardholder": "ch-9"}]
    desk.open()
    desk.later(100)
    desk.close()
    assert not desk.released(), "the passage is over when the door has closed behind them"
    assert desk.states["front"].mode is DoorMode.SECURED


def test_a_responder_who_does_not_pass_has_their_time_and_no_more(tmp_path: Path) -> None:
    desk = Desk(tmp_path, person(9, override=True))
    desk.secure()
    desk.swipe(9)
    desk.later(UNLOCK_MS)
    assert not desk.released()


def test_a_power_cut_in_a_lockdown_keeps_no_responder_out_and_the_event_tells_that_no_date_was_checked(
    tmp_path: Path,
) -> None:
    checked = Clearance(name="background check", valid_until_ms=9_999_999_999_999)
    desk = Desk(tmp_path, person(9, override=True, clearances=(checked,)))
    desk.secure()
    desk.trust = False
    assert desk.swipe(9) is Show.GRANTED
    told = {"reader": "front-in", "cardholder": "ch-9", "clock_trusted": False}
    assert desk.of(EventKind.OVERRIDE_USED) == [told]
    desk.secure(on=False)
    assert desk.swipe(9) is Show.DENIED, "on other days a date that cannot be checked keeps out"


# --- noise ----------------------------------------------------------------------------------------------------


def test_what_a_reader_sends_that_is_no_read_is_told_once_a_minute_with_its_count(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for _ in range(1_000):
        desk.desk.hear_reader(ReadRefused("front-in", RefusalReason.PARITY, 0))
    desk.desk.hear_reader(ReadRefused("front-in", RefusalReason.UNKNOWN_LENGTH, 0, bits=27))
    desk.desk.hear_reader(ReadRefused("back-in", RefusalReason.NOISE, 0))
    told = desk.of(EventKind.CARD_READ_REFUSED)
    assert [(event["reader"], event["count"]) for event in told] == [("front-in", 1), ("back-in", 1)]
    desk.later(60_000)
    told = desk.of(EventKind.CARD_READ_REFUSED)[2:]
    reasons = {"parity": 999, "unknown_length": 1}
    assert told == [{"reader": "front-in", "reason": "parity", "count": 1_000, "reasons": reasons}]
    assert desk.desk.noise.totals == {"front-in": 1_001, "back-in": 1}
    desk.later(60_000)
    assert len(desk.of(EventKind.CARD_READ_REFUSED)) == 3, "silence is not told"
