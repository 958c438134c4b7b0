"""What a bus of readers reports besides cards and keys. Frozen values; consumers `match` on them.

`at` is monotonic seconds of the agent's clock at the moment the panel received or noticed it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from drivers.osdp.gate import Forged
from drivers.readers import CardRead, KeyPress
from drivers.serial.port_keeper import PortDown, PortUp


class OfflineReason(StrEnum):
    """Why a reader is not trusted."""

    SILENT = "silent"
    """Nothing heard for longer than the silence limit: cable, power, or a splice."""
    NO_SECURE_CHANNEL = "no_secure_channel"
    """It answers, but the secure channel is down: wrong key, a plaintext reader, or a restart."""
    PORT = "port"
    """The serial port itself is gone."""


@dataclass(frozen=True, slots=True)
class ReaderOnline:
    """The secure channel is up and the reader answers: its reads are acted upon from now on."""

    reader: str
    at: float


@dataclass(frozen=True, slots=True)
class ReaderOffline:
    """Reads are not acted upon until the next `ReaderOnline`."""

    reader: str
    reason: OfflineReason
    at: float


@dataclass(frozen=True, slots=True)
class LineSilent:
    """No reader of the line was heard for longer than the silence limit. Reported once until `LineRestored`."""

    line: str
    at: float


@dataclass(frozen=True, slots=True)
class LineRestored:
    """Some reader of the line is heard again."""

    line: str
    at: float


@dataclass(frozen=True, slots=True)
class Tamper:
    """The reader's cover switch changed (OSDP LSTATR)."""

    reader: str
    tampered: bool
    at: float


@dataclass(frozen=True, slots=True)
class PowerFault:
    """The reader's own power report changed (OSDP LSTATR)."""

    reader: str
    failed: bool
    at: float


@dataclass(frozen=True, slots=True)
class StaleReadDropped:
    """A card or key waited at a reader longer than the maximum age and was not acted upon."""

    reader: str
    at: float


@dataclass(frozen=True, slots=True)
class ReplyRefused:
    """A reply under a reader's address could not be the reader's, and was ignored: noise or an attacker."""

    reader: str
    reason: Forged
    at: float


@dataclass(frozen=True, slots=True)
class KeySet:
    """The secure channel is up with the reader's new key. The former one opens it no more."""

    reader: str
    key: bytes = field(repr=False)
    at: float


@dataclass(frozen=True, slots=True)
class KeyKept:
    """The reader did not take its new key: the secure channel is up with the former one."""

    reader: str
    at: float


OsdpEvent = (
    CardRead
    | KeyPress
    | ReaderOnline
    | ReaderOffline
    | LineSilent
    | LineRestored
    | PortDown
    | PortUp
    | Tamper
    | PowerFault
    | StaleReadDropped
    | ReplyRefused
    | KeySet
    | KeyKept
)
