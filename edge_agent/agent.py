"""The agent: makes its parts, connects them, and starts them in the order that keeps its promises.

Doors first: they follow the declarations on the disk before the agent uses a reader or the network.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from typing import Any

from drivers.timed_outputs import TimedOutputs
from drivers.wiegand.edges import EdgeSource
from edge_agent.access.desk import AccessDesk, ReaderPlace
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.alarms.desk import AlarmDesk
from edge_agent.bundle.bundle import Configuration, ConfigurationChanged
from edge_agent.declarations.held import Declarations, keyring
from edge_agent.doors.doors import Doors
from edge_agent.doors.happenings import DoorsChanged
from edge_agent.doors.hardware import Hardware
from edge_agent.doors.pulse import Beat, Pulse, Settled
from edge_agent.events.journal import Journal
from edge_agent.events.outbox import Outbox
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import AgentClock, PiClock
from edge_agent.host.watchdog import Watchdog
from edge_agent.link.commands import Commands
from edge_agent.link.event_sender import EventSender
from edge_agent.link.health_report import HealthReport
from edge_agent.link.inbox import Inbox
from edge_agent.link.link import AgentLink
from edge_agent.link.snapshots import Snapshots
from edge_agent.readers.readers import Readers
from edge_agent.storage.credential_store import CredentialStore
from edge_agent.storage.disk_watch import Disk, DiskChanged
from edge_agent.storage.presence import Presence
from edge_agent.storage.state_db import Store
from ground.loop_poster import poster
from ground.version import VERSION
from protocol.signing import Keyring
from protocol.words import Alarm, EventKind, KeyRole

log = logging.getLogger(__name__)


class Agent:
    """One agent, run once. Opens its files when made, and works with what it can read of them where the disk refuses;
    raises DatabaseTooNew if a newer program has written them.

    ``pin_factory`` is gpiozero's: LGPIOFactory on a Pi, MockFactory in a simulator. ``clock`` must be monotonic in
    step with ``time.monotonic``, which the drivers use. For a simulator's serial lines see
    ``AgentFile.with_devices``. ``edges`` are those of Wiegand readers: None for the kernel's, a
    simulator's ``PinEdges`` of its pin factory. The agent reports every beat to ``watchdog``.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        clock: AgentClock | None = None,
        rng: random.Random | None = None,
        edges: EdgeSource | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.config = config
        self.session = uuid.uuid4().hex
        self.ready = asyncio.Event()
        """Set once every door follows what the disk says, before readers and network."""
        self.clock = clock or PiClock(require_sync=config.require_sync, kept_in=config.data, rtc=config.rtc)
        self._pin_factory = pin_factory
        self._watchdog = watchdog or Watchdog(None)
        self._hardware: Hardware | None = None
        self._timer: TimedOutputs | None = None
        self._open_files()
        self._make_doors()
        self._make_readers(edges)
        self._make_link(rng or random.Random())  # noqa: S311 - jitter, not a secret
        self._connect()

    async def run(self) -> None:
        """Hold the doors until cancelled. At the end it locks the doors; their outputs stay driven."""
        tasks: list[asyncio.Task[None]] = []
        try:
            timer = self._hold_doors()
            self.readers.start(timer)
            self.desk.show_modes()
            self._pulse.start()
            watching = self.disk.run(self.store.try_again, self.journal.try_disk, self.credentials.try_again)
            tasks += [asyncio.create_task(one) for one in (self.credentials.look_through(), watching)]
            await self.link.run()
        except asyncio.CancelledError:
            self.configuration.stopped_well()
            raise
        finally:
            self._pulse.stop()
            self.readers.stop()
            self.doors.stop()
            self.configuration.stop()
            for task in tasks:
                task.cancel()
            self.credentials.close()
            await self.journal.close()
            self.store.close()
            self.presence.close()

    def close(self) -> None:
        """Give up the pins, after :meth:`run` has ended. Fail-safe locks release then; a Pi's process just ends."""
        if self._hardware is not None:
            self._hardware.close()
            self._hardware = None
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    # --- the parts, each made of those before it ----------------------------------------------------------------

    def _open_files(self) -> None:
        data = self.config.data
        self.disk = Disk()
        self.store = Store(data / "state.db", self.disk)
        self.presence = Presence(data / "presence.db", self.disk)
        self.journal = Journal(Outbox(data / "outbox.db", self.disk), self.clock)
        self.credentials = CredentialStore(data / "credentials.db", self.disk)
        self.refusals = Refusals(self.clock, self.journal)

    def _make_doors(self) -> None:
        config, clock, journal = self.config, self.clock, self.journal
        self.alarms = AlarmDesk(journal, now_ms=clock.mono_ms)
        self.doors = Doors(
            config, clock=clock, journal=journal, alarms=self.alarms, first_came=self.presence.first_person
        )
        self.configuration = Configuration(
            config.site,
            config.agent,
            anchor=Keyring(config.trust),
            wired=frozenset(door.door for door in config.doors),
            store=self.store,
            credentials=self.credentials,
            clock=clock,
            journal=journal,
            refusals=self.refusals,
        )
        self.declarations = Declarations(
            site=config.site,
            agent=config.agent,
            key=config.signing_key,
            store=self.store,
            clock=clock,
            journal=journal,
            refusals=self.refusals,
        )

    def _make_readers(self, edges: EdgeSource | None) -> None:
        config, doors, journal = self.config, self.doors, self.journal
        self.readers = Readers(config, doors=doors, journal=journal, pin_factory=self._pin_factory, edges=edges)
        self.desk = AccessDesk(
            doors=doors,
            display=self.readers,
            places={one.reader: ReaderPlace(one.door, one.passage) for one in config.readers},
            key=config.credential_key,
            presence=self.presence,
            clock=self.clock,
            journal=journal,
        )
        self._pulse = Pulse(doors, self.clock, self.desk)

    def _make_link(self, rng: random.Random) -> None:
        config, clock, journal = self.config, self.clock, self.journal
        sender = EventSender(journal)
        commands = Commands(
            doors=self.doors,
            desk=self.desk,
            readers=self.readers,
            store=self.store,
            clock=clock,
            journal=journal,
            refusals=self.refusals,
        )
        self.inbox = Inbox(
            config.site,
            config.agent,
            declarations=self.declarations,
            configuration=self.configuration,
            commands=commands,
            sender=sender,
            refusals=self.refusals,
        )
        self.snapshots = Snapshots(
            self.session,
            clock=clock,
            doors=self.doors,
            alarms=self.alarms,
            declarations=self.declarations,
            configuration=self.configuration,
            disk=self.disk,
            outbox=journal.outbox,
        )
        self.link = AgentLink(
            config.site,
            config.agent,
            config.broker,
            session=self.session,
            versions={"agent": VERSION},
            inbox=self.inbox,
            sender=sender,
            snapshots=self.snapshots,
            declarations=self.declarations,
            pages=self.configuration.pages,
            rng=rng,
        )
        self.health = HealthReport(clock, journal, self.refusals, self.link.mqtt)

    def _connect(self) -> None:
        """Register the listeners. The doors follow a declaration before the link publishes it."""
        self.readers.listen(self.desk.hear_reader)
        self.doors.listen(self.desk.hear)
        self.doors.when(DoorsChanged, self.link.state_changed)
        self.doors.when(DoorsChanged, self._pulse.settle_soon)
        self.disk.listen(self._disk_changed)
        self.configuration.listen(self._configured)
        self.configuration.pages.listen(lambda _: self.link.pages_wanted())
        self.declarations.listen(lambda held: self.doors.set_declarations(held.sets))
        self.declarations.listen(self.link.hear_declarations)
        self._pulse.when(Settled, self.desk.show_modes)
        for follow in (
            self._watchdog.beat,
            self.configuration.watch_pages,
            self.configuration.beat,
            self.health.follow,
        ):
            self._pulse.when(Beat, follow)

    # --- the start --------------------------------------------------------------------------------------------

    def _hold_doors(self) -> TimedOutputs:
        """Load the files and drive the locks. No await in here: nothing else runs before the doors are held."""
        former = self.configuration.kept_keys()
        self.configuration.load()
        self.declarations.load(self._keys(), former)
        timer = self._timer = TimedOutputs()
        self._hardware = Hardware(
            self.config,
            pin_factory=self._pin_factory,
            timer=timer,
            post=poster(asyncio.get_running_loop()),
            listener=self.doors,
            panic=self.declarations.declare_panic,
        )
        self.doors.start(self._hardware, self.configuration.rules, self.declarations.book)
        self.desk.start()
        if self._hardware.panic():
            self.declarations.declare_panic()
        held = len(self.doors.held)
        log.info("doors held: %d, declarations %s", held, self.declarations.book.applied)
        self.journal.add(
            EventKind.AGENT_STARTED,
            {
                "session": self.session,
                "versions": {"agent": VERSION},
                "doors": held,
                "applied": self.declarations.book.applied,
            },
        )
        self.disk.check()
        self.ready.set()
        self._watchdog.ready(f"{held} doors held")
        return timer

    def _configured(self, change: ConfigurationChanged) -> None:
        self.doors.set_rules(change.rules)
        self.declarations.trust(self._keys())

    def _disk_changed(self, change: DiskChanged) -> None:
        self.journal.alarm(Alarm.STORAGE_FAILED, {"files": list(change.files)}, raised=bool(change.files))
        self.link.state_changed()

    def _keys(self) -> Keyring:
        own = self.config.signing_key.trusted(KeyRole.AGENT, site=self.config.site, agent=self.config.agent)
        return keyring(self.config.trust, self.configuration.trusted_keys, own)
