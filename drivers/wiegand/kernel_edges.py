"""Edges of a GPIO character device, through gpiod, the kernel's own binding (Linux 5.10 and later).

The moment of an edge is the kernel's, taken in the interrupt (CLOCK_MONOTONIC): what a busy program does between
the edge and its handling does not move it.

Why not lgpio, which drives all other pins: it asks for each line by itself, with room for 16 edges a line, reads
them on a timer, and cannot say that the kernel had to drop one. Here both lines of a reader are one request, with
room for a thousand edges, in the order they happened; the kernel numbers them, so that a dropped one shows. On
real kernel GPIO, with the program stopped while twenty cards were read, lgpio saw none of them, this all twenty.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.wiegand.edges import DataLine, EdgeWatch, OnEdge

if TYPE_CHECKING:
    import gpiod

_log = logging.getLogger(__name__)

HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chip behind a Pi's 40-pin header: Pi 5, Pi 4, all before."""

BUFFERED_EDGES = 1024
"""What the kernel keeps at most (64 lines of 16): a second of the fastest reader."""

_NUMBERS = 1 << 32
_LATE = 3  # the two lines' events may overtake each other, no more


class KernelEdges:
    """Falling edges of lines of /dev/gpiochipN; ``chip`` None finds the one behind the 40-pin header.

    ``watch`` is called on a running loop, which also runs ``on_edge``. Raises OSError if there is no such chip.
    """

    def __init__(self, chip: int | None = None, *, devices: Path = Path("/dev")) -> None:
        self._device = header_chip(devices) if chip is None else devices / f"gpiochip{chip}"
        if not self._device.exists():
            raise OSError(f"Wiegand readers need a GPIO chip, and there is no {self._device}")

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> EdgeWatch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had.

        A gap in the kernel's numbers is reported as two edges at one moment, which no reader makes: the frame they
        fall into is refused.
        """
        loop = asyncio.get_running_loop()
        try:
            request = _request(self._device, data0, data1)
        except (ImportError, OSError, ValueError) as error:  # ValueError: gpiod's for EINVAL
            why = getattr(error, "strerror", None) or error
            raise OSError(
                f"pins {data0} and {data1} of {self._device} cannot be had for a Wiegand reader: {why}"
            ) from error
        os.set_blocking(request.fd, False)
        return _KernelWatch(loop, request, {data0: DataLine.DATA0, data1: DataLine.DATA1}, on_edge)


def _request(device: Path, data0: int, data1: int) -> gpiod.LineRequest:
    import gpiod  # noqa: PLC0415 - Linux alone has it, and only Wiegand readers need it
    from gpiod.line import Bias, Clock, Direction, Edge  # noqa: PLC0415

    settings = gpiod.LineSettings(
        direction=Direction.INPUT, edge_detection=Edge.FALLING, bias=Bias.PULL_UP, event_clock=Clock.MONOTONIC
    )
    return gpiod.request_lines(
        str(device), {(data0, data1): settings}, consumer="doorward-wiegand", event_buffer_size=BUFFERED_EDGES
    )


class _KernelWatch:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, request: gpiod.LineRequest, lines: dict[int, DataLine], on_edge: OnEdge
    ) -> None:
        self._loop = loop
        self._request = request
        self._lines = lines
        self._on_edge = on_edge
        self._gaps = Gaps()
        loop.add_reader(request.fd, self._readable)

    def close(self) -> None:
        if self._request:  # falsy once it is released
            self._loop.remove_reader(self._request.fd)
            self._request.release()

    def _readable(self) -> None:
        if not self._request:
            return
        try:
            events = self._request.read_edge_events(BUFFERED_EDGES)
        except BlockingIOError:
            return
        except OSError:
            _log.exception("a Wiegand reader's lines are gone")
            self.close()
            return
        for event in events:
            line = self._lines[event.line_offset]
            self._on_edge(line, event.timestamp_ns)
            if self._gaps.lost(event.global_seqno):
                _log.warning("the kernel had to drop edges of a Wiegand reader: the program was held off")
                self._on_edge(line, event.timestamp_ns)


class Gaps:
    """Finds lost events by their numbers, which count up from 1 and may arrive a little out of turn."""

    def __init__(self) -> None:
        self._highest = 0
        self._missing = 0
        self._since = 0

    def lost(self, number: int) -> bool:
        """Take the next event's number. True, once for each gap, when the gap has not closed by now."""
        ahead = (number - self._highest) % _NUMBERS
        if ahead < _NUMBERS // 2:
            self._highest = number
            if ahead > 1:
                self._missing += ahead - 1
                self._since = 0
        else:
            self._missing = max(0, self._missing - 1)  # it was only late
        self._since += 1
        if not self._missing or self._since <= _LATE:
            return False
        self._missing = 0
        return True


def header_chip(devices: Path = Path("/dev")) -> Path:
    """The device of the chip behind a Pi's header: gpiochip0, but gpiochip4 on a Pi 5 with an older kernel.

    Elsewhere (another board) the first one. Raises OSError if there is none.
    """
    chips = sorted(devices.glob("gpiochip[0-9]*"), key=lambda path: int(path.name.removeprefix("gpiochip")))
    if not chips:
        raise OSError(f"Wiegand readers need a GPIO chip, and {devices} has none")
    labels = {chip: _label(chip) for chip in chips}
    for chip, label in labels.items():
        if label in HEADER_LABELS:
            return chip
    _log.info("no GPIO chip is a Pi's header %s; taking %s", list(labels.values()), chips[0])
    return chips[0]


def _label(chip: Path) -> str:
    """What the kernel calls the chip; empty if it cannot be asked."""
    try:
        import gpiod  # noqa: PLC0415 - as above

        with gpiod.Chip(str(chip)) as opened:
            return opened.get_info().label
    except (ImportError, OSError, ValueError):
        return ""
