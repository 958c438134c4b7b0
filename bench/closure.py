"""Measures a lockdown over a whole district: from the API call to every door proven, against the floor.

Central, the broker and 640 replaying agents run as processes of their own. The floor is the same declaration fanned
out by the same broker to the same replayers, and the same replies collected by a raw client that decodes nothing.
"""

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from bench import children, raw_mqtt
from bench.central_process import RunningCentral, central, wait_until
from bench.figures import median
from bench.processes import cpu_seconds
from bench.raw_mqtt import RawClient
from protocol import topics
from protocol.messages import Declaration, DeclarationSet, Scope
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import ScopeKind

ROUNDS = 7
WARM_UP = 2
PAUSE_S = 0.5  # between rounds, so that one does not measure the end of the one before


def measure(sites: int = 640, doors: int = 50, rounds: int = ROUNDS) -> dict[str, float]:
    """Measure closure_ratio and closure_us_per_door, with their parts in ms."""
    with (
        tempfile.TemporaryDirectory() as folder,
        children.embedded_broker() as port,
        central(Path(folder), port, sites, doors) as server,
    ):
        size = ["--sites", str(sites), "--doors", str(doors)]
        replayers = ["bench.replayers", "--port", str(port), *size]
        with children.running(replayers, stdout=subprocess.PIPE) as process:
            children.read_json_line(process)
            floor = asyncio.run(_floor(port, sites, rounds))
            _end_leftovers(server)
            wait_until(lambda: _alive(server) == sites, f"{sites} agents alive")
            closures = [_lockdown(server, sites * doors) for _ in range(WARM_UP + rounds)][WARM_UP:]
    closure_ms = median([closure for closure, _ in closures])
    return {
        "closure_ratio": round(closure_ms / median(floor), 2),
        "closure_ms": round(closure_ms, 1),
        "closure_floor_ms": round(median(floor), 1),
        "closure_us_per_door": round(median([cpu for _, cpu in closures]) / (sites * doors) * 1e6, 2),
        "closure_doors": sites * doors,
    }


def _alive(server: RunningCentral) -> object:
    totals = server.overview()["totals"]
    assert isinstance(totals, dict)
    return totals["agents_alive"]


def _end_leftovers(server: RunningCentral) -> None:
    """Have central put its own (empty) set back on the topic that the floor has used."""
    found = server.client.post("/api/declarations", json=_body()).raise_for_status().json()
    _end(server.client, found["id"])


def _body() -> dict[str, object]:
    # A drill: the same path to the doors, and one person may end it between rounds.
    return {"action": "lockdown", "scope": {"kind": "district"}, "drill": True, "reason": "bench"}


def _lockdown(server: RunningCentral, doors: int) -> tuple[float, float]:
    """One round: (ms from the API call to all proven, central's processor seconds)."""
    time.sleep(PAUSE_S)
    before = cpu_seconds(server.pid)
    called_ms = time.time_ns() / 1e6
    found = server.client.post("/api/declarations", json=_body()).raise_for_status().json()
    path = f"/api/declarations/{found['id']}"
    deadline = time.monotonic() + 30
    while True:
        # The list's view holds the counts alone; reading every door's row would be most of the measured time.
        time.sleep(0.25)
        listed = server.client.get("/api/declarations", params={"active": "true"}).raise_for_status().json()
        closure = next(view["closure"] for view in listed if view["id"] == found["id"])
        if closure["proven"] == doors:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {closure['proven']} of {doors} doors proven after 30 s: {path}")
    spent = cpu_seconds(server.pid) - before
    _end(server.client, found["id"])
    # Central counts from the call's arrival; add how long the call took to arrive, by the same machine's clock.
    return found["at_ms"] - called_ms + closure["slowest_ms"], spent


def _end(client: httpx.Client, declaration: str) -> None:
    client.post(f"/api/declarations/{declaration}/release").raise_for_status()


async def _floor(port: int, sites: int, rounds: int) -> list[float]:
    """Milliseconds of each round of the raw fan-out and collection."""
    state = topics.every_agent(TopicKind.STATE)
    arrived: asyncio.Queue[int] = asyncio.Queue()
    collector = RawClient(
        "floor-collector", [(state, 0)], lambda _client, _flags, body: arrived.put_nowait(len(body))
    )
    await raw_mqtt.connect(port, collector)
    publisher = RawClient("floor-publisher", [], lambda *_: None)
    await raw_mqtt.connect(port, publisher)
    key = SigningKey.generate("floor")
    taken = []
    for round_ in range(WARM_UP + rounds):
        await asyncio.sleep(PAUSE_S)
        declaration = Declaration(
            id=f"floor-{round_}", action="lockdown", scope=Scope(kind=ScopeKind.DISTRICT), by="bench", at_ms=1
        )
        document = DeclarationSet(
            audience=topics.district_declarations(), revision=round_ + 1, declarations=(declaration,)
        )
        packet = raw_mqtt.publish_packet(document.audience, key.sign(document), qos=1, retain=True)
        while not arrived.empty():
            arrived.get_nowait()
        began = time.perf_counter()
        publisher.send(packet)
        # Some 1 % of these are heartbeats under way, which makes the floor lower, not the ratio better.
        for _ in range(sites):
            async with asyncio.timeout(30):
                await arrived.get()
        taken.append((time.perf_counter() - began) * 1e3)
    return taken[WARM_UP:]
