"""Logs what central refuses, with its topic; counted and held back as ground.refusals says. Decides nothing."""

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
        """Count one; log it unless the same was logged within the last minute."""
        held_back = self._count.note(topic, refused.reason.value, self._clock.mono_ms())
        if held_back is not None:
            log.warning("refused on %s: %s: %s (%d more)", topic, refused.reason, refused.detail, held_back)

    def by_reason(self) -> dict[str, int]:
        """How many were refused for each reason."""
        return self._count.by_reason()
