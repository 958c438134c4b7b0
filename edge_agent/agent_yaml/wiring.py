"""An agent's wiring: its doors' pins, readers, supervised lines and power. Plain data, no rules.

`edge_agent.agent_yaml.config_file` makes it from agent.yaml; the drivers are made from it. BCM pin numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from drivers.gpio import FailMode, LockKind
from drivers.supervised_line import EndOfLine as EndOfLine  # noqa: PLC0414 - part of the wiring, too


class Passage(StrEnum):
    """Which way a reader's badge lets a person through its door."""

    IN = "in"
    OUT = "out"


class KeypadKind(StrEnum):
    """How a Wiegand keypad sends a key."""

    NONE = "none"
    FOUR_BIT = "4-bit"
    EIGHT_BIT = "8-bit"  # the four bits and their complement

    @property
    def bits(self) -> int:
        """Bits of one key; 0 without a keypad."""
        return {KeypadKind.NONE: 0, KeypadKind.FOUR_BIT: 4, KeypadKind.EIGHT_BIT: 8}[self]


class SerialReaderKind(StrEnum):
    """Families of 125 kHz modules that speak ASCII on a serial line."""

    ID12 = "id-12"  # STX, 10 hex digits, 2 hex checksum, CR, LF, ETX
    RDM6300 = "rdm6300"  # STX, 10 hex digits, 2 hex checksum, ETX


@dataclass(frozen=True, slots=True)
class LockWiring:
    """A lock's output pin and what it drives."""

    pin: int
    kind: LockKind
    fail_mode: FailMode
    active_high: bool = True


@dataclass(frozen=True, slots=True)
class SwitchWiring:
    """An unsupervised input's pin. ``normally_closed`` None: as is usual for the input (see
    `edge_agent.doors.inputs.Role`)."""

    pin: int
    normally_closed: bool | None = None


@dataclass(frozen=True, slots=True)
class SupervisedWiring:
    """An input read through a channel of an MCP3008, so that a cut or a short shows."""

    adc: str
    channel: int  # 0 to 7
    normally_closed: bool | None = None
    end_of_line: EndOfLine = field(default_factory=EndOfLine)


InputWiring: TypeAlias = SwitchWiring | SupervisedWiring


@dataclass(frozen=True, slots=True)
class AdcWiring:
    """One MCP3008 on an SPI bus (port 0): its chip select, 0 or 1; or other pins, which are then bit-banged."""

    adc: str
    device: int = 0
    pins: tuple[int, int, int, int] | None = None  # clock, MOSI, MISO, select


@dataclass(frozen=True, slots=True)
class DoorWiring:
    """One door's inputs and its lock."""

    door: str
    lock: LockWiring
    contact: InputWiring
    bolt: InputWiring | None = None
    rex: InputWiring | None = None
    tamper: InputWiring | None = None


@dataclass(frozen=True, slots=True)
class ReaderWiring:
    """One OSDP reader and the door it opens."""

    reader: str
    address: int
    door: str
    key: bytes = field(repr=False)
    passage: Passage = Passage.IN


@dataclass(frozen=True, slots=True)
class UnkeyedReader:
    """An OSDP reader whose key cannot be used: it is offline until the key file is repaired."""

    reader: str
    door: str
    problem: str
    """What is wrong and what to do, for the log; never what is in the key."""


@dataclass(frozen=True, slots=True)
class ReaderLine:
    """One RS-485 line with its readers."""

    device: str
    baud: int
    readers: tuple[ReaderWiring, ...]


@dataclass(frozen=True, slots=True)
class WiegandWiring:
    """One Wiegand reader or keypad: its two data pins, and the card formats it may send (names of the table)."""

    reader: str
    door: str
    data0: int
    data1: int
    formats: tuple[str, ...] = ("h10301",)
    keypad: KeypadKind = KeypadKind.NONE
    led: int | None = None  # output pin of its green LED, if wired
    buzzer: int | None = None
    led_active_high: bool = False  # most readers' LED and buzzer inputs are pulled low to sound
    passage: Passage = Passage.IN


@dataclass(frozen=True, slots=True)
class WiegandFormatWiring:
    """A card format of the site's own, beside the table's: see drivers.wiegand.formats for the meaning."""

    name: str
    bits: int
    facility: tuple[int, int] | None  # first and last bit, counted from 0
    card: tuple[int, int]
    even_parity: tuple[tuple[int, tuple[int, ...]], ...] = ()  # (parity bit, bits it covers)
    odd_parity: tuple[tuple[int, tuple[int, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class SerialReaderWiring:
    """One ASCII reader on a serial device of its own."""

    reader: str
    door: str
    device: str
    kind: SerialReaderKind
    baud: int = 9600
    passage: Passage = Passage.IN


@dataclass(frozen=True, slots=True)
class PowerWiring:
    """The power supply's contacts: closed while mains is there and the battery is good, unless said otherwise."""

    mains: InputWiring | None = None
    battery: InputWiring | None = None
