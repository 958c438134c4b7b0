"""Wiegand readers and keypads on two GPIO pins each: edges, frames, card formats, keys, lamp and buzzer."""

from drivers.wiegand.edges import DataLine, EdgeSource, EdgeWatch, PinEdges
from drivers.wiegand.formats import FORMATS, CardFormat, Parity
from drivers.wiegand.kernel_edges import KernelEdges
from drivers.wiegand.reader import WiegandReader

__all__ = [
    "FORMATS",
    "CardFormat",
    "DataLine",
    "EdgeSource",
    "EdgeWatch",
    "KernelEdges",
    "Parity",
    "PinEdges",
    "WiegandReader",
]
