"""Counts refusals by reason, and says which of them to report: no sender can fill a log with them."""

import threading
from collections import Counter

REPORT_EVERY_MS = 60_000
"""For one source and reason, one report a minute."""

MOST_SOURCES = 1_000
"""Senders choose the sources: beyond so many pairs of source and reason, forget all and report them again."""


class RefusalCount:
    """How many were refused for which reason. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: Counter[str] = Counter()
        self._reported: dict[tuple[str, str], tuple[int, int]] = {}  # when (ms), and how many were held back since

    def note(self, source: str, reason: str, now_ms: int) -> int | None:
        """Count one. Returns how many of its kind were held back since the last report, or None to hold this back.

        ``now_ms`` is monotonic.
        """
        key = (source, reason)
        with self._lock:
            self._reasons[reason] += 1
            at_ms, held_back = self._reported.get(key, (None, 0))
            if at_ms is not None and now_ms - at_ms < REPORT_EVERY_MS:
                self._reported[key] = (at_ms, held_back + 1)
                return None
            if len(self._reported) >= MOST_SOURCES:
                self._reported.clear()
            self._reported[key] = (now_ms, 0)
            return held_back

    def count(self, reason: str) -> None:
        """Count one that is reported in another way, or not at all."""
        with self._lock:
            self._reasons[reason] += 1

    def by_reason(self) -> dict[str, int]:
        """How many were refused for each reason since the start."""
        with self._lock:
            return dict(self._reasons)
