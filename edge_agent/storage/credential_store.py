"""Where a token that was read is looked up: up to 250,000 credentials on the disk, or a few in memory.

``credentials.db`` holds pages, each under the SHA-256 that the signed configuration names it by: a page is right or
it is not there, and configurations share the pages they have in common. It is a file of its own, so that writing here
holds up neither a declaration nor an event, and damage here is not damage there.

It says whom a token belongs to, not whether they may pass (`edge_agent.policy.decision`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from edge_agent.policy.credentials import MemoryCredentials
from edge_agent.storage.credential_file import (
    MIGRATIONS,
    Copied,
    PageRows,
    copy_whole_pages,
    delete_page,
    finish,
    held_pages,
    insert_page,
    put_in_place,
)
from edge_agent.storage.credential_page import CheckedPage, open_page
from edge_agent.storage.database import DatabaseTooNew, open_durable, open_read_only, set_aside
from edge_agent.storage.disk_watch import Disk
from ground.reporter import Reporter
from protocol.messages import Credential

log = logging.getLogger(__name__)

CACHE_KIB = 512
"""SQLite's own cache, for each of two connections. The kernel's serves the rest, and gives it back when asked."""

BUSY_S = 0.05
"""The longest that the loop would wait for a lock on the file; in WAL mode there is none to wait for."""

_FIND = "SELECT body FROM credentials WHERE page = ? AND token = ?"

T = TypeVar("T")


class PagedCredentials:
    """The credentials of the pages that a configuration names, as far as the store holds them; and a few in memory,
    which come first. ``digests``: one for each page, a power of two of them (at most 4,096)."""

    def __init__(self, store: CredentialStore, digests: Sequence[str], few: Iterable[Credential] = ()) -> None:
        self._store = store
        self._digests = tuple(digests)
        self._few = MemoryCredentials(few)
        self._shift = 12 - (len(self._digests).bit_length() - 1)

    def find(self, token: str) -> Credential | None:
        """The credential with this token, or None: also while the store does not hold its page."""
        few = self._few.find(token)
        return few or self._store.find(self._page_of(token), token)

    def holds(self, token: str) -> bool:
        """Whether the token's page is held, or it is one of the few."""
        return self._few.find(token) is not None or self._store.holds(self._page_of(token))

    def _page_of(self, token: str) -> str:
        return self._digests[int(token[:3], 16) >> self._shift]


@dataclass(frozen=True, slots=True)
class PagesLost:
    """Pages may be missing that were held, or could not be kept when they came: fetch what is missing."""


@dataclass(frozen=True, slots=True)
class _View:
    """What badges are looked up in: a file, and the pages it has. Another file is another view, in one step."""

    reader: sqlite3.Connection | None
    held: dict[str, PageRows]


