"""Counts, logs and reports what the agent refuses to act on. No sender can fill the log or the outbox with it."""

from __future__ import annotations

import logging
from collections import Counter

from edge_agent.events.journal import Journal
from ground.clock import Clock
from ground.refusals import RefusalCount
from protocol.refusal import Reason, Refused
from protocol.words import EventKind

log = logging.getLogger(__name__)

MOST_DETAIL = 300
"""Characters of a detail or a topic."""

USUAL = frozenset({Reason.DUPLICATE})
"""Brokers repeat what is retained at each connection: counted, not reported."""


class Refusals:
    """What was refused, by reason."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._count = RefusalCount()
        self._clock = clock
        self._journal = journal

    @property
    def counts(self) -> Counter[str]:
        """How many were refused for each reason, for the health report."""
        return Counter(self._count.by_reason())

    def count(self, reason: str) -> None:
        """Count one that is reported by other means."""
        self._count.count(reason)

    def note(self, topic: str, refused: Refused) -> None:
        """Count what a topic brought; log and report it, once a minute for the same topic and reason."""
        if refused.reason in USUAL:
            self.count(refused.reason)
            log.debug("%s: %s", topic, refused)
            return
        held_back = self._count.note(topic, refused.reason, self._clock.mono_ms())
        if held_back is None:
            return
        topic, detail = topic[:MOST_DETAIL], refused.detail[:MOST_DETAIL]
        log.warning("refused on %s: %s: %s", topic, refused.reason, detail)
        self._report({"topic": topic, "reason": refused.reason, "detail": detail, "more": held_back})

    def answer(self, topic: str, command: str, reason: str, detail: str) -> None:
        """Report to its sender that a command of good signature was refused. Never held back."""
        self.count(reason)
        detail = detail[:MOST_DETAIL]
        log.warning("refused on %s: command %s: %s: %s", topic, command, reason, detail)
        self._report({"id": command, "topic": topic, "reason": reason, "detail": detail})

    def _report(self, data: dict[str, object]) -> None:
        self._journal.add(EventKind.MESSAGE_REFUSED, data)
