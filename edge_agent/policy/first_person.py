"""First person in: on a snow day, when no staff come, the school does not unlock itself.

Pure. A door with a ``first_person_group`` follows the unlocked periods of its schedule only once a member of the
group was let in since the period began. If that is not known (the clock is not trusted, or the agent forgot it),
it counts as not having happened.
"""

from collections.abc import Iterable
from datetime import tzinfo

from edge_agent.policy.schedule import covers, local_time
from protocol.messages import Credential, DoorSettings, Holiday, Period
from protocol.words import DoorMode


def is_one(door: DoorSettings, credential: Credential) -> bool:
    """Whether a credential belongs to the group that must come first."""
    return door.first_person_group is not None and door.first_person_group in credential.groups


def came_in_period(
    came_utc_ns: int | None, periods: Iterable[Period], utc_ns: int, zone: tzinfo, holidays: Iterable[Holiday] = ()
) -> bool:
    """Whether a member was last let in during the unlocked period that holds now, which lies within one local day."""
    if came_utc_ns is None or came_utc_ns > utc_ns:
        return False
    now, came = local_time(utc_ns, zone), local_time(came_utc_ns, zone)
    return now.date() == came.date() and any(
        period.mode is DoorMode.UNLOCKED and covers(period, now, holidays) and covers(period, came, holidays)
        for period in periods
    )


def came_today(came_utc_ns: int | None, utc_ns: int, zone: tzinfo) -> bool:
    """Whether a member was let in on this local day, as ``first_person_for_all`` requires."""
    if came_utc_ns is None or came_utc_ns > utc_ns:
        return False
    return local_time(utc_ns, zone).date() == local_time(came_utc_ns, zone).date()


def is_news(
    came_utc_ns: int | None, periods: Iterable[Period], utc_ns: int, zone: tzinfo, holidays: Iterable[Holiday] = ()
) -> bool:
    """Whether a member let in now is the first of the day, or of the unlocked period that holds now."""
    if not came_today(came_utc_ns, utc_ns, zone):
        return True
    periods, now = tuple(periods), local_time(utc_ns, zone)
    holds = any(period.mode is DoorMode.UNLOCKED and covers(period, now, holidays) for period in periods)
    return holds and not came_in_period(came_utc_ns, periods, utc_ns, zone, holidays)
