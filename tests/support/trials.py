"""Trials of configurations in tests: an agent that stays well, or dies, and what it tells of it."""

import pytest

from edge_agent.agent import Agent
from edge_agent.bundle.trial import HEALTHY_AFTER_MS
from edge_agent.events.outbox import NewEvent
from edge_agent.host.clock import PiClock
from protocol.words import EventKind
from tests.support.agents import Pi


class HurriedClock(PiClock):
    """A monotonic clock that a test may put ahead."""

    ahead_ms = 0

    def mono_ms(self) -> int:
        return super().mono_ms() + self.ahead_ms


def stay_well(agent: Agent, ms: int = HEALTHY_AFTER_MS + 1_000) -> None:
    """Let an agent be well for so long."""
    clock = agent.configuration._clock = HurriedClock(require_sync=False)
    for _ in range(0, ms, 500):
        clock.ahead_ms += 500
        agent.configuration.beat()


def told(noted: list[NewEvent], kind: EventKind) -> list[dict[str, object]]:
    return [dict(event.data) for event in noted if event.kind == kind]


async def die(pi: Pi) -> None:
    """Start the agent and see it die."""
    with pytest.raises(RuntimeError, match="fatal"):
        async with pi.running():
            pass
