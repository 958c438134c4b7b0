"""Holidays, and both nights on which the clocks of Chicago change: every edge, to the nanosecond."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge_agent.policy.first_person import came_in_period, came_today, is_news
from edge_agent.policy.schedule import day_of, inside, local_time, scheduled_mode
from protocol.messages import Holiday, Period
from protocol.words import DoorMode

CHICAGO = ZoneInfo("America/Chicago")
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
THANKSGIVING = Holiday(name="Thanksgiving break", first=date(2026, 11, 26), last=date(2026, 11, 27))
NEW_YEAR = Holiday(name="Winter break", first=date(2026, 12, 21), last=date(2027, 1, 1))
SCHOOL = (Period(days=(0, 1, 2, 3, 4), start="00:00", end="24:00"),)
OPEN_HOUSE = (*SCHOOL, Period(days=(7,), start="10:00", end="12:00"))


def ns(text: str) -> int:
    """A moment by Chicago's clock, with its offset where it is ambiguous; nanoseconds since 1970."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=CHICAGO)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def unlocked(periods: tuple[Period, ...], utc_ns: int, *holidays: Holiday) -> bool:
    return scheduled_mode(periods, utc_ns, CHICAGO, clock_trusted=True, holidays=holidays) is DoorMode.UNLOCKED


@pytest.mark.parametrize(
    ("moment", "school"),
    [
        (ns("2026-11-26T00:00:00") - 1000, True),  # the last instant before the first day
        (ns("2026-11-26T00:00:00"), False),
        (ns("2026-11-27T23:59:59"), False),
        (ns("2026-11-28T00:00:00") - 1000, False),  # the last instant of the last day
        (ns("2026-11-28T00:00:00"), False),  # a Saturday
        (ns("2026-11-30T00:00:00"), True),
    ],
)
def test_a_holiday_holds_from_its_first_midnight_to_its_last(moment: int, school: bool) -> None:
    assert unlocked(SCHOOL, moment, THANKSGIVING) is school


def test_on_a_holiday_only_its_own_periods_hold() -> None:
    assert unlocked(OPEN_HOUSE, ns("2026-11-26T10:00:00"), THANKSGIVING)
    assert not unlocked(OPEN_HOUSE, ns("2026-11-26T10:00:00") - 1000, THANKSGIVING)
    assert not unlocked(OPEN_HOUSE, ns("2026-11-26T12:00:00"), THANKSGIVING)
    assert unlocked(OPEN_HOUSE, ns("2026-11-25T09:00:00"), THANKSGIVING)
    assert not unlocked(OPEN_HOUSE, ns("2026-11-28T11:00:00"), THANKSGIVING), "a Saturday is no holiday"


def test_a_break_over_the_turn_of_the_year_is_one_holiday() -> None:
    for text in ("2026-12-31T23:59:59", "2027-01-01T00:00:00", "2027-01-01T23:59:59"):
        assert day_of(local_time(ns(text), CHICAGO), (NEW_YEAR,)) == 7
    assert day_of(local_time(ns("2027-01-02T00:00:00"), CHICAGO), (NEW_YEAR,)) == 5


def test_a_day_that_ends_at_twenty_four_goes_on_into_the_next_without_a_gap() -> None:
    midnight = ns("2026-11-24T00:00:00")
    night = (Period(days=(0,), start="22:00", end="24:00"), Period(days=(1,), start="00:00", end="05:00"))
    for moment in (midnight - 1000, midnight, midnight + 1000):
        assert unlocked(night, moment)
    assert not unlocked(night, ns("2026-11-24T05:00:00"))
    assert not unlocked(night, ns("2026-11-25T00:00:00")), "the end is not included"


# --- 8 March 2026: at 02:00 it is 03:00 -----------------------------------------------------------------------

SPRING = ns("2026-03-08T02:00:00-06:00")  # the moment of the jump


