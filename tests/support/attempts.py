"""An attempt to pass a door that would succeed, for a test to change in one thing."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.policy.decision import Attempt, Calendar
from protocol.messages import AccessRule, Credential, DoorSettings, Period
from protocol.words import DoorMode

CHICAGO = ZoneInfo("America/Chicago")
MONDAY_NOON = int(datetime(2026, 11, 23, 12, tzinfo=CHICAGO).timestamp()) * 1_000_000_000
NOON_MS = MONDAY_NOON // 1_000_000
HOUR_NS = 3_600 * 1_000_000_000

DOOR = DoorSettings(door="main-entrance", name="Main entrance")
STAFF = Credential(token="0" * 64, cardholder="staff-1", groups=("staff",))
RESPONDER = Credential(token="1" * 64, cardholder="responder-1", groups=("staff",), override=True)
STAFF_RULE = AccessRule(group="staff", doors=("main-entrance", "gym"))
MORNING_RULE = AccessRule(group="staff", doors=("main-entrance",), schedule="mornings")
SCHEDULES = {"mornings": (Period(days=(0, 1, 2, 3, 4), start="07:00", end="11:00"),)}
CALENDAR = Calendar(utc_ns=MONDAY_NOON, clock_trusted=True, timezone=CHICAGO, schedules=SCHEDULES)


def attempt(**changes: Any) -> Attempt:
    """A known card with a rule for the door. ``utc_ns``, ``clock_trusted`` and ``holidays`` change the calendar,
    ``door_...`` the door's settings."""
    calendar = {name: changes.pop(name) for name in ("utc_ns", "clock_trusted", "holidays") if name in changes}
    door = {name.removeprefix("door_"): changes.pop(name) for name in list(changes) if name.startswith("door_")}
    given = Attempt(
        credential=STAFF,
        door=but(DOOR, **door),
        mode=DoorMode.CONTROLLED,
        calendar=replace(CALENDAR, **calendar),
        rules=(STAFF_RULE,),
        now_ms=1_000_000,
    )
    return replace(given, **changes)


def but(struct: Any, **changes: Any) -> Any:
    """The same message with other fields."""
    return msgspec.structs.replace(struct, **changes)
