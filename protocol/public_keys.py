"""Refuses public Ed25519 keys for which others than the private key's holder could sign (RFC 8032, RFC 7748).

A library accepts any 32 bytes as a public key. With a point of small order, such as 32 zero bytes, a signature can
be made without any private key; such keys come from examples, placeholders and attackers, never from a generator.
"""

import base64
import binascii

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P

_Y_OF_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})
"""The y of the eight points whose order divides 8; a y has two points, one for each sign of x."""


def refuse_forgeable(x: str) -> None:
    """ValueError if anyone could sign for the key ``x`` (base64url, unpadded), or if it is no canonical encoding."""
    y = _y(x)
    if y >= _P:
        raise ValueError("no key's own encoding: anybody might sign for it")
    if y in _SMALL_ORDER:
        raise ValueError("a point of small order: anybody could sign for it")


def check_public_key(x: str) -> None:
    """As :func:`refuse_forgeable`; ValueError also for a value that is no point of the curve."""
    refuse_forgeable(x)
    y = _y(x)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) != 1:
        raise ValueError("no Ed25519 public key: a character of it is wrong")


def _y(x: str) -> int:
    """The y coordinate of a key, without the highest bit (the sign of x)."""
    try:
        raw = base64.b64decode(x + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32 or base64.urlsafe_b64encode(raw) != f"{x}=".encode("ascii", "replace"):
        raise ValueError("not 32 bytes in base64url")
    return int.from_bytes(raw, "little") & (2**255 - 1)
