"""Measures a badge: from the card at a simulated OSDP reader to the strike's pin, through the whole real agent.

The readers are libosdp's peripheral side on a pty in a process of their own, two on one line, with the wire's time
simulated. The bus's own share (card at the reader to the read handed over) stands beside it.
"""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import children
from bench.agent_rig import AgentRig, ReaderOnLine, door_name
from bench.figures import p50_p99
from drivers.readers import CardRead
from ground.free_port import free_port
from protocol import credentials
from protocol.words import Condition

BAUD = 115_200
READERS = 2
DOORS = 8
SWIPES, WARM_UP = 120, 5
BITS, CARD = 26, bytes.fromhex("12345640")
DEADLINE_S = 20


def measure() -> dict[str, float]:
    """badge_ms and badge_bus_ms, each p50 and p99."""
    with tempfile.TemporaryDirectory() as folder, virtual_readers(READERS, BAUD) as line:
        whole, bus = asyncio.run(_measure(Path(folder), line))
    return {**p50_p99("badge_ms", whole), **p50_p99("badge_bus_ms", bus), "badge_baud": BAUD}


@dataclass(frozen=True, slots=True)
class VirtualReaders:
    """A line of virtual readers in another process."""

    process: subprocess.Popen[bytes]
    path: str
    readers: list[dict[str, Any]]

    def swipe(self, reader: str) -> None:
        """Hold the bench's card to a reader."""
        command = {"swipe": {"reader": reader, "bits": BITS, "data": CARD.hex()}}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def on_line(self, baud: int) -> tuple[ReaderOnLine, ...]:
        """The readers in the form of the agent's configuration: the nth at the nth door."""
        return tuple(
            ReaderOnLine(self.path, baud, reader["address"], bytes.fromhex(reader["key"]), door_name(number))
            for number, reader in enumerate(self.readers)
        )


@contextlib.contextmanager
def virtual_readers(count: int, baud: int) -> Iterator[VirtualReaders]:
    """Run a line of virtual readers in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "simulators.hardware.reader_process",
        "--readers",
        str(count),
        "--baud",
        str(baud),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            described: Any = children.read_json_line(process)
            yield VirtualReaders(process, described["path"], described["readers"])
        finally:
            assert process.stdin is not None
            process.stdin.close()


class _Swipes:
    """Receives the three moments of a swipe: from the readers' process, the bus and the strike's pin."""

    def __init__(self, rig: AgentRig, line: VirtualReaders) -> None:
        self.swiped: asyncio.Queue[float] = asyncio.Queue()
        self.read: asyncio.Queue[float] = asyncio.Queue()
        self.energised: asyncio.Queue[float] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._watch_reader_process(line)
        for bus in set(rig.agent.readers.buses.values()):
            handler = bus._on_event  # noqa: SLF001 - a probe on the real thing

            def seen(event: object, handler: Any = handler) -> None:
                if isinstance(event, CardRead):
                    self.read.put_nowait(time.monotonic())
                handler(event)

            setattr(bus, "_on_event", seen)  # noqa: B010
        pin = rig.pin_factory.pin(rig.file.doors[0].lock.pin)
        tell_door = pin.watcher

        def pin_moved() -> None:
            at, on = time.monotonic(), bool(pin.driven)
            tell_door()
            if on:
                self._loop.call_soon_threadsafe(self.energised.put_nowait, at)

        pin.watcher = pin_moved

    def _watch_reader_process(self, line: VirtualReaders) -> None:
        assert line.process.stdout is not None
        stdout = line.process.stdout

        def readable() -> None:
            message = json.loads(stdout.readline())
            if message.get("done") == "swipe":
                self.swiped.put_nowait(message["at"])

        self._loop.add_reader(stdout, readable)


async def _measure(folder: Path, line: VirtualReaders) -> tuple[list[float], list[float]]:
    rng = random.Random(1)
    rig = AgentRig(folder, free_port(), DOORS, readers=line.on_line(BAUD))
    token = credentials.token(rig.credential_key, BITS, CARD)
    # No broker and no central: the badge path needs neither. The bundle is put where a restart would find it.
    rig.agent.store.confirm_trial(1, rig.bundle(unlocked=False, tokens=(token,))[1])
    running = asyncio.create_task(rig.agent.run())
    try:
        swipes = _Swipes(rig, line)
        bus = next(iter(rig.agent.readers.buses.values()))
        await _until(lambda: all(bus.online(reader) for reader in rig.agent.readers.buses))
        door = rig.agent.doors.held[rig.names[0]]
        whole, share = [], []
        for _ in range(WARM_UP + SWIPES):
            await _until(lambda: door.state.condition is Condition.SECURE and not door.state.released)
            await asyncio.sleep(rng.uniform(0.05, 0.2))  # at no fixed phase of the bus's poll
            line.swipe(line.readers[0]["name"])
            async with asyncio.timeout(DEADLINE_S):
                at = await swipes.swiped.get()
            async with asyncio.timeout(DEADLINE_S):
                share.append((await swipes.read.get() - at) * 1e3)
            async with asyncio.timeout(DEADLINE_S):
                whole.append((await swipes.energised.get() - at) * 1e3)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        rig.close()
    return whole[WARM_UP:], share[WARM_UP:]


async def _until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)
