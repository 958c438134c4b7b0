"""The cards of a made district: what the simulator's people hold to the readers. Real card numbers never come here.

A card's bits are the secret that central and agents know only as a keyed hash, so cards.json has mode 0600.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from drivers.wiegand.formats import FORMATS, to_bytes


@dataclass(frozen=True, slots=True)
class Card:
    """One card, and the PIN its holder knows: ``bits`` bits, left-aligned in ``data``, as a reader sends them.

    ``cardholder`` None: the district does not know it. The duress PIN is for a holder who is forced to open.
    """

    cardholder: str | None
    groups: tuple[str, ...]
    override: bool
    bits: int
    data: bytes
    pin: str | None = field(default=None, repr=False)
    duress_pin: str | None = field(default=None, repr=False)


def wiegand_26(facility: int, number: int) -> bytes:
    """A card of the common 26-bit format (H10301). ValueError unless facility is 0 to 255 and number 0 to 65535."""
    usual = FORMATS["h10301"]
    return to_bytes(usual.encode(number, facility), usual.bits)


def save_cards(path: Path, cards: Iterable[Card]) -> None:
    """Write cards.json, readable by its owner alone. Never overwrites."""
    rows = [asdict(card) | {"data": card.data.hex()} for card in cards]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(rows, file, indent=1)


def load_cards(path: Path) -> tuple[Card, ...]:
    """Read cards.json. ValueError says what is wrong with it, OSError that it cannot be read."""
    try:
        return tuple(
            Card(**row | {"groups": tuple(row["groups"]), "data": bytes.fromhex(row["data"])})
            for row in json.loads(path.read_text())
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: not the cards.json of a made district: {error!r}; make the district again"
        ) from None
