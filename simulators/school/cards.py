"""The cards of a made district: what the simulator's people hold to the readers. Real card numbers never come here.

A card's bits are the secret that central and agents know only as a keyed hash, so cards.json has mode 0600.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_HALF = 12


@dataclass(frozen=True, slots=True)
class Card:
    """One card, and the PIN its holder knows: ``bits`` bits, left-aligned in ``data``, as a reader sends them.

    ``cardholder`` None: not ours. The duress PIN is for when somebody makes them open.
    """

    cardholder: str | None
    groups: tuple[str, ...]
    override: bool
    bits: int
    data: bytes
    pin: str | None = field(default=None, repr=False)
    duress_pin: str | None = field(default=None, repr=False)


def wiegand_26(facility: int, number: int) -> bytes:
    """The common 26-bit format (H10301): facility 0 to 255 and number 0 to 65535 between two parity bits.

    ValueError outside those ranges.
    """
    if not 0 <= facility <= 255:
        raise ValueError(f"facility {facility}: expected 0 to 255")
    if not 0 <= number <= 65535:
        raise ValueError(f"card number {number}: expected 0 to 65535")
    body = facility << 16 | number
    even = (body >> _HALF).bit_count() % 2  # makes the first 13 bits even
    odd = 1 - (body & 0xFFF).bit_count() % 2  # makes the last 13 bits odd
    return ((even << 25 | body << 1 | odd) << 6).to_bytes(4, "big")


def save_cards(path: Path, cards: Iterable[Card]) -> None:
    """Write cards.json, readable by its owner alone. Never overwrites."""
    rows = [
        {
            "cardholder": card.cardholder,
            "groups": list(card.groups),
            "override": card.override,
            "bits": card.bits,
            "data": card.data.hex(),
            "pin": card.pin,
            "duress_pin": card.duress_pin,
        }
        for card in cards
    ]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(rows, file, indent=1)


def load_cards(path: Path) -> tuple[Card, ...]:
    """Read cards.json. ValueError says what is wrong with it, OSError that it cannot be read."""
    try:
        return tuple(
            Card(
                row["cardholder"],
                tuple(row["groups"]),
                row["override"],
                row["bits"],
                bytes.fromhex(row["data"]),
                row["pin"],
                row["duress_pin"],
            )
            for row in json.loads(path.read_text())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: not the cards.json of a made district: {error!r}; make the district anew"
        ) from None