class CredentialStore(Reporter[PagesLost]):
    """``credentials.db``. Opens it when made, whatever is wrong with it: the doors must be held. A file that is
    damaged, or a newer program's, is replaced by an empty one, for central has all of it.

    It reads and reports on the loop, and waits for no writing, which is on a thread of its own.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        super().__init__()
        self._path = path
        self._disk = disk or Disk()
        self._thread = ThreadPoolExecutor(1, "credentials")
        self._closing = threading.Event()
        self._mending: asyncio.Task[None] | None = None
        self._damaged = False
        self._decode = msgspec.json.Decoder(Credential).decode
        self._writer: sqlite3.Connection | None = None
        self._view = _View(None, {})
        try:
            self._open()
        except (OSError, sqlite3.Error) as error:
            self._disk.refuses(path.name, f"cannot be written ({error}): what it holds is read")
            self._read_only()

    def _open(self) -> None:
        finish(self._path)
        try:
            self._writer = open_durable(self._path, MIGRATIONS, look_through=False)  # look_through() does it later
        except DatabaseTooNew as error:
            log.error("%s", error)  # noqa: TRY400
            set_aside(self._path)
            self._writer = open_durable(self._path, MIGRATIONS, look_through=False)
        try:
            finish(self._path)
            self._writer.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
            reader = sqlite3.connect(self._path, BUSY_S, isolation_level=None, check_same_thread=False)
            self._show(reader)
        except BaseException:
            self._writer.close()
            self._writer = None
            raise

    def _read_only(self) -> None:
        try:
            self._show(open_read_only(self._path))
        except (OSError, sqlite3.Error) as error:
            log.error("%s cannot be read: no badge of it is known: %s", self._path, error)  # noqa: TRY400

    def _show(self, reader: sqlite3.Connection) -> None:
        """Look badges up here from now on."""
        reader.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
        reader.execute("PRAGMA query_only = 1")
        self._view = _View(reader, held_pages(reader))

    def close(self) -> None:
        """Stop what is being written, and close the file; no token is found from then on."""
        self._closing.set()
        if self._mending is not None:
            self._mending.cancel()
        writer = self._writer
        if writer is not None:
            with contextlib.suppress(sqlite3.Error):  # closed this moment, by the thread
                writer.interrupt()
        self._thread.shutdown(cancel_futures=True)
        last, self._view = self._view, _View(None, {})  # a badge after the end is looked for nowhere
        self._close_view(last)
        if self._writer is not None:
            self._writer.close()

    # --- what is held -------------------------------------------------------------------------------------------

    def find(self, digest: str, token: str) -> Credential | None:
        """The credential with this token in a page; None if it is not in it, or the page is not held."""
        view = self._view
        held = view.held.get(digest)
        if held is None or view.reader is None:
            return None
        try:
            row = view.reader.execute(_FIND, (held.id, bytes.fromhex(token))).fetchone()
            return None if row is None else self._decode(row[0])
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            log.error("a credential cannot be read, so the badge opens nothing: %s", error)  # noqa: TRY400
            if not isinstance(error, sqlite3.OperationalError):
                view.held.pop(digest, None)  # this page is fetched again; the others go on being read
                self._mend()
            return None

    def holds(self, digest: str) -> bool:
        """Whether a page is on the disk, whole."""
        return digest in self._view.held

    def count(self, digests: Iterable[str]) -> int:
        """How many credentials some pages have, of those held."""
        held = self._view.held
        return sum(held[digest].count for digest in digests if digest in held)

    # --- changes ------------------------------------------------------------------------------------------------

    async def stage(self, digest: str, number: int, payload: bytes) -> None:
        """Put a page on the disk, whole or not at all. :class:`Refused` (oversized, wrong_digest, malformed) if it is
        not the one asked for; sqlite3.Error if the disk refuses. A file that is being mended is waited for."""
        if self._mending is not None:
            await asyncio.wait([self._mending])
        await self._on_thread(lambda: self._insert(open_page(digest, number, payload), number))

    async def keep_only(self, digests: Iterable[str]) -> None:
        held = self._view.held
        dropped = set(held).difference(digests)
        for digest in dropped:
            held.pop(digest, None)
        if dropped:
            try:
                await self._on_thread(lambda: self._delete(dropped))
            except sqlite3.Error as error:
                log.error("pages no longer used stay on the disk: %s", error)  # noqa: TRY400

    async def look_through(self) -> None:
        """Read the whole file once, beside everything else. A damaged one is mended: those of its pages that are
        whole are taken over into a new one, and the others are lost. Badges are looked up in the old one meanwhile,
        and go on being so if the disk has no room for a new one."""
        if self._writer is None:
            return
        try:
            verdict = await self._on_thread(self._quick_check)
        except sqlite3.OperationalError as error:
            log.error("%s cannot be looked through: %s", self._path, error)  # noqa: TRY400
            return
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        if verdict != "ok":
            log.error("%s is damaged: %s", self._path, verdict)
            self._mend()

    async def try_again(self) -> None:
        """Open a file for writing that could not be, and mend a damaged one for which there was no room."""
        if self._writer is None:
            await self._write_again()
        elif self._damaged and _room_for_another(self._path):
            self._mend()

    async def _write_again(self) -> None:
        old = self._view
        try:
            await self._on_thread(self._open)
        except (OSError, sqlite3.Error):
            return
        if not self._damaged:
            self._disk.takes(self._path.name)
        self._close_view(old)
        self._report(PagesLost())  # what came meanwhile could not be kept

    def _mend(self) -> None:
        if self._mending is None or self._mending.done():
            self._mending = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        old = self._view
        try:
            copied = await self._on_thread(self._mend_file)
        except (sqlite3.Error, OSError) as error:
            self._damaged = True
            self._disk.refuses(self._path.name, f"cannot be mended: {error}")
        else:
            self._damaged = copied.failed is not None
            if copied.failed is None:
                log.warning("%s: a new file, %d pages were whole and are taken over", self._path, copied.taken)
                self._disk.takes(self._path.name)
            else:
                self._disk.refuses(self._path.name, f"cannot be mended now ({copied.failed}): it is read as it is")
                for digest in copied.lost:
                    old.held.pop(digest, None)
        if self._view is not old:
            self._close_view(old)
        self._report(PagesLost())

    @staticmethod
    def _close_view(view: _View) -> None:
        if view.reader is not None:
            view.reader.close()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- on the store's own thread ------------------------------------------------------------------------------

    def _for_writing(self) -> sqlite3.Connection:
        if self._writer is None:
            raise sqlite3.OperationalError(f"{self._path.name} cannot be written")
        return self._writer

    def _quick_check(self) -> str:
        return str(self._for_writing().execute("PRAGMA quick_check(1)").fetchone()[0])

    def _insert(self, page: CheckedPage, number: int) -> None:
        self._view.held[page.digest.hex()] = insert_page(self._for_writing(), page, number)

    def _delete(self, digests: Iterable[str]) -> None:
        for digest in digests:
            self._view.held.pop(digest, None)  # it may have been taken over into a new file meanwhile
            delete_page(self._for_writing(), digest)

    def _mend_file(self) -> Copied:
        copied = copy_whole_pages(self._path, go_on=lambda: not self._closing.is_set())
        if copied.failed is None:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            try:
                put_in_place(self._path)
            finally:
                self._open()
        return copied


def _room_for_another(path: Path) -> bool:
    """Whether the disk has room for a file like this one beside it."""
    try:
        return shutil.disk_usage(path.parent).free > path.stat().st_size * 11 // 10
    except OSError:
        return False
