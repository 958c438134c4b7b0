"""Card formats and keys: what is accepted, and that nothing one bit beside it is."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.readers import RefusalReason
from drivers.wiegand.formats import FORMATS, CardFormat, Parity, check_together, decode, from_bytes, to_bytes
from drivers.wiegand.keypad import decode_key, encode_key

TABLE = list(FORMATS.values())


def cards(known: CardFormat) -> st.SearchStrategy[tuple[int, int]]:
    """Card numbers and facility codes that fit."""
    first, last = known.facility or (1, 0)
    return st.tuples(
        st.integers(0, (1 << (known.card[1] - known.card[0] + 1)) - 1), st.integers(0, (1 << (last - first + 1)) - 1)
    )


@pytest.mark.parametrize("known", TABLE, ids=lambda known: known.name)
def test_every_card_is_read_as_it_was_written_and_no_single_flipped_bit_passes(known: CardFormat) -> None:
    @settings(max_examples=100, deadline=None)
    @given(cards(known))
    def check(card: tuple[int, int]) -> None:
        number, facility = card
        frame = known.encode(number, facility)
        read = decode(frame, known.bits, [known])
        assert read is not None
        assert (read.number, read.facility or 0) == (number, facility)
        assert from_bytes(read.data, read.bits) == frame
        for bit in range(known.bits):
            assert decode(frame ^ 1 << bit, known.bits, [known]) is None

    check()


@pytest.mark.parametrize("known", TABLE, ids=lambda known: known.name)
def test_every_bit_of_every_format_of_the_table_is_under_a_parity_bit(known: CardFormat) -> None:
    assert known.unprotected == ()


def test_a_well_known_26_bit_card_is_read_as_its_maker_prints_it() -> None:
    # Facility 123, card 4567: even 1, 01111011, 0001000111010111, odd 0 (counted by hand).
    frame = int("1" + "01111011" + "0001000111010111" + "0", 2)
    assert f"{FORMATS['h10301'].encode(4567, 123):026b}" == f"{frame:026b}"
    read = decode(frame, 26, TABLE)
    assert read is not None
    assert (read.format, read.facility, read.number) == ("h10301", 123, 4567)


def test_a_corporate_1000_card_has_its_three_parities_over_the_bits_the_format_says() -> None:
    # Masks as published for the 35-bit format, most significant bit first.
    frame = FORMATS["corporate-1000-35"].encode(524_287, 3_001)
    assert (frame & 0x3_B6DB6DB6).bit_count() % 2 == 0
    assert (frame & 0x3_6DB6DB6D).bit_count() % 2 == 1
    assert frame.bit_count() % 2 == 1
    long_frame = FORMATS["corporate-1000-48"].encode(8_000_001, 4_000_001)
    assert (long_frame & 0x5B6D_B6DB6DB6).bit_count() % 2 == 0
    assert (long_frame & 0x36DB_6DB6DB6D).bit_count() % 2 == 1
    assert long_frame.bit_count() % 2 == 1


def test_two_flipped_bits_of_one_half_pass_which_is_all_that_parity_can_do() -> None:
    frame = FORMATS["h10301"].encode(4567, 123)
    assert decode(frame ^ 0b110, 26, TABLE) is not None


def test_two_formats_of_one_length_are_tried_in_turn() -> None:
    other = CardFormat("all-odd-26", 26, (1, 24), None, (Parity(0, tuple(range(1, 25))), Parity(25, (1,), odd=True)))
    both = [FORMATS["h10301"], other]
    frame = other.encode(0b1000_0000_0000_0000_0000_0001)
    read = decode(frame, 26, both)
    assert decode(frame, 26, both[:1]) is None
    assert read is not None
    assert read.format == "all-odd-26"


def test_formats_one_bit_apart_cannot_share_a_reader() -> None:
    with pytest.raises(ValueError, match=r"h10306 \(34 bits\) and corporate-1000-35 \(35 bits\) on one reader"):
        check_together([FORMATS["corporate-1000-35"], FORMATS["h10306"]])
    check_together([FORMATS["h10301"], FORMATS["h10302"], FORMATS["h10304"], FORMATS["corporate-1000-35"]])


def test_a_format_of_the_sites_own_may_have_parity_over_parity() -> None:
    own = CardFormat(
        "district-40", 40, (13, 38), (1, 12), (Parity(39, tuple(range(39)), odd=True), Parity(0, tuple(range(1, 20))))
    )
    frame = own.encode(1_000_000, 99)
    assert own.holds(frame)
    assert (own.number(frame), own.facility_code(frame)) == (1_000_000, 99)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"bits": 8}, "8 bits; a card has 16 to 128"),
        ({"parities": ()}, "no parity bit"),
        ({"card": (20, 26)}, "card bits 20 to 26 are not within"),
        ({"facility": (9, 8)}, "facility bits 9 to 8 are not within"),
        ({"parities": (Parity(0, (1,)), Parity(0, (2,)))}, "parity bit 0 is named twice"),
        ({"parities": (Parity(0, ()),)}, "must cover some bits"),
        ({"parities": (Parity(0, (0, 1)),)}, "covers itself"),
        ({"parities": (Parity(0, (26,)),)}, "bit 26 is not within its 26 bits"),
        ({"parities": (Parity(9, (1,)),)}, "lies within the card number"),
        ({"parities": (Parity(0, (25,)), Parity(25, (0,)))}, "cover each other"),
    ],
)
def test_a_format_that_contradicts_itself_is_refused_with_the_reason(
    fields: dict[str, object], complaint: str
) -> None:
    whole: dict[str, object] = {"name": "own", "bits": 26, "card": (9, 24), "parities": (Parity(0, (1, 2)),)}
    with pytest.raises(ValueError, match=complaint):
        CardFormat(**(whole | fields))  # type: ignore[arg-type]


def test_a_number_that_does_not_fit_is_not_cut_to_fit() -> None:
    with pytest.raises(ValueError, match="a card number of 16 bits cannot be 65536"):
        FORMATS["h10301"].encode(65_536, 1)
    with pytest.raises(ValueError, match="has no facility code"):
        FORMATS["h10302"].encode(1, 1)


def test_bits_are_carried_left_aligned_as_an_osdp_reader_carries_them() -> None:
    assert to_bytes(0b1_0000_0001, 9) == b"\x80\x80"
    assert from_bytes(b"\x80\x80", 9) == 0b1_0000_0001
    with pytest.raises(ValueError, match="9 bits need 2 bytes, not 1"):
        from_bytes(b"\x80", 9)


@pytest.mark.parametrize("bits", [4, 8])
def test_every_key_is_read_as_it_was_pressed(bits: int) -> None:
    assert [decode_key(encode_key(key, bits), bits) for key in "0123456789*#"] == list("0123456789*#")


def test_an_8_bit_key_with_any_one_bit_flipped_is_no_key() -> None:
    for key, bit in itertools.product("0123456789*#", range(8)):
        assert decode_key(encode_key(key, 8) ^ 1 << bit, 8) is RefusalReason.PARITY


def test_codes_no_keypad_has_are_no_keys() -> None:
    assert {decode_key(code, 4) for code in range(12, 16)} == {RefusalReason.UNKNOWN_KEY}
    with pytest.raises(ValueError, match="not 'A'"):
        encode_key("A", 4)
