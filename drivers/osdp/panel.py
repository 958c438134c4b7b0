"""libosdp's control panel, tamed: seeded, secure only, and never called back into.

The wheel's higher class runs a thread that a callback can deadlock or kill; this uses the module below it
(`osdp_sys`) and leaves timing to the caller. Readers are named by their offset, their place in the list
given, which is not their OSDP address.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import osdp_sys

from drivers.osdp.config import OsdpReaderConfig
from drivers.osdp.frames import FrameReader, Question, question
from drivers.serial.port import Line

QUIET_STEPS = 2
"""libosdp spends up to two steps without a byte moving between a reply and the next command."""

MAX_STEPS = 32
"""Bound of one run, many times what any exchange needs."""


def seed_nonces() -> None:
    """Seed libc's `rand` from the kernel.

    libosdp 3.2.9 draws its session nonce RND.A from `rand` and never seeds it, so that every fresh panel
    sends the same nonce and a recorded session can be replayed to it. Call before every handshake.
    """
    ctypes.CDLL(None).srand(ctypes.c_uint(int.from_bytes(os.urandom(4))))


SECURE_ONLY = osdp_sys.FLAG_ENFORCE_SECURE | osdp_sys.FLAG_ENABLE_NOTIFICATION


class PanelChannel:
    """The bytes between libosdp and a line. Never blocks, never raises: libosdp cannot bear either.

    All readers of a bus share one channel, and a bus has a panel of its own, so a constant non-zero `id`
    is unique where it must be.
    """

    id = 1

    def __init__(self, line: Line | None = None) -> None:
        self.line = line
        self.frames = FrameReader()
        self.received = bytearray()
        self.moved = False  # a byte went either way since this was last cleared
        self.asked: Question | None = None  # the command that waits for its reply
        self.error: OSError | None = None

    @property
    def waiting(self) -> bool:
        """Whether the last thing that happened was a command going out."""
        return self.asked is not None

    def read(self, max_bytes: int) -> bytes:
        """What arrived, at most `max_bytes`."""
        if not self.received:
            return b""
        data = bytes(self.received[:max_bytes])
        del self.received[:max_bytes]
        self.moved = True
        self.asked = None
        return data

    def write(self, data: bytes) -> int:
        """Send `data`; 0 if the line is gone, with the reason left in `error`."""
        if self.line is None:
            return 0
        try:
            sent = self.line.write(data)
        except OSError as error:
            self.error = error
            return 0
        self.moved = True
        self.asked = question(data)
        self.frames.clear()  # half a frame from before cannot answer this
        return sent

    def flush(self) -> None:
        """Drop what arrived and was not read."""
        self.received.clear()


class RawEvent(NamedTuple):
    """An event as libosdp reported it."""

    offset: int
    fields: dict[str, Any]
    secure: bool
    """Whether the reader's secure channel was active at that moment."""


class Panel:
    """One `osdp_sys.ControlPanel` with EnforceSecure on every reader. Not thread-safe: one loop owns it."""

    def __init__(self, readers: Sequence[OsdpReaderConfig], channel: PanelChannel) -> None:
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)  # libosdp logs to stdout; the bus reports instead
        seed_nonces()
        self._events: list[RawEvent] = []
        self._keys_set: list[tuple[int, bool]] = []
        self._parked: set[int] = set()
        self._cp: Any = osdp_sys.ControlPanel(
            [reader_info(reader.name, reader.address, reader.key, channel, SECURE_ONLY) for reader in readers]
        )
        self._cp.set_event_callback(self._collect)
        self._cp.set_command_completion_callback(self._completed)

    def run(self, channel: PanelChannel) -> list[RawEvent]:
        """Step libosdp until it has nothing more to do but wait; what it reported. At least every 50 ms."""
        quiet = 0
        for _ in range(MAX_STEPS):
            channel.moved = False
            self._cp.refresh()
            quiet = 0 if channel.moved else quiet + 1
            if quiet >= QUIET_STEPS or (channel.waiting and not channel.received):
                break
        events, self._events = self._events, []
        return events

    def secure(self) -> int:
        """Bit mask, by offset, of readers whose secure channel is active."""
        return int(self._cp.sc_status())

    def disable(self, offset: int) -> None:
        """Ask for the reader to be left alone. Takes effect when the exchange in progress ends."""
        self._cp.disable_pd(offset)

    def enabled(self, offset: int) -> bool:
        """Whether libosdp polls the reader."""
        return bool(self._cp.is_pd_enabled(offset))

    def enable(self, offset: int) -> None:
        """Begin a new handshake, with a new nonce. Only once `enabled` says false."""
        seed_nonces()
        self._parked.discard(offset)
        self._cp.enable_pd(offset)

    def parked(self, offset: int) -> bool:
        """Whether libosdp has given the reader up, and would not poll it again for 300 s."""
        return offset in self._parked

    def submit(self, offset: int, command: dict[str, Any]) -> bool:
        """Queue a command. False if the reader is not online. Never from within an event."""
        return bool(self._cp.submit_command(offset, command))

    def set_key(self, offset: int, key: bytes) -> bool:
        """Queue the command that gives the reader another key; False if its secure channel is not up.

        libosdp sends it over the active channel only, and begins a new handshake with `key` once it is acknowledged.
        """
        return self.submit(offset, {"command": osdp_sys.CMD_KEYSET, "type": 1, "data": key})

    def keys_set(self) -> list[tuple[int, bool]]:
        """Which readers have answered to a new key since this was last asked, and whether they took it."""
        done, self._keys_set = self._keys_set, []
        return done

    def close(self) -> None:
        """Let go of the callbacks: the C object does not take part in garbage collection."""
        self._cp.set_event_callback(drop_event)
        self._cp.set_command_completion_callback(drop_completion)
        self._events.clear()
        self._keys_set.clear()

    def _completed(self, offset: int, command: dict[str, Any], status: int) -> None:
        if command.get("command") == osdp_sys.CMD_KEYSET:
            self._keys_set.append((offset, status == osdp_sys.COMPLETION_OK))
        drop_completion(offset, command, status)

    def _collect(self, offset: int, fields: dict[str, Any]) -> int:
        if fields.get("event") != osdp_sys.EVENT_NOTIFICATION:
            secure = bool(self._cp.sc_status() >> offset & 1)
            self._events.append(RawEvent(offset, dict(fields), secure))
        elif fields.get("type") == osdp_sys.EVENT_NOTIFICATION_PD_STATUS and not fields.get("arg0"):
            self._parked.add(offset)
        return drop_event(offset, fields)


def reader_info(name: str, address: int, key: bytes, channel: PanelChannel, flags: int) -> dict[str, Any]:
    """One reader as `osdp_sys.ControlPanel` wants it."""
    # The last five describe a reader's identity; a panel must give them and libosdp ignores them.
    return {
        "name": name,
        "address": address,
        "flags": flags,
        "scbk": key,
        "channel": channel,
        "version": 1,
        "model": 1,
        "vendor_code": 0,
        "serial_number": 0,
        "firmware_version": 0,
    }


def drop_event(_offset: int, fields: dict[str, Any]) -> int:
    """Empty an event: the wheel never frees its dict, about 470 bytes each."""
    fields.clear()
    return 0


def drop_completion(_offset: int, command: dict[str, Any], _status: int) -> None:
    """Empty a finished command, as an event; it may hold a key."""
    command.clear()
