"""Turns events into lines of InfluxDB's line protocol. Pure: an event always gives the same line."""

import math
import re
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Row

from protocol.words import Condition, DoorMode, EventKind

Fields = dict[str, int | float | str]

_CONDITIONS = {condition.value: number for number, condition in enumerate(Condition)}
_MODES = {mode.value: number for number, mode in enumerate(DoorMode)}
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def line_of(event: Row[Any]) -> str | None:
    """A row of ``events`` as a line, or None where its kind makes no point.

    Measurements ``door_condition``, ``door_mode``, ``access`` and ``agent_health``, tagged with site, agent and
    door. The time is the event's, to the microsecond; the nanoseconds are the last three digits of its seq, so that
    two events of one moment stay two. If the agent did not trust its clock, it is the time of arrival.
    """
    maker = _MAKERS.get(event.kind)
    if maker is None:
        return None
    measurement, make = maker
    fields = make(_data(event.data))
    if not fields:
        return None
    at_ns = event.utc_ns if event.clock_trusted else event.received_ns
    # Names of sites, agents and doors need no escaping.
    door = f",door={event.door}" if event.door is not None else ""
    values = ",".join(f"{name}={_value(value)}" for name, value in fields.items())
    unique_ns = at_ns - at_ns % 1000 + event.seq % 1000
    return f"{measurement},site={event.site},agent={event.agent}{door} {values} {unique_ns}"


def _value(value: float | str) -> str:
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'"{escaped}"'


def _data(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return found


def _condition(data: dict[str, Any]) -> Fields:
    condition = Condition(str(data.get("to")))
    secure = int(condition is Condition.SECURE)
    return {"condition": condition.value, "code": _CONDITIONS[condition], "secure": secure}


def _mode(data: dict[str, Any]) -> Fields:
    mode = str(data.get("to"))
    return {"mode": mode, "code": _MODES.get(mode, -1)}


def _granted(data: dict[str, Any]) -> Fields:
    return {"granted": 1, "cardholder": str(data.get("cardholder", ""))}


def _denied(data: dict[str, Any]) -> Fields:
    return {"granted": 0, "reason": str(data.get("reason", ""))}


def _health(data: dict[str, Any]) -> Fields:
    return {
        name: float(value)
        for name, value in data.items()
        if _FIELD_NAME.fullmatch(name)
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


_MAKERS: dict[str, tuple[str, Callable[[dict[str, Any]], Fields]]] = {
    EventKind.CONDITION_CHANGED: ("door_condition", _condition),
    EventKind.MODE_CHANGED: ("door_mode", _mode),
    EventKind.ACCESS_GRANTED: ("access", _granted),
    EventKind.ACCESS_DENIED: ("access", _denied),
    EventKind.AGENT_HEALTH: ("agent_health", _health),
}
