"""A school whose doors can be walked: its agent's files, its virtual doors, and the walk itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring, LockWiring, ReaderLine, ReaderWiring, SwitchWiring
from edge_agent.host.clock import PiClock
from edge_agent.walk_test.walk import Outcome, Walk
from protocol.messages import TrustedKey
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.words import KeyRole
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker

FIRE_PIN, PANIC_PIN = 44, 45
PINS_A_DOOR = 5


@dataclass(frozen=True)
class School:
    """One agent's share of a school: ``doors`` doors (at most 8), the last two maglocks, a reader at each of the
    first ``readers``."""

    folder: Path
    doors: int = 8
    readers: int = 4
    key: SigningKey = field(default_factory=lambda: SigningKey.generate("lincoln-high-east"))
    district: SigningKey = field(default_factory=lambda: SigningKey.generate("district-1"))

    @property
    def config(self) -> AgentFile:
        names = [f"door-{n}" for n in range(self.doors)]
        maglocks = names[max(1, self.doors - 2) :] if self.doors > 2 else []
        line = ReaderLine(
            device="/dev/doorward/rs485-0",
            baud=115200,
            readers=tuple(
                ReaderWiring(f"{door}-in", n + 1, door, secrets.token_bytes(16))
                for n, door in enumerate(names[: self.readers])
            ),
        )
        return AgentFile(
            site="lincoln-high",
            agent="east",
            data=self.folder / "data",
            signing_key=self.key,
            credential_key=secrets.token_bytes(32),
            broker=BrokerAddress("127.0.0.1", 1),
            trust=(self.district.trusted(KeyRole.DISTRICT),),
            doors=tuple(_door(n, name, maglock=name in maglocks) for n, name in enumerate(names)),
            reader_lines=(line,) if self.readers else (),
            fire=SwitchWiring(FIRE_PIN),
            panic=SwitchWiring(PANIC_PIN),
            require_sync=False,
        )

    @property
    def public_key(self) -> TrustedKey:
        return self.key.trusted(KeyRole.AGENT, site="lincoln-high", agent="east")


def _door(number: int, name: str, *, maglock: bool) -> DoorWiring:
    lock, contact, bolt, rex, tamper = range(PINS_A_DOOR * number, PINS_A_DOOR * (number + 1))
    kind, fail_mode = (LockKind.MAGLOCK, FailMode.FAIL_SAFE) if maglock else (LockKind.STRIKE, FailMode.FAIL_SECURE)
    return DoorWiring(
        door=name,
        lock=LockWiring(lock, kind, fail_mode),
        contact=SwitchWiring(contact),
        bolt=SwitchWiring(bolt),
        rex=SwitchWiring(rex),
        tamper=SwitchWiring(tamper),
    )


async def walk(site: WalkedSite, walker: Walker, *, locked_at_the_end: bool = True, **options: Any) -> Outcome:
    """Walk a site to the end, or to where the walker stops."""
    test = Walk(
        site.config,
        prompts=walker,
        by="facilities",
        clock=PiClock(require_sync=False),
        **site.options,
        **options,
    )
    try:
        outcome = await test.run()
        unlocked = [name for name, door in site.doors.items() if door.released]
        assert not locked_at_the_end or not unlocked, f"left unlocked: {unlocked}"
        return outcome
    finally:
        test.close()


def found(outcome: Outcome) -> set[tuple[str, str]]:
    """(door, kind) of everything found."""
    return {(door.door, finding.kind) for door in outcome.report.doors for finding in door.findings}
