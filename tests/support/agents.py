"""Real agents on virtual doors, for tests: a folder with keys and agent.yaml, a pin factory, doors, and the agent.

``Pi(folder, site=..., agent=...)`` is the machine: its wiring, its disk and its doors stay while the program on it is
started, stopped and started again (``async with pi.running() as agent``).
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml
from gpiozero.pins.mock import MockFactory

from drivers.gpio import FailMode, LockKind
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile, load
from edge_agent.host.clock import PiClock
from protocol import topics
from protocol.messages import (
    AccessRule,
    AgentConfig,
    Command,
    Credential,
    Declaration,
    DeclarationSet,
    DoorSettings,
    Scope,
    TrustedKey,
)
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import KeyRole, ScopeKind
from simulators.hardware.door import DoorPins, VirtualDoor
from simulators.hardware.pins import WirePin
from simulators.hardware.timers import LoopTimer
from tests.support.waiting import until

COMPUTE_MODULE = "a020a0"  # 46 pins: room for more doors than a 40-pin header has
FIRE_PIN, PANIC_PIN = 44, 45


class SettableClock(PiClock):
    """The machine's clock, with the UTC and the trust in it as a test wants them."""

    def __init__(self) -> None:
        super().__init__(require_sync=False)
        self.trust = True
        self.ahead_ns = 0

    def trusted(self) -> bool:
        return self.trust

    def utc_ns(self) -> int:
        return super().utc_ns() + self.ahead_ns


class TestDistrict:
    """Who signs: the district's key, and everything it may say."""

    __test__ = False

    def __init__(self) -> None:
        self.key = SigningKey.generate("district-1")
        self.credential_key = secrets.token_bytes(32)

    @property
    def trust(self) -> TrustedKey:
        return self.key.trusted(KeyRole.DISTRICT)

    def declare(self, topic: str, revision: int, *declarations: Declaration, ended: tuple[str, ...] = ()) -> bytes:
        document = DeclarationSet(audience=topic, revision=revision, declarations=declarations, ended=ended)
        return self.key.sign(document)

    def config(self, pi: "Pi", version: int = 1, **fields: Any) -> bytes:
        fields.setdefault("doors", tuple(pi.settings(name) for name in pi.doors))
        fields.setdefault("timezone", "America/Chicago")
        return self.key.sign(AgentConfig(audience=pi.topic(TopicKind.CONFIG), version=version, **fields))

    def command(self, pi: "Pi", kind: str, door: str, **fields: Any) -> bytes:
        now = PiClock(require_sync=False).utc_ms()
        fields = {"id": secrets.token_hex(8), "by": "officer", "issued_ms": now, "expires_ms": now + 10_000} | fields
        return self.key.sign(Command(audience=pi.topic(TopicKind.COMMAND), kind=kind, door=door, **fields))


def lockdown(id_: str = "lockdown-1", scope: Scope | None = None, action: str = "lockdown") -> Declaration:
    """A declaration over the district, or another scope."""
    scope = scope or Scope(kind=ScopeKind.DISTRICT)
    return Declaration(id=id_, action=action, scope=scope, by="officer", at_ms=1)


