"""What a supervised line's voltage says of it: at rest, active, cut, short, or nothing that can be relied on.

Pure. Reading the voltage is drivers.adc's work, and what an input means by it is drivers.supervised_inputs'.

The line: a pull-up at the board feeds it, one end-of-line resistor is in series with the switch and another across
it. So the board sees one resistance with the switch closed and another with it open, and a wire that is cut or two
that touch look like neither. The converter measures against the voltage that feeds the line: what that voltage is
does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FULL_SCALE = 1023
"""The highest reading of a 10 bit converter."""

TOLERANCE = 0.05
"""How far a resistor may be from what is printed on it."""

WIRE_OHMS = 100
"""What a long thin cable adds to its line: 600 m there and back, of 0.5 mm wire."""

CODE_ERROR = 4
"""How far a reading may be off: the MCP3008's offset, gain and linearity errors and some noise."""

HYSTERESIS = 6
"""A line keeps its state until its reading has left the band by this much."""

CUT_TIMES = 10
"""A line with this many times the resistance of its resistors is cut, though its cable may be damp."""


class LineState(StrEnum):
    """What a supervised line is like."""

    NORMAL = "normal"  # the switch is where it rests
    ACTIVE = "active"  # it is not
    CUT = "cut"
    SHORT = "short"
    UNKNOWN = "unknown"  # a wrong resistor, a bad splice, no answer from the converter: no reading


@dataclass(frozen=True, slots=True)
class EndOfLine:
    """The resistors of a supervised line, in ohms: ``series`` before the switch, ``parallel`` across it, and the
    ``pull_up`` at the board that feeds the line."""

    series: int = 1_000
    parallel: int = 1_000
    pull_up: int = 2_200


@dataclass(frozen=True, slots=True)
class Band:
    """Readings from ``low`` to ``high``, both included."""

    low: int
    high: int

    def holds(self, reading: int, *, wider: int = 0) -> bool:
        """Whether a reading is in it, or within ``wider`` of it."""
        return self.low - wider <= reading <= self.high + wider


@dataclass(frozen=True, slots=True)
class Bands:
    """The readings of a line with given resistors. Made by :func:`bands`."""

    short: Band
    closed: Band  # the switch is
    open: Band
    cut: Band


def bands(line: EndOfLine) -> Bands:
    """The readings to expect of a line. ValueError if its resistors do not distinguish its states."""
    if min(line.series, line.parallel, line.pull_up) <= 0:
        raise ValueError(
            f"end-of-line resistors are more than 0 ohm, not {line.series}, {line.parallel}, {line.pull_up}"
        )
    through, across = line.series, line.series + line.parallel
    made = Bands(
        short=Band(0, _reading(WIRE_OHMS, line, more=True)),
        closed=Band(_reading(through, line, more=False), _reading(through + WIRE_OHMS, line, more=True)),
        open=Band(_reading(across, line, more=False), _reading(across + WIRE_OHMS, line, more=True)),
        cut=Band(_reading(CUT_TIMES * across, line, more=False), FULL_SCALE),
    )
    names = ("a short", "a closed switch", "an open switch", "a cut")
    all_bands = (made.short, made.closed, made.open, made.cut)
    for (name, band), (other, above) in zip(
        zip(names, all_bands, strict=True), zip(names[1:], all_bands[1:], strict=True), strict=False
    ):
        if above.low - band.high <= 2 * HYSTERESIS:
            raise ValueError(
                f"with end-of-line resistors of {line.series} ohm in series, {line.parallel} ohm in parallel and a "
                f"pull-up of {line.pull_up} ohm, {name} and {other} cannot be told apart: take 1000, 1000 and 2200"
            )
    return made


def classify(reading: int, line: Bands, *, normally_closed: bool, before: LineState = LineState.UNKNOWN) -> LineState:
    """The state of a line by one reading (0 to 1023). It keeps the state ``before`` within the hysteresis."""
    at_rest, otherwise = (line.closed, line.open) if normally_closed else (line.open, line.closed)
    table = {
        LineState.NORMAL: at_rest,
        LineState.ACTIVE: otherwise,
        LineState.CUT: line.cut,
        LineState.SHORT: line.short,
    }
    if before in table and table[before].holds(reading, wider=HYSTERESIS):
        return before
    return next((state for state, band in table.items() if band.holds(reading)), LineState.UNKNOWN)


def reading_of(ohms: float, pull_up: float) -> int:
    """What a perfect converter reads of a line of so many ohms; infinity is a cut."""
    return FULL_SCALE if ohms == float("inf") else round(FULL_SCALE * ohms / (ohms + pull_up))


def _reading(ohms: float, line: EndOfLine, *, more: bool) -> int:
    """The highest (``more``) or lowest reading of a resistance, with resistors and converter at their worst."""
    off = TOLERANCE if more else -TOLERANCE
    reading = reading_of(ohms * (1 + off), line.pull_up * (1 - off)) + (CODE_ERROR if more else -CODE_ERROR)
    return min(FULL_SCALE, max(0, reading))
