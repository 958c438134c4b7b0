"""Credentials on the disk: pages that are what their digest says, or are not there."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from edge_agent.policy.credentials import MemoryCredentials
from edge_agent.storage.credential_page import assemble, open_page
from edge_agent.storage.credential_store import CredentialStore, PagedCredentials, PagesLost
from protocol import codec
from protocol.messages import CredentialPage
from protocol.refusal import Reason, Refused
from tests.support.people import digests, paged, people, token_of
from tests.support.waiting import until

PAGES = 4
EVERYBODY = people(800)


class Lost:
    """Counts how often pages were lost."""

    count = 0

    def __call__(self, _lost: PagesLost) -> None:
        self.count += 1


@pytest.fixture
def lost() -> Lost:
    return Lost()


@pytest.fixture
async def store(tmp_path: Path, lost: Lost) -> AsyncIterator[CredentialStore]:
    store = CredentialStore(tmp_path / "credentials.db")
    store.listen(lost)
    yield store
    store.close()


async def stage_all(store: CredentialStore, pages: list[bytes]) -> tuple[str, ...]:
    names = digests(pages)
    for number, (digest, page) in enumerate(zip(names, pages, strict=True)):
        await store.stage(digest, number, page)
    return names


async def test_everybody_is_found_and_nobody_else_also_after_a_restart(
    store: CredentialStore, tmp_path: Path
) -> None:
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    again = CredentialStore(tmp_path / "credentials.db")
    for one in (store, again):
        found = PagedCredentials(one, names)
        assert [found.find(credential.token) for credential in EVERYBODY] == EVERYBODY
        assert found.find(token_of(801)) is None
        assert one.count(names) == 800
    again.close()


@pytest.mark.parametrize("pages", [1, 2, 16])
async def test_the_number_of_pages_may_be_any_power_of_two(store: CredentialStore, pages: int) -> None:
    names = await stage_all(store, paged(EVERYBODY, pages))
    found = PagedCredentials(store, names)
    assert all(found.find(credential.token) == credential for credential in EVERYBODY)


async def test_a_few_credentials_of_the_configuration_itself_come_first(store: CredentialStore) -> None:
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    other = msgspec.structs.replace(EVERYBODY[0], override=True)
    assert PagedCredentials(store, names, [other]).find(other.token) is other
    assert list(MemoryCredentials([other])) == [other]


async def test_a_page_whose_digest_is_wrong_is_refused_unread(store: CredentialStore) -> None:
    first, second, *_ = paged(EVERYBODY, PAGES)
    with pytest.raises(Refused) as refused:
        await store.stage(digests([first])[0], 0, second)
    assert refused.value.reason is Reason.WRONG_DIGEST
    assert not store.holds(digests([first])[0])
    assert not store.holds(digests([second])[0])


WELL = codec.encode(CredentialPage(page=0, credentials=tuple(sorted(people(3), key=lambda one: one.token))))
IN_ORDER = tuple(sorted(people(200), key=lambda one: one.token))
LATE = codec.encode(CredentialPage(page=0, credentials=(*IN_ORDER, IN_ORDER[0])))
"""Wrong at its very end, when most of it is written."""


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"not json", Reason.MALFORMED),
        (b'{"page":1,"credentials":[]}', Reason.WRONG_TARGET),
        (b'{"page":0,"credentials":[],"more":1}', Reason.MALFORMED),
        (b'{"page":0,"credentials":[{"token":"xyz","cardholder":"a"}]}', Reason.MALFORMED),
        (codec.encode(CredentialPage(page=0, credentials=tuple(people(1) * 2))), Reason.MALFORMED),
        (LATE, Reason.MALFORMED),
        (WELL.replace(b"},{", b"} ,{"), Reason.MALFORMED),
        (b" " * (codec.LIMITS[CredentialPage] + 1), Reason.OVERSIZED),
    ],
)
async def test_a_page_that_is_none_is_refused_whole(store: CredentialStore, payload: bytes, reason: Reason) -> None:
    name = digests([payload])[0]
    with pytest.raises(Refused) as refused:
        await store.stage(name, 0, payload)
    assert refused.value.reason is reason
    assert not store.holds(name)
    for count in ("SELECT count(*) FROM pages", "SELECT count(*) FROM credentials"):
        assert store._view.reader.execute(count).fetchone() == (0,)


def test_a_page_taken_apart_gives_the_same_bytes_again() -> None:
    for number, payload in enumerate(paged(EVERYBODY, PAGES)):
        page = open_page(digests([payload])[0], number, payload)
        assert assemble(page.head, page.bodies) == payload
        assert len(list(page.rows())) == len(page.bodies)


async def test_pages_no_longer_named_are_forgotten_and_one_staged_right_after_is_kept(store: CredentialStore) -> None:
    pages = paged(EVERYBODY, PAGES)
    names = await stage_all(store, pages)
    forgetting = asyncio.create_task(store.keep_only(names[:1]))
    await until(lambda: not store.holds(names[3]), "the page forgotten")
    await store.stage(names[3], 3, pages[3])
    await forgetting
    assert [store.holds(name) for name in names] == [True, False, False, True]
    assert store._view.reader.execute("SELECT count(*) FROM pages").fetchone() == (2,)
    left = store._view.reader.execute("SELECT count(*) FROM credentials").fetchone()[0]
    assert left == store.count(names)


async def test_a_read_does_not_wait_for_a_page_that_is_being_written(store: CredentialStore) -> None:
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    store._writer.execute("BEGIN IMMEDIATE")
    store._writer.execute("DELETE FROM credentials")
    assert PagedCredentials(store, names).find(EVERYBODY[0].token) == EVERYBODY[0]
    store._writer.execute("ROLLBACK")


def damage(path: Path, *, whole: bool) -> None:
    """Flip a credential's letters somewhere in the file, or ruin all but its first page."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = bytearray(path.read_bytes())
    if whole:
        content[4096:] = b"\xff" * (len(content) - 4096)
    else:
        content = content.replace(b'"cardholder":"ch-77"', b'"cardhol\xff\xfe\xff":"ch-77"')
    path.write_bytes(content)


