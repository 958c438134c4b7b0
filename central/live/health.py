"""Reports central's own health, in few words: anyone may read them, and the log has the details."""

from dataclasses import dataclass

from central.agents.wire import Wire
from central.declarations.service import DeclarationService
from central.events.influx import InfluxFeed
from central.events.ingest import Ingest
from central.events.refusal_log import RefusalLog


@dataclass(frozen=True, slots=True)
class CentralHealth:
    """``problems`` are sentences for people; empty: none. The counts are since the start."""

    broker_connected: bool
    events_committed: int
    refused: dict[str, int]  # by reason
    problems: tuple[str, ...]


def central_health(
    wire: Wire, ingest: Ingest, declarations: DeclarationService, influx: InfluxFeed | None, refusals: RefusalLog
) -> CentralHealth:
    """Collect the problems of each part. Safe from any thread."""
    events, failing = ingest.health(), ", ".join(declarations.failing)
    problems = {
        "no connection to the broker": not wire.connected,
        "events cannot be committed": events.failing is not None,
        f"what these agents declare cannot be committed: {failing}": bool(failing),
        "the time-series server takes no points": influx is not None and influx.health().failing is not None,
    }
    present = tuple(sentence for sentence, there in problems.items() if there)
    return CentralHealth(wire.connected, events.committed, refusals.by_reason(), present)
