"""One Wiegand reader or keypad on two pins: edges in, cards, keys and refusals out.

It accepts only the formats and the keypad it is configured for. It does not know cardholders or doors.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, RefusalReason
from drivers.wiegand.edges import DataLine, EdgeSource, EdgeWatch
from drivers.wiegand.formats import CardFormat, check_together, decode
from drivers.wiegand.frames import Edge, WiegandFrame, split
from drivers.wiegand.keypad import EIGHT_BIT, FOUR_BIT, decode_key

SETTLE_S = 0.05
"""A frame is judged once nothing more came for so long: a frame gap, and as much again for edges on their way."""

MAX_PENDING = 4096
"""More edges than this without a pause are noise, reported once; nothing is kept until it is quiet. It is seconds of
the fastest reader, so that what waited while this program was held off is still judged."""


class WiegandReader:
    """One reader. ``on_event`` is called on the loop :meth:`start` was called on.

    ``formats`` may be empty for a keypad alone; ``keypad_bits`` is 0 (none), 4 or 8. Raises ValueError if one pin
    is both lines, if nothing could be accepted, or if two formats cannot be distinguished.
    """

    def __init__(
        self,
        name: str,
        *,
        data0: int,
        data1: int,
        formats: Sequence[CardFormat],
        edges: EdgeSource,
        on_event: Callable[[ReaderEvent], None],
        keypad_bits: int = 0,
    ) -> None:
        if data0 == data1:
            raise ValueError(f"reader {name}: pin {data0} cannot be both of its data lines")
        if keypad_bits not in (0, FOUR_BIT, EIGHT_BIT):
            raise ValueError(f"reader {name}: a key has {FOUR_BIT} or {EIGHT_BIT} bits, not {keypad_bits}")
        if not formats and not keypad_bits:
            raise ValueError(f"reader {name}: neither a card format nor a keypad; it could accept nothing")
        check_together(formats)
        self.name = name
        self.refused: Counter[RefusalReason] = Counter()
        """How many frames were refused, by reason."""
        self._pins = (data0, data1)
        self._formats = tuple(formats)
        self._keypad_bits = keypad_bits
        self._lengths = {known.bits for known in formats} | ({keypad_bits} if keypad_bits else set())
        self._edges = edges
        self._on_event = on_event
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: EdgeWatch | None = None
        self._judging: asyncio.TimerHandle | None = None
        # What the source's thread writes:
        self._guard = threading.Lock()
        self._pending: list[Edge] = []
        self._deaf = False  # too much noise: nothing is kept until it is quiet
        self._noise_reported = False
        self._armed = False
        self._heard_s = 0.0
        self._last_ns: int | None = None

    def start(self) -> None:
        """Watch the pins. Call on the running loop. Raises OSError if the pins cannot be had."""
        if self._loop is not None:
            raise RuntimeError(f"reader {self.name} is already started")
        loop = asyncio.get_running_loop()
        self._watch = self._edges.watch(*self._pins, self._edge)
        self._loop = loop
        with self._guard:
            if self._pending:
                self._armed = True
                self._arm()

    def stop(self) -> None:
        """Give the pins back. No event comes after it. May be started again."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._judging is not None:
            self._judging.cancel()
            self._judging = None
        with self._guard:
            self._loop = None
            self._pending = []
            self._armed = self._deaf = self._noise_reported = False

    # --- on the source's thread ---

    def _edge(self, line: DataLine, at_ns: int) -> None:
        with self._guard:
            self._heard_s = time.monotonic()
            if len(self._pending) < MAX_PENDING:
                self._pending.append((at_ns, line))
            else:
                self._deaf = True
                self._last_ns = at_ns
            if not self._armed and self._loop is not None and not self._loop.is_closed():
                self._armed = True
                self._loop.call_soon_threadsafe(self._arm)

    # --- on the loop ---

    def _arm(self, delay: float = SETTLE_S) -> None:
        if self._loop is not None:
            self._judging = self._loop.call_later(delay, self._judge)

    def _judge(self) -> None:
        with self._guard:
            quiet = time.monotonic() - self._heard_s
            deaf = self._deaf
            pending: list[Edge] = []
            last_ns = self._last_ns
            if quiet >= SETTLE_S:
                pending, self._pending = self._pending, []
                self._armed = self._deaf = False
                if pending and not deaf:
                    self._last_ns = max(at_ns for at_ns, _ in pending)
        if deaf and not self._noise_reported:
            self._refuse(RefusalReason.TOO_MANY_BITS, time.monotonic())
        self._noise_reported = deaf and quiet < SETTLE_S
        if quiet < SETTLE_S:
            self._arm(SETTLE_S - quiet)
        elif not deaf:
            for frame in split(pending, last_ns=last_ns):
                self._frame(frame)

    def _frame(self, frame: WiegandFrame) -> None:
        at = frame.end_ns / 1e9
        refusal = frame.refusal or self._misfit(frame.bits)
        if refusal is not None:
            self._refuse(refusal, at, frame.bits)
        elif frame.bits == self._keypad_bits:
            key = decode_key(frame.value, frame.bits)
            if isinstance(key, RefusalReason):
                self._refuse(key, at, frame.bits)
            else:
                self._on_event(KeyPress(self.name, key, at))
        else:
            card = decode(frame.value, frame.bits, self._formats)
            if card is None:
                self._refuse(RefusalReason.PARITY, at, frame.bits)
            else:
                self._on_event(CardRead(self.name, card.bits, card.data, at, card.format, card.facility, card.number))

    def _misfit(self, bits: int) -> RefusalReason | None:
        if bits in self._lengths:
            return None
        if bits < min(self._lengths):
            return RefusalReason.TOO_FEW_BITS
        if bits > max(self._lengths):
            return RefusalReason.TOO_MANY_BITS
        return RefusalReason.UNKNOWN_LENGTH

    def _refuse(self, reason: RefusalReason, at: float, bits: int | None = None) -> None:
        self.refused[reason] += 1
        self._on_event(ReadRefused(self.name, reason, at, bits))
