"""A card that is full, cannot be written or cannot be opened: the doors are held by what is on it all the same."""

import contextlib
import json
import resource
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.events.outbox import NewEvent, Outbox
from edge_agent.storage import disk_watch as storage
from edge_agent.storage import state_db as store
from protocol import topics
from protocol.messages import Stamp
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm, DoorMode, EventKind
from tests.support.agents import Pi, TestDistrict, cardholder, lockdown
from tests.support.brokers import mosquitto
from tests.support.central import listening
from tests.support.people import digests, paged, people
from tests.support.small_disks import SmallDisk, small_disk
from tests.support.waiting import until

DISTRICT = topics.district_declarations()
TOKEN = "ab" * 32
EVERYBODY = people(200)
PAGES = paged(EVERYBODY, 2)
AT = Stamp(mono_ms=1, utc_ns=1, clock_trusted=True, boot="boot")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "TRY_EVERY_S", 0.1)


def declare(agent: Agent, district: TestDistrict, revision: int, *ids: str) -> None:
    signed = district.declare(DISTRICT, revision, *(lockdown(one) for one in ids))
    agent.inbox.receive(Incoming(DISTRICT, signed, retained=False))


async def furnish(pi: Pi, district: TestDistrict) -> None:
    """A lockdown, a configuration and its pages come to the disk."""
    async with pi.running() as agent:
        declare(agent, district, 1, "lockdown-1")
        signed = district.config(pi, 1, credential_pages=digests(PAGES), **cardholder(TOKEN))
        agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), signed, retained=False))
        for number, page in enumerate(PAGES):
            topic = topics.credential_page(pi.site, pi.agent, number)
            agent.inbox.receive(Incoming(topic, page, retained=True))
        await until(lambda: agent.configuration.rules.version == 1, "the configuration")
        await until(lambda: agent.journal.outbox.depth > 0, "the events")


def check_held(agent: Agent, *, badges: bool = True) -> None:
    """What was on the disk holds."""
    assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.SECURED}
    assert agent.declarations.book.applied == {DISTRICT: 1}
    assert agent.configuration.rules.version == 1
    found = agent.configuration.rules.credentials
    assert found.find(TOKEN) is not None
    assert sum(found.find(one.token) == one for one in EVERYBODY) == (len(EVERYBODY) if badges else 0)
    assert Alarm.STORAGE_FAILED in agent.snapshots.make().alarms


@contextlib.contextmanager
def nothing_grows() -> Iterator[None]:
    """No file may become larger than 4 KB: as on a full disk. Python passes over the signal."""
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))


@pytest.fixture
async def pi(tmp_path: Path, district: TestDistrict) -> Pi:
    pi = Pi(tmp_path / "pi", district)
    await furnish(pi, district)
    return pi


@pytest.fixture
async def on_card(district: TestDistrict) -> AsyncIterator[tuple[SmallDisk, Pi]]:
    with small_disk(size_kib=4_096) as card:
        pi = Pi(card.folder / "pi", district)
        await furnish(pi, district)
        yield card, pi


async def test_where_nothing_can_be_written_the_doors_are_held_and_declarations_go_on(
    pi: Pi, district: TestDistrict
) -> None:
    with nothing_grows():
        async with pi.running() as agent:
            check_held(agent)
            declare(agent, district, 2)
            assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.CONTROLLED}
            declare(agent, district, 3, "lockdown-3")
            assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.SECURED}
            await until(lambda: agent.journal.outbox.depth >= 4, "the events, in memory")


async def test_what_came_meanwhile_is_kept_once_the_disk_takes_it(pi: Pi, district: TestDistrict) -> None:
    with contextlib.ExitStack() as full:
        full.enter_context(nothing_grows())
        async with pi.running() as agent:
            declare(agent, district, 2, "lockdown-2")
            full.close()
            await until(lambda: not agent.snapshots.make().alarms, "the alarm cleared")
            assert not agent.disk.refused()
            signed = district.config(pi, 2, **cardholder(TOKEN))
            agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), signed, retained=False))
    async with pi.running() as agent:
        assert agent.declarations.book.applied == {DISTRICT: 2}
        assert agent.configuration.rules.version == 2
        assert not agent.snapshots.make().alarms


async def test_the_panic_button_works_and_is_kept_in_the_end(pi: Pi, district: TestDistrict) -> None:
    with contextlib.ExitStack() as full:
        full.enter_context(nothing_grows())
        async with pi.running() as agent:
            declare(agent, district, 2)
            pi.panic_wire.drive(False)
            await until(lambda: agent.declarations.own_signed is not None, "the panic button")
            pi.panic_wire.drive(True)
            full.close()
            await until(lambda: not agent.disk.alarms, "the alarm cleared")
    async with pi.running() as agent:
        assert agent.declarations.own_topic in agent.declarations.book.applied
        assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.SECURED}


