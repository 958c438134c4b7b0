"""A virtual 125 kHz serial reader (ID-12 or RDM6300) on a pty, to the byte. What a card means is not known here."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import threading
import tty
from functools import reduce
from operator import xor
from pathlib import Path

from drivers.serial.ascii_reader import CARD_BITS, FRAMINGS

_NOISE_BYTES = (1, 40)
_STX = 0x02


class VirtualSerialReader:
    """One module of ``kind`` ("id-12", "rdm6300"). ``path`` is what the agent opens; it outlives being unplugged.

    A context manager. Any thread may call it.
    """

    def __init__(self, folder: Path, *, kind: str = "id-12", name: str = "serial", seed: int = 0) -> None:
        self.path = str(folder / name)
        self.leds: list[str] = []
        """It has no lamp."""
        self._framing = FRAMINGS[kind]
        self._dice = random.Random(seed)
        self._guard = threading.Lock()
        self._master: int | None = None
        self._slave: int | None = None
        self.plug()

    def __enter__(self) -> VirtualSerialReader:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.unplug()

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card. ValueError for one that is not of 40 bits: a 125 kHz reader cannot see it."""
        if bits != CARD_BITS:
            raise ValueError(f"a 125 kHz reader sees cards of {CARD_BITS} bits; this one has {bits}")
        self.send(self.frame(data))

    def press(self, keys: str) -> None:
        """ValueError: it has no keys."""
        raise ValueError(f"this reader has no keypad; {len(keys)} keys were not pressed")

    def hold(self, data: bytes, times: int = 5) -> None:
        """Keep a card before the reader: an RDM6300 says it again and again."""
        self.send(self.frame(data) * (times if self._framing.repeats else 1))

    def spoil(self, data: bytes) -> None:
        """Show a card whose frame arrives with one digit changed."""
        with self._guard:
            frame = bytearray(self.frame(data))
            place = self._dice.randrange(1, 13)
            frame[place] = self._dice.choice([digit for digit in b"0123456789ABCDEF" if digit != frame[place]])
        self.send(bytes(frame))

    def noise(self, seed: int) -> None:
        """Send bytes that are no frame; always the same for a seed."""
        dice = random.Random(seed)
        self.send(bytes(dice.choices([n for n in range(256) if n != _STX], k=dice.randint(*_NOISE_BYTES))))

    def frame(self, data: bytes) -> bytes:
        """The bytes of a card as this module sends them."""
        if len(data) != 5:
            raise ValueError(f"a card of a serial reader has 5 bytes, not {len(data)}")
        digits = (data + bytes([reduce(xor, data)])).hex().upper().encode("ascii")
        return bytes([_STX]) + digits + self._framing.tail

    def send(self, data: bytes) -> None:
        """Send raw bytes. Unplugged, or with a full buffer, they are lost."""
        with self._guard, contextlib.suppress(BlockingIOError):
            if self._master is not None:
                os.write(self._master, data)

    def unplug(self) -> None:
        """Pull the adapter out: the port hangs up, and its name is gone."""
        with self._guard:
            Path(self.path).unlink(missing_ok=True)
            for descriptor in filter(None, (self._master, self._slave)):
                os.close(descriptor)
            self._master = self._slave = None

    def plug(self) -> None:
        """Plug it in (again): the same name, as a udev rule gives it, for a new port."""
        with self._guard:
            if self._master is not None:
                return
            self._master, self._slave = pty.openpty()
            tty.setraw(self._slave)  # before the first byte: a cooked pty mangles and echoes
            os.set_blocking(self._master, False)
            Path(self.path).unlink(missing_ok=True)  # a process that was killed left it
            Path(self.path).symlink_to(os.ttyname(self._slave))
