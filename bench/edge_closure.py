"""Measures an agent with 16 doors and instant bolts: from a declaration received to its proven snapshot sent.

Signature check, durable write, 16 locks driven and 48 sensors read again are inside. The doors are unlocked between
rounds, so that every bolt really has to throw. Beside it the floor: one durable commit on the same disk and one
signature check, which no agent that keeps its promises can leave out.
"""

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from pathlib import Path

from bench import children
from bench.agent_rig import AgentRig
from bench.figures import median, p50_p99
from protocol import codec, topics
from protocol.messages import Declaration, DeclarationSet, Scope, StateSnapshot
from protocol.mqtt import BrokerAddress, Incoming, MqttLink
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import Bolt, Condition, KeyRole, ScopeKind

DOORS = 16
ROUNDS, WARM_UP = 120, 10
DEADLINE_S = 20


def measure() -> dict[str, float]:
    """Measure edge_closure_ms, p50 and p99, and the floor's median."""
    with tempfile.TemporaryDirectory() as folder, children.embedded_broker() as port:
        taken, floor = asyncio.run(_measure(Path(folder), port))
    return {**p50_p99("edge_closure_ms", taken), "edge_closure_floor_ms": round(median(floor), 3)}


class _Watch:
    """Stamps the messages in and out of an agent's link."""

    def __init__(self, link: MqttLink) -> None:
        self.received = 0.0
        self.snapshots: asyncio.Queue[tuple[float, StateSnapshot]] = asyncio.Queue()
        receive, publish = link._on_message, link.publish  # noqa: SLF001 - a probe on the real thing

        def received(message: Incoming) -> None:
            if topics.parse(message.topic).kind is TopicKind.DECLARATIONS:
                self.received = time.perf_counter()
            receive(message)

        async def published(topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
            await publish(topic, payload, qos=qos, retain=retain)
            if topics.parse(topic).kind is TopicKind.STATE:
                self.snapshots.put_nowait((time.perf_counter(), codec.decode(StateSnapshot, payload)))

        setattr(link, "_on_message", received)  # noqa: B010
        setattr(link, "publish", published)  # noqa: B010

    async def until_all(self, condition: Condition, bolt: Bolt) -> float:
        """When the first snapshot with every door in this condition and bolt position was on the socket."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                at, snapshot = await self.snapshots.get()
                if all((door.condition, door.evidence.bolt) == (condition, bolt) for door in snapshot.doors):
                    return at


async def _measure(folder: Path, port: int) -> tuple[list[float], list[float]]:
    rig = AgentRig(folder, port, DOORS)
    watch = _Watch(rig.agent.link.mqtt)
    connected = asyncio.Event()

    async def greet() -> None:
        connected.set()

    central = MqttLink(
        BrokerAddress(port=port), "bench", subscriptions=tuple, on_message=lambda _: None, on_connected=greet
    )
    running = [asyncio.create_task(rig.agent.run()), asyncio.create_task(central.run())]
    try:
        async with asyncio.timeout(DEADLINE_S):
            await connected.wait()
        topic, bundle = rig.bundle(unlocked=True)
        await central.publish(topic, bundle, retain=True)
        await watch.until_all(Condition.UNLATCHED, Bolt.RETRACTED)
        taken = [await _round(central, rig, watch, number) for number in range(WARM_UP + ROUNDS)]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        rig.close()
    return taken[WARM_UP:], _floor(folder, rig)


def _lockdown(revision: int, *, active: bool) -> DeclarationSet:
    declaration = Declaration(
        id=f"round-{revision}", action="lockdown", scope=Scope(kind=ScopeKind.DISTRICT), by="bench", at_ms=1
    )
    declarations = (declaration,) if active else ()
    return DeclarationSet(audience=topics.district_declarations(), revision=revision, declarations=declarations)


async def _round(central: MqttLink, rig: AgentRig, watch: _Watch, number: int) -> float:
    """Milliseconds of one lockdown; the doors are unlocked again behind it."""
    locked = _lockdown(2 * number + 1, active=True)
    await central.publish(locked.audience, rig.district.sign(locked), retain=True)
    at = await watch.until_all(Condition.SECURE, Bolt.THROWN)
    taken = (at - watch.received) * 1e3
    released = _lockdown(2 * number + 2, active=False)
    await central.publish(released.audience, rig.district.sign(released), retain=True)
    await watch.until_all(Condition.UNLATCHED, Bolt.RETRACTED)
    return taken


def _floor(folder: Path, rig: AgentRig) -> list[float]:
    """Milliseconds of a signature check and a durable commit of the signed bytes, per round."""
    ring = Keyring([rig.district.trusted(KeyRole.DISTRICT)])
    taken = []
    with contextlib.closing(sqlite3.connect(folder / "floor.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE held (topic TEXT PRIMARY KEY, signed BLOB)")
        for number in range(ROUNDS):
            document = _lockdown(number + 1, active=True)
            signed = rig.district.sign(document)
            began = time.perf_counter()
            ring.open(DeclarationSet, document.audience, signed)
            connection.execute("INSERT OR REPLACE INTO held VALUES (?, ?)", (document.audience, signed))
            connection.commit()
            taken.append((time.perf_counter() - began) * 1e3)
    return taken
