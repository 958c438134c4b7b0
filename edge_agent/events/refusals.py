"""Counts, logs and reports what the agent refuses to act on. No sender can fill the log or the outbox with it."""

from __future__ import annotations

import logging
from collections import Counter

from edge_agent.events.journal import Journal
from edge_agent.host.clock import Clock
from protocol.refusal import Reason, Refused
from protocol.words import EventKind

log = logging.getLogger(__name__)

REPORT_EVERY_MS = 60_000
MOST_TOPICS = 1_000
MOST_DETAIL = 300
USUAL = frozenset({Reason.DUPLICATE})
"""Brokers repeat what is retained at each connection: counted, not reported."""


class Refusals:
    """What was refused, by reason. ``counts`` is for the health report."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._journal = journal
        self._reported: dict[tuple[str, str], tuple[int, int]] = {}  # (topic, reason) -> (when, how many since)

    def note(self, topic: str, refused: Refused) -> None:
        """Something on a topic was refused: logged and an event, once a minute for the same topic and reason."""
        self.counts[refused.reason] += 1
        if refused.reason in USUAL:
            log.debug("%s: %s", topic, refused)
            return
        now = self._clock.mono_ms()
        key = (topic, refused.reason)
        at, since = self._reported.get(key, (None, 0))
        if at is not None and now - at < REPORT_EVERY_MS:
            self._reported[key] = (at, since + 1)
            return
        if len(self._reported) >= MOST_TOPICS:
            self._reported.clear()
        self._reported[key] = (now, 0)
        detail = refused.detail[:MOST_DETAIL]
        log.warning("refused on %s: %s: %s", topic[:MOST_DETAIL], refused.reason, detail)
        self._journal.add(
            EventKind.MESSAGE_REFUSED,
            {"topic": topic[:MOST_DETAIL], "reason": refused.reason, "detail": detail, "more": since},
        )

    def answer(self, topic: str, command: str, reason: str, detail: str) -> None:
        """A command of good signature was refused: say so to who sent it. Never held back."""
        self.counts[reason] += 1
        log.warning("refused on %s: command %s: %s: %s", topic, command, reason, detail[:MOST_DETAIL])
        self._journal.add(
            EventKind.MESSAGE_REFUSED,
            {"id": command, "topic": topic, "reason": reason, "detail": detail[:MOST_DETAIL]},
        )
