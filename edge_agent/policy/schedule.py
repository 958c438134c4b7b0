"""Weekly schedules and holidays: what a door's schedule asks for at a moment, whether a moment is inside periods.

Pure: the caller passes the moment, the site's time zone, and whether the clock is right. Periods are in local time,
so a day of 23 or 25 hours needs no rule: the clock on the wall decides.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo

from protocol.messages import Holiday, Period
from protocol.words import DoorMode, strictest

HOLIDAY = 7
"""The day of a period that holds on holidays, when no other does."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def local_time(utc_ns: int, zone: tzinfo) -> datetime:
    """The local time in a zone at a moment (nanoseconds since 1970 in UTC)."""
    return (_EPOCH + timedelta(microseconds=utc_ns // 1000)).astimezone(zone)


def inside(periods: Iterable[Period], when: datetime, holidays: Iterable[Holiday] = ()) -> bool:
    """Whether a local time lies in one of the periods. Their end is not included."""
    return any(covers(period, when, holidays) for period in periods)


def scheduled_mode(
    periods: Iterable[Period] | None,
    utc_ns: int,
    zone: tzinfo,
    *,
    clock_trusted: bool,
    holidays: Iterable[Holiday] = (),
) -> DoorMode:
    """What a schedule asks of a door: the strictest of the periods that hold now, else CONTROLLED.

    CONTROLLED also without a schedule, and whenever the clock is not trusted: a Pi that believes it is
    Monday morning must not open a school on Saturday night.
    """
    if periods is None or not clock_trusted:
        return DoorMode.CONTROLLED
    when = local_time(utc_ns, zone)
    modes = [period.mode for period in periods if covers(period, when, holidays)]
    return strictest(*modes) if modes else DoorMode.CONTROLLED


def covers(period: Period, when: datetime, holidays: Iterable[Holiday] = ()) -> bool:
    """Whether a period holds at a local time."""
    # "HH:MM" sorts as time does, "24:00" included.
    return day_of(when, holidays) in period.days and period.start <= f"{when:%H:%M}" < period.end


def day_of(when: datetime, holidays: Iterable[Holiday]) -> int:
    """The day a local time belongs to, as periods count days: 0 is Monday, 7 a holiday. It changes at midnight."""
    today = when.date()
    return HOLIDAY if any(one.first <= today <= one.last for one in holidays) else when.weekday()
