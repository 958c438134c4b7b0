"""The configuration of a bus and its readers, and the keys it refuses.

A secure channel is worth as much as its key. Everything here fails while the configuration is read, long
before the bus addresses a reader.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

KEY_BYTES = 16
DEFAULT_KEY = bytes(range(0x30, 0x40))
"""SCBK-D, the key printed in the standard (IEC 60839-11-5, annex on secure channel)."""
MIN_DISTINCT_BYTES = 7
"""16 random bytes hold fewer distinct ones in less than one key of 10^9."""
MAX_ADDRESS = 0x7E
"""0x7F is OSDP's broadcast address."""


class WeakKey(ValueError):  # noqa: N818 - says what it is
    """A secure channel base key (SCBK) that an attacker would try first. The message says which and why."""


def check_key(reader: str, key: bytes) -> None:
    """Raise WeakKey if `key` is not 16 bytes, or is default, constant, sequential or repetitive."""
    if len(key) != KEY_BYTES:
        raise WeakKey(f"reader {reader}: an OSDP key has {KEY_BYTES} bytes, this one {len(key)}")
    if key == DEFAULT_KEY:
        raise WeakKey(f"reader {reader}: this is SCBK-D, the default key every OSDP reader ships with")
    steps = {(after - before) % 256 for before, after in itertools.pairwise(key)}
    if steps == {0}:
        raise WeakKey(f"reader {reader}: the key is one byte repeated")
    if len(steps) == 1:
        raise WeakKey(f"reader {reader}: the key is a sequence")
    if len(set(key)) < MIN_DISTINCT_BYTES or key[:8] == key[8:]:
        raise WeakKey(f"reader {reader}: the key repeats itself; make one with secrets.token_bytes(16)")


@dataclass(frozen=True, slots=True)
class OsdpReaderConfig:
    """One reader on a bus. Raises ValueError on a bad name or address, WeakKey on a bad key."""

    name: str
    """Unique on the bus; what events carry."""
    address: int
    """The reader's OSDP address, 0 to 126. Not its place in the list."""
    key: bytes = field(repr=False)
    """Its secure channel base key (SCBK), 16 random bytes of its own."""
    candidate: bytes | None = field(default=None, repr=False)
    """A key it may hold instead: it was about to be given it when the power went, say. Tried first."""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a reader needs a name")
        if not 0 <= self.address <= MAX_ADDRESS:
            raise ValueError(f"reader {self.name}: address {self.address} is not within 0..{MAX_ADDRESS}")
        check_key(self.name, self.key)
        if self.candidate is not None:
            check_key(self.name, self.candidate)


def check_bus(readers: Sequence[OsdpReaderConfig]) -> None:
    """Raise ValueError on a repeated name or address or an empty bus, WeakKey on a repeated key."""
    if not readers:
        raise ValueError("a bus without readers")
    by_name: set[str] = set()
    by_address: dict[int, str] = {}
    by_key: dict[bytes, str] = {}
    for reader in readers:
        if reader.name in by_name:
            raise ValueError(f"two readers are called {reader.name}")
        if reader.address in by_address:
            other = by_address[reader.address]
            raise ValueError(f"readers {other} and {reader.name} share address {reader.address}")
        if reader.key in by_key:
            other = by_key[reader.key]
            raise WeakKey(f"readers {other} and {reader.name} share a key: one opened reader opens both")
        by_name.add(reader.name)
        by_address[reader.address] = reader.name
        by_key[reader.key] = reader.name
