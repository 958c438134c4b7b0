"""Writes an event each minute: the memory, processor use, outbox and refusals of the agent's program."""

from __future__ import annotations

from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.health import Health
from ground.clock import Clock
from protocol.mqtt import MqttLink
from protocol.words import EventKind

EVERY_MS = 60_000


class HealthReport:
    """Of one agent, from now on."""

    def __init__(self, clock: Clock, journal: Journal, refusals: Refusals, mqtt: MqttLink) -> None:
        self._clock = clock
        self._journal = journal
        self._refusals = refusals
        self._mqtt = mqtt
        self._health = Health()
        self._due_ms = clock.mono_ms() + EVERY_MS

    def follow(self) -> None:
        """Write the event, if a minute has passed."""
        now = self._clock.mono_ms()
        if now < self._due_ms:
            return
        self._due_ms = now + EVERY_MS
        self._journal.add(
            EventKind.AGENT_HEALTH,
            {
                **self._health.measure(),
                "outbox_depth": self._journal.outbox.depth,
                "dropped": self._journal.outbox.dropped,
                "refused": dict(self._refusals.counts),
                "connected": self._mqtt.connected,
            },
        )
