"""Keeps a serial port open: opens it, again after a failure with back-off, and says when it goes and comes."""

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
    """One port. `on_open` is called on the loop with each line that opens, `tell` with PortUp and PortDown."""

    def __init__(
        self,
        name: str,
        open_line: Callable[[], Line],
        *,
        on_open: Callable[[Line], None],
        tell: Callable[[PortDown | PortUp], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._open_line = open_line
        self._on_open = on_open
        self._tell = tell
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wait_s = REOPEN_MIN_S
        self._told: bool | None = None

    def start(self) -> None:
        """Open the port, on the running loop. A port that fails is tried again, not raised."""
        self._loop = asyncio.get_running_loop()
        self._open()

    def stop(self) -> None:
        """Try no more. Closing the line is its owner's."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._loop = None
        self._told = None

    def lost(self, error: str) -> None:
        """The owner closed the line because it failed: open it again later."""
        self._report(up=False, error=error)
        self._later()

    def steady(self) -> None:
        """The line serves its purpose: the next failure is the first again."""
        self._wait_s = REOPEN_MIN_S

    def _open(self) -> None:
        if self._loop is None:
            return
        try:
            line = self._open_line()
        except Exception as error:  # noqa: BLE001 - a vanishing adapter raises termios.error, which is no OSError
            self.lost(str(error))
            return
        self._on_open(line)
        self._report(up=True)

    def _later(self) -> None:
        if self._loop is not None:
            self._timer = self._loop.call_later(self._wait_s, self._open)
            self._wait_s = min(self._wait_s * 2, REOPEN_MAX_S)

    def _report(self, *, up: bool, error: str = "") -> None:
        if up is self._told:
            return
        self._told = up
        now = self._clock()
        self._tell(PortUp(self._name, now) if up else PortDown(self._name, error, now))