class Pi:
    """A machine with ``doors`` virtual doors, each with a bolt monitor."""

    def __init__(
        self,
        folder: Path,
        district: TestDistrict,
        *,
        site: str = "lincoln-high",
        agent: str = "east",
        doors: int = 2,
        port: int = 1,
        maglocks: bool = False,
        reader_lines: list[dict[str, Any]] | None = None,
    ) -> None:
        self.folder = folder
        self.site, self.agent = site, agent
        self.factory = MockFactory(revision=COMPUTE_MODULE)
        self.clock = SettableClock()
        self.key = SigningKey.generate(f"{site}-{agent}")
        self.wirings = {f"door-{n}": _wiring(n, maglock=maglocks) for n in range(doors)}
        self.doors: dict[str, VirtualDoor] = {}
        self.fire_wire: WirePin = self.factory.pin(FIRE_PIN, pin_class=WirePin)
        self.panic_wire: WirePin = self.factory.pin(PANIC_PIN, pin_class=WirePin)
        self.fire_wire.drive(False)  # a normally closed loop at rest
        folder.mkdir(parents=True, exist_ok=True)
        self.key.save(folder / "agent.jwk")
        _secret(folder / "credential.key", district.credential_key)
        self.yaml_file = folder / "agent.yaml"
        self.yaml_file.write_text(yaml.safe_dump(self._yaml(district, port, reader_lines or [])))

    @property
    def config(self) -> AgentFile:
        return load(self.yaml_file)

    @property
    def trusted_key(self) -> TrustedKey:
        return self.key.trusted(KeyRole.AGENT, site=self.site, agent=self.agent)

    def topic(self, kind: TopicKind) -> str:
        return topics.of_agent(kind, self.site, self.agent)

    def settings(self, door: str, **fields: Any) -> DoorSettings:
        return DoorSettings(door=door, name=door, **({"unlock_ms": 1_000} | fields))

    def build(self) -> None:
        """Hang the doors. Call it on the running loop, once."""
        timer = LoopTimer(asyncio.get_running_loop())
        for name, wiring in self.wirings.items():
            self.doors[name] = VirtualDoor(
                wiring, pin_factory=self.factory, timer=timer, bolt_travel_s=0, bounce=False
            )

    @contextlib.asynccontextmanager
    async def running(self, *, devices: dict[str, str] | None = None, **options: Any) -> AsyncIterator[Agent]:
        """The agent, up and with every door held; stopped when the block ends. ``devices``: ptys for serial lines."""
        if not self.doors:
            self.build()
        config = self.config.with_devices(devices or {})
        agent = Agent(config, pin_factory=self.factory, clock=self.clock, **options)
        task = asyncio.create_task(agent.run())
        try:
            await until(lambda: agent.ready.is_set() or task.done(), "the agent")
            if task.done():
                task.result()
            yield agent
        finally:
            task.cancel()
            await asyncio.wait([task])
            agent.close()
            if not task.cancelled():
                task.result()

    def _yaml(self, district: TestDistrict, port: int, reader_lines: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "site": self.site,
            "agent": self.agent,
            "data": "data",
            "key_file": "agent.jwk",
            "credential_key_file": "credential.key",
            "broker": {"host": "127.0.0.1", "port": port},
            "trust": [{"kid": district.trust.kid, "x": district.trust.x}],
            "clock": {"require_sync": False},
            "doors": [
                {
                    "door": name,
                    "lock": {"pin": wiring.lock, "kind": str(wiring.kind), "fail_mode": str(wiring.fail_mode)},
                    "contact": {"pin": wiring.contact},
                    "bolt": {"pin": wiring.bolt},
                    "rex": {"pin": wiring.rex},
                }
                for name, wiring in self.wirings.items()
            ],
            "reader_lines": reader_lines,
            "fire": {"pin": FIRE_PIN},
            "panic": {"pin": PANIC_PIN},
        }


def cardholder(token: str, *, override: bool = False) -> dict[str, Any]:
    """Fields of a bundle that let one credential pass door-0 and door-1."""
    return {
        "credentials": (Credential(token=token, cardholder="ch-0001", groups=("staff",), override=override),),
        "rules": (AccessRule(group="staff", doors=("door-0", "door-1")),),
    }


def _wiring(number: int, *, maglock: bool) -> DoorPins:
    kinds = (LockKind.MAGLOCK, FailMode.FAIL_SAFE) if maglock else (LockKind.STRIKE, FailMode.FAIL_SECURE)
    lock, contact, bolt, rex = range(4 * number, 4 * number + 4)
    return DoorPins(lock=lock, contact=contact, bolt=bolt, rex=rex, kind=kinds[0], fail_mode=kinds[1])


def _secret(path: Path, key: bytes) -> None:
    path.touch(mode=0o600)
    path.write_text(key.hex())
