"""The words of every family of readers: what one reports, and what one shows. Consumers `match` on the values.

What only OSDP readers report (tamper, power, keys, the line) is in `drivers.osdp.events`. `at` is monotonic
seconds, taken as near to the wire as the driver can: the last edge's time in the kernel, the arrival of the last
byte, or the moment the OSDP panel received the reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MAX_CARD_BITS = 512
"""libosdp carries at most 64 bytes of card data (OSDP_EVENT_CARDREAD_MAX_DATALEN); the other families carry less."""


class Show(StrEnum):
    """What a reader shows to the person before it. Each family does it as far as its lamps and buzzer allow."""

    IDLE = "idle"
    """Locked, present a card. Stays."""
    LOCKDOWN = "lockdown"
    """Only override credentials open. Stays."""
    GRANTED = "granted"
    """The same for a duress PIN: the person who forced it must see no difference."""
    DENIED = "denied"
    ENTER_PIN = "enter_pin"
    SECOND_PERSON = "second_person"
    """The next badge, please."""
    WARNING = "warning"
    """The door has stood open for nearly too long: close it."""


LASTING = frozenset({Show.IDLE, Show.LOCKDOWN})
"""What stays until the other one; the rest lays itself over it and expires."""


class RefusalReason(StrEnum):
    """Why a reader's signal was accepted neither as a card nor as keys."""

    TOO_FEW_BITS = "too_few_bits"
    """Shorter than anything the reader may send: a bit was missed, or a spike."""
    TOO_MANY_BITS = "too_many_bits"
    """Longer than anything the reader may send."""
    UNKNOWN_LENGTH = "unknown_length"
    """Between the lengths the reader may send: a bit missed or added, or a card of a format not configured."""
    PARITY = "parity"
    """Of a right length, but its parity bits (or a key's complement) do not hold."""
    NOISE = "noise"
    """Edges or bytes no reader makes: too close together, out of turn, or lost on the way."""
    UNKNOWN_KEY = "unknown_key"
    """A key code no keypad has."""
    FRAMING = "framing"
    """Bytes that begin like a frame and do not go on like one."""
    CHECKSUM = "checksum"
    """A whole frame whose checksum does not hold."""


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card whose every check held; over OSDP, read over an active secure channel and not stale."""

    reader: str
    bits: int
    """Number of bits, 1 to 512."""
    data: bytes = field(repr=False)  # a card is a secret, also in a log
    """All bits of the frame, parity too, left-aligned in ceil(bits / 8) bytes: as OSDP carries them raw."""
    at: float
    format: str = ""
    """Name of the format it was read by; empty over OSDP, which reports none."""
    facility: int | None = field(default=None, repr=False)
    number: int | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= MAX_CARD_BITS:
            raise ValueError(f"a card has 1 to {MAX_CARD_BITS} bits, not {self.bits}")
        if len(self.data) != (self.bits + 7) // 8:
            raise ValueError(f"{self.bits} bits need {(self.bits + 7) // 8} bytes, not {len(self.data)}")


@dataclass(frozen=True, slots=True)
class KeyPress:
    """Keys of a keypad: 0-9, `*` (clear) and `#` (enter)."""

    reader: str
    keys: str = field(repr=False)
    at: float

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError("a key press has at least one key")


@dataclass(frozen=True, slots=True)
class ReadRefused:
    """Something arrived and was not accepted. Its content is not reported: it may be nearly a card."""

    reader: str
    reason: RefusalReason
    at: float
    bits: int | None = None
    """How many bits a Wiegand frame had: it shows an installer which card format is not configured."""


ReaderEvent = CardRead | KeyPress | ReadRefused
