"""The school the suites share: three doors on a Pi's header, as an electrician would wire them.

Switches close to ground. The main entrance has a strike that stays locked without power, the gym's maglock lets go
without power and is flagged for fire, the shed is a strike with no bolt monitor.
"""

from dataclasses import dataclass
from typing import Any

from protocol.messages import DoorSettings
from tests.hardware.guest.lines import HeaderLines

FIRE, PANIC = 22, 23
MAINS, BATTERY = 2, 3
ENTRANCE_COVER = 7
UNLOCK_MS = 1_000
HELD_MS = 1_000
DATA0, DATA1, LED = 14, 15, 20


@dataclass(frozen=True, slots=True)
class DoorPins:
    """BCM numbers of one door's lines."""

    lock: int
    contact: int
    bolt: int | None
    rex: int


ENTRANCE = DoorPins(lock=17, contact=4, bolt=5, rex=6)
GYM = DoorPins(lock=18, contact=12, bolt=None, rex=13)
SHED = DoorPins(lock=27, contact=24, bolt=None, rex=25)
DOORS = {"entrance": ENTRANCE, "gym": GYM, "shed": SHED}

SETTINGS = (
    DoorSettings(door="entrance", name="Main entrance", unlock_ms=UNLOCK_MS, held_ms=HELD_MS, bolt_ms=1_000),
    DoorSettings(door="gym", name="Gym", unlock_ms=UNLOCK_MS, held_ms=HELD_MS, fire_release=True),
    DoorSettings(door="shed", name="Shed", unlock_ms=UNLOCK_MS, held_ms=HELD_MS),
)


def wiring(**more: Any) -> dict[str, Any]:
    """The wiring part of agent.yaml. ``more``: readers."""
    entrance = _door("entrance", {"pin": ENTRANCE.lock, "kind": "strike", "fail_mode": "fail_secure"})
    return {
        "doors": [
            entrance | {"tamper": {"pin": ENTRANCE_COVER}},
            _door("gym", {"pin": GYM.lock, "kind": "maglock", "fail_mode": "fail_safe"}),
            _door("shed", {"pin": SHED.lock, "kind": "strike", "fail_mode": "fail_secure"}),
        ],
        "fire": {"pin": FIRE},
        "panic": {"pin": PANIC},
        "power": {"mains": {"pin": MAINS}, "battery": {"pin": BATTERY}},
        **more,
    }


def _door(name: str, lock: dict[str, Any]) -> dict[str, Any]:
    pins = DOORS[name]
    inputs = {"contact": pins.contact, "bolt": pins.bolt, "rex": pins.rex}
    return {"door": name, "lock": lock, **{what: {"pin": pin} for what, pin in inputs.items() if pin is not None}}


def at_rest(lines: HeaderLines) -> None:
    """Every door shut, every bolt thrown, nobody at a button; fire loop, covers and power contacts closed."""
    for pins in DOORS.values():
        lines.ground(pins.contact)
        lines.let_go(pins.rex)
        if pins.bolt is not None:
            lines.ground(pins.bolt)
    lines.ground(FIRE, MAINS, BATTERY, ENTRANCE_COVER)
    lines.let_go(PANIC, DATA0, DATA1)
