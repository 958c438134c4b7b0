"""Keeps a serial port open and reads it: opens it again after a failure, with back-off, and reports when it goes and
comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from drivers.serial.port import Line

REOPEN_MIN_S = 0.25
REOPEN_MAX_S = 5.0


@dataclass(frozen=True, slots=True)
class PortDown:
    """The serial port failed or could not be opened; it is tried again with back-off."""

    line: str
    error: str
    at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class PortUp:
    """The serial port is open."""

    line: str
    at: float
    """Monotonic seconds."""


class PortKeeper:
    """One port. Every callback runs on the loop: `on_open` with each line that opens, `on_readable` when `read` has
    something, `on_lost` after an open line failed and was closed, `on_event` with PortUp and PortDown.
    """

    def __init__(
        self,
        name: str,
        open_line: Callable[[], Line],
        *,
        on_open: Callable[[Line], None],
        on_readable: Callable[[], None],
        on_event: Callable[[PortDown | PortUp], None],
        on_lost: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._open_line = open_line
        self._on_open = on_open
        self._on_readable = on_readable
        self._on_event = on_event
        self._on_lost = on_lost
        self._clock = clock
        self._line: Line | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait_s = REOPEN_MIN_S
        self._reported: bool | None = None

    @property
    def is_open(self) -> bool:
        """Whether the port is open now."""
        return self._line is not None

    def start(self) -> None:
        """Open the port, on the running loop. A port that fails is tried again, not raised."""
        self._loop = asyncio.get_running_loop()
        self._open()

    def stop(self) -> None:
        """Close the port and try no more. No callback comes after it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._close()
        self._loop = None
        self._reported = None

    def lost(self, error: str) -> None:
        """Close the line, which failed, and open it again later."""
        self._close()
        self._on_lost()
        self._failed(error)

    def read(self) -> bytes:
        """What has arrived. Nothing if the line failed, which is lost by then."""
        if self._line is None:
            return b""
        try:
            data = self._line.read()
        except OSError as error:
            self.lost(str(error))
            return b""
        if not data and self._line.hung_up():
            self.lost("the port hung up")
        return data

    def steady(self) -> None:
        """The line serves its purpose: the next failure is the first again."""
        self._wait_s = REOPEN_MIN_S

    def _open(self) -> None:
        if self._loop is None:
            return
        try:
            line = self._open_line()
        except Exception as error:  # noqa: BLE001 - a vanishing adapter raises termios.error, which is no OSError
            self._failed(str(error))
            return
        self._line = line
        self._on_open(line)
        self._loop.add_reader(line.fileno(), self._on_readable)
        self._report(up=True)

    def _close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            # Before closing: a descriptor that hung up stays readable and would spin the loop.
            if self._loop is not None:
                self._loop.remove_reader(line.fileno())
            line.close()

    def _failed(self, error: str) -> None:
        self._report(up=False, error=error)
        if self._loop is not None:
            self._timer = self._loop.call_later(self._wait_s, self._open)
            self._wait_s = min(self._wait_s * 2, REOPEN_MAX_S)

    def _report(self, *, up: bool, error: str = "") -> None:
        if up is self._reported:
            return
        self._reported = up
        now = self._clock()
        self._on_event(PortUp(self._name, now) if up else PortDown(self._name, error, now))
