"""Writes an event each minute: the memory, processor use, outbox and refusals of the agent's program."""

from __future__ import annotations

import time

from edge_agent.events.journal import Journal
from edge_agent.events.refusals import Refusals
from edge_agent.host.health import resident_mib
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
        self._measured_ms = clock.mono_ms()
        self._cpu_s = time.process_time()

    def follow(self) -> None:
        """Write the event, if a minute has passed."""
        now = self._clock.mono_ms()
        passed_ms = now - self._measured_ms
        if passed_ms < EVERY_MS:
            return
        cpu_s = time.process_time()
        used = 100_000 * (cpu_s - self._cpu_s) / passed_ms  # percent of one core
        self._measured_ms, self._cpu_s = now, cpu_s
        self._journal.add(
            EventKind.AGENT_HEALTH,
            {
                "rss_mib": round(resident_mib(), 1),
                "cpu_percent": round(used, 1),
                "outbox_depth": self._journal.outbox.depth,
                "dropped": self._journal.outbox.dropped,
                "refused": dict(self._refusals.counts),
                "connected": self._mqtt.connected,
            },
        )
