"""Switches on supervised lines, read through a converter: what they read, how long ago, what is wrong with the line.

An input here answers like drivers.sensors.DigitalSensor, and also has ``line``. A line that is cut, shorted or of an
unexpected resistance gives no reading (value None): it never reads as closed, as pressed or as quiet.

A converter reports nothing by itself, so a :class:`Sampler` reads every input again and again on a thread of its own,
and the loop never waits for the bus. So a value may be a whole sweep old; ``confirm`` asks for a callback at the
first reading that is taken from now on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from drivers.adc import Adc, NoAnswerError
from drivers.sensors import CHATTER_S, Reading
from drivers.supervised_line import EndOfLine, LineState, bands, classify
from drivers.timed_outputs import Timer
from ground.loop_poster import Post

_log = logging.getLogger(__name__)

SAMPLES: Final = 3
"""So many readings in a row must agree. At the usual pace that is 40 to 60 ms: longer than a contact bounces."""

REX_SAMPLES: Final = 2
"""Fewer than for other inputs: a request to exit must register before the bolt and contact changes it causes."""

PACE_S: Final = 0.020
REST: Final = 3
"""A sweep is followed by at least so many times its own length of rest: a slow bus costs a quarter of a core."""

STALE_S: Final = 1.0
"""An input not read for this long has no reading: its sampler has died or the bus hangs."""

JUST_AFTER_S: Final = 0.002
"""A reading proves what came before it from here on: the door machine counts whole milliseconds."""


class SupervisedInput:
    """One switch on one supervised line. Made with the sampler that reads it; methods may be called from any thread.

    ``at_rest`` is its value while the switch rests (a closed door: True; no request to exit: False), and
    ``normally_closed`` how the switch rests. ``on_change(value, monotonic_s)`` is called when its value or the state
    of its line changed, with the time at which that began; ``on_steady`` when what :meth:`confirm` asked for is
    there. Both go through ``post`` if given, and neither is called before the sampler was started. ValueError for
    resistors that cannot work.
    """

    def __init__(
        self,
        line: EndOfLine,
        *,
        timer: Timer,
        normally_closed: bool,
        at_rest: bool,
        samples: int = SAMPLES,
        on_change: Callable[[bool | None, float], None] | None = None,
        on_steady: Callable[[bool | None, float], None] | None = None,
        post: Post | None = None,
    ) -> None:
        self._bands = bands(line)
        self._timer = timer
        self._normally_closed = normally_closed
        self._at_rest = at_rest
        self._samples = samples
        self._on_change = on_change
        self._on_steady = on_steady
        self._post = post
        self._guard = threading.RLock()
        self._line = LineState.UNKNOWN
        self._at = self._taken_at = timer.now()
        self._seen = LineState.UNKNOWN  # by the last reading
        self._agreeing = 0
        self._unsettled_since: float | None = None
        self._asked_at: float | None = None
        self._reporting = False

    @property
    def line(self) -> LineState:
        """The state of the line, as far as it has settled."""
        return self._line

    @property
    def value(self) -> bool | None:
        """The settled value; None without evidence."""
        return self._value_of(self._line)

    @property
    def last(self) -> Reading:
        """The settled value and when a reading last bore it out."""
        with self._guard:
            return Reading(self.value, self._at)

    def reread(self) -> bool:
        """Drop the value if no reading came for STALE_S. True if the value changed. Does not touch the bus."""
        with self._guard:
            now = self._timer.now()
            if self._line is LineState.UNKNOWN or now - self._taken_at <= STALE_S:
                return False
            self._agreeing = 0
            return self._settle(LineState.UNKNOWN, now, now)

    def confirm(self) -> None:
        """Call ``on_steady`` once a reading that is taken from now on bears the value out."""
        with self._guard:
            self._asked_at = self._timer.now()

    def report(self) -> None:
        """Call back from now on; first with the next reading that bears the value out."""
        with self._guard:
            self._reporting = True
            self.confirm()

    def take(self, reading: int | None, at: float) -> None:
        """A reading (None: the converter did not answer) begun at ``at``, monotonic seconds. For the sampler."""
        with self._guard:
            seen = LineState.UNKNOWN
            if reading is not None:
                seen = classify(reading, self._bands, normally_closed=self._normally_closed, before=self._seen)
            self._agreeing = self._agreeing + 1 if seen is self._seen else 1
            self._seen = seen
            self._taken_at = at
            if self._agreeing >= self._samples:
                began = self._unsettled_since if self._unsettled_since is not None else at
                self._unsettled_since = None
                self._settle(seen, at, began)
                self._answer(at)
            elif self._unsettled_since is None:
                self._unsettled_since = at
            elif at - self._unsettled_since > CHATTER_S:
                self._settle(LineState.UNKNOWN, at, self._unsettled_since)

    def close(self) -> None:
        """No callback after it returns, save one already posted."""
        with self._guard:
            self._on_change = self._on_steady = None

    def _value_of(self, line: LineState) -> bool | None:
        if line is LineState.NORMAL:
            return self._at_rest
        return not self._at_rest if line is LineState.ACTIVE else None

    def _settle(self, line: LineState, at: float, began: float) -> bool:
        self._at = at
        if line is self._line:
            return False
        before, self._line = self._line, line
        self._call(self._on_change, began)
        return self._value_of(before) != self._value_of(line)

    def _answer(self, at: float) -> None:
        if self._asked_at is not None and at > self._asked_at + JUST_AFTER_S:
            self._asked_at = None
            self._call(self._on_steady, at)

    def _call(self, listener: Callable[[bool | None, float], None] | None, at: float) -> None:
        if listener is None or not self._reporting:
            return
        if self._post is None:
            listener(self.value, at)
        else:
            self._post(listener, self.value, at)


class Sampler:
    """Reads every input of some converters, one sweep after another, on a thread of its own.

    Connect all inputs, then :meth:`start`. An exception of a bus is logged once, until it answers again.
    """

    def __init__(self, timer: Timer, *, pace_s: float = PACE_S) -> None:
        self._timer = timer
        self._pace_s = pace_s
        self._inputs: dict[Adc, dict[int, SupervisedInput]] = {}
        self._silent: set[Adc] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def connect(self, adc: Adc, channel: int, switch: SupervisedInput) -> None:
        """Read an input from a channel. ValueError if another is there."""
        channels = self._inputs.setdefault(adc, {})
        if channel in channels:
            raise ValueError(f"channel {channel} of {adc.name} is used for two inputs; each needs its own")
        channels[channel] = switch

    def start(self) -> None:
        """Read every input until it has settled, without a callback; then go on, with them, on the thread."""
        for _ in range(SAMPLES):
            self.sweep()
        for channels in self._inputs.values():
            for switch in channels.values():
                switch.report()
        if self._inputs:
            self._thread = threading.Thread(target=self._run, name="supervised-lines", daemon=True)
            self._thread.start()

    def sweep(self) -> None:
        """Read every input once. Never raises."""
        for adc, channels in self._inputs.items():
            readings = [(switch, self._timer.now(), self._read(adc, channel)) for channel, switch in channels.items()]
            # A chip without power may hold the bus low. Every line shorted to the last ohm is not what happens.
            dead = len(readings) > 1 and all(reading == 0 for _, _, reading in readings)
            self._note(adc, silent=dead or any(reading is None for _, _, reading in readings))
            for switch, at, reading in readings:
                switch.take(None if dead else reading, at)

    def close(self) -> None:
        """End the thread. The converters may be closed then."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def _read(self, adc: Adc, channel: int) -> int | None:
        try:
            return adc.read(channel)
        except NoAnswerError:
            return None
        except Exception:  # noqa: BLE001 - whatever the bus raises, nothing is known of this line
            if adc not in self._silent:
                _log.error("%s: channel %d cannot be read", adc.name, channel, exc_info=True)
            return None

    def _note(self, adc: Adc, *, silent: bool) -> None:
        if silent is (adc in self._silent):
            return
        (self._silent.add if silent else self._silent.discard)(adc)
        if silent:
            _log.error(
                "%s does not answer: its inputs have no reading. Look at its supply and its SPI wires", adc.name
            )
        else:
            _log.info("%s answers again", adc.name)

    def _run(self) -> None:
        wait_s = self._pace_s
        while not self._stop.wait(wait_s):
            began = self._timer.now()
            try:
                self.sweep()
            except Exception:  # noqa: BLE001 - a listener's fault must not end the reading of every line
                _log.error("a reading of the supervised lines could not be passed on", exc_info=True)
            took = self._timer.now() - began
            wait_s = max(self._pace_s - took, REST * took)
