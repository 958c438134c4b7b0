"""A door machine with its clock and its sensors at hand, for tests that go step by step."""

from dataclasses import replace
from typing import Any

from edge_agent.doors.machine import step
from edge_agent.doors.state import DoorProfile, DriveLock, Effect, Emit, Input, Sensed, initial
from protocol.words import Alarm, Bolt, Condition, Contact, EventKind

STRIKE = DoorProfile(
    door="main-entrance",
    bolt_fitted=True,
    tamper_fitted=True,
    bolt_ms=2_000,
    unlock_ms=5_000,
    held_ms=30_000,
    fail_safe=False,
    fire_release=False,
    rex_releases=False,
)
MAGLOCK = replace(STRIKE, fail_safe=True, fire_release=True, rex_releases=True)
START = 100_000


class Door:
    """A machine with its clock, and sensors that can be set and sampled."""

    def __init__(self, profile: DoorProfile = STRIKE) -> None:
        self.profile = profile
        self.now = START
        self.state = initial(profile, START)
        self.contact: Contact | None = Contact.CLOSED
        self.bolt: Bolt | None = Bolt.THROWN
        self.tampered: bool | None = False
        self.effects: tuple[Effect, ...] = ()

    def give(self, given: Input, *, after_ms: int = 0) -> tuple[Effect, ...]:
        self.now += after_ms
        self.state, self.effects = step(self.profile, self.state, given, self.now)
        return self.effects

    def sense(self, *, after_ms: int = 0, **values: Any) -> tuple[Effect, ...]:
        for name, value in values.items():
            setattr(self, name, value)
        return self.give(Sensed(self.contact, self.bolt, self.tampered), after_ms=after_ms)

    def keep_sensing(self, for_ms: int) -> None:
        """Sample twice a second, as the agent does."""
        end = self.now + for_ms
        while self.now < end:
            self.sense(after_ms=min(500, end - self.now))

    @property
    def condition(self) -> Condition:
        return self.state.condition

    @property
    def alarms(self) -> frozenset[Alarm]:
        return self.state.alarms

    @property
    def drive(self) -> DriveLock | None:
        return next((effect for effect in self.effects if isinstance(effect, DriveLock)), None)

    def events(self, kind: EventKind) -> list[dict[str, Any]]:
        return [dict(effect.data) for effect in self.effects if isinstance(effect, Emit) and effect.kind is kind]


def secure_door(profile: DoorProfile = STRIKE) -> Door:
    door = Door(profile)
    door.sense(after_ms=500)
    assert door.condition is Condition.SECURE
    return door
