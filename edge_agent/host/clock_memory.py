"""Keeps in the data folder when the clock was last known to be right; and reads battery clocks.

Not a clock: `edge_agent.host.clock` decides what both mean.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

FILE = "clock.json"

KEEP_EVERY_MS = 3_600_000
"""Rare, to spare the card; a restart loses an hour of hold-over at most."""

STEP_MS = 1_000
"""If a time server moves UTC by more than this, keep it at once: the moment kept before is wrong."""

RTCS = Path("/sys/class/rtc")


class Synchronised(msgspec.Struct, frozen=True):
    """A moment at which a time server held the clock: in which boot, monotonic ms, and UTC - monotonic in ms."""

    boot: str
    mono_ms: int
    offset_ms: int

    @property
    def utc_ms(self) -> int:
        return self.mono_ms + self.offset_ms


class ClockMemory:
    """Keeps the last such moment on the disk: whole or not at all, mode 0600. Never waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._kept: Synchronised | None = None
        self._writing: threading.Thread | None = None
        self._failed = False

    def load(self) -> Synchronised | None:
        """The moment kept; None if there is none, or it cannot be read."""
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=Synchronised)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read, so the clock waits for a time server: %s", self._path, error)
            return None
        return self._kept

    def keep(self, now: Synchronised) -> None:
        """Keep this moment, if the one kept is old or wrong. Another thread writes, and logs a failure."""
        if self._kept is not None and _still_holds(self._kept, now):
            return
        if self._writing is None or not self._writing.is_alive():
            self._kept = now  # so that a full disk is tried again in an hour, not every second
            self._writing = threading.Thread(target=self._write, args=(now,), name="clock memory", daemon=True)
            self._writing.start()

    def _write(self, now: Synchronised) -> None:
        beside = self._path.with_name(f"{FILE}.new")
        try:
            beside.unlink(missing_ok=True)
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.encode(now))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("%s cannot be written; after a restart the clock waits for a time server: %s",
                            self._path, error)  # fmt: skip
            self._failed = True


def _still_holds(kept: Synchronised, now: Synchronised) -> bool:
    same = kept.boot == now.boot and abs(now.offset_ms - kept.offset_ms) < STEP_MS
    return same and 0 <= now.mono_ms - kept.mono_ms < KEEP_EVERY_MS


def battery_clocks(folder: Path = RTCS) -> list[int]:
    """UTC in ms of every battery clock that has it; one with an empty battery has not. Takes some ms each."""
    found = []
    for clock in sorted(folder.glob("rtc*")):
        try:
            found.append(int((clock / "since_epoch").read_text()) * 1_000)
        except (OSError, ValueError) as error:
            log.debug("%s does not say the time: %s", clock, error)
    return found
