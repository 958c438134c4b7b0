"""A 125 kHz reader module that speaks ASCII on a serial line of its own: the ID-12 and RDM6300 families.

A frame is STX, ten hex digits (the card's five bytes), two hex digits (their exclusive or) and an end: CR LF ETX
from an ID-12, ETX alone from an RDM6300. The checksum catches every flipped bit and every burst within one byte;
two flips in the same bit of two bytes pass. Such a module never speaks unless there is a card: a dead one looks
like an idle one, only a lost port shows. It can show nothing: no lamp, no buzzer.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from types import MappingProxyType

from drivers.readers import CardRead, ReaderEvent, ReadRefused, RefusalReason
from drivers.serial.port import Line
from drivers.serial.port_keeper import PortDown, PortKeeper, PortUp

CARD_BITS = 40

STALL_S = 0.2
"""A frame takes 17 ms at 9600 baud. Its rest, after so long a pause, belongs to something else."""

GONE_S = 0.3
"""A module that repeats a card it still sees does so about every 65 ms: after this, the card was taken away."""

BEAT_S = 0.5
"""How often the driver notes that the loop runs: bytes carry no time, so a read is as old as the last note."""

HELD_OFF_S = 1.0
"""Without a note for so long the loop was held off, and what arrived may have waited since."""

_STX = 0x02
_DIGITS = 12
_HEX = frozenset(b"0123456789ABCDEF")
_BETWEEN = frozenset(b"\r\n\x03")  # the end of a frame whose beginning was refused


@dataclass(frozen=True, slots=True)
class Framing:
    """How one family ends its frames, and whether it repeats a card that stays."""

    name: str
    tail: bytes
    repeats: bool


FRAMINGS: Mapping[str, Framing] = MappingProxyType(
    {
        framing.name: framing
        for framing in (
            Framing("id-12", b"\r\n\x03", repeats=False),
            Framing("rdm6300", b"\x03", repeats=True),
        )
    }
)


class FrameDecoder:
    """Bytes in, cards and refusals out. Pure: the caller says when the bytes came."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._frame: bytearray | None = None
        self._strayed = False  # bytes outside a frame are reported once until the next frame begins
        self._last_byte_s = 0.0
        self._shown: bytes | None = None
        self._shown_s = 0.0

    def clear(self) -> None:
        """Forget a frame that has begun: the line was opened again."""
        self._frame = None
        self._strayed = False

    def feed(self, data: bytes, at: float) -> list[bytes | RefusalReason]:
        """Take bytes that arrived at ``at`` (monotonic seconds); return cards (five bytes each) and refusals."""
        found: list[bytes | RefusalReason] = []
        if self._frame is not None and at - self._last_byte_s > STALL_S:
            self._frame = None
            found.append(RefusalReason.FRAMING)
        self._last_byte_s = at
        for byte in data:
            outcome = self._take(byte)
            if isinstance(outcome, RefusalReason) or (outcome is not None and self._appeared(outcome, at)):
                found.append(outcome)
        return found

    def _take(self, byte: int) -> bytes | RefusalReason | None:
        frame = self._frame
        if byte == _STX:
            self._frame = bytearray()
            self._strayed = False
            return None if frame is None else RefusalReason.FRAMING
        if frame is None:
            if self._strayed or byte in _BETWEEN:
                return None
            self._strayed = True
            return RefusalReason.NOISE
        place = len(frame)
        fits = byte in _HEX if place < _DIGITS else byte == self._framing.tail[place - _DIGITS]
        if not fits:
            self._frame = None
            self._strayed = True  # the rest of this frame is not reported again
            return RefusalReason.FRAMING
        frame.append(byte)
        if len(frame) < _DIGITS + len(self._framing.tail):
            return None
        self._frame = None
        *card, check = bytes.fromhex(frame[:_DIGITS].decode("ascii"))
        return bytes(card) if reduce(xor, card) == check else RefusalReason.CHECKSUM

    def _appeared(self, card: bytes, at: float) -> bool:
        """Whether the card is a new one and not still the one before."""
        again = self._framing.repeats and card == self._shown and at - self._shown_s <= GONE_S
        self._shown, self._shown_s = card, at
        return not again


class SerialReader:
    """One module. ``on_event`` is called on the loop :meth:`start` was called on.

    ``open_line`` opens the port (``lambda: open_serial(device, 9600)``) and is called again, with back-off, after
    a failure; PortDown and PortUp are reported once each, with the reader's name as their line. What may have waited
    while the loop was held off carries the earliest time it can have come, so that its age can be judged.
    """

    def __init__(
        self,
        name: str,
        open_line: Callable[[], Line],
        framing: Framing,
        *,
        on_event: Callable[[ReaderEvent | PortDown | PortUp], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.refused: Counter[RefusalReason] = Counter()
        """How much was refused, by reason."""
        self._framing = framing
        self._on_event = on_event
        self._clock = clock
        self._decoder = FrameDecoder(framing)
        self._keeper = PortKeeper(
            name, open_line, on_open=self._opened, on_readable=self._readable, on_event=on_event
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._beat_s = 0.0

    @property
    def listening(self) -> bool:
        """Whether the port is open now."""
        return self._keeper.is_open

    def start(self) -> None:
        """Open the port. Call on the running loop. A port that fails is tried again, not raised."""
        if self._loop is not None:
            raise RuntimeError(f"reader {self.name} is already started")
        self._loop = asyncio.get_running_loop()
        self._beat()
        self._keeper.start()

    def stop(self) -> None:
        """Close the port. No event comes after it. May be started again."""
        self._keeper.stop()
        if self._beating is not None:
            self._beating.cancel()
        self._loop = None

    def _beat(self) -> None:
        self._beat_s = self._clock()
        if self._loop is not None:
            self._beating = self._loop.call_later(BEAT_S, self._beat)

    def _opened(self, _line: Line) -> None:
        self._decoder.clear()

    def _readable(self) -> None:
        data = self._keeper.read()
        if not data:
            return
        self._keeper.steady()
        now = self._clock()
        at = now if now - self._beat_s <= HELD_OFF_S else self._beat_s
        for found in self._decoder.feed(data, now):
            if isinstance(found, RefusalReason):
                self.refused[found] += 1
                self._on_event(ReadRefused(self.name, found, at))
            else:
                self._on_event(
                    CardRead(self.name, CARD_BITS, found, at, self._framing.name, number=int.from_bytes(found, "big"))
                )
