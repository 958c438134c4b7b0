"""One serial port, without blocking, and where OSDP frames begin and end on it.

Works on a UART, a USB adapter and a pty alike. Knows nothing of readers or keys.
"""

from __future__ import annotations

import os
import select
from typing import Any, Protocol

import serial

_READ_BYTES = 4096
_SOM = 0x53  # start of message (IEC 60839-11-5, packet format)
_HEADER_BYTES = 5
_MAX_FRAME_BYTES = 1440  # OSDP's largest
_REPLY = 0x80  # set in the address byte of what a reader sends


class Line(Protocol):
    """What a bus needs of a port. Every call returns at once; a port that is gone raises OSError."""

    def fileno(self) -> int:
        """A descriptor the event loop can watch."""
        ...

    def read(self) -> bytes:
        """What has arrived, perhaps nothing."""
        ...

    def write(self, data: bytes) -> int:
        """Send what fits; returns how many bytes did."""
        ...

    def hung_up(self) -> bool:
        """Whether the far end or the adapter is gone."""
        ...

    def close(self) -> None:
        """Give the port back."""
        ...


class SerialLine:
    """A `Line` over pyserial."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self._fd: int = port.fileno()

    def fileno(self) -> int:
        """The port's descriptor."""
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
        """Close the port."""
        self._port.close()


def open_serial(device: str, baud: int = 9600) -> SerialLine:
    """Open `device` exclusively, 8N1, non-blocking. OSDP bauds: 9600, 19200, 38400, 57600, 115200, 230400.

    Raises OSError (serial.SerialException is one) if it is missing or in use.
    """
    return SerialLine(serial.Serial(device, baud, timeout=0, write_timeout=0, exclusive=True))


class FrameScanner:
    """Finds whole frames in a stream of bytes and whose replies they are. Judges nothing else about them.

    It serves two ends: libosdp is only woken for whole frames, and silence is told per reader.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def partial(self) -> bool:
        """Whether the last bytes fed begin a frame that has not ended."""
        return bool(self._held)

    def clear(self) -> None:
        """Forget what was held."""
        self._held.clear()

    def feed(self, data: bytes) -> list[int]:
        """Take bytes; return the addresses (0..126) of the readers whose frames they complete."""
        held = self._held
        held += data
        found: list[int] = []
        while held:
            start = held.find(_SOM)
            if start < 0:
                held.clear()
                break
            del held[:start]
            if len(held) < _HEADER_BYTES:
                break
            length = held[2] | held[3] << 8
            if not _HEADER_BYTES < length <= _MAX_FRAME_BYTES:
                del held[0]  # not a frame after all; look for the next start
                continue
            if len(held) < length:
                break
            if held[1] & _REPLY:
                found.append(held[1] & ~_REPLY)
            del held[:length]
        return found
