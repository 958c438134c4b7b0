"""OSDP frames as bytes (IEC 60839-11-5, packet format): found in a stream, checked, taken apart, built.

Pure. A frame found here has a good CRC or checksum and nothing more: drivers.osdp.gate judges whether it counts.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

_MARK = 0xFF
_SOM = 0x53  # start of message
_REPLY = 0x80  # set in the address byte of what a reader sends
_HEADER_BYTES = 5
_LONGEST = 256
"""libosdp holds no longer frame (OSDP's own limit is 1440), and complains on stdout about every one it is given."""

_SEQUENCE, _HAS_CRC, _HAS_BLOCK = 0x03, 0x04, 0x08  # bits of the control byte
_CRC_START = 0x1D0F


class CommandCode(IntEnum):
    """Codes of a panel's commands; only those that this house distinguishes."""

    POLL = 0x60
    ID = 0x61
    CAP = 0x62
    KEYSET = 0x75
    CHLNG = 0x76


class ReplyCode(IntEnum):
    """Codes of a reader's replies, likewise."""

    ACK = 0x40
    NAK = 0x41
    PDID = 0x45
    PDCAP = 0x46
    RAW = 0x50
    KEYPAD = 0x53
    CCRYPT = 0x76
    RMAC_I = 0x78
    BUSY = 0x79


class Block(IntEnum):
    """Types of security control block that readers send."""

    SCS_12 = 0x12  # with CCRYPT, before there are session keys
    SCS_14 = 0x14  # with RMAC_I, likewise
    SCS_16 = 0x16  # protected by a MAC, no data
    SCS_18 = 0x18  # protected by a MAC, data encrypted


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, without a leading mark byte."""

    address: int
    """0 to 126, or 127 for every reader (broadcast)."""
    reply: bool
    """Whether a reader sent it."""
    sequence: int
    block: bytes
    """The security control block: length, type, data. Empty without one."""
    code: int
    data: bytes
    """What follows the code, MAC included where there is one."""
    raw: bytes

    @property
    def block_type(self) -> int | None:
        """SCS_11 to SCS_18 as 0x11 to 0x18; None without a security control block."""
        return self.block[1] if self.block else None


def build(address: int, code: int, data: bytes = b"", *, sequence: int = 0, reply: bool = False,
          block: bytes = b"") -> bytes:  # fmt: skip
    """A frame with a CRC. Nothing is encrypted and no MAC is computed."""
    body = block + bytes([code]) + data
    length = _HEADER_BYTES + len(body) + 2
    control = sequence & _SEQUENCE | _HAS_CRC | (_HAS_BLOCK if block else 0)
    head = bytes([_SOM, address | (_REPLY if reply else 0), length & 0xFF, length >> 8, control])
    return head + body + crc(head + body).to_bytes(2, "little")


def crc(data: bytes) -> int:
    """OSDP's CRC-16 (AUG-CCITT) of some bytes."""
    return binascii.crc_hqx(data, _CRC_START)


class Question(NamedTuple):
    """What of a command its reply has to match."""

    address: int
    sequence: int
    code: int = CommandCode.POLL


def question(command: bytes) -> Question | None:
    """Whom a command asks what, which may begin with a mark byte; None if it is none."""
    start = 1 if command[:1] == bytes([_MARK]) else 0
    if len(command) <= start + _HEADER_BYTES:
        return None
    control, body = command[start + 4], start + _HEADER_BYTES
    at = body + command[body] if control & _HAS_BLOCK else body
    code = command[at] if at < len(command) else CommandCode.POLL
    return Question(command[start + 1] & ~_REPLY & 0xFF, control & _SEQUENCE, code)


class FrameReader:
    """Finds whole, undamaged frames in a stream of bytes; noise before, between and within them is skipped.

    Holds at most one longest frame, and looks for a frame also within what seems to begin another, so that no noise
    can hide one for longer than itself lasts.
    """

    def __init__(self, *, replies: bool = True) -> None:
        self._held = bytearray()
        self._direction = _REPLY if replies else 0

    @property
    def partial(self) -> bool:
        """Whether the last bytes fed may begin a frame that has not ended."""
        return bool(self._held)

    def clear(self) -> None:
        """Forget what was held."""
        self._held.clear()

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes; return the frames they complete, of the direction asked for."""
        held = self._held
        held += data
        found: list[Frame] = []
        begun: int | None = None
        at = 0
        while (at := held.find(_SOM, at)) >= 0:
            frame = self._at(at)
            if isinstance(frame, Frame):
                found.append(frame)
                del held[: at + len(frame.raw)]
                at, begun = 0, None
                continue
            if frame is None and begun is None:
                begun = at
            at += 1
        del held[: len(held) if begun is None else max(begun, len(held) - _LONGEST)]
        return found

    def _at(self, start: int) -> Frame | bool | None:
        """The frame that begins at `start`; None if it has not ended, False if none does."""
        held = self._held
        if len(held) - start < _HEADER_BYTES:
            return None if len(held) - start < 2 or held[start + 1] & _REPLY == self._direction else False
        if held[start + 1] & _REPLY != self._direction:
            return False
        length = held[start + 2] | held[start + 3] << 8
        if not _HEADER_BYTES < length <= _LONGEST:
            return False
        if len(held) - start < length:
            return None
        return _parse(bytes(held[start : start + length])) or False


def _parse(raw: bytes) -> Frame | None:
    control = raw[4]
    end = len(raw) - (2 if control & _HAS_CRC else 1)
    with_crc = crc(raw[:end]) == int.from_bytes(raw[end:], "little")
    if not (with_crc if control & _HAS_CRC else sum(raw) & 0xFF == 0):
        return None
    at = _HEADER_BYTES
    block = b""
    if control & _HAS_BLOCK:
        block = raw[at : at + raw[at]] if at < end else b""
        at += len(block)
        if len(block) < 2:
            return None
    if at >= end:
        return None
    return Frame(
        address=raw[1] & ~_REPLY & 0xFF,
        reply=bool(raw[1] & _REPLY),
        sequence=control & _SEQUENCE,
        block=block,
        code=raw[at],
        data=raw[at + 1 : end],
        raw=raw,
    )
