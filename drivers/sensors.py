"""Switches on GPIO pins: what they read, and how long ago that was known.

A sensor debounces, re-reads its level after every edge and whenever the owner asks, and says "no evidence"
(None) rather than repeat a stale level. It does not know what a door is: combining contact and bolt into a
condition is the door state machine's work.

Threads: edges arrive on gpiozero's thread and debouncing ends on the timer's. Every method here may be
called from any thread. `on_change` runs on whichever thread noticed, unless `post` is given: pass
`loop.call_soon_threadsafe` and it runs on the loop, in order. Without `post` it runs inside the sensor's own
lock, so it must not wait for another thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from gpiozero import InputDevice

from drivers.timed_outputs import Deadline, Timer
from ground.loop_poster import Post

_log = logging.getLogger(__name__)

DEBOUNCE_S = 0.030
"""Reed and microswitch contacts settle within about 10 ms; 30 ms leaves room for a slammed door."""

BOLT_DEBOUNCE_S = 0.010
"""A bolt glides over its monitor's microswitch and is not slammed, and a lockdown waits for its word."""

REX_DEBOUNCE_S = 0.005
"""Shorter than the other debounces: a request to exit must register before the bolt and contact changes it causes."""

POWER_DEBOUNCE_S = 0.500
"""A dip of the mains that the supply bridges is not reported."""

CHATTER_S = 1.0
"""A contact that has not held still for this long is broken: its value becomes None."""


class Pull(StrEnum):
    """The resistor at the pin: the board's own, or none where the wiring brings one."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


class Reading(NamedTuple):
    """A value and when it was known."""

    value: bool | None
    """None: no evidence (the read failed, or the contact chatters)."""
    at: float
    """Monotonic seconds, the timer's clock."""


class DigitalSensor:
    """One switch on one pin.

    `active_low`: the value is true while the level is low (a closed switch to ground under a pull-up).
    `debounce_s` (0 or more): a change counts once the level held still that long. `on_change(value,
    monotonic_s)` gets the time of the edge that began it; value None means the evidence is gone.
    `on_steady` is called when bouncing has ended and the value is what it was: its evidence counts again.
    The level is read once on construction, without a callback. Keep the sensor: gpiozero holds its callback
    weakly, and a sensor that was collected reports nothing.
    """

    def __init__(
        self,
        pin: int | str,
        *,
        pin_factory: Any,
        timer: Timer,
        active_low: bool = True,
        pull: Pull = Pull.UP,
        debounce_s: float = DEBOUNCE_S,
        on_change: Callable[[bool | None, float], None] | None = None,
        on_steady: Callable[[bool | None, float], None] | None = None,
        post: Post | None = None,
    ) -> None:
        if debounce_s < 0:
            raise ValueError(f"debounce cannot be negative: {debounce_s}")
        self._name = pin  # for the log: a gpiozero device reads its pin to print itself
        self._timer = timer
        self._active_low = active_low
        self._debounce_s = debounce_s
        self._on_change = on_change
        self._on_steady = on_steady
        self._post = post
        self._guard = threading.RLock()
        self._settle: Deadline | None = None
        self._edge_at = 0.0
        self._unsettled_since: float | None = None
        self._closed = False
        pull_up = {Pull.UP: True, Pull.DOWN: False, Pull.NONE: None}[pull]
        self._device: Any = InputDevice(
            pin, pull_up=pull_up, active_state=True if pull_up is None else None, pin_factory=pin_factory
        )
        self._pin: Any = self._device.pin
        self._failed = False
        self._value, self._at = self.read()
        # The pin below the device: gpiozero's own device events cost three times as much an edge.
        self._pin.edges = "both"
        self._pin.when_changed = self._edge

    @property
    def last(self) -> Reading:
        """The debounced value and when the level was last seen to bear it out."""
        with self._guard:
            return Reading(self._value, self._at)

    @property
    def value(self) -> bool | None:
        """The debounced value; None without evidence."""
        return self._value

    def read(self) -> Reading:
        """The raw level now, not debounced. Value None if the pin cannot be read; never raises."""
        at = self._timer.now()
        try:
            level = bool(self._pin.state)
        except Exception:  # noqa: BLE001 - whatever the backend raises, nothing is known about this input
            if not self._failed:
                _log.error("pin %s cannot be read", self._name, exc_info=True)
            self._failed = True
            return Reading(None, at)
        self._failed = False
        return Reading(level != self._active_low, at)

    def reread(self) -> bool:
        """Read the level again, heal a lost edge, renew the evidence. True if the value changed.

        Call it once or twice a second; it costs a few microseconds.
        """
        with self._guard:
            if self._closed:
                return False
            value, at = self.read()
            if value is None or value == self._value:
                return self._accept(value, at, at)
            if self._settle is None:
                # The level moved without an edge: one was lost. It held since some earlier moment.
                return self._accept(value, at, at)
            return self._check_chatter(at)

    def confirm(self) -> None:
        """Do nothing: :meth:`reread` reads the pin itself."""

    def close(self) -> None:
        """Stop watching and give up the pin. No callback after it returns, save one already posted."""
        with self._guard:
            self._closed = True
            self._pin.when_changed = None
            if self._settle is not None:
                self._settle.cancel()
                self._settle = None
        self._device.close()

    def _edge(self, _ticks: object, _state: object) -> None:
        with self._guard:
            if self._closed:
                return
            self._edge_at = self._timer.now()
            if self._unsettled_since is None:
                self._unsettled_since = self._edge_at
            # A running wait is not moved at every edge, it re-arms itself: bouncing costs one timer.
            if self._settle is None:
                self._settle = self._timer.at(self._edge_at + self._debounce_s, self._settled)

    def _settled(self) -> None:
        with self._guard:
            if self._closed:
                return
            now = self._timer.now()
            quiet_from = self._edge_at + self._debounce_s
            if now < quiet_from:
                self._check_chatter(now)
                self._settle = self._timer.at(quiet_from, self._settled)
                return
            self._settle = None
            began = self._edge_at
            value, at = self.read()
            if not self._accept(value, at, began):
                self._call(self._on_steady, value, at)

    def _check_chatter(self, now: float) -> bool:
        since = self._unsettled_since
        if since is not None and now - since > max(CHATTER_S, 3 * self._debounce_s):
            return self._change(None, now)
        return False

    def _accept(self, value: bool | None, at: float, began: float) -> bool:
        """The level is known to be `value` at `at` and held since `began`."""
        if value is not None and self._settle is not None:
            # The level agrees with the value, but edges still come: renew nothing while it bounces.
            return self._check_chatter(at)
        self._unsettled_since = None
        self._at = at
        return self._change(value, began)

    def _change(self, value: bool | None, at: float) -> bool:
        if value == self._value:
            return False
        self._value = value
        self._call(self._on_change, value, at)
        return True

    def _call(self, listener: Callable[[bool | None, float], None] | None, value: bool | None, at: float) -> None:
        if listener is None:
            return
        if self._post is None:
            listener(value, at)
        else:
            self._post(listener, value, at)


