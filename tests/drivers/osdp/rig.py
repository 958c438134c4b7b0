"""A bus with virtual readers on a real pty, and everything it reports."""

import asyncio
import os
import pty
import secrets
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from drivers.osdp import OsdpBus, OsdpEvent, OsdpReaderConfig, open_serial
from drivers.readers import CardRead
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader

Kind = TypeVar("Kind")

CARD = bytes.fromhex("12345640")


class Rig:
    """`readers` on one line and a bus that listens to them. A context manager."""

    def __init__(
        self,
        *,
        readers: int = 1,
        baud: int = 115200,
        first_address: int = 10,
        keys: list[bytes] | None = None,
        **options: Any,
    ) -> None:
        self.keys = keys or [secrets.token_bytes(16) for _ in range(readers)]
        self.line = VirtualLine(baud=baud)
        self.readers = [
            VirtualOsdpReader(self.line, address=first_address + n, key=key) for n, key in enumerate(self.keys)
        ]
        self.configs = [
            OsdpReaderConfig(reader.name, reader.address, key)
            for reader, key in zip(self.readers, self.keys, strict=True)
        ]
        self.events: list[OsdpEvent] = []
        self.bus = OsdpBus(
            "line-1", lambda: open_serial(self.line.path), self.configs, on_event=self.events.append, **options
        )

    def __enter__(self) -> "Rig":
        self.bus.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.bus.stop()
        self.line.close()

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def cards(self) -> list[CardRead]:
        return self.of(CardRead)

    def all_online(self) -> bool:
        return all(self.bus.online(config.name) for config in self.configs)


@contextmanager
def scripted_line(answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """A pty whose far side answers each burst of bytes with `answer(burst)`: an attacker without libosdp."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    loop = asyncio.get_running_loop()

    def readable() -> None:
        reply = answer(os.read(master, 4096))
        if reply:
            os.write(master, reply)

    loop.add_reader(master, readable)
    try:
        yield os.ttyname(slave)
    finally:
        loop.remove_reader(master)
        os.close(master)
        os.close(slave)


async def hold(condition: Callable[[], object], *, seconds: float) -> None:
    """Watch that `condition` stays true for `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), "the condition did not hold"
        await asyncio.sleep(0.01)
