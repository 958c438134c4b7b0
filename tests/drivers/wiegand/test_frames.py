"""From edges to frames, as pure arithmetic on times, and the faults of a wire by the thousand."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.readers import RefusalReason
from drivers.wiegand.edges import DataLine
from drivers.wiegand.formats import FORMATS, MAX_BITS, decode
from drivers.wiegand.frames import FRAME_GAP_NS, MIN_SPACING_NS, Edge, split

US = 1_000
MS = 1_000_000
H10301 = FORMATS["h10301"]
CARD = H10301.encode(4567, 123)


def edges(value: int = CARD, bits: int = 26, *, begin: int = 0, spacing: int = 2 * MS) -> list[Edge]:
    return [(begin + n * spacing, DataLine(value >> (bits - 1 - n) & 1)) for n in range(bits)]


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_any_frame_within_the_standards_timing_arrives_whole_in_whatever_order_it_is_told(
    data: st.DataObject,
) -> None:
    bits = data.draw(st.sampled_from(sorted({entry.bits for entry in FORMATS.values()})))
    value = data.draw(st.integers(0, (1 << bits) - 1))
    spacings = data.draw(st.lists(st.integers(200 * US, 20 * MS), min_size=bits, max_size=bits))
    at, told = 0, []
    for n, spacing in enumerate(spacings):
        at += spacing
        told.append((at, DataLine(value >> (bits - 1 - n) & 1)))
    (frame,) = split(data.draw(st.permutations(told)))
    assert (frame.bits, frame.value, frame.refusal) == (bits, value, None)
    assert (frame.begin_ns, frame.end_ns) == (told[0][0], told[-1][0])


def test_a_long_gap_makes_two_frames_and_neither_is_the_card() -> None:
    for cut in range(1, 26):
        told = edges()
        told = told[:cut] + [(at + FRAME_GAP_NS, line) for at, line in told[cut:]]
        assert [frame.bits for frame in split(told)] == [cut, 26 - cut]
    assert len(split([(0, DataLine.DATA0), (FRAME_GAP_NS, DataLine.DATA0)])) == 1, "the longest gap within a frame"


def test_edges_closer_than_any_reader_makes_them_refuse_the_frame() -> None:
    for place in range(25):
        told = edges()
        told[place + 1] = (told[place][0] + MIN_SPACING_NS - 1, told[place + 1][1])
        (frame,) = split(told)
        assert frame.refusal is RefusalReason.NOISE
    both_low: list[Edge] = [(7, DataLine.DATA0), (7, DataLine.DATA1)]
    assert split(both_low)[0].refusal is RefusalReason.NOISE
    assert split([(0, DataLine.DATA0), (MIN_SPACING_NS, DataLine.DATA1)])[0].refusal is None


def test_the_rest_of_a_frame_that_was_judged_too_early_is_no_frame() -> None:
    told = edges()
    early, late = split(told[:10]), split(told[10:], last_ns=told[9][0])
    assert (early[0].bits, early[0].refusal) == (10, None)
    assert (late[0].bits, late[0].refusal) == (16, RefusalReason.NOISE)
    (next_one,) = split(edges(begin=200 * MS), last_ns=told[-1][0])
    assert next_one.refusal is None


def test_a_frame_without_end_is_refused_and_its_value_is_not_built() -> None:
    (frame,) = split([(n * MS, DataLine.DATA1) for n in range(MAX_BITS + 1)])
    assert (frame.refusal, frame.value) == (RefusalReason.TOO_MANY_BITS, 0)


def accepted(told: list[Edge]) -> int:
    """How many cards a reader of 26 bits would make of it."""
    return sum(
        frame.refusal is None and decode(frame.value, frame.bits, [H10301]) is not None for frame in split(told)
    )


def test_any_one_bit_flipped_missed_or_added_is_refused_for_every_card_and_place() -> None:
    dice = random.Random(3)
    for _ in range(200):
        told = edges(H10301.encode(dice.randrange(1 << 16), dice.randrange(1 << 8)))
        assert accepted(told) == 1
        for place in range(26):
            at, line = told[place]
            assert not accepted([*told[:place], (at, DataLine(1 - line)), *told[place + 1 :]]), "flipped"
            assert not accepted(told[:place] + told[place + 1 :]), "missed"
            for extra in DataLine:
                assert not accepted([*told, (at + dice.randint(1, 2 * MS - 1), extra)]), "added"


def test_of_a_thousand_bursts_of_noise_over_a_card_none_is_accepted() -> None:
    dice = random.Random(11)
    for _ in range(1000):
        told = edges(H10301.encode(dice.randrange(1 << 16), dice.randrange(1 << 8)))
        begin = dice.randrange(told[-1][0])
        burst = [(begin + dice.randrange(300 * US), dice.choice(list(DataLine))) for _ in range(dice.randint(20, 60))]
        assert not accepted(told + burst)
