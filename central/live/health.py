"""Reports central's own health, in few words: anyone may read them, and the log has the details."""

from dataclasses import dataclass

from central.agents.wire import Wire
from central.declarations.service import DeclarationService
from central.events.influx import InfluxFeed
from central.events.ingest import Ingest
from central.events.refusal_log import RefusalLog


@dataclass(frozen=True, slots=True)
class CentralHealth:
    """``problems`` are sentences for people; empty: none."""

    broker_connected: bool
    events_committed: int  # since the start
    refused: dict[str, int]  # by reason, since the start
    problems: tuple[str, ...]


class HealthCheck:
    """Collects the problems of each part. Call it from any thread."""

    def __init__(
        self,
        wire: Wire,
        ingest: Ingest,
        declarations: DeclarationService,
        influx: InfluxFeed | None,
        refusals: RefusalLog,
    ) -> None:
        self._wire = wire
        self._ingest = ingest
        self._declarations = declarations
        self._influx = influx
        self._refusals = refusals

    def __call__(self) -> CentralHealth:
        ingest = self._ingest.health()
        problems = []
        if not self._wire.connected:
            problems.append("no connection to the broker")
        if ingest.failing is not None:
            problems.append("events cannot be committed")
        if failing := self._declarations.failing:
            problems.append(f"what these agents declare cannot be committed: {', '.join(failing)}")
        if self._influx is not None and self._influx.health().failing is not None:
            problems.append("the time-series server takes no points")
        return CentralHealth(self._wire.connected, ingest.committed, self._refusals.by_reason(), tuple(problems))
