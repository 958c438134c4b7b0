"""The people's day: the same for the same seed, busy when a school is."""

import pytest

from simulators.school.rhythm import DAY_BEGINS, DAY_ENDS, ActKind, DayClock, DoorAct, Rhythm, time_of_day

DOORS = ("main-entrance", "gym", "room-101")
ENTRANCES = ("main-entrance", "gym")


def day(seed: int, **changes: object) -> list[DoorAct]:
    rhythm = Rhythm(seed, **({"doors": DOORS, "entrances": ENTRANCES, "cards": 5} | changes))  # type: ignore[arg-type]
    return [act for minute in range(DAY_BEGINS, DAY_ENDS) for act in rhythm.acts(minute)]


def test_one_seed_gives_one_day_and_another_seed_another() -> None:
    assert day(7) == day(7)
    assert day(7) != day(8)


def test_a_minute_is_the_same_whichever_was_asked_before() -> None:
    rhythm = Rhythm(7, DOORS, ENTRANCES, 5)
    first = rhythm.acts(500)
    rhythm.acts(600)
    assert rhythm.acts(500) == first


def test_cards_are_held_up_only_where_there_is_a_reader() -> None:
    for act in day(1):
        assert act.door in DOORS
        if act.kind is ActKind.BADGE:
            assert act.door in ENTRANCES
            assert act.card is not None
            assert 0 <= act.card < 5


def test_without_readers_or_without_cards_nobody_holds_up_a_card() -> None:
    assert ActKind.BADGE not in {act.kind for act in day(1, entrances=())}
    assert ActKind.BADGE not in {act.kind for act in day(1, cards=0)}


def test_arrival_is_busier_than_a_lesson() -> None:
    rhythms = [Rhythm(seed, DOORS, ENTRANCES, 5) for seed in range(20)]
    arrival = sum(len(rhythm.acts(minute)) for rhythm in rhythms for minute in range(450, 495))
    lesson = sum(len(rhythm.acts(minute)) for rhythm in rhythms for minute in range(500, 530))
    assert arrival / 45 > 1.5 * lesson / 30, (arrival, lesson)


def test_at_the_demonstration_s_speed_something_happens_every_few_seconds_in_a_school() -> None:
    """A school has two agents; a minute of its day is a second."""
    two = len(day("a")) + len(day("b"))  # type: ignore[arg-type]
    assert 0.2 < two / (DAY_ENDS - DAY_BEGINS) < 1.5


def test_the_clock_runs_at_its_speed_and_begins_the_next_day_after_the_last_lesson() -> None:
    clock = DayClock(480, 60)
    assert clock.minute(0) == 480
    assert clock.minute(30) == 510
    assert clock.minute(DAY_ENDS - 480) == DAY_BEGINS


@pytest.mark.parametrize(("minute", "elapsed", "expected"), [(480, 0, 0), (510, 0, 30), (480, 10, 500)])
def test_the_clock_knows_how_long_until_a_time(minute: int, elapsed: float, expected: float) -> None:
    assert DayClock(480, 60).seconds_until(minute, elapsed) == expected


@pytest.mark.parametrize("text", ["8", "8:0", "08:61", "noon", "24:00", "03:00"])
def test_what_is_no_time_of_the_school_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"HH:MM|school day"):
        time_of_day(text)


def test_a_clock_refuses_a_speed_nobody_can_follow() -> None:
    with pytest.raises(ValueError, match="at most 600"):
        DayClock(480, 6000)
