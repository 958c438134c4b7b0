"""One serial port, without blocking: a UART, a USB adapter or a pty. Knows nothing of frames, readers or keys."""

from __future__ import annotations

import os
import select
from typing import Any, Protocol

import serial

_READ_BYTES = 4096


class Line(Protocol):
    """What a bus needs of a port. Every call returns at once; a port that is gone raises OSError."""

    def fileno(self) -> int:
        """A descriptor the event loop can watch."""

    def read(self) -> bytes:
        """What has arrived, perhaps nothing."""

    def write(self, data: bytes) -> int:
        """Send what fits; returns how many bytes did."""

    def hung_up(self) -> bool:
        """Whether the far end or the adapter is gone."""

    def close(self) -> None:
        """Give the port back."""


class SerialLine:
    """A `Line` over pyserial."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._fd: int = port.fileno()

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        """What has arrived. Raises OSError (EIO) once the port is gone."""
        try:
            return os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> int:
        """Send what fits into the port's buffer. Raises OSError once the port is gone."""
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0

    def hung_up(self) -> bool:
        """Whether the kernel reports a hang-up or an error on the port."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        gone = select.POLLHUP | select.POLLERR | select.POLLNVAL
        return any(event & gone for _, event in poll.poll(0))

    def close(self) -> None:
        self._port.close()


def open_serial(device: str, baud: int = 9600) -> SerialLine:
    """Open `device` exclusively, 8N1, non-blocking. OSDP bauds: 9600, 19200, 38400, 57600, 115200, 230400.

    Raises OSError (serial.SerialException is one) if it is missing or in use.
    """
    return SerialLine(serial.Serial(device, baud, timeout=0, write_timeout=0, exclusive=True))
