"""Fetches pages of credentials: listens to those not held, puts on the disk those that arrive.

Only what is not held is listened to, and a few at a time: a page that did not change is not transferred, and a
quarter of a million credentials never wait in memory.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.events.refusals import Refusals
from edge_agent.storage.credential_page import check_digest
from edge_agent.storage.credential_store import CredentialStore
from ground.reporter import Reporter
from protocol.refusal import Reason, Refused

log = logging.getLogger(__name__)

PAGES_AT_ONCE = 4
"""How many new pages are listened to at a time; those that came wrong are listened to beside them."""

AGAIN_S = 30.0
MOST_AGAIN_S = 1_800.0
"""If none of the wanted pages comes for so long, others have their turn; once all had it, the wait doubles."""

MOST_STAGING = 16
"""Pages in memory on their way to the disk; more are refused, and asked for again later."""


@dataclass(frozen=True, slots=True)
class PagesChanged:
    """:meth:`PageFetch.wanted` has changed. ``complete``: every page is held."""

    complete: bool = False


class PageFetch(Reporter[PagesChanged]):
    """Fetches the pages of one configuration. ``topic(number)`` names a page's topic."""

    def __init__(
        self,
        store: CredentialStore,
        *,
        topic: Callable[[int], str],
        refusals: Refusals,
    ) -> None:
        super().__init__()
        self._store = store
        self._topic = topic
        self._refusals = refusals
        self._digests: tuple[str, ...] = ()
        self._turns: list[int] = []  # the numbers of all pages, in the order in which they are listened to
        self._had_turn: set[int] = set()
        self.again_s = AGAIN_S
        """After so many seconds without a change of :meth:`wanted`, :meth:`ask_again` is due."""
        self._passed_over: set[int] = set()
        self._staging: set[int] = set()
        self._works: set[asyncio.Task[None]] = set()

    def want(self, digests: Sequence[str]) -> None:
        """Fetch these pages from now on, as far as they are not held; in place of those before."""
        self._digests = tuple(digests)
        self._turns = list(range(len(self._digests)))
        self._had_turn.clear()
        self._passed_over.clear()
        self.wait_from_start()
        self._report(PagesChanged())

    def wait_from_start(self) -> None:
        """Wait AGAIN_S again: there is another broker to ask, or other pages to ask for."""
        self.again_s = AGAIN_S

    def ask_again(self) -> None:
        """Listen to other pages first: those listened to did not come, came wrong or could not be kept, and a few
        pages that never come must not keep out those that are there."""
        late = [number for number in self.wanted() if number not in self._staging]
        self._turns = [number for number in self._turns if number not in late] + late
        self._had_turn.update(late)
        self._passed_over.clear()
        if all(self._store.holds(digest) or number in self._had_turn for number, digest in enumerate(self._digests)):
            self._had_turn.clear()
            self.again_s = min(2 * self.again_s, MOST_AGAIN_S)
        self._report(PagesChanged())

    def wanted(self) -> Mapping[int, str]:
        """Number and digest of the pages to listen to now."""
        found: dict[int, str] = {}
        new = 0
        for number in self._turns:
            digest = self._digests[number]
            if self._store.holds(digest) or (new == PAGES_AT_ONCE and number not in self._passed_over):
                continue
            found[number] = digest
            new += number not in self._passed_over
        return found

    def receive(self, number: int, payload: bytes) -> None:
        """A page arrived; :class:`Refused` if it was not wanted or is not the one named. Where the disk does not keep
        it, that is noted as refused later."""
        if not payload:
            return  # central has taken it back
        digest = self.wanted().get(number)
        if digest is None or number in self._staging:
            raise Refused(Reason.DUPLICATE, f"page {number} is held, or not wanted now")
        try:
            check_digest(digest, number, payload)  # a millisecond; a wrong one must not keep the right one out
        except Refused:
            if number not in self._passed_over:
                self._passed_over.add(number)
                self._report(PagesChanged())  # another has its place
            raise
        if len(self._staging) >= MOST_STAGING:
            self._passed_over.add(number)
            raise Refused(Reason.NOT_KEPT, f"{MOST_STAGING} other pages are on their way to the disk")
        self._staging.add(number)
        work = asyncio.get_running_loop().create_task(self._stage(number, digest, payload))
        self._works.add(work)
        work.add_done_callback(self._works.discard)

    def stop(self) -> None:
        """Leave what is being put on the disk; it is fetched again."""
        for work in self._works:
            work.cancel()

    async def _stage(self, number: int, digest: str, payload: bytes) -> None:
        try:
            await self._store.stage(digest, number, payload)
            self.wait_from_start()
        except Refused as refused:
            self._passed_over.add(number)
            self._refusals.note(self._topic(number), refused)
        except sqlite3.Error as error:
            self._passed_over.add(number)
            self._refusals.note(self._topic(number), Refused(Reason.NOT_KEPT, f"the disk does not keep it: {error}"))
        finally:
            self._staging.discard(number)
        complete = bool(self._digests) and all(self._store.holds(one) for one in self._digests)
        self._report(PagesChanged(complete))
