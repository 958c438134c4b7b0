"""A keypad rests after too many wrong PINs: ten thousand PINs of four digits must not be tried out in an afternoon.

Pure. Counted at each reader, and for each credential wherever it is tried. In memory: after a restart of the agent
the count begins again. Each rest within a day is twice as long as the one before, so that a night of patience finds
nothing either; and an event reports it. It concerns PINs alone: a card that suffices by itself, and the way out, are
never made to rest.
"""

from dataclasses import dataclass, replace

from protocol.messages import PinPolicy

NEVER = -1
DAY_MS = 24 * 3_600_000
LONGEST_MS = 3_600_000
"""No rest is longer, unless ``lockout_ms`` is."""

REPORTED_FROM = 3
"""The rest within a day from which on an event reports it: that is no forgotten PIN."""


@dataclass(frozen=True, slots=True)
class WrongPins:
    """The last wrong PINs, and until when (monotonic ms, exclusive) no other is compared."""

    at_ms: tuple[int, ...] = ()
    resting_until_ms: int = NEVER
    rests_ms: tuple[int, ...] = ()  # when the rests of the last day began

    def resting(self, now_ms: int) -> bool:
        """Whether no PIN is compared now."""
        return now_ms < self.resting_until_ms

    def forgotten(self, policy: PinPolicy, now_ms: int) -> bool:
        """Whether none of it counts any more: nothing of the last day or of ``within_ms``, and no rest."""
        recent = any(now_ms - at < policy.within_ms for at in self.at_ms)
        return not (self.resting(now_ms) or recent or any(now_ms - at < DAY_MS for at in self.rests_ms))


def after_wrong_pin(pins: WrongPins, policy: PinPolicy, now_ms: int) -> WrongPins:
    """Count another wrong PIN. With the last of ``attempts`` within ``within_ms`` a rest begins: of ``lockout_ms``
    the first time within a day, and twice as long each time after it."""
    recent = (*(at for at in pins.at_ms if now_ms - at < policy.within_ms), now_ms)
    if len(recent) < policy.attempts:
        return replace(pins, at_ms=recent)
    before = tuple(at for at in pins.rests_ms if now_ms - at < DAY_MS)
    rest_ms = max(policy.lockout_ms, min(policy.lockout_ms << len(before), LONGEST_MS))
    return WrongPins((), max(pins.resting_until_ms, now_ms + rest_ms), (*before, now_ms))
