"""Builds one real agent on virtual doors to measure: its files, its doors with instant bolts, and its district."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory

from drivers.gpio import FailMode, LockKind
from drivers.timed_outputs import TimedOutputs
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring, LockWiring, ReaderLine, ReaderWiring, SwitchWiring
from protocol import topics
from protocol.messages import AccessRule, AgentConfig, Credential, DoorSettings, Period
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import DoorMode, KeyRole
from simulators.hardware import door as virtual_door
from simulators.hardware.door import VirtualDoor

SITE, AGENT = "bench", "east"
ALWAYS = Period(days=tuple(range(7)), start="00:00", end="24:00", mode=DoorMode.UNLOCKED)
PINS_A_DOOR = 4


def door_name(number: int) -> str:
    """The name of the rig's nth door."""
    return f"door-{number}"


class ExpandedFactory(MockFactory):  # type: ignore[misc]
    """Mock pins beyond the 28 of a Pi's header, as I/O expanders give them: 16 doors need 64."""

    def pin(self, name: int, pin_class: Any = None, **options: Any) -> Any:
        """The pin of a number, made once."""
        _, header_pin = next(iter(self.board_info.find_pin(0)))
        info = header_pin._replace(name=f"GPIO{name}", names=frozenset({name, f"GPIO{name}"}))
        if info not in self.pins:
            self.pins[info] = (pin_class or self.pin_class)(self, info, **options)
        return self.pins[info]


@dataclass(frozen=True, slots=True)
class ReaderOnLine:
    """A virtual reader of another process, and its door."""

    device: str
    baud: int
    address: int
    key: bytes
    door: str


class AgentRig:
    """An agent of ``doors`` doors in ``folder``. Make it on the event loop that will run the agent."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        doors: int,
        *,
        readers: tuple[ReaderOnLine, ...] = (),
        bolt_travel_s: float = 0.0,
        credential_key: bytes | None = None,
    ) -> None:
        self.district = SigningKey.generate("district-1")
        self.credential_key = credential_key or secrets.token_bytes(32)
        self.names = [door_name(number) for number in range(doors)]
        self.pin_factory: Any = ExpandedFactory()
        self._timer = TimedOutputs()
        self.doors = {
            door_name(number): VirtualDoor(
                _virtual_wiring(number),
                pin_factory=self.pin_factory,
                timer=self._timer,
                bolt_travel_s=bolt_travel_s,
                bounce=False,
            )
            for number in range(doors)
        }
        self.file = AgentFile(
            site=SITE,
            agent=AGENT,
            data=folder,
            signing_key=SigningKey.generate("bench-east"),
            credential_key=self.credential_key,
            broker=BrokerAddress(port=broker_port),
            trust=(self.district.trusted(KeyRole.DISTRICT),),
            doors=tuple(_wiring(number) for number in range(doors)),
            reader_lines=_lines(readers),
            require_sync=False,
        )
        self.agent = Agent(self.file, pin_factory=self.pin_factory)

    def close(self) -> None:
        """Release pins and threads, once the agent has ended."""
        self.agent.close()
        self._timer.close()

    def bundle(self, *, unlocked: bool, tokens: tuple[str, ...] = ()) -> tuple[str, bytes]:
        """Topic and bytes of a configuration: all doors, ``unlocked`` at all times or controlled."""
        topic = topics.of_agent(TopicKind.CONFIG, SITE, AGENT)
        schedule = "always" if unlocked else None
        config = AgentConfig(
            audience=topic,
            version=1,
            timezone="UTC",
            doors=tuple(DoorSettings(door=name, name=name, schedule=schedule, unlock_ms=500) for name in self.names),
            schedules={"always": (ALWAYS,)},
            rules=(AccessRule(group="staff", doors=tuple(self.names)),),
            credentials=tuple(
                Credential(token=token, cardholder=f"ch-{number}", groups=("staff",))
                for number, token in enumerate(tokens)
            ),
        )
        return topic, self.district.sign(config)


def _wiring(number: int) -> DoorWiring:
    first = number * PINS_A_DOOR
    return DoorWiring(
        door=door_name(number),
        lock=LockWiring(first, LockKind.STRIKE, FailMode.FAIL_SECURE),
        contact=SwitchWiring(first + 1),
        bolt=SwitchWiring(first + 2),
        rex=SwitchWiring(first + 3),
    )


def _virtual_wiring(number: int) -> virtual_door.DoorPins:
    first = number * PINS_A_DOOR
    return virtual_door.DoorPins(lock=first, contact=first + 1, bolt=first + 2, rex=first + 3)


def _lines(readers: tuple[ReaderOnLine, ...]) -> tuple[ReaderLine, ...]:
    devices = dict.fromkeys(reader.device for reader in readers)
    return tuple(
        ReaderLine(
            device,
            next(reader.baud for reader in readers if reader.device == device),
            tuple(
                ReaderWiring(f"{reader.door}-in", reader.address, reader.door, reader.key)
                for reader in readers
                if reader.device == device
            ),
        )
        for device in devices
    )
