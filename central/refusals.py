"""Counts what was refused, by reason, and logs it with its topic: the first of a kind at once, then ever fewer.

For everything that comes in from outside. Decides nothing itself.
"""

import logging
import threading
from collections import Counter

from protocol.refusal import Refused

log = logging.getLogger(__name__)

_KINDS_KEPT = 10_000
"""Topics come from outside: beyond so many pairs of topic and reason, only the reasons are counted."""


class Refusals:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()

    def note(self, topic: str, refused: Refused) -> None:
        """Count one, and log it if it is the 1st, 10th, 100th … of its topic and reason."""
        pair = (topic, refused.reason.value)
        with self._lock:
            self._reasons[refused.reason.value] += 1
            if pair not in self._pairs and len(self._pairs) >= _KINDS_KEPT:
                return
            self._pairs[pair] += 1
            times = self._pairs[pair]
        if str(times).rstrip("0") == "1":
            log.warning("refused on %s (%d so far): %s: %s", topic, times, refused.reason, refused.detail)

    def by_reason(self) -> dict[str, int]:
        """How many were refused for each reason."""
        with self._lock:
            return dict(self._reasons)
