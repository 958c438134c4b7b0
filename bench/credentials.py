"""Measures a quarter of a million credentials on one agent: the time of a decision, and the agent's memory.

One process makes the pages, as central does, and puts them into the agent's folder, as its fetching does. Another
(the agent alone, so that only it is measured) reads cards, half of them unknown: the time is that of a reader's whole
call, from the card's bits to the lock driven and the event handed over. The floor is SQLite's bare query of a primary
key in the same file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import children
from bench.agent_rig import AGENT, SITE, AgentRig
from bench.figures import percentile
from drivers.readers import CardRead
from edge_agent.access.desk import ReaderPlace
from edge_agent.agent_yaml.wiring import Passage
from edge_agent.host.health import resident_mib
from edge_agent.storage.credential_store import CredentialStore
from ground.free_port import free_port
from protocol import credentials, topics
from protocol.messages import AccessRule, AgentConfig, Credential, DoorSettings
from protocol.topics import TopicKind

CREDENTIALS = 250_000
DOORS = 8
WARM, COLD = 5_000, 150
BITS = 64
KEY = bytes(range(credentials.KEY_BYTES))
DEADLINE_S = 60
_FLOOR = "SELECT body FROM credentials WHERE page = ? AND token = ?"


def measure() -> dict[str, float]:
    """credential_p50_ms, credential_p99_ms, the same with nothing cached, the ratio to the floor, and the memory."""
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, float] = {}
        for role in ("prepare", "decide"):
            with children.running(["bench.credentials", role, folder], stdout=subprocess.PIPE) as process:
                figures.update({name: float(str(value)) for name, value in children.read_json_line(process).items()})
        return figures


def card(number: int) -> bytes:
    """The bits on the nth cardholder's card."""
    return number.to_bytes(BITS // 8, "big")


async def _prepare(folder: Path) -> dict[str, float]:
    from central.agents.credential_pages import Shares  # noqa: PLC0415 - the agent's process does without

    everybody = tuple(
        Credential(
            token=credentials.token(KEY, BITS, card(number)),
            cardholder=f"ch-{number:06}",
            groups=("staff", f"grade-{number % 12}"),
            valid_until_ms=4_000_000_000_000,
        )
        for number in range(CREDENTIALS)
    )
    store = CredentialStore(folder / "credentials.db")
    began = time.perf_counter()
    pages = Shares(everybody).of(["staff"]).pages
    made = time.perf_counter()
    for page in pages:
        await store.stage(page.digest, page.number, page.payload)
    staged = time.perf_counter()
    store.close()
    return {"credential_pages_made_s": round(made - began, 2), "credential_pages_staged_s": round(staged - made, 2)}


async def _decide(folder: Path) -> dict[str, float]:
    rig = AgentRig(folder, free_port(), DOORS, credential_key=KEY)
    with contextlib.closing(sqlite3.connect(folder / "credentials.db")) as db:
        rows = db.execute("SELECT number, lower(hex(digest)), id FROM pages ORDER BY number").fetchall()
    rig.agent.store.confirm_trial(1, _signed(rig, tuple(digest for _, digest, _ in rows)))
    running = asyncio.create_task(rig.agent.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            await rig.agent.ready.wait()
            await rig.agent.credentials.look_through()
            decisions = _Decisions(rig)
            warm = await decisions.times(WARM)
            memory = resident_mib()
            cold = await decisions.times(COLD, before=lambda: _forget(rig.agent.credentials, folder))
            floor = _floor(folder, [identity for _, _, identity in rows])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        rig.close()
    assert decisions.opened > WARM // 3, "half of the cards are known"
    return {
        "credential_p50_ms": round(percentile(warm, 50), 4),
        "credential_p99_ms": round(percentile(warm, 99), 4),
        "credential_cold_p99_ms": round(percentile(cold, 99), 4),
        "credential_floor_p50_ms": round(percentile(floor, 50), 4),
        "credential_ratio": round(percentile(warm, 50) / percentile(floor, 50), 2),
        "agent_rss_mib_250k": round(memory, 1),
    }


def _signed(rig: AgentRig, digests: tuple[str, ...]) -> bytes:
    config = AgentConfig(
        audience=topics.of_agent(TopicKind.CONFIG, SITE, AGENT),
        version=1,
        timezone="UTC",
        doors=tuple(DoorSettings(door=name, name=name, unlock_ms=500) for name in rig.names),
        rules=(AccessRule(group="staff", doors=tuple(rig.names)),),
        credential_pages=digests,
    )
    return rig.district.sign(config)


class _Decisions:
    """Shows cards to the agent's doors in turn."""

    def __init__(self, rig: AgentRig) -> None:
        self._rig = rig
        self._rng = random.Random(1)
        self.opened = 0
        rig.agent.desk.places.update({f"{door}-in": ReaderPlace(door, Passage.IN) for door in rig.names})

    async def times(self, count: int, *, before: Callable[[], None] = lambda: None) -> list[float]:
        """How long each decision took, in ms."""
        agent, found = self._rig.agent, []
        for number in range(count):
            data = card(self._rng.randrange(2 * CREDENTIALS))
            door = self._rig.names[number % DOORS]
            before()
            read = CardRead(f"{door}-in", BITS, data, agent.clock.mono_ms() / 1000)
            began = time.perf_counter()
            agent.desk.hear_reader(read)
            found.append((time.perf_counter() - began) * 1e3)
            known = int.from_bytes(data, "big") < CREDENTIALS
            self.opened += known and agent.doors.held[door].state.released
            if number % 10 == 0:
                await asyncio.sleep(0.001)  # the outbox gets its turn
        return found


def _forget(store: CredentialStore, folder: Path) -> None:
    """Drop the file from SQLite's and the kernel's caches, so that the next query reads the disk."""
    reader = store._view.reader  # noqa: SLF001 - a probe on the real thing
    if reader is not None:
        reader.execute("PRAGMA shrink_memory")
    with (folder / "credentials.db").open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _floor(folder: Path, pages: list[int]) -> list[float]:
    """The times that SQLite takes to find a row by its primary key, in ms."""
    rng, found = random.Random(2), []
    shift = 12 - (len(pages).bit_length() - 1)
    with contextlib.closing(sqlite3.connect(folder / "credentials.db", isolation_level=None)) as db:
        for _ in range(WARM):
            token = credentials.token(KEY, BITS, card(rng.randrange(2 * CREDENTIALS)))
            key = (pages[int(token[:3], 16) >> shift], bytes.fromhex(token))
            began = time.perf_counter()
            db.execute(_FLOOR, key).fetchone()
            found.append((time.perf_counter() - began) * 1e3)
    return found


def main() -> None:
    """Run one of the two processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("prepare", "decide"))
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    work = _prepare if arguments.role == "prepare" else _decide
    sys.stdout.write(json.dumps(asyncio.run(work(arguments.folder))) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
