"""Estimates how long a snapshot was under way from the sender's clock, so that one from a queue proves nothing.

An agent's monotonic clock and central's share only their pace: received minus sent is a constant plus the delay. The
least difference seen counts as no delay, and may rise by the drift of two quartzes. Pure.
"""

import math

from protocol.messages import Stamp

DRIFT = 200e-6
"""How much faster or slower than central's an agent's clock may run: 200 ppm, twice the drift of a poor quartz."""

SETTLING_MS = 1_000
"""A session's first snapshots may all have waited in one queue. Their delay counts as small only once another
follows, this much later, at the pace at which it was made."""

SETTLED_WITHIN_MS = 250
"""The tolerance for the same pace."""

AGREES_MS = 2_000
"""How far a trusted clock may be from central's. The pace alone cannot distinguish a steady delay from none, so a
sender with a trusted clock must agree with central's clock, too. Well under proof.SILENT_MS: a clock ahead by this
much hides as much delay."""


class Arrivals:
    """The delays of one session's live snapshots, in the order they come."""

    __slots__ = ("_agreed", "_at_ms", "_least_ms", "_settled", "_since_ms")

    def __init__(self) -> None:
        self._least_ms: float | None = None
        self._at_ms = 0
        self._since_ms = 0  # when the least last fell well below its allowed value
        self._settled = False
        self._agreed = False  # a trusted clock has once confirmed the pace

    def delay_ms(self, at: Stamp, now_ms: int, utc_ms: int) -> int | None:
        """The least time that a snapshot made ``at`` and received now was under way, in ms; None: unknown.

        ``now_ms`` is central's monotonic clock, ``utc_ms`` its UTC. Until the session's pace is known, the sender's
        UTC decides, if the sender trusts it and it is not in central's future.
        """
        offset = now_ms - at.mono_ms
        lag_ms = utc_ms - at.utc_ns // 1_000_000
        agrees = at.clock_trusted and abs(lag_ms) <= AGREES_MS
        if self._least_ms is None:
            self._least_ms, self._since_ms = offset, now_ms
        else:
            allowed = self._least_ms + (now_ms - self._at_ms) * DRIFT
            if offset < allowed - SETTLED_WITHIN_MS:
                self._since_ms = now_ms
            elif offset <= allowed + SETTLED_WITHIN_MS and now_ms - self._since_ms >= SETTLING_MS:
                self._settled = self._settled or agrees or not at.clock_trusted
                self._agreed = self._agreed or agrees
            self._least_ms = min(offset, allowed)
        self._at_ms = now_ms
        delay = math.ceil(offset - self._least_ms)
        if at.clock_trusted and not agrees and not self._agreed:
            self._settled = False
        if self._settled:
            return delay
        if at.clock_trusted and lag_ms >= -AGREES_MS:
            return max(delay, lag_ms)
        return None
