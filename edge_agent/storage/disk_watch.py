"""Tells that the agent's disk refuses, and tries again until it does not.

A card that is full or cannot be written keeps no agent from its doors: what it holds is read, what arrives is
carried out, and what happens is told from memory. But a power cut would cost all that is not on the disk, so this is
an alarm, and everything is put there as soon as the disk takes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from edge_agent.bundle.bundle import Configuration
from edge_agent.declarations.held import Declarations
from edge_agent.events.journal import Journal
from edge_agent.storage.credential_store import CredentialStore
from edge_agent.storage.state_db import Store
from protocol.words import Alarm, EventKind

log = logging.getLogger(__name__)

TRY_EVERY_S = 10.0


class Storage:
    """Watches over the files of one agent. ``on_change()`` is called when :attr:`alarms` has changed."""

    def __init__(
        self,
        *,
        store: Store,
        credentials: CredentialStore,
        journal: Journal,
        declarations: Declarations,
        configuration: Configuration,
        on_change: Callable[[], None],
    ) -> None:
        self.alarms: tuple[Alarm, ...] = ()
        """What is wrong with the agent's disk, for its snapshots."""
        self._store = store
        self._credentials = credentials
        self._journal = journal
        self._declarations = declarations
        self._configuration = configuration
        self._on_change = on_change

    def refused(self) -> tuple[str, ...]:
        """The files that do not have what they should."""
        kept = {
            "state.db": self._store.writable and not self._store.unkept,
            "outbox.db": not (self._journal.outbox.in_memory or self._journal.refused),
            "credentials.db": self._credentials.writable,
        }
        return tuple(name for name, well in kept.items() if not well)

    def look(self) -> None:
        """Raise the alarm, or clear it, if it is due."""
        refused = self.refused()
        if bool(refused) is bool(self.alarms):
            return
        self.alarms = (Alarm.STORAGE_FAILED,) if refused else ()
        kind = EventKind.ALARM_RAISED if refused else EventKind.ALARM_CLEARED
        self._journal.add(kind, {"alarm": Alarm.STORAGE_FAILED, "files": list(refused)})
        self._on_change()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(TRY_EVERY_S)
            try:
                await self._try_again()
            except Exception:  # the next try may be better
                log.exception("the agent's files cannot be tried again")

    async def _try_again(self) -> None:
        self._store.try_again()
        await self._journal.try_disk()
        await self._credentials.try_again()
        self.look()
