"""A damaged file of credentials is mended while badges are read from it; no page that can be read is lost by it."""

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge_agent.storage import credential_file
from edge_agent.storage.credential_file import copy_of, copy_whole_pages
from edge_agent.storage.credential_store import CredentialStore, PagedCredentials, PagesLost
from edge_agent.storage.database import set_aside
from protocol.messages import Credential
from tests.support.people import digests, paged, people, token_of
from tests.support.small_disks import small_disk
from tests.support.waiting import until

PAGES = 16
EVERYBODY = people(3_200)
BLOCK = 4_096


class Damaged:
    """A file of which one block, in the midst of one page of credentials, is rubbish."""

    def __init__(self, path: Path, pages: list[bytes]) -> None:
        self.path = path
        self.pages = pages
        self.names = digests(pages)
        self.victim = EVERYBODY[77]
        self.page = int(self.victim.token[0], 16)
        self.others = [one for one in EVERYBODY if int(one.token[0], 16) != self.page]
        self.lost = 0

    def open(self) -> CredentialStore:
        store = CredentialStore(self.path)
        store.listen(self._note)
        return store

    def known(self, store: CredentialStore) -> int:
        found = PagedCredentials(store, self.names)
        return sum(found.find(one.token) == one for one in self.others)

    def find(self, store: CredentialStore) -> Credential | None:
        return PagedCredentials(store, self.names).find(self.victim.token)

    def _note(self, _lost: PagesLost) -> None:
        self.lost += 1


@pytest.fixture
async def damaged(tmp_path: Path) -> AsyncIterator[Damaged]:
    path = tmp_path / "credentials.db"
    file = Damaged(path, paged(EVERYBODY, PAGES))
    store = file.open()
    for number, (digest, page) in enumerate(zip(file.names, file.pages, strict=True)):
        await store.stage(digest, number, page)
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    block = content.find(b'"cardholder":"ch-77"') // BLOCK * BLOCK
    content[block : block + BLOCK] = b"\xff" * BLOCK
    path.write_bytes(content)
    yield file
    left = {part.name for part in os.scandir(tmp_path)}
    assert left <= {"credentials.db", "credentials.db-wal", "credentials.db-shm"}


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """No file may grow to what a damaged one has now. Python passes over the signal."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))


async def test_without_room_for_a_new_file_the_old_one_is_read_as_it_is_and_mended_later(damaged: Damaged) -> None:
    store = damaged.open()
    assert damaged.path.stat().st_size > 200_000
    with no_room():
        await store.look_through()
        await until(lambda: damaged.lost == 1, "the attempt to mend it")
    assert damaged.known(store) == len(damaged.others), "every badge of the other pages is known"
    assert not store.holds(damaged.names[damaged.page]), "the page that cannot be read is asked for again"
    assert not copy_of(damaged.path).exists()
    await store.try_again()
    await until(lambda: damaged.lost == 2, "the file mended")
    assert damaged.known(store) == len(damaged.others)
    await store.stage(damaged.names[damaged.page], damaged.page, damaged.pages[damaged.page])
    assert damaged.find(store) == damaged.victim
    assert store._view.reader is not None
    assert store._view.reader.execute("PRAGMA quick_check").fetchone() == ("ok",)
    store.close()


async def test_while_it_is_mended_every_badge_of_the_other_pages_is_known(damaged: Damaged) -> None:
    store = damaged.open()
    assert damaged.find(store) is None, "a badge that cannot be read opens nothing"
    looks = 0
    while not damaged.lost:
        assert damaged.known(store) == len(damaged.others)
        looks += 1
        await asyncio.sleep(0)
    assert looks
    assert damaged.known(store) == len(damaged.others)
    store.close()


async def test_a_page_that_comes_while_the_file_is_mended_is_in_the_new_one(damaged: Damaged) -> None:
    store = damaged.open()
    assert damaged.find(store) is None
    await store.stage(damaged.names[damaged.page], damaged.page, damaged.pages[damaged.page])
    await until(lambda: damaged.lost, "the file mended")
    assert damaged.find(store) == damaged.victim
    store.close()
    again = damaged.open()
    assert damaged.find(again) == damaged.victim
    assert damaged.known(again) == len(damaged.others)
    again.close()


async def test_pages_forgotten_while_the_file_is_mended_stay_forgotten(damaged: Damaged) -> None:
    store = damaged.open()
    assert damaged.find(store) is None
    await asyncio.sleep(0)  # the thread begins
    await store.keep_only(damaged.names[:1])
    await until(lambda: damaged.lost, "the file mended")
    assert [store.holds(name) for name in damaged.names] == [True] + [False] * (PAGES - 1)
    store.close()


def written_ahead(path: Path) -> bytes:
    """A write-ahead log of the damaged file, in which nearly every page is forgotten."""
    other = path.with_name("other.db")
    shutil.copy(path, other)
    with contextlib.closing(sqlite3.connect(other)) as db, db:
        db.execute("DELETE FROM pages WHERE number != 5")
        db.commit()
        log = other.with_name("other.db-wal").read_bytes()
    for part in path.parent.glob("other.db*"):
        part.unlink()
    return log


@pytest.mark.parametrize("moment", ["copied", "set aside", "half copied"])
async def test_a_power_cut_while_a_file_is_replaced_loses_no_page_that_was_whole(
    damaged: Damaged, moment: str
) -> None:
    log = written_ahead(damaged.path)
    copied = copy_whole_pages(damaged.path, go_on=lambda: True)
    assert copied.failed is None
    assert (copied.taken, copied.lost) == (PAGES - 1, (damaged.names[damaged.page],))
    if moment == "set aside":
        set_aside(damaged.path)
        damaged.path.with_name("credentials.db-wal").write_bytes(log)
    if moment == "half copied":
        os.truncate(copy_of(damaged.path), 2 * BLOCK)
    store = damaged.open()
    assert damaged.known(store) == len(damaged.others)
    store.close()


async def test_an_agent_that_stops_does_not_wait_for_the_end_of_mending(
    damaged: Damaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_file, "PAUSE_S", 0.05)  # so long does the copy take: some 3 s
    store = damaged.open()
    assert damaged.find(store) is None
    await until(lambda: copy_of(damaged.path).exists(), "the copy begun")
    store.close()
    with contextlib.closing(sqlite3.connect(damaged.path)) as db:
        assert db.execute("SELECT count(*) FROM pages").fetchone() == (PAGES,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk; no_room does it for everybody")
async def test_on_a_small_disk_that_is_nearly_full_no_badge_of_another_page_is_lost(
    damaged: Damaged,
) -> None:
    """As `no_room`, on a file system that is full for real."""
    with small_disk(size_kib=4_096) as card:
        shutil.copy(damaged.path, card.folder / "credentials.db")
        damaged_there = Damaged(card.folder / "credentials.db", damaged.pages)
        card.fill(leave_kib=150)
        store = damaged_there.open()
        await store.look_through()
        await until(lambda: damaged_there.lost, "the attempt to mend it")
        assert damaged_there.known(store) == len(damaged_there.others)
        store.close()


def test_the_victim_is_one_of_many() -> None:
    assert token_of(77) == EVERYBODY[77].token
