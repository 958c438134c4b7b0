"""A keypad rests after too many wrong PINs: ten thousand PINs of four digits must not be tried out in an afternoon.

Pure. Counted at each reader, and for each credential wherever it is tried. In memory: after a restart of the agent
the count begins anew. It concerns PINs alone: a card that suffices by itself, and the way out, are never throttled.
"""

from dataclasses import dataclass

from protocol.messages import PinPolicy

NEVER = -1


@dataclass(frozen=True, slots=True)
class Tries:
    """The wrong PINs of late, and until when (monotonic ms, exclusive) no other is looked at."""

    at_ms: tuple[int, ...] = ()
    resting_until_ms: int = NEVER

    def resting(self, now_ms: int) -> bool:
        """Whether PINs are not looked at now."""
        return now_ms < self.resting_until_ms

    def forgotten(self, policy: PinPolicy, now_ms: int) -> bool:
        """Whether none of it matters any more."""
        return not self.resting(now_ms) and all(now_ms - at >= policy.within_ms for at in self.at_ms)


def wrong(tries: Tries, policy: PinPolicy, now_ms: int) -> Tries:
    """Another wrong PIN. With the last of ``attempts`` within ``within_ms`` the rest of ``lockout_ms`` begins."""
    recent = (*(at for at in tries.at_ms if now_ms - at < policy.within_ms), now_ms)
    if len(recent) < policy.attempts:
        return Tries(recent, tries.resting_until_ms)
    return Tries((), max(tries.resting_until_ms, now_ms + policy.lockout_ms))
