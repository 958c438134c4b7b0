"""Builds central: makes every part once with its needs, starts them in order and ends them in order.

It decides nothing.
"""

import asyncio
from functools import partial

from argon2 import PasswordHasher

from central.agents.bundles import BundleError, bundles
from central.agents.commands import CommandService
from central.agents.wire import Wire
from central.api.application import create_application
from central.api.http_server import HttpServer
from central.api.services import Services
from central.declarations.closure import ClosureTracker, sweep
from central.declarations.own_sets import OwnSets
from central.declarations.service import DeclarationService
from central.district.directory import load_directory
from central.district.inventory import Inventory
from central.events.history import History
from central.events.influx import InfluxFeed
from central.events.ingest import Ingest
from central.events.refusal_log import RefusalLog
from central.fleet.fleet import Fleet
from central.fleet.presence import record_presence
from central.live.health import central_health
from central.live.hub import LiveHub
from central.live.views import Views
from central.people.accounts import Accounts
from central.people.audit import AuditLog
from central.records.engine import open_records
from central.settings import Settings, SettingsError
from ground.clock import Clock, SystemClock
from protocol.signing import SigningKey


class Central:
    """The whole service. Make it with :func:`build` and run it once."""

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
        self.engine = open_records(settings.records_url)
        published = bundles(self.engine, inventory, key, self.clock.utc_ms())
        self.refusals = RefusalLog(self.clock)
        self.fleet = Fleet(inventory.members(), self.clock)
        self.closure = ClosureTracker(self.fleet)
        self.ingest = Ingest(self.engine, refusals=self.refusals)
        self.wire = Wire(settings.broker, self.fleet, self.ingest, self.clock, refusals=self.refusals)
        self.declarations = DeclarationService(
            self.engine,
            key,
            inventory,
            closure=self.closure,
            own_sets=OwnSets(agent.key for agent in inventory.agents.values()),
            clock=self.clock,
            publish=self.wire.publish_document,
            refusals=self.refusals,
        )
        self._views = Views(
            inventory, self.fleet, self.closure, {name: bundle.version for name, bundle in published.items()}
        )
        self._audit = AuditLog(self.engine)
        self._hub = LiveHub(
            self._views,
            self.closure,
            self.clock,
            declarations=self.declarations,
            wire=self.wire,
            sites=inventory.sites,
        )
        influx = settings.influx
        self._influx = (
            InfluxFeed(self.engine, url=influx.url, token=influx.token, org=influx.org, bucket=influx.bucket)
            if influx is not None
            else None
        )
        self._listen()
        for bundle in published.values():
            self.wire.remember(bundle.documents)
        self.accounts = Accounts(self.engine, self.clock, hasher)
        self.health = partial(central_health, self.wire, self.ingest, self.declarations, self._influx, self.refusals)
        self.application = create_application(
            Services(
                clock=self.clock,
                inventory=inventory,
                fleet=self.fleet,
                views=self._views,
                declarations=self.declarations,
                commands=CommandService(
                    self.engine, key, inventory, clock=self.clock, publish=self.wire.publish_command
                ),
                accounts=self.accounts,
                audit=self._audit,
                history=History(self.engine),
                hub=self._hub,
                health=self.health,
            )
        )
        self._server = HttpServer(self.application, settings)

    def _listen(self) -> None:
        """Connect the parts. The listeners of an event are called in this order."""
        record_presence(self.fleet, self.ingest)
        self.fleet.listen(self._hub.on_changes)
        self.wire.listen(self.declarations.receive)
        self.wire.remember(self.declarations.documents)
        self.declarations.listen(self._hub.on_declaration)
        self.ingest.listen(self.wire.acknowledge)
        self.ingest.listen(self._hub.on_commit)
        if self._influx is not None:
            self.ingest.listen(self._influx.on_commit)

    @property
    def address(self) -> str:
        """The URL of the console and the API."""
        return self._server.address

    @property
    def ready(self) -> asyncio.Event:
        """Set once central answers requests."""
        return self._server.ready

    async def run(self) -> None:
        """Serve until :meth:`stop`, or until a part fails; then end in order."""
        try:
            self.declarations.load()
            self.ingest.start()
            if self._influx is not None:
                self._influx.start()
            async with asyncio.TaskGroup() as group:
                parts = (self.wire.run(), self._hub.run(), sweep(self.fleet, self.closure, self.clock))
                others = [group.create_task(part) for part in parts]
                await self._server.serve(sockets=[self._server.socket])
                await self.declarations.settle()
                for other in others:
                    other.cancel()
        finally:
            await asyncio.to_thread(self._close)

    def stop(self) -> None:
        """End, once the requests under way are answered."""
        self._hub.close_all()
        self._server.should_exit = True

    def _close(self) -> None:
        self._server.socket.close()
        self.ingest.close()
        if self._influx is not None:
            self._influx.close()
        self.engine.dispose()


def build(settings: Settings) -> Central:
    """Build central from its settings. Raises SettingsError, ConfigError or RecordsError, each with a cure."""
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
