"""Where a Wiegand reader's falling edges come from: each line's edge with the moment it happened.

A reader pulls DATA0 low for a 0 and DATA1 for a 1. The moment is the kernel's, taken in the interrupt: what a
busy program does between the edge and its handling does not move it. Nothing here knows bits or frames.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gpiozero import GPIOZeroError, InputDevice

_log = logging.getLogger(__name__)

_HEADER_LABELS = ("pinctrl-rp1", "pinctrl-bcm2711", "pinctrl-bcm2835")
"""Labels of the chip behind a Pi's 40-pin header: Pi 5, Pi 4, all before."""


class Line(IntEnum):
    """The line that fell; its value is the bit it means."""

    DATA0 = 0
    DATA1 = 1


OnEdge = Callable[[Line, int], None]
"""Called with the line and its falling edge's monotonic nanoseconds, on any thread. It must return at once."""


class Watch(Protocol):
    """Two lines being watched."""

    def close(self) -> None:
        """Watch no more, and give the pins back. No edge is told after it returns."""
        ...


class EdgeSource(Protocol):
    """Something that tells falling edges."""

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> Watch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had."""
        ...


class LgpioEdges:
    """Edges of a gpiochip through lgpio's alerts: the kernel's own times (CLOCK_MONOTONIC, Linux 5.7 and later).

    ``chip`` is the number of /dev/gpiochipN; None finds the one behind the 40-pin header. Raises OSError if lgpio
    is not there or the chip cannot be opened. lgpio makes a named pipe in the working directory when first
    imported: run where that is allowed.

    lgpio asks the kernel for each line by itself, with room for 16 edges a line, and a thread of its own (in C,
    needing nothing of Python) reads them every half millisecond and sorts them by time. Were that thread held
    off for 16 pulses, edges would be lost unseen; the frame is then too short, and refused.
    """

    def __init__(self, chip: int | None = None) -> None:
        try:
            self._lgpio: Any = import_module("lgpio")
        except (ImportError, OSError) as error:
            raise OSError(f"Wiegand readers need the lgpio module, which cannot be had here: {error}") from error
        self._chip = header_chip(self._lgpio) if chip is None else chip
        try:
            self._handle: int | None = self._lgpio.gpiochip_open(self._chip)
        except self._lgpio.error as error:
            raise OSError(f"/dev/gpiochip{self._chip} cannot be opened for Wiegand readers: {error}") from error

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> Watch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had."""
        if self._handle is None:
            raise OSError("this source of edges is closed")
        return _LgpioWatch(self._lgpio, self._handle, {data0: Line.DATA0, data1: Line.DATA1}, on_edge)

    def close(self) -> None:
        """Give the chip back. Close the watches first."""
        if self._handle is not None:
            self._lgpio.gpiochip_close(self._handle)
            self._handle = None


class _LgpioWatch:
    def __init__(self, lgpio: Any, handle: int, lines: dict[int, Line], on_edge: OnEdge) -> None:
        self._lgpio = lgpio
        self._handle = handle
        self._lines = lines
        self._on_edge: OnEdge | None = on_edge
        self._guard = threading.Lock()
        self._callbacks: list[Any] = []
        self._claimed: list[int] = []
        try:
            for pin in lines:
                self._callbacks.append(lgpio.callback(handle, pin, lgpio.FALLING_EDGE, self._fell))
                lgpio.gpio_claim_alert(handle, pin, lgpio.FALLING_EDGE, lgpio.SET_PULL_UP)
                self._claimed.append(pin)
        except lgpio.error as error:
            self.close()
            raise OSError(f"pin {pin} cannot be watched for a Wiegand reader: {error}") from error

    def _fell(self, _chip: int, pin: int, level: int, at_ns: int) -> None:
        with self._guard:
            if level == 0 and self._on_edge is not None:
                self._on_edge(self._lines[pin], at_ns)

    def close(self) -> None:
        with self._guard:
            self._on_edge = None
        for callback in self._callbacks:
            callback.cancel()
        for pin in self._claimed:
            self._lgpio.gpio_free(self._handle, pin)
        self._callbacks.clear()
        self._claimed.clear()


class PinEdges:
    """Edges of gpiozero pins, of whatever factory: for simulators and tests."""

    def __init__(self, pin_factory: Any) -> None:
        self._factory = pin_factory

    def watch(self, data0: int, data1: int, on_edge: OnEdge) -> Watch:
        """Watch two pins (BCM numbers), pulled up. Raises OSError if a pin cannot be had."""
        return _PinWatch(self._factory, {data0: Line.DATA0, data1: Line.DATA1}, on_edge)


class _PinWatch:
    def __init__(self, factory: Any, lines: dict[int, Line], on_edge: OnEdge) -> None:
        self._handlers = []  # gpiozero holds them weakly
        self._devices: list[Any] = []
        try:
            for number, line in lines.items():
                device = InputDevice(number, pull_up=True, pin_factory=factory)
                self._devices.append(device)
                handler = _told(line, on_edge)
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


def _told(line: Line, on_edge: OnEdge) -> Callable[[float, int], None]:
    def handler(ticks: float, state: int) -> None:
        if not state:
            on_edge(line, round(ticks * 1e9))

    return handler


def header_chip(lgpio: Any, devices: Path = Path("/dev")) -> int:
    """The number of the gpiochip behind a Pi's header: 0, but 4 on a Pi 5 with an older kernel.

    Elsewhere (another board, a simulated chip) the first one. Raises OSError if there is none.
    """
    chips = sorted(int(path.name.removeprefix("gpiochip")) for path in devices.glob("gpiochip[0-9]*"))
    if not chips:
        raise OSError(f"Wiegand readers need a GPIO chip, and {devices} has none")
    labels = {chip: _label(lgpio, chip) for chip in chips}
    for chip, label in labels.items():
        if label in _HEADER_LABELS:
            return chip
    _log.info("no gpiochip is a Pi's header %s; taking gpiochip%d", labels, chips[0])
    return chips[0]


def _label(lgpio: Any, chip: int) -> str:
    """The chip's label; empty if it cannot be opened."""
    try:
        handle = lgpio.gpiochip_open(chip)
    except lgpio.error:
        return ""
    try:
        _, _, _, label = lgpio.gpio_get_chip_info(handle)
    finally:
        lgpio.gpiochip_close(handle)
    return str(label)
