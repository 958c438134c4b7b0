"""The one place that reports a disk that refuses, and has every file tried again until it does not.

A card that is full or cannot be written keeps no agent from its doors: what it holds is read, what arrives is
carried out, and what happens is reported from memory. But a power cut would cost all that is not on the disk, so this
is an alarm, and everything is put there as soon as the disk takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ground.reporter import Reporter
from protocol.words import Alarm

log = logging.getLogger(__name__)

TRY_EVERY_S = 10.0

WITHOUT_ALARM = frozenset({"presence.db"})
"""Without it people are known less well, which is lenient; nothing that central needs is lost."""


@dataclass(frozen=True, slots=True)
class DiskChanged:
    """The alarm is raised or cleared. ``files``: those that do not have what they should; none any more: cleared."""

    files: tuple[str, ...]


class Disk(Reporter[DiskChanged]):
    """The files of one agent that refuse, by name. Logs each outage of a file once, and once when it ends; reports
    every change of :attr:`alarms`."""

    def __init__(self) -> None:
        super().__init__()
        self.alarms: tuple[Alarm, ...] = ()
        """What is wrong with the agent's disk, for its snapshots."""
        self._refusing: dict[str, None] = {}  # in the order in which they began to

    def refuses(self, file: str, why: str) -> None:
        """A file has not what it should, from now until :meth:`takes`. On any thread."""
        if file not in self._refusing:
            self._refusing[file] = None
            log.error("%s: %s", file, why)

    def takes(self, file: str) -> None:
        """A file has everything that it should. On any thread."""
        if file in self._refusing:
            del self._refusing[file]
            log.warning("%s can be written again", file)

    def refused(self) -> tuple[str, ...]:
        """The files that do not have what they should, except those WITHOUT_ALARM."""
        return tuple(file for file in tuple(self._refusing) if file not in WITHOUT_ALARM)

    def check(self) -> None:
        """Raise the alarm, or clear it, if it is due. On the loop."""
        files = self.refused()
        if bool(files) is bool(self.alarms):
            return
        self.alarms = (Alarm.STORAGE_FAILED,) if files else ()
        self._report(DiskChanged(files))

    async def run(self, *tries: Callable[[], Awaitable[object] | bool]) -> None:
        """Until cancelled: have the files tried again, one after the other, every TRY_EVERY_S."""
        while True:
            await asyncio.sleep(TRY_EVERY_S)
            try:
                for try_again in tries:
                    trying = try_again()
                    if isinstance(trying, Awaitable):
                        await trying
                self.check()
            except Exception:  # the next try may be better
                log.exception("the agent's files cannot be tried again")
