"""Locks on GPIO pins: release, relock, and a timed release that needs no event loop.

A `LockOutput` knows one thing: whether its lock is released. Who may release it, for how long and why is
decided elsewhere; egress hardware (REX in the lock's supply, fire relay) works without it. The pin factory
is always given: `LGPIOFactory` on a Raspberry Pi, `MockFactory` in a simulator or a test.
Sensors are in `drivers.sensors`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from gpiozero import OutputDevice

from drivers.timed_outputs import Deadline, Timer
from ground.loop_poster import Post

_log = logging.getLogger(__name__)

# A relock whose pin write failed is tried again this often until it takes.
RELOCK_RETRY_S = 0.1


class LockKind(StrEnum):
    """What moves: a strike's keeper, or a magnet on the leaf."""

    STRIKE = "strike"
    MAGLOCK = "maglock"


class FailMode(StrEnum):
    """What the lock does when its power goes (NFPA 101 §7.2.1.6; a maglock can only be fail-safe)."""

    FAIL_SECURE = "fail_secure"
    """Stays locked from outside without power: energised to release."""
    FAIL_SAFE = "fail_safe"
    """Releases without power: energised to lock."""


class LockOutput:
    """One lock on one pin. Locked from its first instant; every method may be called from any thread.

    `kind` and `fail_mode` decide what energising does; a fail-secure maglock does not exist and raises
    ValueError. `active_high=False` is for relay boards that pull in on a low level. `timer` relocks after
    `release_for` on its own thread, and then calls `on_timed_relock(monotonic_s)`, through `post` if given
    (`loop.call_soon_threadsafe`), else on the timer's thread.
    """

    def __init__(
        self,
        pin: int | str,
        *,
        kind: LockKind,
        fail_mode: FailMode,
        pin_factory: Any,
        timer: Timer,
        active_high: bool = True,
        on_timed_relock: Callable[[float], None] | None = None,
        post: Post | None = None,
    ) -> None:
        if kind is LockKind.MAGLOCK and fail_mode is FailMode.FAIL_SECURE:
            raise ValueError(f"pin {pin}: a maglock holds only while energised, so it cannot be fail-secure")
        self.kind = kind
        self.fail_mode = fail_mode
        self._name = pin  # for the log: a gpiozero device reads its pin to print itself
        self._timer = timer
        self._on_timed_relock = on_timed_relock
        self._post = post
        self._guard = threading.RLock()
        self._released = False
        self._until = 0.0  # when the running release ends; infinity without an end
        self._deadline: Deadline | None = None
        self._turn = 0  # tells a relock that is due from one that was cancelled as it woke
        self._closed = False
        # gpiozero sets level and direction in one step, so the pin never shows the wrong level.
        self._device: Any = OutputDevice(
            pin, active_high=active_high, initial_value=self._energised_when(False), pin_factory=pin_factory
        )
        self._changed_at = timer.now()

    @property
    def released(self) -> bool:
        """Whether the lock is commanded to release. A command, not evidence: see the door's sensors."""
        return self._released

    @property
    def energised(self) -> bool:
        """Whether current flows: fail-secure while released, fail-safe while locked."""
        return self._energised_when(self._released)

    @property
    def changed_at(self) -> float:
        """When the output last changed (timer's seconds). Evidence older than this proves nothing."""
        return self._changed_at

    @property
    def released_until(self) -> float | None:
        """When the running release ends (timer's seconds); infinity without an end; None while locked."""
        with self._guard:
            return self._until if self._released else None

    def lock(self) -> None:
        """Lock now and cancel any timed release. Raises what the pin raises if it cannot be written."""
        with self._guard:
            self._cancel()
            self._write(released=False)

    def release(self) -> None:
        """Release without an end, until `lock`. A timed release that runs is superseded."""
        with self._guard:
            self._cancel()
            self._until = math.inf
            self._write(released=True)

    def release_for(self, seconds: float) -> None:
        """Release and lock again after `seconds` (> 0). Never shortens a release that lasts longer."""
        if not 0 < seconds < math.inf:
            raise ValueError(f"a timed release lasts some seconds more than 0, not {seconds}")
        with self._guard:
            until = self._timer.now() + seconds
            if self._released and self._until >= until:
                return
            # The relock is arranged before the pin is touched: a release without its relock cannot happen.
            self._cancel()
            self._deadline = self._relock_at(until)
            self._until = until
            self._write(released=True)

    def close(self) -> None:
        """Lock, then give up the pin. What an unclaimed pin does to the lock is the board's affair."""
        with self._guard:
            if self._closed:
                return
            self._cancel()
            try:
                self._write(released=False)
            finally:
                self._closed = True
                self._device.close()

    def _energised_when(self, released: bool) -> bool:
        return released if self.fail_mode is FailMode.FAIL_SECURE else not released

    def _relock_at(self, when: float) -> Deadline:
        turn = self._turn
        return self._timer.at(when, lambda: self._relock(turn))

    def _cancel(self) -> None:
        self._turn += 1
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _write(self, *, released: bool) -> None:
        if self._closed:
            raise RuntimeError("the lock output is closed")
        if self._energised_when(released):
            self._device.on()
        else:
            self._device.off()
        if released != self._released:
            self._changed_at = self._timer.now()
        self._released = released

    def _relock(self, turn: int) -> None:
        with self._guard:
            # A lock() or a longer release may have come between the timer's wake-up and this line.
            if turn != self._turn or self._closed:
                return
            try:
                self._write(released=False)
            except Exception:  # noqa: BLE001 - whatever the pin raises, the door must still lock
                _log.error("pin %s: the relock failed, trying again", self._name, exc_info=True)
                self._deadline = self._relock_at(self._timer.now() + RELOCK_RETRY_S)
                return
            self._deadline = None
        self._report_relock(self._changed_at)

    def _report_relock(self, at: float) -> None:
        if self._on_timed_relock is None:
            return
        if self._post is None:
            self._on_timed_relock(at)
        else:
            self._post(self._on_timed_relock, at)
