"""Makes snapshots of an agent: its doors, declarations, alarms and outbox at this moment."""

from __future__ import annotations

from edge_agent.alarms.desk import AlarmDesk
from edge_agent.bundle.bundle import Configuration
from edge_agent.declarations.held import Declarations
from edge_agent.doors.doors import Doors
from edge_agent.events.outbox import Outbox
from edge_agent.host.clock import AgentClock, stamp
from edge_agent.storage.disk_watch import Disk
from protocol.messages import StateSnapshot


class Snapshots:
    """Numbers the snapshots of one session from 1."""

    def __init__(
        self,
        session: str,
        *,
        clock: AgentClock,
        doors: Doors,
        alarms: AlarmDesk,
        declarations: Declarations,
        configuration: Configuration,
        disk: Disk,
        outbox: Outbox,
    ) -> None:
        self.made = 0
        self._session = session
        self._clock = clock
        self._doors = doors
        self._alarms = alarms
        self._declarations = declarations
        self._configuration = configuration
        self._disk = disk
        self._outbox = outbox

    def make(self) -> StateSnapshot:
        self.made += 1
        return StateSnapshot(
            session=self._session,
            seq=self.made,
            at=stamp(self._clock),
            applied=self._declarations.book.applied,
            doors=self._doors.reports(),
            config_version=self._configuration.rules.version,
            fire=self._doors.fire,
            alarms=(*sorted(self._alarms.alarms(None)), *self._configuration.alarms, *self._disk.alarms),
            outbox=self._outbox.state(),
        )
