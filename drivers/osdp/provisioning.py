"""Gives one reader on an isolated line its first key: the only place that uses the default key, SCBK-D.

Any device that listens on the line meanwhile learns the key, for SCBK-D is printed in the standard. So a person does
it at the bench or with one reader alone on its cable, and no program in service does: a test holds that nothing the
agent runs imports this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import osdp_sys

from drivers.osdp.config import check_key
from drivers.osdp.panel import SECURE_ONLY, PanelChannel, drop_completion, drop_event, reader_info, seed_nonces
from drivers.serial.port import Line

GIVE_S = 6.0
"""How long the exchange may take: two handshakes and a key at 9600 baud need about half a second."""

VERIFY_S = 3.0
TICK_S = 0.01
STEPS = 3  # receive, act, send


class Given(StrEnum):
    """How the attempt to give a key ended."""

    TAKEN = "taken"
    """The secure channel is up with the key."""
    NOT_IN_INSTALL_MODE = "not_in_install_mode"
    """It accepts neither this key nor SCBK-D: it holds another key."""
    REFUSED = "refused"
    """It accepted SCBK-D and would not take the key."""
    SILENT = "silent"
    """It did not answer, or not to the end."""


async def give_key(line: Line, address: int, key: bytes, *, within_s: float = GIVE_S) -> Given:
    """Have the only reader on an open line take `key`, over SCBK-D. Keep `key` on the disk first.

    Raises WeakKey, or OSError if the port fails.
    """
    check_key("to be given a key", key)
    # Without ENFORCE_SECURE libosdp falls back to SCBK-D, and then sends the key by itself.
    with _ReaderSession(line, address, key, osdp_sys.FLAG_ENABLE_NOTIFICATION) as session:
        await session.run(lambda: session.ours or session.plaintext or session.offline, within_s)
        if session.ours:
            return Given.TAKEN
        if session.plaintext:
            return Given.NOT_IN_INSTALL_MODE
        return Given.REFUSED if session.default_key else Given.SILENT


async def readdress(line: Line, address: int, key: bytes, new_address: int, baud: int) -> bool:
    """Have a reader that holds `key` answer at another address and speed from now on; whether it agreed.

    Raises OSError if the port fails.
    """
    with _ReaderSession(line, address, key, SECURE_ONLY) as session:
        await session.run(lambda: session.ours or session.offline, VERIFY_S)
        session.set_address(new_address, baud)
        await session.run(lambda: session.answered is not None or session.offline, VERIFY_S)
        return bool(session.answered)


async def holds(line: Line, address: int, key: bytes, *, within_s: float = VERIFY_S) -> bool:
    """Whether the reader's secure channel comes up with `key`, and nothing but `key`. OSError if the port fails."""
    with _ReaderSession(line, address, key, SECURE_ONLY) as session:
        await session.run(lambda: session.ours or session.offline, within_s)
        return session.ours


class _ReaderSession:
    """One panel on an open line, stepped by a coroutine, and what libosdp notifies of. A context manager."""

    def __init__(self, line: Line, address: int, key: bytes, flags: int) -> None:
        self.default_key = False
        """The channel came up with SCBK-D."""
        self.ours = False
        """The channel came up with the key."""
        self.plaintext = False
        """The reader answers, without a channel."""
        self.offline = False
        self.answered: bool | None = None
        """How the last command ended."""
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
        seed_nonces()
        self._line = line
        self._channel = PanelChannel(line)
        self._arrived = asyncio.Event()
        self._panel: Any = osdp_sys.ControlPanel([reader_info("reader", address, key, self._channel, flags)])

    def __enter__(self) -> _ReaderSession:
        self._panel.set_event_callback(self._note)
        self._panel.set_command_completion_callback(self._completed)
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._readable)
        return self

    def __exit__(self, *_exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        # The C object does not take part in garbage collection, so it must not hold on to this one.
        self._panel.set_event_callback(drop_event)
        self._panel.set_command_completion_callback(drop_completion)

    async def run(self, done: Callable[[], bool], within_s: float) -> None:
        """Step the panel until something is so, or time is up. OSError if the port fails."""
        end = time.monotonic() + within_s
        while not done() and time.monotonic() < end:
            for _ in range(STEPS):
                self._panel.refresh()
            if self._channel.error is not None:
                raise self._channel.error
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._arrived.wait()

    def set_address(self, address: int, baud: int) -> None:
        """Submit the command; `answered` is its outcome."""
        command = {"command": osdp_sys.CMD_COMSET, "address": address, "baud_rate": baud}
        if not (self.ours and self._panel.submit_command(0, command)):
            self.answered = False

    def _readable(self) -> None:
        for frame in self._channel.frames.feed(self._line.read()):
            if self._channel.asked is not None and frame.address == self._channel.asked.address:
                self._channel.received += frame.raw
        self._arrived.set()

    def _note(self, _offset: int, fields: dict[str, Any]) -> int:
        if fields.get("event") == osdp_sys.EVENT_NOTIFICATION:
            kind, first, second = fields.get("type"), bool(fields.get("arg0")), bool(fields.get("arg1"))
            if kind == osdp_sys.EVENT_NOTIFICATION_SC_STATUS and first:
                self.default_key, self.ours = self.default_key or second, self.ours or not second
            elif kind == osdp_sys.EVENT_NOTIFICATION_PD_STATUS:
                self.plaintext = self.plaintext or (first and not self.ours)
                self.offline = self.offline or not first
        return drop_event(_offset, fields)

    def _completed(self, offset: int, command: dict[str, Any], status: int) -> None:
        if command.get("command") == osdp_sys.CMD_COMSET:
            self.answered = status == osdp_sys.COMPLETION_OK
        drop_completion(offset, command, status)
