"""Builds central's state as dictionaries for the API and the live stream. Reads only; judges nothing.

The fleet decides whether a door may be shown secure, the closure whether it is proven under a declaration.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from central.declarations.closure import ClosureRow, ClosureTracker
from central.declarations.records import DeclarationRecord
from central.district.inventory import Inventory
from central.events.history import StoredEvent
from central.events.ingest import CommittedEvent
from central.fleet.fleet import Fleet
from central.fleet.state import LiveAgent, LiveDoor, Totals
from central.live.view_types import (
    AgentView,
    ClosureRowView,
    ClosureView,
    DeclarationView,
    DoorView,
    EvidenceView,
    ScopeView,
    SiteSummary,
    SiteView,
    TotalsView,
)
from protocol.words import Condition

NO_CLOSURE: ClosureView = {"doors": 0, "proven": 0, "pending": 0, "failed": 0, "slowest_ms": None}
_NO_EVIDENCE: EvidenceView = {"contact": None, "bolt": None, "bolt_fitted": False}


class Views:
    """Call it on the event loop. ``config_versions``: those published for each agent, by (site, agent)."""

    def __init__(
        self,
        inventory: Inventory,
        fleet: Fleet,
        closure: ClosureTracker,
        config_versions: Mapping[tuple[str, str], int],
    ) -> None:
        self._inventory = inventory
        self._fleet = fleet
        self._closure = closure
        self._config_versions = config_versions
        self._zones = {door: list(known.settings.zones) for door, known in inventory.doors.items()}

    # --- doors and agents ------------------------------------------------------------------------------------

    def door(self, live: LiveDoor) -> DoorView:
        settings = self._inventory.doors[live.site, live.door].settings
        state = live.state
        return {
            "site": live.site,
            "agent": live.agent.agent,
            "door": live.door,
            "name": settings.name,
            "zones": self._zones[live.site, live.door],
            "perimeter": settings.perimeter,
            "mode": live.mode,
            "condition": live.condition,
            "proven": live.condition is Condition.SECURE,
            "evidence": _evidence(live),
            "evidence_at_ms": self._evidence_at(live),
            "since_ms": live.since_ms,
            "released": state.released if state is not None else False,
            "declarations": list(state.declarations) if state is not None else [],
            "alarms": list(state.alarms) if state is not None else [],
            "maintenance": list(state.maintenance) if state is not None else [],
            "fire_released": state.fire_released if state is not None else False,
        }

    def agent(self, live: LiveAgent) -> AgentView:
        outbox = live.outbox
        return {
            "site": live.site,
            "agent": live.agent,
            "alive": live.alive,
            "heard_ms": self._fleet.utc_at(live.heard_ms) if live.heard_ms is not None else None,
            "session": live.session.name if live.session is not None else None,
            "versions": live.versions,
            "outbox": {"depth": outbox.depth, "capacity": outbox.capacity, "dropped": outbox.dropped}
            if outbox is not None
            else None,
            "config_version": live.config_version,
            "config_wanted": self._config_versions.get((live.site, live.agent)),
            "fire": live.fire,
            "alarms": list(live.alarms),
        }

    # --- sites and the district ------------------------------------------------------------------------------

    def site(self, site: str, server_ms: int) -> SiteView:
        """A site with all its doors; KeyError if there is no such site."""
        known = self._inventory.sites[site]
        agents = [self._fleet.agents[site, agent.agent] for agent in known.agents]
        return {
            "server_ms": server_ms,
            "site": site,
            "name": known.name,
            "timezone": known.timezone,
            "zones": list(known.zones),
            "agents": [self.agent(live) for live in agents],
            "doors": [self.door(door) for live in agents for door in live.doors.values()],
        }

    def summary(self, site: str, active: Iterable[DeclarationRecord]) -> SiteSummary:
        """A site on one line; KeyError if there is no such site."""
        totals = self._fleet.sites.get(site) or Totals()
        return {
            "site": site,
            "name": self._inventory.sites[site].name,
            "doors": totals.doors,
            "conditions": _counts(totals.conditions),
            "modes": _counts(totals.modes),
            "agents": totals.agents,
            "agents_alive": totals.agents_alive,
            "alarms": totals.alarms,
            "duress": totals.duress,
            "agent_alarms": self._agent_alarms(site),
            "fire": totals.fires > 0,
            "declarations": [record.id for record in active if record.scope.site in {None, site}],
        }

    def _agent_alarms(self, site: str) -> dict[str, list[str]]:
        agents = [self._fleet.agents[site, agent.agent] for agent in self._inventory.sites[site].agents]
        return {live.agent: list(live.alarms) for live in agents if live.alarms}

    def summaries(self, sites: Iterable[str], active: list[DeclarationRecord]) -> list[SiteSummary]:
        return [self.summary(site, active) for site in sites]

    def totals(self) -> TotalsView:
        totals = self._fleet.totals
        return {
            "doors": totals.doors,
            "proven": totals.proven,
            "conditions": _counts(totals.conditions),
            "agents": totals.agents,
            "agents_alive": totals.agents_alive,
        }

    # --- declarations ----------------------------------------------------------------------------------------

    def declaration(self, record: DeclarationRecord, last_closure: str | None = None) -> DeclarationView:
        """One declaration. ``last_closure``: as the audit log kept it, for one that has ended."""
        scope = record.scope
        scope_view: ScopeView = {
            "kind": scope.kind.value,
            "site": scope.site,
            "zone": scope.zone,
            "door": scope.door,
        }
        return {
            "id": record.id,
            "action": record.action,
            "scope": scope_view,
            "drill": record.drill,
            "reason": record.reason,
            "by": record.by,
            "at_ms": record.at_ms,
            "origin": record.origin.value,
            "state": record.state.value,
            "release_requested_by": record.release_requested_by,
            "release_requested_at_ms": record.release_requested_at_ms,
            "ended_by": record.ended_by,
            "ended_at_ms": record.ended_at_ms,
            "closure": self._closure_of(record.id, last_closure),
        }

    def rows(self, declaration_id: str, now_ms: int, doors: Iterable[LiveDoor] | None = None) -> list[ClosureRowView]:
        """The doors of an active declaration, or only ``doors``; none once it has ended."""
        if declaration_id not in self._closure:
            return []
        return [self._row(row) for row in self._closure.rows(declaration_id, now_ms, doors)]

    def _row(self, row: ClosureRow) -> ClosureRowView:
        live = row.door
        return {
            "site": live.site,
            "agent": live.agent.agent,
            "door": live.door,
            "name": self._inventory.doors[live.site, live.door].settings.name,
            "state": row.state.value,
            "why": row.why,
            "condition": live.condition,
            "evidence": _evidence(live),
            "evidence_at_ms": self._evidence_at(live),
            "proven_ms": row.proven_ms,
        }

    def _closure_of(self, declaration_id: str, last: str | None) -> ClosureView:
        if declaration_id not in self._closure:
            return cast("ClosureView", {**NO_CLOSURE, **(msgspec.json.decode(last) if last else {})})
        found = self._closure.summary(declaration_id)
        return {
            "doors": found.doors,
            "proven": found.proven,
            "pending": found.pending,
            "failed": found.failed,
            "slowest_ms": found.slowest_ms,
        }

    def _evidence_at(self, live: LiveDoor) -> int | None:
        return self._fleet.utc_at(live.proof_ms) if live.proof_ms is not None else None


def stored_event(event: StoredEvent) -> dict[str, Any]:
    """The EventView of an event from the records; its data stays the JSON text it was."""
    return {
        "id": event.id,
        "site": event.site,
        "agent": event.agent,
        "stream": event.stream,
        "seq": event.seq,
        "door": event.door,
        "kind": event.kind,
        "at_ms": event.at_ms,
        "clock_trusted": event.clock_trusted,
        "received_ms": event.received_ms,
        "data": msgspec.Raw(event.data.encode()),
    }


def committed_event(committed: CommittedEvent) -> dict[str, Any]:
    """The EventView of an event just committed."""
    event = committed.event
    return {
        "id": committed.id,
        "site": committed.site,
        "agent": committed.agent,
        "stream": committed.stream,
        "seq": event.seq,
        "door": event.door,
        "kind": event.kind,
        "at_ms": event.at.utc_ns // 1_000_000,
        "clock_trusted": event.at.clock_trusted,
        "received_ms": committed.received_ns // 1_000_000,
        "data": event.data,
    }


def _evidence(live: LiveDoor) -> EvidenceView:
    if live.state is None:
        return _NO_EVIDENCE
    evidence = live.state.evidence
    return {"contact": evidence.contact, "bolt": evidence.bolt, "bolt_fitted": evidence.bolt_fitted}


def _counts(counter: Mapping[Any, int]) -> dict[str, int]:
    return {str(word.value): count for word, count in counter.items() if count}
