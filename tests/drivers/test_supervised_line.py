"""What a line's voltage says of it, for every sensible set of resistors and everything that may be wrong with one."""

import math
from itertools import product, starmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.supervised_line import (
    CODE_ERROR,
    CUT_TIMES,
    FULL_SCALE,
    HYSTERESIS,
    TOLERANCE,
    WIRE_OHMS,
    EndOfLine,
    LineState,
    bands,
    classify,
    reading_of,
)

USUAL = EndOfLine()
PARTS = (1_000, 1_500, 2_200, 3_300, 4_700, 5_600, 6_800, 10_000)
WIRE = st.floats(0, WIRE_OHMS)
ERROR = st.integers(-CODE_ERROR, CODE_ERROR)


def _usable(line: EndOfLine) -> bool:
    try:
        bands(line)
    except ValueError:
        return False
    return True


LINES = st.sampled_from([line for line in starmap(EndOfLine, product(PARTS, repeat=3)) if _usable(line)])


@st.composite
def worth(draw: st.DrawFn, ohms: float) -> float:
    """What a resistor of so many printed ohms may really have."""
    return ohms * (1 + draw(st.floats(-TOLERANCE, TOLERANCE)))


def measured(ohms: float, pull_up: float, error: int) -> int:
    return min(FULL_SCALE, max(0, reading_of(ohms, pull_up) + error))


@settings(deadline=None)
@given(st.data(), LINES, WIRE, ERROR)
def test_a_sound_line_is_told_apart_whatever_its_parts_are_worth(
    data: st.DataObject, line: EndOfLine, wire: float, error: int
) -> None:
    closed, normally_closed = data.draw(st.booleans()), data.draw(st.booleans())
    series, parallel, pull_up = (data.draw(worth(part)) for part in (line.series, line.parallel, line.pull_up))
    reading = measured(wire + series + (0 if closed else parallel), pull_up, error)
    state = LineState.NORMAL if closed is normally_closed else LineState.ACTIVE
    assert classify(reading, bands(line), normally_closed=normally_closed) is state


@settings(deadline=None)
@given(st.data(), LINES, ERROR, st.booleans())
def test_a_cut_or_shorted_line_is_never_taken_for_a_switch(
    data: st.DataObject, line: EndOfLine, error: int, normally_closed: bool
) -> None:
    pull_up = data.draw(worth(line.pull_up))
    leak = data.draw(st.floats(CUT_TIMES, math.inf)) * (line.series + line.parallel)
    for ohms, state in ((leak, LineState.CUT), (data.draw(WIRE), LineState.SHORT)):
        found = classify(measured(ohms, pull_up, error), bands(line), normally_closed=normally_closed)
        assert found is state or (state is LineState.CUT and found is LineState.UNKNOWN), "a damp cut may be unknown"


@settings(deadline=None)
@given(LINES, st.integers(0, FULL_SCALE), st.sampled_from(LineState), st.booleans())
def test_a_reading_has_one_state_and_near_the_edge_of_a_band_it_is_kept(
    line: EndOfLine, reading: int, before: LineState, normally_closed: bool
) -> None:
    fresh = classify(reading, bands(line), normally_closed=normally_closed)
    kept = classify(reading, bands(line), normally_closed=normally_closed, before=before)
    assert kept in (fresh, before)
    if kept is not fresh:
        assert fresh is LineState.UNKNOWN, "hysteresis may stretch a band, never hide another"


def test_a_drifting_line_leaves_its_band_once_and_not_forth_and_back() -> None:
    expected = bands(USUAL)
    edge = expected.closed.high
    state, changes = LineState.NORMAL, 0
    for reading in (edge, edge + 2, edge - 1, edge + HYSTERESIS, edge + 1, edge + HYSTERESIS + 1, edge + 2, edge + 1):
        after = classify(reading, expected, normally_closed=True, before=state)
        changes += after is not state
        state = after
    assert (state, changes) == (LineState.UNKNOWN, 1)


@pytest.mark.parametrize(
    ("ohms", "what"),
    [
        (500, "half the series resistor"),
        (4_700, "a resistor of 3k7 for 1k across the switch"),
        (12_000, "a bad splice"),
    ],
)
def test_a_wrong_resistor_is_no_reading(ohms: float, what: str) -> None:
    for normally_closed in (True, False):
        state = classify(reading_of(ohms, USUAL.pull_up), bands(USUAL), normally_closed=normally_closed)
        assert state is LineState.UNKNOWN, what


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (EndOfLine(series=0), "more than 0 ohm"),
        (EndOfLine(parallel=100), "a closed switch and an open switch cannot be told apart"),
        (EndOfLine(series=100, parallel=1_000), "a short and a closed switch cannot be told apart"),
        (EndOfLine(pull_up=100_000), "a short and a closed switch cannot be told apart"),
        (EndOfLine(series=10_000, parallel=200_000, pull_up=2_000), "an open switch and a cut cannot be told apart"),
    ],
)
def test_resistors_that_cannot_work_are_refused_with_a_reason(line: EndOfLine, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        bands(line)
