"""Keys pressed at a reader become a PIN: with the card shown before, or without one.

Pure. ``#`` enters, ``*`` begins again. What was pressed is in no ``repr`` and so in no log.
"""

from dataclasses import dataclass, field, replace

from protocol.credentials import LONGEST_PIN

KEY_MS = 10_000
"""From the card or the last key to the next one."""

ENTRY_MS = 30_000
"""From the card or the first key to the end, however often keys are pressed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that has begun. ``card`` is the token of the card that was shown before."""

    began_ms: int
    until_ms: int  # exclusive
    card: str | None = field(default=None, repr=False)
    digits: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """A finished entry. It may have more or fewer digits than any PIN."""

    card: str | None = field(repr=False)
    digits: str = field(repr=False)


def after_card(card: str, now_ms: int) -> Entry:
    """A card was shown whose PIN must follow."""
    return Entry(now_ms, now_ms + KEY_MS, card)


def press(entry: Entry | None, key: str, now_ms: int) -> tuple[Entry | None, Entered | None]:
    """One key: '0' to '9', '*' or '#'; any other is ignored. The entry that goes on, and what was entered."""
    if entry is None or now_ms >= entry.until_ms:
        entry = Entry(now_ms, now_ms + KEY_MS)
    elif entry.until_ms < entry.began_ms + ENTRY_MS:
        entry = replace(entry, until_ms=min(now_ms + KEY_MS, entry.began_ms + ENTRY_MS))
    if key == "#" and entry.digits:
        return None, Entered(entry.card, entry.digits)
    if key == "*":
        entry = replace(entry, digits="")
    elif len(key) == 1 and key in "0123456789":
        entry = replace(entry, digits=(entry.digits + key)[: LONGEST_PIN + 1])
    return (entry if entry.digits or entry.card else None), None
