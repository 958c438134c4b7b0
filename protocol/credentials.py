"""Credentials as keyed hashes: what a reader read becomes a token that tells nothing without the key.

A 26-bit card has 2^26 values, so an unkeyed hash is reversed in seconds. The key stays in a 0600 file on the
agent and in central; it never travels with the tokens.
"""

import hashlib

KEY_BYTES = 32


def token(key: bytes, bits: int, data: bytes) -> str:
    """The 64 hex digits that stand for a card of ``bits`` bits. ValueError if the key is not 32 bytes."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a credential key has {KEY_BYTES} bytes, this one has {len(key)}")
    return hashlib.blake2b(bits.to_bytes(2, "big") + data, key=key, digest_size=32).hexdigest()
