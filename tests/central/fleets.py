"""A small district for tests of the live view: agents that speak as real ones do, and a clock set by hand."""

from typing import Any

import msgspec

from central.fleet.fleet import Fleet
from central.fleet.state import Changes, LiveDoor
from protocol.messages import AgentStatus, DoorState, Evidence, Stamp, StateSnapshot
from protocol.words import Bolt, Condition, Contact, DoorMode

UTC_MS = 1_790_000_000_000

SECURE = Evidence(contact=Contact.CLOSED, bolt=Bolt.THROWN, bolt_fitted=True, age_ms=100, locked_ms=60_000)
OPEN = Evidence(contact=Contact.OPEN, bolt=Bolt.RETRACTED, bolt_fitted=True, age_ms=100, locked_ms=60_000)


class HandClock:
    """Both clocks of central, moved by the test alone."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def mono_ms(self) -> int:
        return self.ms

    def utc_ns(self) -> int:
        return self.utc_ms() * 1_000_000

    def utc_ms(self) -> int:
        return UTC_MS + self.ms


def door_state(
    door: str = "front",
    condition: Condition = Condition.SECURE,
    evidence: Evidence = SECURE,
    mode: DoorMode = DoorMode.CONTROLLED,
    declarations: tuple[str, ...] = (),
    *,
    alarms: tuple[str, ...] = (),
) -> DoorState:
    """A door as an agent tells it."""
    return DoorState(
        door=door, mode=mode, condition=condition, released=False, evidence=evidence, declarations=declarations,
        alarms=alarms,
    )  # fmt: skip


class Speaker:
    """One agent's voice: its clock runs with central's, from another beginning."""

    def __init__(self, district: "District", agent: str, doors: tuple[str, ...], *, session: str = "s1") -> None:
        self.district = district
        self.agent = agent
        self.doors = doors
        self.session = session
        self.seq = 0
        self.clock_trusted = True
        self.clock_began_ms = 900_000

    def snapshot(self, *states: DoorState, applied: dict[str, int] | None = None, **fields: Any) -> StateSnapshot:
        """Make the next snapshot now; all doors secure unless given."""
        self.seq += 1
        now_ms = self.district.clock.ms
        at = Stamp(
            mono_ms=now_ms - self.clock_began_ms,
            utc_ns=(UTC_MS + now_ms) * 10**6,
            clock_trusted=self.clock_trusted,
            boot="boot",
        )
        made = StateSnapshot(
            session=self.session,
            seq=self.seq,
            at=at,
            applied=applied or {},
            doors=states or tuple(door_state(door) for door in self.doors),
        )
        return msgspec.structs.replace(made, **fields)

    def deliver(self, snapshot: StateSnapshot, *, retained: bool = False) -> Changes:
        """A snapshot reaches central now."""
        return self.district.fleet.apply_snapshot(
            "lincoln", self.agent, snapshot, retained=retained, now_ms=self.district.clock.ms
        )

    def say(self, *states: DoorState, applied: dict[str, int] | None = None) -> Changes:
        """Make a snapshot and deliver it at once."""
        return self.deliver(self.snapshot(*states, applied=applied))

    def status(
        self, *, online: bool, session: str | None = None, retained: bool = False, reason: str = ""
    ) -> Changes:
        """Its status, or its will, reaches central now."""
        message = AgentStatus(online=online, session=session or self.session, reason=reason)
        return self.district.fleet.apply_status(
            "lincoln", self.agent, message, retained=retained, now_ms=self.district.clock.ms
        )


class District:
    """One site, two agents, three doors."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.fleet = Fleet([("lincoln", "east", ["front", "gym"]), ("lincoln", "west", ["back"])], self.clock)
        self.east = Speaker(self, "east", ("front", "gym"))
        self.west = Speaker(self, "west", ("back",))

    def wait(self, ms: int) -> Changes:
        """Let time pass, and sweep."""
        self.clock.ms += ms
        return self.fleet.sweep(self.clock.ms)

    def door(self, name: str = "front") -> LiveDoor:
        """A door as the fleet shows it."""
        return self.fleet.doors["lincoln", name]

    def shown(self, name: str = "front") -> Condition:
        """What a door is shown as."""
        return self.door(name).condition
