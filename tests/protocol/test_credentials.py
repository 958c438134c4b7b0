"""Tokens: what cards and PINs come to, for whom they differ, and what they must never tell."""

import pytest

from protocol.credentials import pin_only_token, pin_token, token

KEY, OTHER_KEY = bytes(32), bytes(31) + b"\x01"
CARD, OTHER_CARD = token(KEY, 26, b"\x12\x34\x56\x40"), token(KEY, 26, b"\x12\x34\x56\x80")


def test_a_card_is_its_bits_its_data_and_the_key() -> None:
    assert token(KEY, 26, b"\x12\x34\x56\x40") == CARD
    others = {OTHER_CARD, token(KEY, 27, b"\x12\x34\x56\x40"), token(OTHER_KEY, 26, b"\x12\x34\x56\x40")}
    assert len(others | {CARD}) == 4


def test_one_pin_is_another_token_for_each_card_each_key_and_without_a_card() -> None:
    tokens = {
        pin_token(KEY, CARD, "4711"),
        pin_token(KEY, OTHER_CARD, "4711"),
        pin_token(OTHER_KEY, CARD, "4711"),
        pin_only_token(KEY, "4711"),
        token(KEY, 32, b"4711"),
        pin_token(KEY, CARD, "47110"),
    }
    assert len(tokens) == 6
    assert all(len(bytes.fromhex(one)) == 32 for one in tokens)


@pytest.mark.parametrize("digits", ["", "123", "123456789", "12a4", "١٢٣٤", "12.4", " 1234"])
def test_what_is_no_pin_is_refused_and_not_told(digits: str) -> None:
    with pytest.raises(ValueError, match="4 to 8 digits") as refused:
        pin_token(KEY, CARD, digits)
    assert not digits or digits not in str(refused.value)
    with pytest.raises(ValueError, match="4 to 8 digits"):
        pin_only_token(KEY, digits)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        token(b"short", 26, b"\x00")
