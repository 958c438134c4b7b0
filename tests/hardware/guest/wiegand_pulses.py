"""A Wiegand reader's wires, played on GPIO lines: good frames, and frames as a bad cable makes them.

Pulses of 50 to 100 µs, 1 to 2 ms apart, by Python's sleep: their number and order are exact, their timing is not.
"""

import random
import time
from collections.abc import Sequence

from tests.hardware.guest.lines import HeaderLines

FRAME_GAP_S = 0.06
"""Silence after a frame: longer than any decoder waits for a further bit."""

BITS = 26
HALVES = (range(13), range(13, BITS))
"""The bits of an H10301 frame under its first parity bit, and under its last."""

Pulse = tuple[tuple[int, ...], float]
"""Which lines (0, 1) fall, both in one moment if both, and how long the wires then rest (s)."""


def h10301(facility: int, number: int) -> list[int]:
    """The 26 bits of a card: even parity over the first half, odd over the second."""
    data = [facility >> n & 1 for n in reversed(range(8))] + [number >> n & 1 for n in reversed(range(16))]
    return [sum(data[:12]) % 2, *data, (sum(data[12:]) + 1) % 2]


def as_bytes(bits: Sequence[int]) -> bytes:
    """A frame as a credential is made from it: left-aligned."""
    size = (len(bits) + 7) // 8
    return int("".join(map(str, bits)).ljust(8 * size, "0"), 2).to_bytes(size, "big")


class WiegandWires:
    """DATA0 and DATA1 of one reader, idle high. ``rng`` makes the pulses' widths and intervals, and the faults."""

    def __init__(self, lines: HeaderLines, data0: int, data1: int, rng: random.Random) -> None:
        self._lines = lines
        self._pins = (data0, data1)
        self._rng = rng
        self.faults = {
            "flipped": self._flipped,
            "missed": self._missed,
            "extra": self._extra,
            "torn": self._torn,
            "crosstalk": self._crosstalk,
            "crushed": self._crushed,
            "spikes": self._spikes,
        }
        """What may happen to a frame: {fault: makes pulses of a frame's bits}. No decoder may accept any of it."""

    def send(self, bits: Sequence[int]) -> None:
        """One frame, and the silence after it."""
        self.play(self._pulses(bits))

    def play(self, pulses: Sequence[Pulse]) -> None:
        """Any pulses, and the silence after them."""
        for fallen, rest in pulses:
            pins = [self._pins[line] for line in fallen]
            self._lines.ground(*pins)
            time.sleep(self._rng.uniform(50e-6, 100e-6))
            self._lines.let_go(*pins)
            time.sleep(rest)
        time.sleep(FRAME_GAP_S)

    def _pulses(self, bits: Sequence[int]) -> list[Pulse]:
        return [((bit,), self._rng.uniform(0.001, 0.002)) for bit in bits]

    def _flipped(self, bits: Sequence[int]) -> list[Pulse]:
        """An odd number of bits under one parity bit: what parity can see. An even number it cannot."""
        broken = list(bits)
        for position in self._rng.sample(self._rng.choice(HALVES), self._rng.choice((1, 1, 3))):
            broken[position] ^= 1
        return self._pulses(broken)

    def _missed(self, bits: Sequence[int]) -> list[Pulse]:
        kept = sorted(self._rng.sample(range(BITS), BITS - self._rng.randint(1, 6)))
        return self._pulses([bits[position] for position in kept])

    def _extra(self, bits: Sequence[int]) -> list[Pulse]:
        longer = list(bits)
        for _ in range(self._rng.randint(1, 6)):
            longer.insert(self._rng.randint(0, len(longer)), self._rng.randint(0, 1))
        return self._pulses(longer)

    def _torn(self, bits: Sequence[int]) -> list[Pulse]:
        """A pause in the middle, longer than readers make."""
        pulses = self._pulses(bits)
        middle = self._rng.randrange(1, BITS - 1)
        pulses[middle] = (pulses[middle][0], 0.04)
        return pulses

    def _crosstalk(self, bits: Sequence[int]) -> list[Pulse]:
        """A pulse that the other line echoes."""
        pulses = self._pulses(bits)
        where = self._rng.randrange(BITS)
        pulses[where] = ((0, 1), pulses[where][1])
        return pulses

    def _crushed(self, bits: Sequence[int]) -> list[Pulse]:
        """All its bits and all its parity, but two that differ fall in one moment: no reader sends that."""
        pulses = self._pulses(bits)
        where = self._rng.choice([n for n in range(BITS - 1) if bits[n] != bits[n + 1]])
        pulses[where : where + 2] = [((bits[where], bits[where + 1]), pulses[where + 1][1])]
        return pulses

    def _spikes(self, _bits: Sequence[int]) -> list[Pulse]:
        """No frame at all: a motor beside the cable."""
        few = self._rng.choice((range(1, 25), range(50, 60)))
        return [((self._rng.randint(0, 1),), self._rng.uniform(0, 0.0005)) for _ in range(self._rng.choice(few))]