class _Switch(DigitalSensor):
    """A switch to ground by what it is for: which value it has at rest, and whether it rests closed.

    ``normally_closed`` and ``debounce_s`` may be given where the one fitted is not the usual one.
    """

    _at_rest: ClassVar[bool]
    _normally_closed: ClassVar[bool] = True
    _debounce: ClassVar[float] = DEBOUNCE_S

    def __init__(self, pin: int | str, *, normally_closed: bool | None = None, **options: Any) -> None:
        closed = self._normally_closed if normally_closed is None else normally_closed
        super().__init__(pin, active_low=closed is self._at_rest, **{"debounce_s": self._debounce, **options})


class DoorContact(_Switch):
    """Door position switch (DPS): a reed that closes to ground when the leaf is shut. A cut wire reads open.

    ``normally_closed=False``: a reed that opens when the leaf is shut. Its cut wire reads shut: prefer the other.
    """

    _at_rest = True


class BoltMonitor(_Switch):
    """Latch-bolt monitor: closes to ground while the bolt is thrown. A cut wire reads not thrown.

    ``normally_closed=False``: one that opens while the bolt is thrown; a cut wire then reads thrown.
    """

    _at_rest = True
    _debounce = BOLT_DEBOUNCE_S


class RequestToExit(_Switch):
    """REX button or sensor: true while pressed. It only mirrors egress; the hardware grants it."""

    _at_rest = False
    _normally_closed = False
    _debounce = REX_DEBOUNCE_S


class FireInput(_Switch):
    """Fire alarm relay: true while the panel calls for release. A cut wire reads as fire (NFPA 72)."""

    _at_rest = False


class PanicButton(_Switch):
    """Lockdown button: true while pressed. A supervised loop is `normally_closed=True`: it also trips when cut."""

    _at_rest = False
    _normally_closed = False


class TamperSwitch(_Switch):
    """Cover switch: true while the cover is off. A cut wire reads as tampering."""

    _at_rest = False


class PowerContact(_Switch):
    """A supply's relay for mains or battery: closed while all is well, so that a cut wire reads as a failure."""

    _at_rest = True
    _debounce = POWER_DEBOUNCE_S
