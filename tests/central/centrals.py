"""A whole central in this process, on a real broker, SQLite and HTTP; and agents that speak to it over the wire.

``Town(folder)`` is the district: its file, its keys, its records on the disk. ``async with town.central(broker)``
runs central on them, as often as a test likes.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import yaml
from argon2 import PasswordHasher

from central.app import Central
from central.district.directory import load_directory
from central.people.roles import Role
from central.settings import Settings
from ground.clock import SystemClock
from protocol import codec, topics
from protocol.messages import (
    AgentConfig,
    AgentStatus,
    Command,
    Declaration,
    DeclarationSet,
    DoorState,
    Event,
    EventBatch,
    Evidence,
    Scope,
    Stamp,
    StateSnapshot,
)
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, Subscription
from protocol.signing import Keyring, SigningKey
from protocol.topics import TopicKind
from protocol.words import Bolt, Condition, Contact, DoorMode, KeyRole, ScopeKind
from tests.support.brokers import RunningBroker
from tests.support.waiting import until

PASSWORD = "correct horse battery"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PEOPLE = {
    "olive": Role.OFFICER,
    "otto": Role.OFFICER,
    "rita": Role.RESPONDER,
    "felix": Role.FACILITIES,
    "ada": Role.ADMINISTRATOR,
}
DISTRICT_TOPIC = topics.district_declarations()
LINCOLN_TOPIC = topics.site_declarations("lincoln")


class MovableClock(SystemClock):
    """The machine's clock, set ahead by a test."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def mono_ms(self) -> int:
        return super().mono_ms() + self.ahead_ms

    def utc_ns(self) -> int:
        return super().utc_ns() + self.ahead_ms * 1_000_000


class Town:
    """Two schools: lincoln with agents east (front, gym) and west (back), oak with agent main (hall)."""

    DOORS: dict[tuple[str, str], list[str]] = {  # noqa: RUF012 - never changed
        ("lincoln", "east"): ["front", "gym"],
        ("lincoln", "west"): ["back"],
        ("oak", "main"): ["hall"],
    }

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = MovableClock()
        self.key = SigningKey.generate("district-1")
        self.agent_keys = {name: SigningKey.generate("-".join(name)) for name in self.DOORS}
        self.file = folder / "district.yaml"
        self.database_url: str | None = None  # else SQLite in the folder
        self.content: dict[str, Any] = self._content()
        self.write()

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.content, sort_keys=False))

    @property
    def keyring(self) -> Keyring:
        return Keyring([self.key.trusted(KeyRole.DISTRICT)])

    @contextlib.asynccontextmanager
    async def central(self, broker: RunningBroker) -> AsyncIterator["Running"]:
        """Central on this town's records, with everybody's account, answering."""
        settings = Settings(
            district=self.file,
            data=self.folder,
            broker=BrokerAddress(broker.host, broker.port),
            http_port=0,
            database_url=self.database_url,
        )
        central = Central(settings, load_directory(self.file), self.key, clock=self.clock, hasher=CHEAP)
        if not central.accounts.users():
            for name, role in PEOPLE.items():
                central.accounts.add_user(name, role, PASSWORD, "the test")
        task = asyncio.create_task(central.run())
        running = Running(self, central)
        try:
            await until(lambda: central.ready.is_set() or task.done(), "central")
            if task.done():
                task.result()
            async with asyncio.timeout(30):
                await central.wire.wait_connected()
            yield running
        finally:
            await running.close()
            central.stop()
            async with asyncio.timeout(20):
                await task

    def _content(self) -> dict[str, Any]:
        sites: dict[str, list[dict[str, Any]]] = {}
        for (site, agent), doors in self.DOORS.items():
            trusted = self.agent_keys[site, agent].trusted(KeyRole.AGENT)
            sites.setdefault(site, []).append(
                {
                    "agent": agent,
                    "key": {"kid": trusted.kid, "x": trusted.x},
                    "doors": [
                        {"door": door, "name": door.title(), "zones": [agent], "perimeter": door == "front"}
                        for door in doors
                    ],
                }
            )
        return {
            "district": {"name": "Riverside", "timezone": "America/Chicago"},
            "schedules": {"school-day": [{"days": [0, 1], "start": "07:30", "end": "08:30", "mode": "unlocked"}]},
            "sites": [
                {
                    "site": site,
                    "name": site.title(),
                    "agents": agents,
                    "rules": [{"group": "staff", "doors": ["*"]}] if site == "lincoln" else [],
                }
                for site, agents in sites.items()
            ],
            "credentials": [{"token": "a" * 64, "cardholder": "ch-0001", "groups": ["staff"]}],
        }


