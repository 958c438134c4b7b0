"""The agent: puts its parts together, and brings them up in the order that keeps its promises.

Doors first: what was declared is on the disk, and is applied before a reader or the network is spoken to.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from typing import Any

from drivers.readers import Show
from drivers.timed_outputs import TimedOutputs
from drivers.wiegand.edges import EdgeSource
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.bundle.bundle import Configuration
from edge_agent.declarations.held import Declarations, keyring
from edge_agent.doors.controller import Controller
from edge_agent.doors.hardware import Hardware
from edge_agent.doors.pulse import Pulse
from edge_agent.events.journal import Journal
from edge_agent.events.outbox import Outbox
from edge_agent.events.refusals import Refusals
from edge_agent.host.clock import Clock, SystemClock, stamp
from edge_agent.host.health import Health
from edge_agent.host.watchdog import Watchdog
from edge_agent.link.commands import Commands
from edge_agent.link.inbox import Inbox
from edge_agent.link.link import AgentLink
from edge_agent.readers.readers import Readers
from edge_agent.storage.credential_store import CredentialStore
from edge_agent.storage.disk_watch import Storage
from edge_agent.storage.presence import Presence
from edge_agent.storage.state_db import Store
from ground.loop_poster import poster
from ground.version import VERSION
from protocol.messages import EventAck, StateSnapshot
from protocol.signing import Keyring
from protocol.words import EventKind, KeyRole

log = logging.getLogger(__name__)

HEALTH_EVERY_MS = 60_000


class Agent:
    """One agent, run once. Opens its files when made, and makes do with what can be read of them where the disk
    refuses; raises DatabaseTooNew if a newer program has written them.

    ``pin_factory`` is gpiozero's: LGPIOFactory on a Pi, MockFactory in a simulator. ``clock`` must be monotonic in
    step with ``time.monotonic``, which the drivers use. For a simulator's serial lines and broker see
    ``AgentFile.with_devices`` and ``with_broker``. ``edges`` are those of Wiegand readers: None for the kernel's, a
    simulator's ``PinEdges`` of its pin factory. ``watchdog`` is told that the doors are held, and of every beat.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        pin_factory: Any,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        edges: EdgeSource | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.config = config
        self.session = uuid.uuid4().hex
        self.ready = asyncio.Event()
        """Set once every door is held to what the disk says, before readers and network."""
        self.clock = clock or SystemClock(require_sync=config.require_sync, kept_in=config.data, rtc=config.rtc)
        self._pin_factory = pin_factory
        self._watchdog = watchdog or Watchdog(None)
        self._hardware: Hardware | None = None
        self._timer: TimedOutputs | None = None
        self._turn_pending = False
        self._tasks: list[asyncio.Task[None]] = []
        self._snapshots = 0
        self._own_key = config.signing_key.trusted(KeyRole.AGENT, site=config.site, agent=config.agent)
        self._keys = keyring(config.trust, (), self._own_key)
        self.store = Store(config.data / "state.db")
        self.presence = Presence(config.data / "presence.db")
        self.journal = Journal(Outbox(config.data / "outbox.db"), self.clock, on_written=self._events_written)
        self.refusals = Refusals(self.clock, self.journal)
        self.controller = Controller(
            config,
            clock=self.clock,
            journal=self.journal,
            presence=self.presence,
            on_change=self._changed,
            on_show=self._show,
            on_panic=self._panic,
        )
        self.credentials = CredentialStore(config.data / "credentials.db", on_lost=self._credentials_lost)
        self.configuration = Configuration(
            config.site,
            config.agent,
            anchor=Keyring(config.trust),
            wired=frozenset(door.door for door in config.doors),
            store=self.store,
            credentials=self.credentials,
            clock=self.clock,
            journal=self.journal,
            refusals=self.refusals,
            on_change=self._configured,
            on_pages_wanted=self._pages_wanted,
        )
        self.declarations = Declarations(
            site=config.site,
            agent=config.agent,
            key=config.signing_key,
            store=self.store,
            clock=self.clock,
            journal=self.journal,
            refusals=self.refusals,
            on_change=self.controller.set_declarations,
            on_own_set=self._own_set_signed,
        )
        self.storage = Storage(
            store=self.store,
            credentials=self.credentials,
            journal=self.journal,
            declarations=self.declarations,
            configuration=self.configuration,
            on_change=self._changed,
        )
        self.readers = Readers(
            config, controller=self.controller, journal=self.journal, pin_factory=pin_factory, edges=edges
        )
        self.inbox = self._make_inbox()
        self.link = AgentLink(
            config.site,
            config.agent,
            config.broker,
            session=self.session,
            versions={"agent": VERSION},
            journal=self.journal,
            on_message=self.inbox.receive,
            snapshot=self.snapshot,
            own_set=lambda: self.declarations.own_signed,
            pages=lambda: self.configuration.pages,
            rng=rng or random.Random(),  # noqa: S311 - jitter, not a secret
        )
        self._pulse = Pulse(self.controller, self.clock, on_beat=self._beat)
        self._health = Health()
        self._health_due_ms = self.clock.mono_ms() + HEALTH_EVERY_MS

    @property
    def snapshots(self) -> int:
        """How many snapshots this session has made."""
        return self._snapshots

    async def run(self) -> None:
        """Hold the doors until cancelled. On the way out the doors are locked, and their outputs stay driven."""
        try:
            timer = self._hold_doors()
            self.readers.start(timer)
            self._pulse.start()
            self._tasks = [asyncio.create_task(one) for one in (self.credentials.look_through(), self.storage.run())]
            await self.link.run()
        except asyncio.CancelledError:
            self.configuration.stopped_well()
            raise
        finally:
            self._pulse.stop()
            self.readers.stop()
            self.controller.stop()
            self.configuration.stop()
            for task in self._tasks:
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

    def snapshot(self) -> StateSnapshot:
        """What may be said of the doors at this moment."""
        self._snapshots += 1
        return StateSnapshot(
            session=self.session,
            seq=self._snapshots,
            at=stamp(self.clock),
            applied=self.declarations.book.applied,
            doors=self.controller.reports(),
            config_version=self.configuration.rules.version,
            fire=self.controller.fire,
            alarms=(*self.controller.alarms(), *self.configuration.alarms, *self.storage.alarms),
            outbox=self.journal.outbox.state(),
        )

    # --- coming up --------------------------------------------------------------------------------------------

    def _hold_doors(self) -> TimedOutputs:
        """From the disk to the locks. No await in here: nothing else runs before the doors are held."""
        former = self.configuration.kept_keys()
        self.configuration.load()
        self._keys = self._make_keys()
        self.declarations.load(self._keys, former)
        timer = self._timer = TimedOutputs()
        self._hardware = Hardware(
            self.config,
            pin_factory=self._pin_factory,
            timer=timer,
            post=poster(asyncio.get_running_loop()),
            listener=self.controller,
        )
        self.controller.start(self._hardware, self.configuration.rules, self.declarations.book)
        if self._hardware.panic():
            self.declarations.declare_panic()
        held = len(self.controller.doors)
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
        self.storage.look()
        self.ready.set()
        self._watchdog.ready(f"{held} doors held")
        return timer

    def _make_inbox(self) -> Inbox:
        commands = Commands(
            controller=self.controller,
            readers=self.readers,
            store=self.store,
            clock=self.clock,
            journal=self.journal,
            refusals=self.refusals,
        )
        return Inbox(
            self.config.site,
            self.config.agent,
            declarations=self.declarations,
            configuration=self.configuration,
            commands=commands,
            keys=lambda: self._keys,
            on_ack=self._acknowledged,
            refusals=self.refusals,
        )

    def _make_keys(self) -> Keyring:
        return keyring(self.config.trust, self.configuration.trusted_keys, self._own_key)

    # --- what the parts tell each other -----------------------------------------------------------------------

    def _configured(self) -> None:
        """Another bundle is on the disk."""
        self._keys = self._make_keys()
        self.controller.set_rules(self.configuration.rules)
        self.declarations.trust(self._keys)

    def _changed(self) -> None:
        """A snapshot would look different: one goes out, once this turn of the loop is over."""
        self.link.state_changed()
        if not self._turn_pending:
            self._turn_pending = True
            asyncio.get_running_loop().call_soon(self._turn_over)

    def _turn_over(self) -> None:
        self._turn_pending = False
        if self.ready.is_set():
            self.readers.show_modes()
            self._pulse.rearm()

    def _show(self, reader: str, what: Show) -> None:
        self.readers.show(reader, what)

    def _panic(self) -> None:
        self.declarations.declare_panic()

    def _own_set_signed(self) -> None:
        self.link.own_set_changed()

    def _pages_wanted(self) -> None:
        self.link.pages_wanted()

    def _credentials_lost(self) -> None:
        self.configuration.fetch_missing()

    def _acknowledged(self, ack: EventAck) -> None:
        self.link.sender.acknowledged(ack)

    def _events_written(self) -> None:
        self.link.sender.wake()

    def _beat(self) -> None:
        self.controller.reports()  # an agent that cannot say what its doors are is not well
        self._watchdog.beat()
        self.configuration.watch_pages()
        if self.configuration.trial is not None:
            self.configuration.beat()
        now = self.clock.mono_ms()
        if now < self._health_due_ms:
            return
        self._health_due_ms = now + HEALTH_EVERY_MS
        self.journal.add(
            EventKind.AGENT_HEALTH,
            {
                **self._health.measure(),
                "outbox_depth": self.journal.outbox.depth,
                "dropped": self.journal.outbox.dropped,
                "refused": dict(self.refusals.counts),
                "connected": self.link.mqtt.connected,
            },
        )