async def test_a_trial_that_the_disk_cannot_confirm_is_not_rolled_back(
    pi: Pi, district: TestDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.bundle.trial.HEALTHY_AFTER_MS", 0)
    with contextlib.ExitStack() as full:
        full.enter_context(nothing_grows())
        async with pi.running() as agent:
            await until(lambda: agent.configuration.trial is None, "the end of the trial")
            assert agent.configuration.rules.version == 1
            assert not agent.configuration.kept
            full.close()
            await until(lambda: agent.configuration.kept, "the configuration confirmed on the disk")
            assert agent.store.trial() is None
            assert agent.store.config() is not None


@pytest.mark.parametrize("name", ["state.db", "outbox.db", "credentials.db", "presence.db"])
async def test_one_file_that_cannot_be_opened_keeps_no_agent_from_its_doors(
    pi: Pi, district: TestDistrict, name: str
) -> None:
    path = pi.folder / "data" / name
    path.unlink()
    for more in ("-wal", "-shm"):
        path.with_name(name + more).unlink(missing_ok=True)
    path.mkdir()
    async with pi.running() as agent:
        if name == "state.db":
            declare(agent, district, 5, "lockdown-5")
            assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.SECURED}
        elif name == "presence.db":
            assert agent.declarations.book.applied == {DISTRICT: 1}
        else:
            check_held(agent, badges=name != "credentials.db")
        assert (Alarm.STORAGE_FAILED in agent.snapshots.make().alarms) is (name != "presence.db")


@pytest.mark.parametrize("what", ["full", "read-only"])
async def test_a_card_that_refuses_for_real_keeps_no_agent_from_its_doors(
    on_card: tuple[SmallDisk, Pi], district: TestDistrict, what: str
) -> None:
    card, pi = on_card
    if what == "full":
        card.fill()
    else:
        card.read_only(yes=True)
    async with pi.running() as agent:
        check_held(agent)
        declare(agent, district, 2, "lockdown-2")
        if what == "full":
            card.make_room()
        else:
            card.read_only(yes=False)
        await until(lambda: not agent.snapshots.make().alarms, "the alarm cleared")
    async with pi.running() as agent:
        assert agent.declarations.book.applied == {DISTRICT: 2}


async def test_what_a_power_cut_has_left_in_the_log_is_read_from_a_read_only_card(
    pi: Pi, district: TestDistrict
) -> None:
    with small_disk(size_kib=8_192) as card:
        there = Pi(card.folder / "pi", district)
        async with pi.running() as agent:
            declare(agent, district, 2, "lockdown-2")
            await until(lambda: agent.journal.outbox.depth > 4, "the events")
            shutil.copytree(pi.folder / "data", there.folder / "data")  # the disk as the power goes
        for shm in (there.folder / "data").glob("*-shm"):
            shm.unlink()
        assert (there.folder / "data" / "state.db-wal").stat().st_size > 0
        card.read_only(yes=True)
        async with there.running() as agent:
            assert agent.declarations.book.applied == {DISTRICT: 2}
            assert sum(agent.configuration.rules.credentials.find(one.token) == one for one in EVERYBODY) == 200
        card.read_only(yes=False)
        async with there.running() as agent:
            assert agent.declarations.book.applied == {DISTRICT: 2}
            assert not agent.snapshots.make().alarms


async def test_central_has_every_event_once_over_a_full_disk_and_its_end(
    tmp_path: Path, district: TestDistrict
) -> None:
    with mosquitto() as broker:
        pi = Pi(tmp_path / "pi", district, port=broker.port)
        await furnish(pi, district)
        async with listening(broker.port) as central:
            central.acknowledging = False
            with contextlib.ExitStack() as full:
                full.enter_context(nothing_grows())
                async with pi.running() as agent:
                    memory = agent.journal.outbox.stream
                    raised = "the alarm, told from memory"
                    await until(lambda: central.of_kind(EventKind.ALARM_RAISED), raised)
                    declare(agent, district, 2, "lockdown-2")
                    full.close()
                    await until(lambda: not agent.disk.alarms, "the alarm cleared")
                    given = agent.journal.outbox.depth
            assert given > 4
            async with pi.running() as agent:
                central.acknowledging = True
                await until(lambda: agent.journal.outbox.depth == 0, "every event committed")
                disk = agent.journal.outbox.stream
            await until(lambda: set(central.events) == {memory, disk}, "both streams")
            for stream in central.events.values():
                assert sorted(stream) == list(range(1, len(stream) + 1))
            files = [json.loads(bytes(one.data)).get("files") for one in central.of_kind(EventKind.ALARM_RAISED)]
            assert files == [["state.db", "outbox.db", "credentials.db"]]
            applied = [json.loads(bytes(one.data))["revision"] for one in central.of_kind("declarations_applied")]
            assert sorted(applied) == [1, 2], "neither lost nor twice"


