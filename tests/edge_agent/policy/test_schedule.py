"""Schedules on the wall's clock: edges of periods, days of 23 and 25 hours, and clocks not to be trusted."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge_agent.policy.schedule import inside, local_time, scheduled_mode
from protocol.messages import Period
from protocol.words import DoorMode

CHICAGO = ZoneInfo("America/Chicago")
WEEKDAYS = (0, 1, 2, 3, 4)
SCHOOL_DAY = (Period(days=WEEKDAYS, start="07:30", end="15:45"),)


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def mode_at(periods: tuple[Period, ...] | None, moment: datetime, *, clock_trusted: bool = True) -> DoorMode:
    return scheduled_mode(periods, ns(moment), CHICAGO, clock_trusted=clock_trusted)


@pytest.mark.parametrize(
    ("day", "clock", "expected"),
    [
        (23, "07:29:59", DoorMode.CONTROLLED),
        (23, "07:30:00", DoorMode.UNLOCKED),
        (23, "15:44:59", DoorMode.UNLOCKED),
        (23, "15:45:00", DoorMode.CONTROLLED),
        (22, "12:00:00", DoorMode.CONTROLLED),  # a Sunday
    ],
)
def test_a_period_holds_from_its_start_to_just_before_its_end(day: int, clock: str, expected: DoorMode) -> None:
    moment = datetime.fromisoformat(f"2026-11-{day}T{clock}").replace(tzinfo=CHICAGO)
    assert mode_at(SCHOOL_DAY, moment) is expected


def test_a_door_without_a_schedule_is_controlled() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=CHICAGO)
    assert mode_at(None, noon) is DoorMode.CONTROLLED
    assert mode_at((), noon) is DoorMode.CONTROLLED


def test_an_untrusted_clock_never_unlocks() -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=CHICAGO)
    assert mode_at(SCHOOL_DAY, noon, clock_trusted=False) is DoorMode.CONTROLLED


def test_of_overlapping_periods_the_strictest_holds() -> None:
    assembly = Period(days=(0,), start="10:00", end="11:00", mode=DoorMode.SECURED)
    assert mode_at((*SCHOOL_DAY, assembly), datetime(2026, 11, 23, 10, 30, tzinfo=CHICAGO)) is DoorMode.SECURED
    assert mode_at((*SCHOOL_DAY, assembly), datetime(2026, 11, 23, 11, 0, tzinfo=CHICAGO)) is DoorMode.UNLOCKED


def test_a_period_may_last_until_midnight() -> None:
    evening = (Period(days=(4,), start="18:00", end="24:00"),)
    assert mode_at(evening, datetime(2026, 11, 27, 23, 59, 59, tzinfo=CHICAGO)) is DoorMode.UNLOCKED
    assert mode_at(evening, datetime(2026, 11, 28, 0, 0, tzinfo=CHICAGO)) is DoorMode.CONTROLLED


def test_a_whole_day_is_a_period() -> None:
    always = (Period(days=tuple(range(7)), start="00:00", end="24:00"),)
    start = datetime(2026, 3, 7, tzinfo=UTC)
    assert all(mode_at(always, start + timedelta(minutes=17 * n)) is DoorMode.UNLOCKED for n in range(300))


def minutes_unlocked(periods: tuple[Period, ...], day: datetime) -> int:
    """Real minutes for which a schedule unlocks within 30 hours of a moment."""
    minutes = (day + timedelta(minutes=n) for n in range(30 * 60))
    return sum(mode_at(periods, minute) is DoorMode.UNLOCKED for minute in minutes)


@pytest.mark.parametrize(
    ("midnight_utc", "real_minutes"),
    [
        (datetime(2026, 3, 1, 6, tzinfo=UTC), 120),  # an ordinary Sunday
        (datetime(2026, 3, 8, 6, tzinfo=UTC), 60),  # 02:00 is followed by 03:00
        (datetime(2026, 11, 1, 5, tzinfo=UTC), 180),  # 01:00 to 02:00 comes twice
    ],
)
def test_the_clock_on_the_wall_decides_when_the_hour_changes(midnight_utc: datetime, real_minutes: int) -> None:
    night = (Period(days=(6,), start="01:00", end="03:00"),)
    assert minutes_unlocked(night, midnight_utc) == real_minutes


def test_school_begins_by_the_wall_on_both_sides_of_the_change() -> None:
    for day, utc_hour in ((6, 13), (9, 12)):  # Friday before, Monday after 8 March 2026
        assert mode_at(SCHOOL_DAY, datetime(2026, 3, day, utc_hour, 29, tzinfo=UTC)) is DoorMode.CONTROLLED
        assert mode_at(SCHOOL_DAY, datetime(2026, 3, day, utc_hour, 30, tzinfo=UTC)) is DoorMode.UNLOCKED


def test_inside_does_not_look_at_the_mode() -> None:
    secured = (Period(days=(0,), start="08:00", end="09:00", mode=DoorMode.SECURED),)
    assert inside(secured, datetime(2026, 11, 23, 8, 30, tzinfo=CHICAGO))
    assert not inside(secured, datetime(2026, 11, 23, 9, 0, tzinfo=CHICAGO))


def test_local_time_keeps_the_moment() -> None:
    moment = datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC)
    assert local_time(ns(moment) + 999, CHICAGO) == moment
