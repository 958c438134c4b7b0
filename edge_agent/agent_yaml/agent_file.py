"""All of agent.yaml as the agent uses it: checked, its keys read, its paths whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.agent_yaml import wiring
from protocol.messages import TrustedKey
from protocol.mqtt import BrokerAddress
from protocol.signing import SigningKey


@dataclass(frozen=True, slots=True)
class AgentFile:
    """All of agent.yaml, checked."""

    site: str
    agent: str
    data: Path
    signing_key: SigningKey = field(repr=False)
    credential_key: bytes = field(repr=False)
    broker: BrokerAddress
    trust: tuple[TrustedKey, ...]
    doors: tuple[wiring.DoorWiring, ...]
    reader_lines: tuple[wiring.ReaderLine, ...] = ()
    wiegand_readers: tuple[wiring.WiegandWiring, ...] = ()
    wiegand_formats: tuple[wiring.WiegandFormatWiring, ...] = ()
    serial_readers: tuple[wiring.SerialReaderWiring, ...] = ()
    adcs: tuple[wiring.AdcWiring, ...] = ()
    power: wiring.PowerWiring | None = None
    fire: wiring.InputWiring | None = None
    panic: wiring.InputWiring | None = None
    require_sync: bool = True
    unkeyed: tuple[wiring.UnkeyedReader, ...] = ()
    """Readers that are left out of ``reader_lines``: only of a file that was read to hold the doors all the same."""
    rtc: bool = False
    """A battery clock is fitted, by ``clock`` or ``hats``."""

    @property
    def readers(self) -> tuple[wiring.ReaderWiring | wiring.WiegandWiring | wiring.SerialReaderWiring, ...]:
        """The readers of every family."""
        osdp = (reader for line in self.reader_lines for reader in line.readers)
        return (*osdp, *self.wiegand_readers, *self.serial_readers)

    def with_devices(self, devices: Mapping[str, str]) -> AgentFile:
        """The same with other serial devices: {device of the file: device to open}. A simulator's pty, say."""
        lines = (replace(line, device=devices.get(line.device, line.device)) for line in self.reader_lines)
        serial = (replace(one, device=devices.get(one.device, one.device)) for one in self.serial_readers)
        return replace(self, reader_lines=tuple(lines), serial_readers=tuple(serial))
