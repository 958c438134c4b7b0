"""What is inside ``credentials.db``: pages of credentials as rows, put there whole, read whole, copied where damaged.

It knows neither threads nor lookups of tokens (`edge_agent.storage.credential_store`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edge_agent.storage.credential_page import CheckedPage, assemble, open_page
from edge_agent.storage.database import set_aside, transaction
from protocol.refusal import Refused

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 50
PAUSE_S = 0.0005
"""Between so many rows the loop is let have the interpreter, which Python takes away only every 5 ms: a badge does
not wait for a page."""

MIGRATIONS = (
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


@dataclass(frozen=True, slots=True)
class PageRows:
    """A page on the disk: its number in the file, and how many credentials it has."""

    id: int
    count: int


def held_pages(db: sqlite3.Connection) -> dict[str, PageRows]:
    """The pages of a file by digest. Of a damaged one those that can be read; what is wrong shows when it is looked
    through."""
    held: dict[str, PageRows] = {}
    try:
        for digest, number, count in db.execute("SELECT digest, id, count FROM pages"):
            held[digest.hex()] = PageRows(number, count)
    except sqlite3.DatabaseError as error:
        log.error("not every page of credentials can be read: %s", error)  # noqa: TRY400
    return held


def insert_page(db: sqlite3.Connection, page: CheckedPage, number: int) -> PageRows:
    """Put a page on the disk, whole or not at all: :class:`Refused` (malformed) or sqlite3.Error."""
    with transaction(db):
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
    return PageRows(identity, len(page.bodies))


def delete_page(db: sqlite3.Connection, digest: str) -> None:
    """Take a page off the disk, whole."""
    page = (bytes.fromhex(digest),)
    with transaction(db):
        db.execute("DELETE FROM credentials WHERE page IN (SELECT id FROM pages WHERE digest = ?)", page)
        db.execute("DELETE FROM pages WHERE digest = ?", page)


# --- a damaged file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Copied:
    """What has become of a damaged file's pages. ``failed``: why there is no copy; None where there is one, with
    every page that could be read."""

    taken: int
    lost: tuple[str, ...]
    failed: Exception | None = None


def copy_whole_pages(path: Path, *, go_on: Callable[[], bool]) -> Copied:
    """Copy those of a file's pages that still are what their digests say, to ``copy_of(path)``, which is on the disk
    when this returns. Nothing of the file itself is touched. Where the copy cannot be written it is taken away, and
    the rest of the file is still looked through. sqlite3.OperationalError if the file cannot be opened at all."""
    target = copy_of(path)
    failed: Exception | None = None
    lost: list[str] = []
    taken = 0
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(contextlib.closing(sqlite3.connect(f"{_uri(path)}?mode=ro", uri=True)))
        numbers = _numbers(source)
        try:
            copy = stack.enter_context(contextlib.closing(_begin(target)))
        except (sqlite3.Error, OSError) as error:
            failed = error
        for digest, number in numbers:
            if not go_on():
                failed = InterruptedError("the agent stops")
                break
            try:
                page = open_page(digest.hex(), number, _read(source, digest))
            except (sqlite3.Error, Refused) as error:  # of the old file: this page is lost
                log.warning("page %d of the credentials is lost: %s", number, error)
                lost.append(digest.hex())
                continue
            if failed is None:
                try:
                    insert_page(copy, page, number)
                    taken += 1
                except (sqlite3.Error, Refused) as error:  # of the new one: no page is lost by it
                    failed = error
    if failed is None:
        try:
            _onto_disk(target)
        except OSError as error:
            failed = error
    if failed is not None:
        _remove(target)
    return Copied(taken, tuple(lost), failed)


def put_in_place(path: Path) -> None:
    """Replace the damaged file by its copy. Nothing may write to the damaged file any more; an open reader goes on
    reading it. A power cut at any moment of this is made good by :func:`finish`."""
    set_aside(path)
    finish(path)


def finish(path: Path) -> None:
    """Before a file is opened: the end of what a power cut has interrupted. OSError if the disk refuses."""
    target = copy_of(path)
    if target.exists():
        if path.exists():
            _remove(target)  # it may be half a copy: the file goes aside only when it is a whole one
        else:
            for suffix in ("-wal", "-shm"):  # of the file that went aside; not to be taken for the copy's
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            target.rename(path)
    for part in path.parent.glob(f"{path.name}.damaged-*"):
        part.unlink()  # what could be read of it is taken over, the rest central has; a card may be small


def copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.mended")


def _numbers(source: sqlite3.Connection) -> list[tuple[bytes, int]]:
    found: list[tuple[bytes, int]] = []
    try:
        found.extend(source.execute("SELECT digest, number FROM pages"))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        log.warning("%d pages of credentials can be named, then: %s", len(found), error)
    return found


def _read(db: sqlite3.Connection, digest: bytes) -> bytes:
    row = db.execute("SELECT id, head FROM pages WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("its digest leads nowhere")
    identity, head = row
    bodies = db.execute("SELECT body FROM credentials WHERE page = ? ORDER BY token", (identity,))
    return assemble(head, (body for (body,) in bodies))


def _begin(target: Path) -> sqlite3.Connection:
    """A file that is written once: nothing need be on the disk before the whole of it is."""
    _remove(target)
    target.touch(mode=0o600)
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        copy.executescript("PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF;")
        for number, migration in enumerate(MIGRATIONS, 1):
            copy.executescript(f"BEGIN; {migration}; PRAGMA user_version={number}; COMMIT;")
    except sqlite3.Error:
        copy.close()
        raise
    return copy


def _onto_disk(target: Path) -> None:
    for one in (target, target.parent):
        number = os.open(one, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove(target: Path) -> None:
    with contextlib.suppress(OSError):
        target.unlink()


def _uri(path: Path) -> str:
    return path.absolute().as_uri()
