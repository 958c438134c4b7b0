"""The agent's clock: monotonic time, UTC, and whether to trust the UTC.

A Pi has no battery behind its clock: it boots with a wrong one until NTP sets it. The kernel says whether it was set
(``ntp_adjtime``: the error state that every NTP client clears), which needs no daemon's files and no rights. Without
NTP the agent trusts the clock for another week: across its restarts, and across a power cut where a battery clock is
fitted and agrees.
"""

from __future__ import annotations

import ctypes
import logging
import os
import uuid
from pathlib import Path
from typing import Protocol

from edge_agent.host.clock_memory import RTCS, ClockMemory, Synchronised, battery_clocks
from ground.clock import Clock, SystemClock
from protocol.messages import Stamp

log = logging.getLogger(__name__)

_TIME_ERROR = 5  # TIME_ERROR of <sys/timex.h>: the clock is not synchronised
_STA_UNSYNC = 0x40
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

HOLD_OVER_MS = 7 * 24 * 3_600_000
"""A Pi's crystal drifts by some 2 s a day: 14 s in a week, when schedules go by the minute."""

SET_BY_MS = 30_000
"""UTC that moved by more than this against the monotonic clock was set by somebody: drift does not explain it."""

ASK_EVERY_MS = 1_000
"""Ask the kernel at most this often; a badge must not wait for it."""

ASK_BATTERY_EVERY_MS = 10_000
"""Ask a battery clock this often until it agrees with the clock: its driver may start after the agent."""


class AgentClock(Clock, Protocol):
    """A clock that also says whether to trust its UTC. ``mono_ms`` must be in step with ``time.monotonic``, which
    the drivers use."""

    def trusted(self) -> bool:
        """Whether `utc_ns` is known to be right."""
        ...

    @property
    def boot(self) -> str:
        """Names the boot, within which monotonic times can be compared."""
        ...


class PiClock(SystemClock):
    """The clocks of a Pi. ``require_sync=False`` (agent.yaml, ``clock``) trusts the UTC as it is.

    ``kept_in``: the folder that outlives the program; without one, hold-over ends with it. ``rtc``: a battery clock
    is fitted (agent.yaml), to be found in ``rtcs``.
    """

    def __init__(
        self, *, require_sync: bool = True, kept_in: Path | None = None, rtc: bool = False, rtcs: Path = RTCS
    ) -> None:
        self._require_sync = require_sync
        self._rtcs = rtcs if rtc else None
        self._asked_ms: int | None = None
        self._asked_battery_ms: int | None = None
        self._synchronised = False
        self._refused = False
        self._memory = ClockMemory(kept_in) if kept_in is not None and require_sync else None
        self._last: Synchronised | None = self._memory.load() if self._memory is not None else None
        self.boot = _boot_id()

    def trusted(self) -> bool:
        """Whether to trust the UTC, as of at most a second ago.

        Yes while the kernel says it is synchronised, and for HOLD_OVER_MS after that unless it is set meanwhile: the
        kernel gives up 9 hours after NTP does, and a school must stand alone for longer. After a reboot, only if a
        battery clock agrees: without one a Pi boots with the time saved last, which looks right and is not.
        """
        if not self._require_sync:
            return True
        now = self.mono_ms()
        if self._asked_ms is None or now - self._asked_ms >= ASK_EVERY_MS:
            self._asked_ms = now
            self._synchronised = self._judge(now, self._ask())
        return self._synchronised

    def _ask(self) -> bool:
        try:
            return kernel_synchronised()
        except (OSError, AttributeError) as error:
            if not self._refused:
                log.error("the kernel cannot be asked whether the clock is set, so it is not trusted: %s", error)  # noqa: TRY400
            self._refused = True
            return False

    def _judge(self, now_ms: int, synchronised: bool) -> bool:
        offset_ms = self.utc_ms() - now_ms
        if synchronised:
            self._last = Synchronised(self.boot, now_ms, offset_ms)
            if self._memory is not None:
                self._memory.keep(self._last)
            return True
        if self._last is None:
            return False
        last = self._last
        if last.boot != self.boot:
            since_ms = now_ms + offset_ms - last.utc_ms
            booted_after = last.utc_ms <= offset_ms  # or the clock is behind, however long it has run since
            if not (booted_after and since_ms <= HOLD_OVER_MS and self._battery_clock_agrees(now_ms, offset_ms)):
                return False
            log.info("the clock is trusted: a battery clock agrees with it, %d h after a time server did",
                     since_ms // 3_600_000)  # fmt: skip
            last = self._last = Synchronised(self.boot, now_ms - since_ms, offset_ms)  # not kept: NTP did not say it
        return 0 <= now_ms - last.mono_ms <= HOLD_OVER_MS and abs(offset_ms - last.offset_ms) <= SET_BY_MS

    def _battery_clock_agrees(self, now_ms: int, offset_ms: int) -> bool:
        if self._rtcs is None:
            return False
        asked_ms = self._asked_battery_ms
        if asked_ms is not None and now_ms - asked_ms < ASK_BATTERY_EVERY_MS:
            return False
        self._asked_battery_ms = now_ms
        return any(abs(utc_ms - now_ms - offset_ms) <= SET_BY_MS for utc_ms in battery_clocks(self._rtcs))


def stamp(clock: AgentClock) -> Stamp:
    """This moment, as messages carry it."""
    return Stamp(mono_ms=clock.mono_ms(), utc_ns=clock.utc_ns(), clock_trusted=clock.trusted(), boot=clock.boot)


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex``; the rest is room for the kernel to write to."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_synchronised() -> bool:
    """Whether an NTP client has set the kernel's clock. Raises OSError where the kernel will not say: a sandbox."""
    timex = _Timex()
    state = int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return state < _TIME_ERROR and not timex.status & _STA_UNSYNC


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return str(uuid.uuid4())
