"""What readers sent that was no card and no key: counted for each reader, and reported once a minute at most."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.events.journal import Journal
from ground.clock import Clock
from protocol.words import EventKind

EVERY_MS = 60_000
"""A line that hums must not fill the outbox."""


@dataclass(slots=True)
class _Noise:
    door: str
    reasons: dict[str, int] = field(default_factory=dict)  # since the last report
    reported_ms: int | None = None


class ReaderNoise:
    """The noise of an agent's readers. ``totals`` counts by reader since the start."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._noise: dict[str, _Noise] = {}
        self.totals: dict[str, int] = {}

    def refused(self, reader: str, door: str, reason: str) -> None:
        """Count one, and report it if the last report is a minute ago."""
        noise = self._noise.setdefault(reader, _Noise(door))
        noise.reasons[reason] = noise.reasons.get(reason, 0) + 1
        self.totals[reader] = self.totals.get(reader, 0) + 1
        self._report(reader, noise)

    def follow(self) -> None:
        for reader, noise in self._noise.items():
            self._report(reader, noise)

    def _report(self, reader: str, noise: _Noise) -> None:
        now = self._clock.mono_ms()
        if not noise.reasons or (noise.reported_ms is not None and now - noise.reported_ms < EVERY_MS):
            return
        count, often = sum(noise.reasons.values()), max(noise.reasons, key=noise.reasons.__getitem__)
        data = {"reader": reader, "reason": often, "count": count, "reasons": dict(noise.reasons)}
        self._journal.add(EventKind.CARD_READ_REFUSED, data, door=noise.door)
        noise.reasons, noise.reported_ms = {}, now