async def test_central_goes_on_hearing_of_doors_when_the_disk_becomes_full(
    tmp_path: Path, district: TestDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.events.journal.RETRY_S", 0.02)
    with mosquitto() as broker:
        pi = Pi(tmp_path / "pi", district, port=broker.port)
        async with listening(broker.port) as central, pi.running() as agent:
            await until(lambda: central.of_kind(EventKind.AGENT_STARTED), "the agent")
            disk = agent.journal.outbox.stream
            with nothing_grows():
                declare(agent, district, 1, "lockdown-1")
                await until(
                    lambda: central.of_kind(EventKind.DECLARATIONS_APPLIED), "the declaration, told from memory"
                )
                await until(lambda: central.of_kind(EventKind.ALARM_RAISED), "the alarm")
                assert agent.journal.outbox.stream != disk
                assert Alarm.STORAGE_FAILED in agent.snapshots.make().alarms
            await until(lambda: not agent.disk.alarms, "the alarm cleared")
            assert agent.journal.outbox.stream == disk
            await until(lambda: central.of_kind(EventKind.ALARM_CLEARED), "that, told from the disk")
            await until(lambda: agent.journal.outbox.depth == 0, "every event committed")
    assert len(central.events) == 2
    for stream in central.events.values():
        assert sorted(stream) == list(range(1, len(stream) + 1))


def test_an_outbox_in_memory_keeps_its_numbers_on_the_disk_and_its_own_acknowledgements(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = Outbox(path)
    before.append([NewEvent("one", AT), NewEvent("two", AT)])
    before.close()
    with nothing_grows():
        outbox = Outbox(path)
    assert outbox.in_memory
    assert outbox.stream != before.stream
    outbox.append([NewEvent(kind, AT) for kind in ("three", "four", "five")])
    assert outbox.acknowledge(outbox.stream, 1)
    memory = outbox.stream
    assert outbox.try_disk()
    assert (outbox.stream, outbox.last_seq, outbox.depth) == (before.stream, 2, 4)
    outbox.append([NewEvent("six", AT)])
    outbox.close()
    again = Outbox(path)
    batch = again.next_batch(again.acknowledged)
    assert batch is not None
    assert (batch.stream, batch.floor, batch.after) == (memory, 1, 1)
    assert [(event.seq, event.kind) for event in batch.events] == [(2, "four"), (3, "five")]
    assert again.acknowledge(memory, 3)
    assert not again.acknowledge(memory, 3), "nothing is left of it"
    batch = again.next_batch(again.acknowledged)
    assert batch is not None
    assert (batch.stream, [event.seq for event in batch.events]) == (before.stream, [1, 2, 3])
    assert again.depth == 3
    again.close()


def test_the_disk_is_tried_again_in_vain_while_it_refuses(tmp_path: Path) -> None:
    with nothing_grows():
        outbox = Outbox(tmp_path / "outbox.db")
        outbox.append([NewEvent("one", AT)])
        assert not outbox.try_disk()
        assert outbox.in_memory
        assert outbox.depth == 1
    outbox.close()


def test_a_full_disk_on_which_the_file_can_be_opened_is_not_gone_back_to(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = Outbox(path)
    outbox.append([NewEvent("one", AT)])
    with contextlib.closing(sqlite3.connect(path)) as other:  # so that its log stays where it is
        other.execute("SELECT * FROM events").fetchall()
        outbox.leave_disk()
        with nothing_grows():
            assert not outbox.try_disk(), "and nothing waits that would show it"
        assert outbox.try_disk()
    assert [path.name for path in tmp_path.glob("*probe*")] == []
    outbox.close()


def test_a_file_of_an_older_program_is_read_from_a_disk_that_refuses(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.executescript(f"{store._MIGRATIONS[0]}; PRAGMA user_version=1;")
        old.execute("INSERT INTO declarations VALUES ('a', 3, x'01')")
        old.execute("INSERT INTO config VALUES (1, 4, x'02')")
    with nothing_grows():
        kept = store.Store(path)
        assert not kept.writable
    assert [(one.topic, one.revision, one.signed) for one in kept.declarations()] == [("a", 3, b"\x01")]
    assert kept.config() == b"\x02"
    assert kept.trial() is None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        kept.confirm_trial(5, b"five")
    assert kept.try_again()
    kept.confirm_trial(5, b"five")
    kept.close()