@pytest.mark.parametrize(
    ("start", "end", "before", "after"),
    [
        ("02:30", "04:00", False, True),  # it begins in the hour that is not: at the jump
        ("01:00", "02:30", True, False),  # it ends in that hour: at the jump
        ("02:00", "03:00", False, False),  # it lies in that hour: it never holds
        ("01:59", "03:01", True, True),
    ],
)
def test_in_spring_a_period_in_the_missing_hour_begins_or_ends_with_the_jump(
    start: str, end: str, before: bool, after: bool
) -> None:
    periods = (Period(days=EVERY_DAY, start=start, end=end),)
    assert unlocked(periods, SPRING - 1000) is before
    assert unlocked(periods, SPRING) is after


# --- 1 November 2026: at 02:00 it is 01:00 once more ------------------------------------------------------------

AUTUMN = ns("2026-11-01T02:00:00-05:00")


def test_in_autumn_a_period_in_the_doubled_hour_holds_both_times() -> None:
    periods = (Period(days=EVERY_DAY, start="01:30", end="01:45"),)
    for offset in ("-05:00", "-06:00"):
        assert unlocked(periods, ns(f"2026-11-01T01:30:00{offset}"))
        assert not unlocked(periods, ns(f"2026-11-01T01:30:00{offset}") - 1000)
        assert not unlocked(periods, ns(f"2026-11-01T01:45:00{offset}"))
    assert not unlocked(periods, AUTUMN)


def test_in_autumn_a_holiday_has_twenty_five_hours() -> None:
    sunday = Holiday(name="Sunday", first=date(2026, 11, 1), last=date(2026, 11, 1))
    start = ns("2026-11-01T00:00:00")
    hours = [
        hour for hour in range(-1, 27) if day_of(local_time(start + hour * 3_600 * 10**9, CHICAGO), (sunday,)) == 7
    ]
    assert hours == list(range(25))


def test_an_access_rules_periods_know_holidays_too() -> None:
    thursday = local_time(ns("2026-11-26T09:00:00"), CHICAGO)
    assert inside(SCHOOL, thursday)
    assert not inside(SCHOOL, thursday, (THANKSGIVING,))


# --- first person in ------------------------------------------------------------------------------------------

DAY = (
    Period(days=EVERY_DAY, start="07:00", end="11:00"),
    Period(days=EVERY_DAY, start="13:00", end="16:00"),
    Period(days=EVERY_DAY, start="11:00", end="13:00", mode=DoorMode.CONTROLLED),
)


@pytest.mark.parametrize(
    ("came", "now", "follows"),
    [
        ("2026-11-24T07:00:00", "2026-11-24T10:59:59", True),
        ("2026-11-24T06:59:59", "2026-11-24T10:59:59", False),  # before the period began
        ("2026-11-24T07:00:00", "2026-11-24T13:00:00", False),  # another period of the day
        ("2026-11-23T08:00:00", "2026-11-24T09:00:00", False),  # yesterday
        ("2026-11-24T09:00:00", "2026-11-24T08:00:00", False),  # the clock was put back
        ("2026-11-24T12:00:00", "2026-11-24T12:30:00", False),  # that one unlocks nothing
    ],
)
def test_a_door_follows_its_schedule_from_the_first_person_of_the_period(came: str, now: str, follows: bool) -> None:
    assert came_in_period(ns(came), DAY, ns(now), CHICAGO) is follows


def test_a_coming_is_news_once_a_day_and_once_a_period() -> None:
    comings = ["06:30", "06:45", "07:10", "07:20", "12:00", "13:05", "13:10"]
    last, news = None, []
    for clock in comings:
        moment = ns(f"2026-11-24T{clock}:00")
        if is_news(last, DAY, moment, CHICAGO):
            last = moment
            news.append(clock)
    assert news == ["06:30", "07:10", "13:05"]
    assert not came_today(last, ns("2026-11-25T00:00:00"), CHICAGO)
    assert not came_today(None, ns("2026-11-24T08:00:00"), CHICAGO)
