"""Turns cards and PINs into keyed hashes, tokens that reveal nothing without the key.

A 26-bit card has 2^26 values, so an unkeyed hash is reversed in seconds. The key stays in a 0600 file on the
agent and in central; it never travels with the tokens.
"""

import hashlib

KEY_BYTES = 32
SHORTEST_PIN = 4
LONGEST_PIN = 8


def token(key: bytes, bits: int, data: bytes) -> str:
    """The 64 hex digits that stand for a card of ``bits`` bits. ValueError if the key is not 32 bytes."""
    return _hash(key, bits.to_bytes(2, "big") + data)


def pin_token(key: bytes, card: str, digits: str) -> str:
    """The 64 hex digits that stand for a PIN together with the card whose token is ``card``: the same PIN of two
    people gives two tokens. ValueError if it is not 4 to 8 digits.
    """
    return _hash(key, checked_pin(digits).encode() + bytes.fromhex(card), b"doorward-pin")


def pin_only_token(key: bytes, digits: str) -> str:
    """The credential token of a PIN without a card. ValueError if it is not 4 to 8 digits."""
    return _hash(key, checked_pin(digits).encode(), b"doorward-pinonly")


def checked_pin(digits: str) -> str:
    """The digits, if they are 4 to 8. ValueError otherwise, without the digits in its message."""
    if not (SHORTEST_PIN <= len(digits) <= LONGEST_PIN and digits.isascii() and digits.isdigit()):
        raise ValueError(f"a PIN has {SHORTEST_PIN} to {LONGEST_PIN} digits")
    return digits


def _hash(key: bytes, what: bytes, person: bytes = b"") -> str:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a credential key has {KEY_BYTES} bytes, this one has {len(key)}")
    return hashlib.blake2b(what, key=key, digest_size=32, person=person).hexdigest()
