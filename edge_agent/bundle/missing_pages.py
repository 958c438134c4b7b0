"""The alarm about pages of credentials that are not there: those of the configuration in use, or of one that waits.

A configuration usually waits for its pages for some seconds; it is an alarm once none has come for a minute. While it
waits, a badge that it takes away still opens doors, and a badge that it adds opens none.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.events.journal import Journal
from edge_agent.storage.credential_store import CredentialStore
from ground.clock import Clock
from protocol.words import Alarm

LATE_MS = 60_000
"""Without another page for so long, those that a configuration waits for may never come."""


class MissingPages:
    """Raises the alarm when pages are missing, and clears it when they are all there."""

    def __init__(self, credentials: CredentialStore, *, clock: Clock, journal: Journal) -> None:
        self.alarms: tuple[Alarm, ...] = ()
        """For the agent's snapshots."""
        self._credentials = credentials
        self._clock = clock
        self._journal = journal
        self._awaited = 0
        self._since_ms = 0  # when a page came last, or the waiting began
        self._late = False  # until nothing waits any more

    def check(self, used: Sequence[str], waiting: Sequence[str]) -> None:
        """Compare what is held with the pages of the configuration in use and of the one that waits. Call it whenever
        either has changed, and every second or so."""
        lacked, awaited = self._lacked(used), self._lacked(waiting)
        now = self._clock.mono_ms()
        if not self._awaited or len(awaited) < self._awaited:
            self._since_ms = now
        self._awaited = len(awaited)
        self._late = bool(awaited) and (self._late or now - self._since_ms >= LATE_MS)
        self._report(len(lacked | awaited if self._late else lacked))

    def _lacked(self, digests: Sequence[str]) -> set[str]:
        return {digest for digest in digests if not self._credentials.holds(digest)}

    def _report(self, missing: int) -> None:
        if (missing > 0) is not bool(self.alarms):
            self.alarms = (Alarm.CREDENTIALS_MISSING,) if missing else ()
            self._journal.alarm(Alarm.CREDENTIALS_MISSING, {"pages": missing}, raised=missing > 0)
