"""Where a token that was read is looked up: up to 250,000 credentials on the disk, or a few in memory.

``credentials.db`` holds pages, each under the SHA-256 that the signed configuration names it by: a page is right or
it is not there, and configurations share the pages they have in common. It is a file of its own, so that writing here
holds up neither a declaration nor an event, and damage here is not damage there.

It answers who a token belongs to, and nothing of whether they may pass (`edge_agent.access`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from edge_agent.credential_page import Page, assemble, open_page
from edge_agent.database import DatabaseTooNew, open_durable, set_aside
from protocol.messages import Credential
from protocol.refusal import Refused

log = logging.getLogger(__name__)

CACHE_KIB = 512
"""SQLite's own cache, for each of two connections. The kernel's serves the rest, and gives it back when asked."""

BUSY_S = 0.05
"""The longest that the loop would wait for a lock on the file; in WAL mode there is none to wait for."""

ROWS_AT_ONCE = 50
PAUSE_S = 0.0005
"""Between so many rows the loop is let have the interpreter, which Python takes away only every 5 ms: a badge does
not wait for a page."""

_MIGRATIONS = (
    """
    CREATE TABLE pages (
        id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, number INTEGER NOT NULL, head BLOB NOT NULL,
        count INTEGER NOT NULL
    );
    CREATE TABLE credentials (
        page INTEGER NOT NULL, token BLOB NOT NULL, body BLOB NOT NULL, PRIMARY KEY (page, token)
    ) WITHOUT ROWID
    """,
)
_FIND = "SELECT body FROM credentials WHERE page = ? AND token = ?"

T = TypeVar("T")


class Credentials(Protocol):
    """The credentials of one configuration."""

    def find(self, token: str) -> Credential | None:
        """The credential with this token (64 hex digits), or None. Quick, and never raises."""


class MemoryCredentials:
    """Credentials held in memory. Of two with one token, the last counts."""

    def __init__(self, credentials: Iterable[Credential] = ()) -> None:
        self._by_token = {credential.token: credential for credential in credentials}

    def __len__(self) -> int:
        return len(self._by_token)

    def __iter__(self) -> Iterator[Credential]:
        return iter(self._by_token.values())

    def find(self, token: str) -> Credential | None:
        """The credential with this token, or None."""
        return self._by_token.get(token)


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
        return few or self._store.find(self._digests[int(token[:3], 16) >> self._shift], token)


@dataclass(frozen=True, slots=True)
class _Held:
    """A page on the disk: its number in the file, and how many credentials it has."""

    id: int
    count: int


class CredentialStore:
    """``credentials.db``. Opens it when made; raises OSError or sqlite3.OperationalError if the disk refuses. A file
    that is damaged, or a newer program's, is begun anew: central has all of it, and the doors must be held.

    Reading is on the loop, and waits for no writing, which is on a thread of its own. ``on_lost()`` is called on the
    loop once pages were lost and have to be asked for again.
    """

    def __init__(self, path: Path, *, on_lost: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._on_lost = on_lost
        self._thread = ThreadPoolExecutor(1, "credentials")
        self._mending: asyncio.Task[None] | None = None
        self._decode = msgspec.json.Decoder(Credential).decode
        try:
            self._open()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            log.error("%s is damaged: %s", path, error)  # noqa: TRY400
            self._reader.close()
            self._take_over()
        self._remove_set_aside()

    def _open(self) -> None:
        try:
            self._writer = open_durable(self._path, _MIGRATIONS, look_through=False)  # look_through() does it later
        except DatabaseTooNew as error:
            log.error("%s", error)  # noqa: TRY400
            set_aside(self._path)
            self._writer = open_durable(self._path, _MIGRATIONS, look_through=False)
        self._reader = sqlite3.connect(self._path, BUSY_S, isolation_level=None, check_same_thread=False)
        for connection in (self._writer, self._reader):
            connection.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
        self._reader.execute("PRAGMA query_only = 1")
        rows = self._reader.execute("SELECT digest, id, count FROM pages")
        self._held = {digest.hex(): _Held(number, count) for digest, number, count in rows}

    def close(self) -> None:
        """Leave what is being written, and close the file."""
        if self._mending is not None:
            self._mending.cancel()
        self._writer.interrupt()
        self._thread.shutdown(cancel_futures=True)
        self._reader.close()
        self._writer.close()

    # --- what is held -------------------------------------------------------------------------------------------

    def find(self, digest: str, token: str) -> Credential | None:
        """The credential with this token in a page; None if it is not in it, or the page is not held."""
        held = self._held.get(digest)
        if held is None:
            return None
        try:
            row = self._reader.execute(_FIND, (held.id, bytes.fromhex(token))).fetchone()
            return None if row is None else self._decode(row[0])
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            log.error("a credential cannot be read, so the badge opens nothing: %s", error)  # noqa: TRY400
            if not isinstance(error, sqlite3.OperationalError):
                self._mend()
            return None

    def holds(self, digest: str) -> bool:
        """Whether a page is on the disk, whole."""
        return digest in self._held

    def count(self, digests: Iterable[str]) -> int:
        """How many credentials some pages have, of those held."""
        return sum(self._held[digest].count for digest in digests if digest in self._held)

    # --- changes ------------------------------------------------------------------------------------------------

    async def stage(self, digest: str, number: int, payload: bytes) -> None:
        """Put a page on the disk, whole or not at all. :class:`Refused` (oversized, wrong_digest, malformed) if it is
        not the one asked for; sqlite3.Error if the disk refuses."""
        await self._on_thread(lambda: self._insert(open_page(digest, number, payload), number))

    async def keep_only(self, digests: Iterable[str]) -> None:
        """Forget every other page."""
        dropped = set(self._held).difference(digests)
        for digest in dropped:
            del self._held[digest]
        if dropped:
            try:
                await self._on_thread(lambda: self._delete(dropped))
            except sqlite3.Error as error:
                log.error("pages no longer used stay on the disk: %s", error)  # noqa: TRY400

    async def look_through(self) -> None:
        """Read the whole file once, beside everything else. A damaged one is set aside, those of its pages that are
        whole are taken over, and the others are lost."""
        try:
            verdict = await self._on_thread(lambda: str(self._writer.execute("PRAGMA quick_check(1)").fetchone()[0]))
        except sqlite3.OperationalError as error:
            log.error("%s cannot be looked through: %s", self._path, error)  # noqa: TRY400
            return
        except sqlite3.DatabaseError as error:
            verdict = str(error)
        if verdict != "ok":
            log.error("%s is damaged: %s", self._path, verdict)
            self._mend()

    def _mend(self) -> None:
        if self._mending is None or self._mending.done():
            self._held = {}
            self._reader.close()
            self._mending = asyncio.get_running_loop().create_task(self._begin_anew())

    async def _begin_anew(self) -> None:
        try:
            taken = await self._on_thread(self._take_over)
        except (sqlite3.Error, OSError) as error:
            log.error("%s cannot be mended: %s", self._path, error)  # noqa: TRY400
        else:
            log.warning("%s: a new file, %d pages were whole and are taken over", self._path, taken)
        self._on_lost()

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- on the store's own thread ------------------------------------------------------------------------------

    def _insert(self, page: Page, number: int) -> None:
        with _transaction(self._writer) as db:
            db.execute("DELETE FROM pages WHERE digest = ?", (page.digest,))
            added = db.execute(
                "INSERT INTO pages (digest, number, head, count) VALUES (?, ?, ?, ?)",
                (page.digest, number, page.head, len(page.bodies)),
            )
            identity = added.lastrowid or 0
            rows = ((identity, *row) for row in page.rows())
            while slice_ := list(islice(rows, ROWS_AT_ONCE)):
                db.executemany("INSERT INTO credentials VALUES (?, ?, ?)", slice_)
                time.sleep(PAUSE_S)
        self._held[page.digest.hex()] = _Held(identity, len(page.bodies))

    def _delete(self, digests: Iterable[str]) -> None:
        for digest in digests:
            with _transaction(self._writer) as db:
                page = (bytes.fromhex(digest),)
                db.execute("DELETE FROM credentials WHERE page IN (SELECT id FROM pages WHERE digest = ?)", page)
                db.execute("DELETE FROM pages WHERE digest = ?", page)

    def _take_over(self) -> int:
        """Begin a new file with those of the old one's pages that still are what their digests say; how many."""
        self._writer.close()
        aside = set_aside(self._path)
        self._open()
        taken = 0
        with contextlib.closing(sqlite3.connect(aside)) as old, contextlib.suppress(sqlite3.DatabaseError):
            for digest, number in old.execute("SELECT digest, number FROM pages ORDER BY number").fetchall():
                try:
                    self._insert(open_page(digest.hex(), number, _read_page(old, digest)), number)
                    taken += 1
                except (sqlite3.DatabaseError, Refused) as error:
                    log.warning("page %d of the credentials is lost: %s", number, error)
        self._remove_set_aside()
        return taken

    def _remove_set_aside(self) -> None:
        for part in self._path.parent.glob(f"{self._path.name}.damaged-*"):
            part.unlink()  # whatever was in it, central has; a card may be small


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """On the disk, whole, when it ends; or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _read_page(db: sqlite3.Connection, digest: bytes) -> bytes:
    identity, head = db.execute("SELECT id, head FROM pages WHERE digest = ?", (digest,)).fetchone()
    bodies = db.execute("SELECT body FROM credentials WHERE page = ? ORDER BY token", (identity,))
    return assemble(head, (body for (body,) in bodies))