class Running:
    """A central that answers, and the people signed in to it."""

    def __init__(self, town: Town, central: Central) -> None:
        self.town = town
        self.central = central
        self._clients: dict[str, httpx.AsyncClient] = {}

    def anyone(self) -> httpx.AsyncClient:
        """A client nobody is signed in with."""
        return self._client("")

    async def as_(self, name: str) -> httpx.AsyncClient:
        """A client signed in as one of PEOPLE."""
        if name not in self._clients:
            client = self._client(name)
            body = {"username": name, "password": PASSWORD}
            answer = (await client.post("/api/session", json=body)).raise_for_status().json()
            client.cookies.clear()
            client.headers["Authorization"] = f"Bearer {answer['token']}"
        return self._clients[name]

    async def declare(
        self, name: str, *, drill: bool = False, action: str = "lockdown", **scope: str
    ) -> dict[str, Any]:
        """Somebody declares; over the district if no scope is given."""
        body = {"action": action, "scope": scope or {"kind": "district"}, "drill": drill, "reason": "a test"}
        answer = await (await self.as_(name)).post("/api/declarations", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def release(self, name: str, declaration: str) -> httpx.Response:
        return await (await self.as_(name)).post(f"/api/declarations/{declaration}/release")

    async def get(self, name: str, path: str, **query: Any) -> Any:
        return (await (await self.as_(name)).get(path, params=query)).raise_for_status().json()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    def _client(self, name: str) -> httpx.AsyncClient:
        if name not in self._clients:
            self._clients[name] = httpx.AsyncClient(base_url=self.central.address, trust_env=False, timeout=30)
        return self._clients[name]


class Stream:
    """The live stream as a console reads it: what came, in order."""

    def __init__(self) -> None:
        self.came: list[tuple[str, Any]] = []
        self.ended = False

    def of(self, kind: str) -> list[Any]:
        return [data for one, data in self.came if one == kind]

    def last(self, kind: str) -> dict[str, Any]:
        """The last of a kind that came; empty before the first."""
        return next((data for one, data in reversed(self.came) if one == kind), {})

    async def read(self, response: httpx.Response) -> None:
        kind = ""
        async for line in response.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                self.came.append((kind, json.loads(line.removeprefix("data: "))))
        self.ended = True


@contextlib.asynccontextmanager
async def listening(client: httpx.AsyncClient, **query: str) -> AsyncIterator[Stream]:
    """A live stream, greeted."""
    stream = Stream()
    async with client.stream("GET", "/api/live", params=query) as response:
        response.raise_for_status()
        assert response.headers["content-type"].startswith("text/event-stream")
        task = asyncio.create_task(stream.read(response))
        try:
            await until(lambda: stream.of("hello"), "the greeting")
            yield stream
        finally:
            task.cancel()
            await asyncio.wait([task])


class AgentVoice:
    """What an agent does on the wire, and no more: holds the sets it is sent, and says its doors are as asked."""

    def __init__(self, town: Town, broker: RunningBroker, site: str = "lincoln", agent: str = "east") -> None:
        self.town = town
        self.name = (site, agent)
        self.session = f"s-{time.monotonic_ns()}"
        self.sets: dict[str, DeclarationSet] = {}
        self.config: AgentConfig | None = None
        self.commands: list[Command] = []
        self.came: list[Incoming] = []
        self.openings: set[str] = set()
        self.alarms: tuple[str, ...] = ()  # of no door
        self.maintenance: tuple[str, ...] = ()  # at each of its doors
        self._seq = 0
        self._own_revision = 0
        self._link = MqttLink(
            BrokerAddress(broker.host, broker.port),
            f"test-{site}-{agent}-{self.session}",
            subscriptions=lambda: [Subscription(topic) for topic in self._topics()],
            on_message=self._take,
            on_connected=self._greet,
        )

    @contextlib.asynccontextmanager
    async def speaking(self) -> AsyncIterator["AgentVoice"]:
        task = asyncio.create_task(self._link.run())
        ticking = asyncio.create_task(self._keep_telling())
        try:
            async with asyncio.timeout(30):
                await self._link.wait_connected()
            yield self
        finally:
            for one in (task, ticking):
                one.cancel()
            await asyncio.wait([task, ticking])

    async def tell(self) -> None:
        """Say how all doors are."""
        self._seq += 1
        held = [one for document in self.sets.values() for one in document.declarations]
        ids = tuple(one.id for one in held if one.action == "lockdown")
        snapshot = StateSnapshot(
            session=self.session,
            seq=self._seq,
            at=stamp(),
            applied={topic: document.revision for topic, document in self.sets.items()},
            doors=tuple(self._door(door, ids) for door in self.town.DOORS[self.name]),
            alarms=self.alarms,
        )
        await self._publish(TopicKind.STATE, codec.encode(snapshot), qos=0)

    async def panic(self, *ids: str) -> bytes:
        """Declare by itself: a lockdown of the site for each id; none: its set is empty."""
        self._own_revision += 1
        topic = topics.of_agent(TopicKind.DECLARATIONS, *self.name)
        document = DeclarationSet(
            audience=topic,
            revision=self._own_revision,
            declarations=tuple(
                Declaration(
                    id=id_,
                    action="lockdown",
                    scope=Scope(kind=ScopeKind.SITE, site=self.name[0]),
                    by="/".join(self.name),
                    at_ms=time.time_ns() // 1_000_000,
                )
                for id_ in ids
            ),
        )
        self.sets[topic] = document
        jws = self.town.agent_keys[self.name].sign(document)
        await self._link.publish(topic, jws, retain=True)
        return jws

    async def happen(self, kind: str, door: str | None = None, **data: Any) -> None:
        """An event, the first of a stream of its own."""
        event = Event(seq=1, kind=kind, at=stamp(), door=door, data=msgspec.Raw(json.dumps(data, indent=1).encode()))
        batch = EventBatch(stream=f"stream-{time.monotonic_ns()}", floor=0, after=0, events=(event,))
        await self._publish(TopicKind.EVENTS, codec.encode(batch))

    def held(self) -> set[str]:
        """Ids of all declarations in central's sets."""
        return {one.id for document in self.sets.values() for one in document.declarations}

    def _topics(self) -> list[str]:
        mine = [topics.of_agent(kind, *self.name) for kind in (TopicKind.CONFIG, TopicKind.COMMAND)]
        return [DISTRICT_TOPIC, topics.site_declarations(self.name[0]), *mine]

    def _take(self, incoming: Incoming) -> None:
        self.came.append(incoming)
        kind = topics.parse(incoming.topic).kind
        if kind is TopicKind.CONFIG:
            self.config = self.town.keyring.open(AgentConfig, incoming.topic, incoming.payload)
        elif kind is TopicKind.COMMAND:
            self.commands.append(self.town.keyring.open(Command, incoming.topic, incoming.payload))
        else:
            document = self.town.keyring.open(DeclarationSet, incoming.topic, incoming.payload)
            before = self.sets.get(incoming.topic)
            if before is None or document.revision > before.revision:
                self.sets[incoming.topic] = document

    async def _greet(self) -> None:
        status = AgentStatus(online=True, session=self.session)
        await self._publish(TopicKind.STATUS, codec.encode(status), retain=True)

    async def _keep_telling(self) -> None:
        while True:
            if self._link.connected:
                await self.tell()
            await asyncio.sleep(0.1)

    def _door(self, door: str, ids: tuple[str, ...]) -> DoorState:
        closed = door not in self.openings
        return DoorState(
            door=door,
            mode=DoorMode.SECURED if ids else DoorMode.CONTROLLED,
            condition=Condition.SECURE if closed else Condition.OPEN,
            released=False,
            evidence=Evidence(
                contact=Contact.CLOSED if closed else Contact.OPEN,
                bolt=Bolt.THROWN if closed else Bolt.RETRACTED,
                bolt_fitted=True,
                age_ms=10,
                locked_ms=60_000,
            ),
            declarations=ids,
            maintenance=self.maintenance,
        )

    async def _publish(self, kind: TopicKind, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        await self._link.publish(topics.of_agent(kind, *self.name), payload, qos=qos, retain=retain)


def stamp() -> Stamp:
    """Now, as an agent whose clock is right sees it."""
    return Stamp(mono_ms=time.monotonic_ns() // 10**6, utc_ns=time.time_ns(), clock_trusted=True, boot="boot")
