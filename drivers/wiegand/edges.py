"""Where a Wiegand reader's falling edges come from: each line's edge with the moment it happened.

A reader pulls DATA0 low for a 0 and DATA1 for a 1. On a Pi the edges are the kernel's, see
`drivers.wiegand.kernel_edges`; here is what any source promises, and one for mock pins. Nothing here knows bits or
frames.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Protocol

from gpiozero import GPIOZeroError, InputDevice


class DataLine(IntEnum):
    """The line that fell; its value is the bit it means."""

    DATA0 = 0
    DATA1 = 1


OnEdge = Callable[[DataLine, int], None]
"""Called with the line and its falling edge's monotonic nanoseconds, on any thread. It must return at once."""


class EdgeWatch(Protocol):
    """Two lines being watched."""

    def close(self) -> None:
        """Watch no more, and give the pins back. No edge is reported after it returns."""


class EdgeSource(Protocol):
    """A source of falling edges."""

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> EdgeWatch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had."""


class PinEdges:
    """Edges of gpiozero pins, of whatever factory: for simulators and tests, whose pins are mock ones."""

    def __init__(self, pin_factory: Any) -> None:
        self._factory = pin_factory

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> EdgeWatch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had."""
        return _PinWatch(self._factory, {data0: DataLine.DATA0, data1: DataLine.DATA1}, on_edge)


class _PinWatch:
    def __init__(self, factory: Any, lines: dict[int, DataLine], on_edge: OnEdge) -> None:
        self._handlers = []  # gpiozero holds them weakly
        self._devices: list[Any] = []
        try:
            for number, line in lines.items():
                device = InputDevice(number, pull_up=True, pin_factory=factory)
                self._devices.append(device)
                handler = _handler(line, on_edge)
                self._handlers.append(handler)
                device.pin.edges = "falling"
                device.pin.when_changed = handler
        except GPIOZeroError as error:
            self.close()
            raise OSError(f"pin {number} cannot be watched for a Wiegand reader: {error}") from error

    def close(self) -> None:
        for device in self._devices:
            device.pin.when_changed = None
            device.close()
        self._devices.clear()


def _handler(line: DataLine, on_edge: OnEdge) -> Callable[[float, int], None]:
    def handler(ticks: float, state: int) -> None:
        if not state:
            on_edge(line, round(ticks * 1e9))

    return handler
