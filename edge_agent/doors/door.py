"""One door of an agent as Doors holds it: wiring, hardware, what is known; and what is read of it."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.wiring import DoorWiring
from edge_agent.doors.hardware import DoorHardware
from edge_agent.doors.state import DoorProfile, DoorState, Sensed
from protocol.messages import DoorSettings


@dataclass(slots=True)
class Door:
    """What a door is made of, and what is known of it."""

    wiring: DoorWiring
    hardware: DoorHardware
    profile: DoorProfile
    state: DoorState
    undriven: bool = False  # its lock refused a command, which is given again with the next sample


def reading(door: Door) -> Sensed:
    """What a door's sensors say; nothing, while its lock does not obey: none proves a lock that was not driven."""
    return Sensed(None, None, None) if door.undriven else door.hardware.sample()


def profile_of(wiring: DoorWiring, settings: DoorSettings) -> DoorProfile:
    """What does not change while a door works: as it is wired, and as central has it."""
    return DoorProfile(
        door=wiring.door,
        bolt_fitted=wiring.bolt is not None,
        tamper_fitted=wiring.tamper is not None,
        bolt_ms=settings.bolt_ms,
        unlock_ms=settings.unlock_ms,
        held_ms=settings.held_ms,
        held_warning_ms=settings.held_warning_ms,
        fail_safe=wiring.lock.fail_mode is FailMode.FAIL_SAFE,
        fire_release=settings.fire_release,
        rex_releases=wiring.lock.kind is LockKind.MAGLOCK,
    )
