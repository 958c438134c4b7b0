"""A virtual OSDP reader: libosdp's own peripheral side, on a virtual line, with a real secure channel.

It speaks the protocol's bytes; the panel cannot tell it from hardware. It does not judge cards. Run as a
program (`python -m simulators.hardware.reader_process --readers 2`) it lives in a process of its own, prints the
pty's path as JSON and takes commands as JSON lines: see `simulators.hardware.reader_process`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import osdp_sys

from simulators.hardware.line import VirtualLine

_NOISE_BYTES = 64
_STEPS = 3  # receive, act, answer
_COLOURS = {
    osdp_sys.LED_COLOR_NONE: "dark",
    osdp_sys.LED_COLOR_RED: "red",
    osdp_sys.LED_COLOR_GREEN: "green",
    osdp_sys.LED_COLOR_AMBER: "amber",
    osdp_sys.LED_COLOR_BLUE: "blue",
}
_CAPABILITIES = (
    (osdp_sys.CAP_CONTACT_STATUS_MONITORING, 1, 1),
    (osdp_sys.CAP_CARD_DATA_FORMAT, 1, 0),
    (osdp_sys.CAP_READER_LED_CONTROL, 4, 1),
    (osdp_sys.CAP_READER_AUDIBLE_OUTPUT, 2, 1),
    (osdp_sys.CAP_CHECK_CHARACTER_SUPPORT, 1, 0),
    (osdp_sys.CAP_COMMUNICATION_SECURITY, 1, 1),
    (osdp_sys.CAP_READERS, 1, 1),
)


@dataclass(frozen=True, slots=True)
class Led:
    """The panel made the reader light up."""

    colour: str
    """dark, red, green, amber or blue."""
    blinking: bool
    temporary: bool
    at: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Buzzer:
    """The panel made the reader sound."""

    times: int
    at: float
    """Monotonic seconds."""


class _PeripheralChannel:
    """What libosdp reads and writes; the line carries it."""

    id = 1

    def __init__(self) -> None:
        self.received = bytearray()
        self.sent = bytearray()

    def read(self, max_bytes: int) -> bytes:
        data = bytes(self.received[:max_bytes])
        del self.received[:max_bytes]
        return data

    def write(self, data: bytes) -> int:
        self.sent += data
        return len(data)

    def flush(self) -> None:
        self.received.clear()


class VirtualOsdpReader:
    """One reader on `line`. Methods may be called from any thread.

    `key` None makes a reader as from the factory, in install mode: it takes its first key over the default one
    (SCBK-D). libosdp's peripheral always has a secure channel.
    `on_shown` is called with each `Led` and `Buzzer`, on the line's thread.
    """

    def __init__(
        self,
        line: VirtualLine,
        *,
        address: int,
        key: bytes | None,
        name: str = "",
        on_shown: Callable[[Led | Buzzer], None] | None = None,
    ) -> None:
        self.line = line
        self.address = address
        self.name = name or f"reader-{address}"
        self.shown: list[Led | Buzzer] = []
        """Everything the panel made it show, oldest first."""
        self.keys_taken = 0
        """How often it was given a key."""
        self.refuse_keys = False
        """Whether it answers a new key with a NAK."""
        self._key = key
        self._on_shown = on_shown
        self._plugged = True
        self._frozen = False
        self._tampered = False
        self._power_failed = False
        self._power_up()
        line.attach(self)

    @property
    def key(self) -> bytes | None:
        """The key it holds now; it survives a restart."""
        return self._key

    @property
    def leds(self) -> list[str]:
        """The colours the panel made it show, oldest first."""
        return [shown.colour for shown in self.shown if isinstance(shown, Led)]

    @property
    def secure(self) -> bool:
        """Whether its side of the secure channel is up."""
        with self.line.lock:
            return bool(self._pd.is_sc_active())

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card: `bits` bits, left-aligned in `data`. It waits at the reader until polled."""
        if len(data) != (bits + 7) // 8:
            raise ValueError(f"{bits} bits do not fit {len(data)} bytes")
        self._submit(
            {
                "event": osdp_sys.EVENT_CARDREAD,
                "reader_no": 0,
                "direction": 0,
                "format": osdp_sys.CARD_FMT_RAW_WIEGAND,
                "length": bits,
                "data": data,
            }
        )

    def press(self, keys: str) -> None:
        """Press keys: 0-9, `*` and `#`."""
        data = keys.replace("*", "\x7f").replace("#", "\r").encode("ascii")
        self._submit({"event": osdp_sys.EVENT_KEYPRESS, "reader_no": 0, "data": data})

    def tamper(self, on: bool) -> None:
        """Open or close the cover."""
        self._tampered = on
        self._local_status()

    def power_fault(self, on: bool) -> None:
        """Let the supply fail or return."""
        self._power_failed = on
        self._local_status()

    def unplug(self) -> None:
        """Pull the data pair. The reader keeps its power, and what it reads meanwhile."""
        with self.line.lock:
            self._plugged = False

    def plug(self) -> None:
        """Put the data pair back."""
        with self.line.lock:
            self._plugged = True

    def noise(self, seed: int) -> None:
        """Noise on the line towards the panel, always the same for a seed."""
        self.line.inject(random.Random(seed).randbytes(_NOISE_BYTES))

    def freeze(self) -> None:
        """Hang the reader: it hears and says nothing, but loses nothing either."""
        with self.line.lock:
            self._frozen = True

    def thaw(self) -> None:
        """Let it go on."""
        with self.line.lock:
            self._frozen = False

    def restart(self) -> None:
        """Cut and restore its power: session and waiting reads are gone."""
        with self.line.lock:
            self._power_up()

    def receive(self, data: bytes) -> bytes:
        """Bytes for it arrived (called by the line)."""
        if self._frozen or not self._plugged:
            return b""
        self._channel.received += data
        return self._step(_STEPS)

    def tick(self) -> bytes:
        """Time passed (called by the line)."""
        if self._frozen:
            return b""
        sent = self._step(1)
        return sent if self._plugged else b""

    def _power_up(self) -> None:
        osdp_sys.set_loglevel(osdp_sys.LOG_CRIT)
        self._channel = _PeripheralChannel()
        info: dict[str, Any] = {
            "name": self.name,
            "address": self.address,
            "flags": 0 if self._key is None else osdp_sys.FLAG_ENFORCE_SECURE,
            "scbk": self._key,
            "channel": self._channel,
            "version": 1,
            "model": 1,
            "vendor_code": 0xCAFE,
            "serial_number": self.address,
            "firmware_version": 1,
        }
        capabilities = [
            {"function_code": code, "compliance_level": level, "num_items": items}
            for code, level, items in _CAPABILITIES
        ]
        self._pd: Any = osdp_sys.PeripheralDevice(info, capabilities=capabilities)
        self._pd.set_command_callback(self._command)

    def _step(self, times: int) -> bytes:
        for _ in range(times):
            self._pd.refresh()
            if self._channel.sent:
                break
        sent = bytes(self._channel.sent)
        self._channel.sent.clear()
        return sent

    def _submit(self, event: dict[str, Any]) -> None:
        with self.line.lock:
            if not self._pd.submit_event(event):
                raise RuntimeError(f"{self.name} refused {event}")

    def _local_status(self) -> None:
        report = bytes([self._tampered, self._power_failed])
        kind = osdp_sys.STATUS_REPORT_LOCAL
        self._submit({"event": osdp_sys.EVENT_STATUS, "type": kind, "report": report})

    def _command(self, command: dict[str, Any]) -> tuple[int, None]:
        now = time.monotonic()
        shown: Led | Buzzer | None = None
        if command["command"] == osdp_sys.CMD_KEYSET:
            return self._take_key(command["data"]), None
        if command["command"] == osdp_sys.CMD_COMSET_DONE:
            self.line.readdress(self, command["address"])
        elif command["command"] == osdp_sys.CMD_LED:
            colour = _COLOURS.get(command["on_color"], "other")
            shown = Led(colour, command["off_count"] > 0, command["temporary"], now)
        elif command["command"] == osdp_sys.CMD_BUZZER:
            shown = Buzzer(command["rep_count"], now)
        if shown is not None:
            self.shown.append(shown)
            if self._on_shown is not None:
                self._on_shown(shown)
        return 0, None

    def _take_key(self, key: bytes) -> int:
        if self.refuse_keys:
            return -1
        self._key = bytes(key)
        self.keys_taken += 1
        return 0