async def test_a_file_that_is_damaged_is_begun_anew_with_the_pages_that_are_whole(tmp_path: Path, lost: Lost) -> None:
    path = tmp_path / "credentials.db"
    store = CredentialStore(path)
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    store.close()
    damage(path, whole=False)
    store = CredentialStore(path)
    store.listen(lost)
    assert PagedCredentials(store, names).find(token_of(77)) is None, "a badge that cannot be read opens nothing"
    await until(lambda: lost.count, "the file mended")
    assert [store.holds(name) for name in names].count(True) == PAGES - 1
    assert PagedCredentials(store, names).find(EVERYBODY[0].token) == EVERYBODY[0]
    assert not any("damaged" in name for name in (part.name for part in os.scandir(tmp_path))), (
        "what it had, central has"
    )
    store.close()


async def test_a_ruined_file_costs_its_pages_and_nothing_else(tmp_path: Path, lost: Lost) -> None:
    path = tmp_path / "credentials.db"
    store = CredentialStore(path)
    pages = paged(EVERYBODY, PAGES)
    names = await stage_all(store, pages)
    store.close()
    damage(path, whole=True)
    store = CredentialStore(path)
    store.listen(lost)
    await store.look_through()
    await until(lambda: lost.count or not any(map(store.holds, names)), "the loss seen")
    await stage_all(store, pages)
    assert PagedCredentials(store, names).find(EVERYBODY[0].token) == EVERYBODY[0]
    store.close()


@pytest.mark.parametrize("what", ["no database at all", "a newer program's"])
async def test_a_file_that_cannot_be_used_keeps_no_agent_from_its_doors(tmp_path: Path, what: str) -> None:
    path = tmp_path / "credentials.db"
    if what == "no database at all":
        path.write_bytes(b"scribble" * 1_000)
    else:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 99")
    store = CredentialStore(path)
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    assert PagedCredentials(store, names).find(EVERYBODY[0].token) == EVERYBODY[0]
    assert not any("damaged" in part.name for part in os.scandir(tmp_path))
    store.close()


async def test_a_badge_after_the_end_opens_nothing_and_leaves_the_file_alone(tmp_path: Path) -> None:
    store = CredentialStore(tmp_path / "credentials.db")
    names = await stage_all(store, paged(EVERYBODY, PAGES))
    store.close()
    assert PagedCredentials(store, names).find(EVERYBODY[0].token) is None
    again = CredentialStore(tmp_path / "credentials.db")
    assert PagedCredentials(again, names).find(EVERYBODY[0].token) == EVERYBODY[0]
    again.close()


async def test_the_file_is_its_owners_alone(store: CredentialStore, tmp_path: Path) -> None:
    await stage_all(store, paged(EVERYBODY, PAGES))
    assert {part.stat().st_mode & 0o777 for part in os.scandir(tmp_path)} == {0o600}
