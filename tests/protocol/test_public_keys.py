"""Public keys that anybody could sign for are nobody's, wherever they come from."""

import base64
import json

import pytest

from protocol import codec, topics
from protocol.messages import DeclarationSet, TrustedKey
from protocol.public_keys import check_public_key
from protocol.refusal import Refused
from protocol.signing import Keyring, SigningKey
from protocol.words import KeyRole

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
SIGN = 2**255

Point = tuple[int, int]


def added(one: Point, other: Point) -> Point:
    """The curve's own addition (RFC 8032, 5.1.4)."""
    (x1, y1), (x2, y2) = one, other
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def root(square: int) -> int | None:
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return x if x * x % P == square else None


def on_curve(y: int) -> Point | None:
    x = root((y * y - 1) * pow(D * y * y + 1, -1, P) % P)
    return None if x is None else (x, y)


def torsion() -> list[Point]:
    """The points whose order divides 8: eight times any point of the curve's other factor leaves one of them."""
    order = 2**252 + 27742317777372353535851937790883648493
    found: set[Point] = set()
    y = 2
    while len(found) < 8:
        point = on_curve(y)
        y += 1
        if point is None:
            continue
        sum_, power, rest = (0, 1), point, order
        while rest:
            if rest & 1:
                sum_ = added(sum_, power)
            power, rest = added(power, power), rest >> 1
        found.add(sum_)
    return sorted(found)


def encoded(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "little")).decode().rstrip("=")


SMALL = [y | (x & 1) * SIGN for x, y in torsion()]
OTHER_SPELLINGS = [y | sign for y in range(P, 2**255) for sign in (0, SIGN)]
NEGATIVE_ZEROS = [1 | SIGN, (P - 1) | SIGN]


def part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def forged(number: int, revision: int) -> bytes:
    """Signed without any private key: S is 0, and R the neutral point."""
    document = DeclarationSet(audience=topics.district_declarations(), revision=revision)
    header = {"alg": "EdDSA", "kid": "district", "typ": "doorward-declarations+jws"}
    signed = part(json.dumps(header).encode()) + b"." + part(codec.encode(document))
    return signed + b"." + part((1).to_bytes(32, "little") + bytes(32))


@pytest.mark.parametrize("number", SMALL + NEGATIVE_ZEROS + OTHER_SPELLINGS, ids=hex)
def test_nobody_signs_for_a_key_that_has_no_holder(number: int) -> None:
    key = TrustedKey(kid="district", x=encoded(number), role=KeyRole.DISTRICT)
    opened = 0
    with pytest.raises(ValueError, match="anybody"):  # noqa: PT012 - what it would let through, were it taken
        keyring = Keyring([key])
        for revision in range(24):
            try:
                keyring.open(DeclarationSet, topics.district_declarations(), forged(number, revision))
                opened += 1
            except Refused:
                pass
    assert opened == 0


def test_eight_points_are_small_and_all_differ() -> None:
    assert len(set(SMALL)) == 8


def test_every_key_that_is_generated_is_taken() -> None:
    for _ in range(100):
        key = SigningKey.generate("district").trusted(KeyRole.DISTRICT)
        check_public_key(key.x)
        assert "district" in Keyring([key])


def test_what_is_no_point_of_the_curve_is_told_by_the_check() -> None:
    outside = next(y for y in range(2, 99) if on_curve(y) is None)
    with pytest.raises(ValueError, match="a character of it is wrong"):
        check_public_key(encoded(outside))
