"""How long a snapshot was under way, told from the sender's own clock; so that one from a queue proves nothing.

An agent's monotonic clock and central's have nothing in common but their pace: received minus sent is a constant
plus the delay. The least seen is taken for no delay, allowed to rise by what two quartzes may drift apart. Pure.
"""

import math

from protocol.messages import Stamp

DRIFT = 200e-6
"""How much faster or slower than ours an agent's clock may run: 200 ppm, twice what a poor quartz does."""

SETTLING_MS = 1_000
"""A session's first snapshots may all have waited in the same queue. Their delay is believed small only once one
follows at the pace at which it was made, this long after."""

SETTLED_WITHIN_MS = 250
"""What still counts as the same pace."""

AGREES_MS = 2_000
"""How far a trusted clock may be from ours. A pace alone cannot tell a steady delay from none, so that of a sender
with a trusted clock is believed only where the clocks agree, too. Well under proof.SILENT_MS: a clock that is ahead
by so much hides as much delay."""


class Arrivals:
    """The delays of one session's live snapshots, in the order they come."""

    __slots__ = ("_agreed", "_at_ms", "_least_ms", "_settled", "_since_ms")

    def __init__(self) -> None:
        self._least_ms: float | None = None
        self._at_ms = 0
        self._since_ms = 0  # when the least was last found to be much less
        self._settled = False
        self._agreed = False  # the pace that is settled on was once confirmed by a trusted clock

    def delay_ms(self, at: Stamp, now_ms: int, utc_ms: int) -> int | None:
        """How long a snapshot made ``at`` and received now was under way, at the least; None: it cannot be told.

        ``now_ms`` is central's monotonic clock, ``utc_ms`` its UTC. Until the session's pace is known, the
        sender's UTC is asked, if it trusts that itself; from our future, it tells nothing.
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
