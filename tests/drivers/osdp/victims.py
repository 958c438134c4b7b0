"""Panels to attack: ours, and libosdp as somebody would use it who has read its manual and nothing else.

An attack that fails against ours proves little unless it succeeds somewhere: each is played against the naive panel,
too, in every run, and has to succeed there.
"""

import asyncio
import ctypes
import secrets
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol

import osdp_sys

from drivers.osdp import OsdpBus, OsdpEvent, OsdpReaderConfig, open_serial
from drivers.osdp.panel import PanelChannel
from drivers.readers import CardRead

TICK_S = 0.005


class Victim(Protocol):
    """A panel that speaks with one reader over a path, from entering to leaving the block."""

    cards: list[bytes]

    def __enter__(self) -> "Victim": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def online(self) -> bool: ...

    def heal(self) -> None: ...


MakeVictim = Callable[[str, int, bytes], Victim]
"""Given the path, the reader's address and its key."""


class Ours:
    """The bus of the agent."""

    def __init__(self, path: str, address: int, key: bytes) -> None:
        self.cards: list[bytes] = []
        self.events: list[OsdpEvent] = []
        self.bus = OsdpBus(
            "line-1", lambda: open_serial(path), [OsdpReaderConfig("r", address, key)], on_event=self._on_event
        )

    def __enter__(self) -> "Ours":
        self.bus.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self.bus.stop()

    @property
    def online(self) -> bool:
        return self.bus.online("r")

    def heal(self) -> None:
        """It does so by itself."""

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def _on_event(self, event: OsdpEvent) -> None:
        self.events.append(event)
        if isinstance(event, CardRead):
            self.cards.append(event.data)


class Naive:
    """libosdp alone: ``secure`` with EnforceSecure, which is all that its manual asks for, or without."""

    def __init__(self, path: str, address: int, key: bytes, *, secure: bool = True, seeded: bool = True) -> None:
        self.cards: list[bytes] = []
        self._line = open_serial(path)
        self._channel = PanelChannel(self._line)
        ctypes.CDLL(None).srand(ctypes.c_uint(secrets.randbits(32) if seeded else 1))
        self._cp: Any = osdp_sys.ControlPanel([{
            "name": "r", "address": address, "flags": osdp_sys.FLAG_ENFORCE_SECURE if secure else 0, "scbk": key,
            "channel": self._channel, "version": 1, "model": 1, "vendor_code": 0, "serial_number": 0,
            "firmware_version": 0,
        }])  # fmt: skip
        self._cp.set_event_callback(self._event)
        self._ticker: asyncio.TimerHandle | None = None

    @classmethod
    def plaintext(cls, path: str, address: int, key: bytes) -> "Naive":
        return cls(path, address, key, secure=False)

    def __enter__(self) -> "Naive":
        osdp_sys.set_loglevel(osdp_sys.LOG_EMERG)
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._readable)
        self._tick()
        return self

    def __exit__(self, *_exc: object) -> None:
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        if self._ticker is not None:
            self._ticker.cancel()
        self._cp.set_event_callback(_drop)
        self._line.close()

    @property
    def online(self) -> bool:
        return bool(self._cp.status() & 1)

    def heal(self) -> None:
        """Bring a parked reader back, as its manual says."""
        self._cp.disable_pd(0)
        self._step()
        self._cp.enable_pd(0)

    def _readable(self) -> None:
        self._channel.received += self._line.read()
        self._step()

    def _tick(self) -> None:
        self._step()
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _step(self) -> None:
        for _ in range(3):
            self._cp.refresh()

    def _event(self, _offset: int, fields: dict[str, Any]) -> int:
        if fields.get("event") == osdp_sys.EVENT_CARDREAD:
            self.cards.append(bytes(fields["data"]))
        return _drop(_offset, fields)


def _drop(_offset: int, fields: dict[str, Any]) -> int:
    fields.clear()
    return 0
