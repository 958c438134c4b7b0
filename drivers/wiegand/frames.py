"""From edges to frames: which falling edges belong together, and whether a reader can have made them. Pure.

A reader is silent between frames, and silence is the only end a frame has. Edges that no reader makes refuse the
frame they are in: nothing is mended, nothing guessed.

Timing. SIA AC-01 (the Wiegand standard) has pulses of 20 to 100 µs that follow each other by 200 µs to 20 ms.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field

from drivers.readers import RefusalReason
from drivers.wiegand.edges import DataLine
from drivers.wiegand.formats import MAX_BITS

FRAME_GAP_NS = 25_000_000
"""Silence that ends a frame: AC-01's longest interval, 20 ms, and a quarter for readers that are slow."""

MIN_SPACING_NS = 20_000
"""Edges closer than AC-01's shortest pulse are noise. So are edges the kernel could only handle together, after
it was held off: their order is then the chip's, not the reader's."""

Edge = tuple[int, DataLine]
"""When (monotonic ns) and which line."""


@dataclass(frozen=True, slots=True)
class WiegandFrame:
    """Edges that belong together."""

    bits: int
    value: int = field(repr=False)
    """The bits, the first the highest. 0 in a frame that is refused."""
    begin_ns: int
    end_ns: int
    refusal: RefusalReason | None = None


def split(edges: Iterable[Edge], *, last_ns: int | None = None) -> list[WiegandFrame]:
    """Frames in ``edges``, which may come in any order. The last one is taken for finished.

    ``last_ns``: the last edge that was split before. A frame that begins within a frame gap of it is the rest of
    a frame that was judged without it, and is refused.
    """
    runs: list[list[Edge]] = []
    for edge in sorted(edges):
        if not runs or edge[0] - runs[-1][-1][0] > FRAME_GAP_NS:
            runs.append([])
        runs[-1].append(edge)
    frames = []
    for run in runs:
        torn = last_ns is not None and run[0][0] - last_ns <= FRAME_GAP_NS
        frames.append(_frame(run, torn=torn))
        last_ns = run[-1][0]
    return frames


def _frame(run: list[Edge], *, torn: bool) -> WiegandFrame:
    begin, end = run[0][0], run[-1][0]
    refusal: RefusalReason | None = None
    if torn or any(after - before < MIN_SPACING_NS for (before, _), (after, _) in itertools.pairwise(run)):
        refusal = RefusalReason.NOISE
    elif len(run) > MAX_BITS:
        refusal = RefusalReason.TOO_MANY_BITS
    value = 0
    if refusal is None:
        for _, line in run:
            value = value << 1 | line
    return WiegandFrame(len(run), value, begin, end, refusal)
