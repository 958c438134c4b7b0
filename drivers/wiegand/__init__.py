"""Wiegand readers and keypads on two GPIO pins each: edges, frames, card formats, keys, lamp and buzzer."""

from drivers.readers import CardRead, KeyPress, ReaderEvent, ReadRefused, Refusal
from drivers.wiegand.edges import EdgeSource, Line, PinEdges, Watch
from drivers.wiegand.formats import FORMATS, CardFormat, Parity
from drivers.wiegand.kernel_edges import KernelEdges
from drivers.wiegand.reader import WiegandReader

__all__ = [
    "FORMATS",
    "CardFormat",
    "CardRead",
    "EdgeSource",
    "KernelEdges",
    "KeyPress",
    "Line",
    "Parity",
    "PinEdges",
    "ReadRefused",
    "ReaderEvent",
    "Refusal",
    "Watch",
    "WiegandReader",
]
