"""A virtual RS-485 line: one pty, with peripherals on its far side that answer at the speed of the wire.

The panel opens `path` like any serial port. A thread of the line's own carries the bytes, so that readers
keep their timing while the event loop under test is busy. What the peripherals say is not decided here.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import pty
import select
import threading
import time
import tty
from collections.abc import Callable
from functools import partial
from typing import Protocol

from drivers.osdp.frames import FrameReader

BITS_PER_BYTE = 10  # start, eight, stop
TICK_S = 0.05
"""A peripheral is stepped this often when nothing arrives: libosdp's time-outs count in steps."""

_LONGEST_READ = 4096


class Peripheral(Protocol):
    """Something on the line. All calls come from the line's thread, with the line's lock held."""

    address: int

    def receive(self, data: bytes) -> bytes:
        """Bytes from the panel arrived; return the reply's bytes, or nothing."""

    def tick(self) -> bytes:
        """Time passed; return bytes to send, usually none."""


class VirtualLine:
    """One line at `baud`. `path` is what the panel opens. A context manager; `close` ends the thread.

    `cut()` and `mend()` are the cable. `on_panel_bytes` and `on_reader_bytes`, if given, see the traffic.
    """

    def __init__(
        self,
        *,
        baud: int = 115200,
        on_panel_bytes: Callable[[bytes], None] | None = None,
        on_reader_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        if baud <= 0:
            raise ValueError(f"a line has a speed, not {baud}")
        self.lock = threading.RLock()
        self._byte_s = BITS_PER_BYTE / baud
        self._on_panel_bytes = on_panel_bytes
        self._on_reader_bytes = on_reader_bytes
        self._peripherals: dict[int, Peripheral] = {}
        self._commands = FrameReader(replies=False)
        self._cut = False
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wire_free = 0.0
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)  # before the first byte: a cooked pty mangles and echoes
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="virtual-line", daemon=True)
        self._thread.start()

    def __enter__(self) -> VirtualLine:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def attach(self, peripheral: Peripheral) -> None:
        """Put a peripheral on the line. ValueError if its address is taken."""
        with self.lock:
            if peripheral.address in self._peripherals:
                raise ValueError(f"address {peripheral.address} is taken")
            self._peripherals[peripheral.address] = peripheral

    def readdress(self, peripheral: Peripheral, address: int) -> None:
        """The peripheral answers to another address from now on. ValueError if it is taken."""
        with self.lock:
            if self._peripherals.get(address, peripheral) is not peripheral:
                raise ValueError(f"address {address} is taken")
            del self._peripherals[peripheral.address]
            peripheral.address = address
            self._peripherals[address] = peripheral

    def cut(self) -> None:
        """Cut the cable: nothing passes either way. The port itself stays open."""
        with self.lock:
            self._cut = True

    def mend(self) -> None:
        """Join the cable again."""
        with self.lock:
            self._cut = False

    def inject(self, data: bytes) -> None:
        """Put bytes on the wire towards the panel: noise, or an attacker's."""
        with self.lock:
            self._write(data)

    def close(self) -> None:
        """Hang up. The panel's side reads end of file or EIO."""
        with contextlib.suppress(OSError):
            os.write(self._stop_write, b"x")
        self._thread.join(timeout=2)
        for fd in (self._master, self._slave, self._stop_read, self._stop_write):
            with contextlib.suppress(OSError):
                os.close(fd)

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        tick_at = time.monotonic() + TICK_S
        while True:
            now = time.monotonic()
            until = min(tick_at, self._due[0][0]) if self._due else tick_at
            # poll() counts whole milliseconds; rounding up keeps it from spinning through the last one
            ready = [fd for fd, _ in poll.poll(max(0.0, until - now) * 1000)]
            if self._stop_read in ready:
                return
            with self.lock:
                if self._master in ready:
                    self._from_panel()
                now = time.monotonic()
                while self._due and self._due[0][0] <= now:
                    heapq.heappop(self._due)[2]()
                if now >= tick_at:
                    tick_at = now + TICK_S
                    for peripheral in self._peripherals.values():
                        self._reply(peripheral.tick())

    def _from_panel(self) -> None:
        try:
            data = os.read(self._master, _LONGEST_READ)
        except OSError:
            return
        if self._on_panel_bytes is not None:
            self._on_panel_bytes(data)
        if self._cut:
            return
        for frame in self._commands.feed(data):
            self._at(len(frame.raw), partial(self._deliver, frame.address, frame.raw))

    def _deliver(self, address: int, frame: bytes) -> None:
        peripheral = self._peripherals.get(address)
        if peripheral is not None and not self._cut:
            self._reply(peripheral.receive(frame))

    def _reply(self, data: bytes) -> None:
        if data:
            self._at(len(data), lambda: self._write(data))

    def _write(self, data: bytes) -> None:
        if self._on_reader_bytes is not None:
            self._on_reader_bytes(data)
        if not self._cut:
            with contextlib.suppress(OSError):
                os.write(self._master, data)

    def _at(self, size: int, action: Callable[[], None]) -> None:
        """Do `action` once `size` bytes have passed the wire, which carries one thing at a time."""
        self._wire_free = max(self._wire_free, time.monotonic()) + size * self._byte_s
        heapq.heappush(self._due, (self._wire_free, next(self._order), action))
