"""Gathers all that bears on one attempt to pass a door, for edge_agent.policy.decision to judge."""

from __future__ import annotations

from edge_agent.access.areas import Areas
from edge_agent.access.pairs import Pairs
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.doors.doors import Doors
from edge_agent.host.clock import AgentClock
from edge_agent.policy import first_person
from edge_agent.policy.decision import Attempt
from edge_agent.policy.identification import Shown
from edge_agent.storage.presence import Presence
from protocol.messages import Credential


class Attempts:
    """Of one agent. Reads what the doors, the clock and the records say at this moment, and changes nothing."""

    def __init__(self, *, doors: Doors, presence: Presence, clock: AgentClock, areas: Areas, pairs: Pairs) -> None:
        self._doors = doors
        self._presence = presence
        self._clock = clock
        self._areas = areas
        self._pairs = pairs

    def at(self, door: str, passage: Passage, credential: Credential | None, shown: Shown, read_ms: int) -> Attempt:
        """What was shown at one side of a door at ``read_ms`` (monotonic); ``credential`` None: unknown."""
        rules, now, utc_ns = self._doors.rules, self._clock.mono_ms(), self._clock.utc_ns()
        settings, trusted, newer = rules.settings(door), self._clock.trusted(), rules.no_looser_than
        came = trusted and first_person.came_today(self._presence.first_person(door), utc_ns, rules.timezone)
        waiting = self._pairs.waiting((door, passage))  # if a member, they come in with the person judged here
        return Attempt(
            credential=credential,
            door=self._areas.in_force(settings, passage),
            mode=self._doors.held[door].state.mode,
            calendar=rules.calendar(utc_ns, clock_trusted=trusted),
            rules=rules.access,
            shown=shown,
            passage=passage,
            read_age_ms=max(0, now - read_ms),
            now_ms=now,
            fire=self._doors.fire,
            position=None if credential is None else self._presence.position(credential.cardholder),
            first_person_came=came or (waiting is not None and waiting.member and now < waiting.until_ms),
            interlock_free=settings.interlock is None or self._doors.interlock_free(door),
            rolled_back=(newer.access, newer.calendar(utc_ns, clock_trusted=trusted))
            if newer and newer.version
            else None,
        )
