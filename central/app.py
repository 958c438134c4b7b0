"""Central put together: every part made once, given what it needs, started in order and ended in order.

Nothing is decided here.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

from central.agents.bundles import BundleError, bundles
from central.agents.commands import CommandService
from central.agents.wire import Wire
from central.api.application import create_application
from central.api.services import Health, Services
from central.declarations.closure import ClosureTracker
from central.declarations.own_sets import OwnSets
from central.declarations.service import DeclarationService
from central.district.directory import load_directory
from central.district.inventory import Inventory
from central.events.history import History
from central.events.influx import InfluxFeed
from central.events.ingest import CommittedEvent, Ingest
from central.events.refusal_log import RefusalLog
from central.fleet.fleet import Fleet
from central.fleet.presence import record_presence
from central.live.hub import LiveHub
from central.live.views import Views
from central.people import audit
from central.people.accounts import Accounts
from central.records.engine import open_records
from central.settings import Settings, SettingsError
from ground.clock import Clock, SystemClock
from protocol.messages import EventAck
from protocol.signing import SigningKey

log = logging.getLogger(__name__)

SWEEP_S = 1.0
LAST_REQUESTS_S = 2
"""How long requests under way may still take when central ends."""


class Central:
    """The whole service. Make it with :func:`build`, run it once."""

    def __init__(
        self,
        settings: Settings,
        inventory: Inventory,
        key: SigningKey,
        *,
        clock: Clock | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self._settings = settings
        self.engine = open_records(settings.records_url)
        self._bundles = bundles(self.engine, inventory, key, self.clock.utc_ms())
        self.refusals = RefusalLog(self.clock)
        self.fleet = Fleet(inventory.members(), self.clock)
        self.closure = ClosureTracker(self.fleet)
        self.ingest = Ingest(
            self.engine, acknowledge=self._acknowledge, on_committed=self._committed, refusals=self.refusals
        )
        record_presence(self.fleet, self.ingest)
        self.declarations = DeclarationService(
            self.engine,
            key,
            inventory,
            closure=self.closure,
            own_sets=OwnSets(agent.key for agent in inventory.agents.values()),
            clock=self.clock,
            publish=self._publish,
            refusals=self.refusals,
        )
        self.wire = Wire(
            settings.broker,
            self.fleet,
            self.ingest,
            self.clock,
            on_agent_declarations=lambda site, agent, topic, jws, _: self.declarations.receive(
                site, agent, topic, jws
            ),
            retained_documents=self._documents,
            refusals=self.refusals,
        )
        self._views = Views(
            inventory, self.fleet, self.closure, {name: bundle.version for name, bundle in self._bundles.items()}
        )
        self._audit = audit.AuditLog(self.engine)
        self._hub = LiveHub(
            self._views,
            self.closure,
            self.clock,
            active=lambda: self.declarations.active,
            broker_connected=lambda: self.wire.connected,
            sites=inventory.sites,
        )
        self.fleet.listen(self._hub.on_changes)
        self.declarations.listen(self._hub.on_declaration)
        self.accounts = Accounts(self.engine, self.clock, hasher)
        influx = settings.influx
        self._influx: InfluxFeed | None = None
        if influx is not None:
            self._influx = InfluxFeed(
                self.engine, url=influx.url, token=influx.token, org=influx.org, bucket=influx.bucket
            )
        commands = CommandService(self.engine, key, inventory, clock=self.clock, publish=self.wire.publish_command)
        self.application: FastAPI = create_application(
            Services(
                clock=self.clock,
                inventory=inventory,
                fleet=self.fleet,
                views=self._views,
                declarations=self.declarations,
                commands=commands,
                accounts=self.accounts,
                audit=self._audit,
                history=History(self.engine),
                hub=self._hub,
                health=self.health,
            )
        )
        self.ready = asyncio.Event()
        self._socket = _listening(settings.http_host, settings.http_port)
        self._server = _Server(
            uvicorn.Config(
                self.application,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ssl_certfile=settings.tls_cert,
                ssl_keyfile=settings.tls_key,
                timeout_graceful_shutdown=LAST_REQUESTS_S,
            ),
            self.ready,
        )

    @property
    def address(self) -> str:
        """Where the console and the API are."""
        host, port = self._socket.getsockname()[:2]
        scheme = "https" if self._settings.tls_cert is not None else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    async def run(self) -> None:
        """Serve until :meth:`stop`, or until a part fails; then end in order. ``ready`` is set once it answers."""
        try:
            self.declarations.load()
            self.ingest.start()
            if self._influx is not None:
                self._influx.start()
            async with asyncio.TaskGroup() as group:
                others = [group.create_task(part) for part in (self.wire.run(), self._hub.run(), self._sweep())]
                await self._server.serve(sockets=[self._socket])
                await self.declarations.settle()
                for other in others:
                    other.cancel()
        finally:
            await asyncio.to_thread(self._close)

    def stop(self) -> None:
        """End, once the requests under way are answered."""
        self._hub.close_all()
        self._server.should_exit = True

    def health(self) -> Health:
        """How it is, and what stands in the way: anyone may read it, so in few words; the log says more."""
        ingest = self.ingest.health()
        influx = self._influx.health() if self._influx is not None else None
        problems = []
        if not self.wire.connected:
            problems.append("no connection to the broker")
        if ingest.failing is not None:
            problems.append("events cannot be committed")
        if self.declarations.failing:
            problems.append(f"what these agents declare cannot be committed: {', '.join(self.declarations.failing)}")
        if influx is not None and influx.failing is not None:
            problems.append("the time-series server takes no points")
        return Health(self.wire.connected, ingest.committed, self.refusals.by_reason(), tuple(problems))

    # --- inside ----------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        while True:
            now_ms = self.clock.mono_ms()
            self.fleet.sweep(now_ms)
            self.closure.sweep(now_ms)
            await asyncio.sleep(SWEEP_S)

    def _acknowledge(self, site: str, agent: str, ack: EventAck) -> None:
        self.wire.acknowledge(site, agent, ack)

    def _committed(self, events: list[CommittedEvent]) -> None:
        self._hub.on_committed(events)
        if self._influx is not None:
            self._influx.wake()

    async def _publish(self, topic: str, jws: bytes) -> bool:
        return await self.wire.publish_document(topic, jws)

    def _documents(self) -> Iterator[tuple[str, bytes]]:
        yield from self.declarations.documents()
        for bundle in self._bundles.values():
            yield from bundle.documents()

    def _close(self) -> None:
        self._socket.close()
        self.ingest.close()
        if self._influx is not None:
            self._influx.close()
        self.engine.dispose()


def build(settings: Settings) -> Central:
    """Central from its settings. Raises SettingsError, DirectoryError or RecordsError, which say what to do."""
    inventory = load_directory(settings.district)
    try:
        key = SigningKey.load(settings.key_file)
    except FileNotFoundError:
        raise SettingsError(
            f"no district key at {settings.key_file}; make one: doorward central keygen --data {settings.data}"
        ) from None
    except ValueError as error:
        raise SettingsError(str(error)) from None
    try:
        return Central(settings, inventory, key)
    except BundleError as error:
        raise SettingsError(f"{settings.district}: {error}") from None


class _Server(uvicorn.Server):
    """Says when it answers, and leaves the process's signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config, ready: asyncio.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See uvicorn."""
        yield


def _listening(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once: asyncio leaves that out where the protocol is not named, and
    each answer then waits 40 ms for the other side's acknowledgement.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --http") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise SettingsError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --http") from None
    return listening
