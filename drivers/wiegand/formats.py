"""Card formats: which bits of a Wiegand frame are parity, facility and card number. Data, and the checks on it.

What parity can do: every format of the table has each bit under at least one parity bit, so one flipped bit is
always refused. What it cannot: two flipped bits under the same parity bits cancel out. Wiegand has no more than
this; a reader that matters belongs on OSDP. Bits are counted from 0, in the order they arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

MAX_BITS = 128
"""Longest format. Longer frames are noise: nothing sold sends them."""
MIN_BITS = 16
"""Shortest format: above every key code, and long enough that a spike is not a card."""


@dataclass(frozen=True, slots=True)
class Parity:
    """One parity bit and the bits it is counted over (itself not among them)."""

    bit: int
    covers: tuple[int, ...]
    odd: bool = False

    def holds(self, value: int, bits: int) -> bool:
        """Whether it holds in a frame of ``bits`` bits whose first bit is the highest of ``value``."""
        ones = (value & _mask((self.bit, *self.covers), bits)).bit_count()
        return ones % 2 == int(self.odd)


@dataclass(frozen=True, slots=True)
class CardFormat:
    """One format. Raises ValueError, saying what is wrong, if it contradicts itself."""

    name: str
    bits: int
    card: tuple[int, int]
    """First and last bit of the card number."""
    facility: tuple[int, int] | None = None
    """First and last bit of the facility code, if the format has one."""
    parities: tuple[Parity, ...] = ()

    def __post_init__(self) -> None:
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise ValueError(f"format {self.name}: {self.bits} bits; a card has {MIN_BITS} to {MAX_BITS}")
        if not self.parities:
            raise ValueError(f"format {self.name}: no parity bit; noise would be taken for cards")
        for what, ends in (("card", self.card), ("facility", self.facility)):
            if ends is not None and not 0 <= ends[0] <= ends[1] < self.bits:
                raise ValueError(f"format {self.name}: {what} bits {ends[0]} to {ends[1]} are not within its frame")
        seen: set[int] = set()
        for parity in self.parities:
            self._check(parity, seen)
            seen.add(parity.bit)
        _in_order(self)

    def _check(self, parity: Parity, seen: set[int]) -> None:
        where = f"format {self.name}: parity bit {parity.bit}"
        if parity.bit in seen:
            raise ValueError(f"{where} is named twice")
        if not parity.covers or len(set(parity.covers)) != len(parity.covers):
            raise ValueError(f"{where} must cover some bits, each once")
        if parity.bit in parity.covers:
            raise ValueError(f"{where} covers itself")
        for bit in (parity.bit, *parity.covers):
            if not 0 <= bit < self.bits:
                raise ValueError(f"{where}: bit {bit} is not within its {self.bits} bits, 0 to {self.bits - 1}")
        for ends in filter(None, (self.card, self.facility)):
            if ends[0] <= parity.bit <= ends[1]:
                raise ValueError(f"{where} lies within the card number or the facility code")

    @property
    def unprotected(self) -> tuple[int, ...]:
        """Bits under no parity bit: a flip of one of them would make another card. Empty for the whole table."""
        under = {bit for parity in self.parities for bit in (parity.bit, *parity.covers)}
        return tuple(sorted(set(range(self.bits)) - under))

    def holds(self, value: int) -> bool:
        """Whether every parity bit of the frame holds."""
        return all(parity.holds(value, self.bits) for parity in self.parities)

    def number(self, value: int) -> int:
        """The card number in a frame."""
        return _field(value, self.bits, self.card)

    def facility_code(self, value: int) -> int | None:
        """The facility code in a frame, if the format has one."""
        return None if self.facility is None else _field(value, self.bits, self.facility)

    def encode(self, number: int, facility: int = 0) -> int:
        """The frame of a card, its first bit the highest. Raises ValueError if a number does not fit."""
        value = _place(number, self.bits, self.card, "card number")
        if self.facility is not None:
            value |= _place(facility, self.bits, self.facility, "facility code")
        elif facility:
            raise ValueError(f"format {self.name} has no facility code")
        for parity in _in_order(self):
            if not parity.holds(value, self.bits):
                value ^= _mask((parity.bit,), self.bits)
        return value


@dataclass(frozen=True, slots=True)
class DecodedCard:
    """A frame that one of the accepted formats vouches for."""

    format: str
    bits: int
    data: bytes = field(repr=False)
    facility: int | None = field(repr=False)
    number: int = field(repr=False)


def decode(value: int, bits: int, formats: Iterable[CardFormat]) -> DecodedCard | None:
    """The card in a frame of ``bits`` bits, by the first of ``formats`` whose length is right and parity holds."""
    for known in formats:
        if known.bits == bits and known.holds(value):
            return DecodedCard(
                known.name, bits, to_bytes(value, bits), known.facility_code(value), known.number(value)
            )
    return None


def to_bytes(value: int, bits: int) -> bytes:
    """The frame left-aligned in ceil(bits / 8) bytes."""
    size = (bits + 7) // 8
    return (value << (size * 8 - bits)).to_bytes(size, "big")


def from_bytes(data: bytes, bits: int) -> int:
    """The frame whose first bit is the highest, from left-aligned bytes. Raises ValueError if they do not fit."""
    if bits < 1 or len(data) != (bits + 7) // 8:
        raise ValueError(f"{bits} bits need {(bits + 7) // 8} bytes, not {len(data)}")
    return int.from_bytes(data, "big") >> (len(data) * 8 - bits)


def check_together(formats: Iterable[CardFormat]) -> None:
    """Raise ValueError unless one reader can distinguish these formats.

    Two lengths one bit apart cannot share a reader: a longer card with one bit missed would be judged as a
    shorter one, and its few parity bits hold by chance (one time in four for two of them).
    """
    lengths = {known.bits: known.name for known in formats}
    for bits, name in lengths.items():
        if bits + 1 in lengths:
            raise ValueError(
                f"formats {name} ({bits} bits) and {lengths[bits + 1]} ({bits + 1} bits) on one reader: a card that "
                "lost one bit would be judged by the other's parity; accept one of them at this reader"
            )


def _span(first: int, last: int, *, but: int | None = None) -> tuple[int, ...]:
    """The bits from first to last, without every third: those whose number leaves ``but`` when divided by 3."""
    return tuple(bit for bit in range(first, last + 1) if but is None or bit % 3 != but)


def _mask(positions: Iterable[int], bits: int) -> int:
    mask = 0
    for bit in positions:
        mask |= 1 << (bits - 1 - bit)
    return mask


def _field(value: int, bits: int, ends: tuple[int, int]) -> int:
    first, last = ends
    return value >> (bits - 1 - last) & ((1 << (last - first + 1)) - 1)


def _place(number: int, bits: int, ends: tuple[int, int], what: str) -> int:
    first, last = ends
    if not 0 <= number < 1 << (last - first + 1):
        raise ValueError(f"a {what} of {last - first + 1} bits cannot be {number}")
    return number << (bits - 1 - last)


def _in_order(known: CardFormat) -> list[Parity]:
    """Parity bits, each after those it covers. Raises ValueError if two cover each other."""
    waiting = list(known.parities)
    ordered: list[Parity] = []
    while waiting:
        open_bits = {parity.bit for parity in waiting}
        ready = [parity for parity in waiting if open_bits.isdisjoint(parity.covers)]
        if not ready:
            raise ValueError(f"format {known.name}: its parity bits cover each other in a circle")
        ordered += ready
        waiting = [parity for parity in waiting if parity not in ready]
    return ordered


_TABLE = (
    CardFormat("h10301", 26, (9, 24), (1, 8), (Parity(0, _span(1, 12)), Parity(25, _span(13, 24), odd=True))),
    CardFormat("h10306", 34, (17, 32), (1, 16), (Parity(0, _span(1, 16)), Parity(33, _span(17, 32), odd=True))),
    CardFormat(
        "corporate-1000-35",
        35,
        (14, 33),
        (2, 13),
        (
            Parity(1, _span(2, 33, but=1)),
            Parity(34, _span(1, 32, but=0), odd=True),
            Parity(0, _span(1, 34), odd=True),
        ),
    ),
    CardFormat("h10302", 37, (1, 35), None, (Parity(0, _span(1, 18)), Parity(36, _span(18, 35), odd=True))),
    CardFormat("h10304", 37, (17, 35), (1, 16), (Parity(0, _span(1, 18)), Parity(36, _span(18, 35), odd=True))),
    CardFormat(
        "corporate-1000-48",
        48,
        (24, 46),
        (2, 23),
        (
            Parity(1, _span(3, 46, but=2)),
            Parity(47, _span(2, 45, but=1), odd=True),
            Parity(0, _span(1, 47), odd=True),
        ),
    ),
)

FORMATS: Mapping[str, CardFormat] = MappingProxyType({known.name: known for known in _TABLE})
"""The formats every agent knows: 26, 34, 35, 37 (without and with facility code) and 48 bits."""
