"""Keys of a Wiegand keypad: one short frame a key. Which length is a key is the reader's configuration.

The codes are those of HID and of most others: 0 to 9, ten is `*` (also ESC, CLEAR), eleven is `#` (also ENT,
OK). Four bits carry no check at all, so a flipped bit is another key: prefer the 8-bit kind, whose high half is
the complement of the low one.
"""

from __future__ import annotations

from drivers.readers import RefusalReason

FOUR_BIT = 4
EIGHT_BIT = 8
_KEYS = "0123456789*#"


def decode_key(value: int, bits: int) -> str | RefusalReason:
    """The key of a frame of 4 or 8 bits: a character, or why it is none. Raises ValueError for other lengths."""
    if bits == EIGHT_BIT:
        if value >> 4 != ~value & 0xF:
            return RefusalReason.PARITY
        value &= 0xF
    elif bits != FOUR_BIT:
        raise ValueError(f"a key has {FOUR_BIT} or {EIGHT_BIT} bits, not {bits}")
    return _KEYS[value] if value < len(_KEYS) else RefusalReason.UNKNOWN_KEY


def encode_key(key: str, bits: int) -> int:
    """The frame of a key, 4 or 8 bits. Raises ValueError for a key no keypad has, or another length."""
    code = _KEYS.find(key) if len(key) == 1 else -1
    if code < 0:
        raise ValueError(f"a keypad has the keys {_KEYS}, not {key!r}")
    if bits == FOUR_BIT:
        return code
    if bits == EIGHT_BIT:
        return (~code & 0xF) << 4 | code
    raise ValueError(f"a key has {FOUR_BIT} or {EIGHT_BIT} bits, not {bits}")
