"""An MCP3008 on an SPI bus: eight voltages as numbers from 0 to 1023. What they mean is not its work.

On the board's own SPI bus the kernel moves the bits, if the ``spidev`` package is there; else, and on pins that are
given, drivers.soft_spi does.
"""

from __future__ import annotations

import importlib.util
import logging
from typing import Any

from gpiozero.pins.local import LocalPiFactory

from drivers.soft_spi import SoftSpi, SpiSlave

_log = logging.getLogger(__name__)

CHANNELS = 8

BOARD_PINS = ((11, 10, 9, 8), (11, 10, 9, 7))
"""Clock, MOSI, MISO and select of the two devices on a board's SPI bus (port 0)."""

NULL_BIT = 0b100
"""The chip pulls its output low for one bit before the ten of the answer. Without a chip the line stays high."""


class NoAnswerError(Exception):
    """The converter did not answer: not powered, not wired, or not selected."""


class Adc:
    """One converter. Readings are for one thread at a time; ``close`` it after the last."""

    def __init__(self, name: str, spi: SpiSlave) -> None:
        self.name = name
        self._spi = spi

    def read(self, channel: int) -> int:
        """The voltage of a channel (0 to 7), 0 to 1023. Raises NoAnswerError, or what the bus raises."""
        # Start bit, then "single-ended" and the channel; the answer's ten bits end with the third byte.
        _, high, low = self._spi.transfer([0b1, (0b1000 | channel) << 4, 0])
        if high & NULL_BIT:
            raise NoAnswerError
        return (high & 0b11) << 8 | low

    def close(self) -> None:
        """Give up the pins."""
        self._spi.close()


def open_adc(
    name: str, *, pin_factory: Any, soft: SoftSpi, device: int = 0, pins: tuple[int, int, int, int] | None = None
) -> Adc:
    """An MCP3008 on device 0 or 1 of the board's SPI bus, or on ``pins``: clock, MOSI, MISO and select.

    Raises gpiozero's error for a pin that is in use or that the board does not have, and OSError if the kernel's SPI
    is not enabled.
    """
    if pins is None and isinstance(pin_factory, LocalPiFactory):
        if importlib.util.find_spec("spidev") is not None:
            return Adc(name, pin_factory.spi(port=0, device=device))
        _log.warning("%s: the package spidev is missing, so its bits are moved by hand, which costs more time", name)
    return Adc(name, soft.slave(*(BOARD_PINS[device] if pins is None else pins)))
