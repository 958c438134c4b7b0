"""Counts and logs the messages that central refuses, by topic; ground.refusals limits how often."""

import logging

from ground.clock import Clock, SystemClock
from ground.refusals import RefusalCount
from protocol.refusal import Refused

log = logging.getLogger(__name__)


class RefusalLog:
    """Safe to use from several threads."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._count = RefusalCount()

    def note(self, topic: str, refused: Refused) -> None:
        """Count a refusal; log it unless the same was logged within the last minute."""
        held_back = self._count.note(topic, refused.reason.value, self._clock.mono_ms())
        if held_back is not None:
            log.warning("refused on %s: %s: %s (%d more)", topic, refused.reason, refused.detail, held_back)

    def by_reason(self) -> dict[str, int]:
        """The number of refusals for each reason."""
        return self._count.by_reason()
