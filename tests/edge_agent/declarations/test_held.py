"""Declarations at a real agent, without any broker: only a newer, well signed one does anything, and it lasts."""

import sqlite3
from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.storage.state_db import StoredSet
from protocol import topics
from protocol.messages import DeclarationSet, Period, Scope
from protocol.mqtt import Incoming
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import Condition, DoorMode, ScopeKind
from simulators.hardware.pins import LoadPin
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.waiting import until

DISTRICT = topics.district_declarations()
SITE = topics.site_declarations("lincoln-high")
OPEN_ALL_WEEK = {"open": (Period(days=tuple(range(7)), start="00:00", end="24:00"),)}


def arrive(agent: Agent, topic: str, payload: bytes, *, retained: bool = False) -> None:
    agent.inbox.receive(Incoming(topic, payload, retained))


def outputs(pi: Pi) -> list[list[bool]]:
    """Every level each lock output has had."""
    pins: list[LoadPin] = [pi.factory.pin(wiring.lock) for wiring in pi.wirings.values()]
    return [[change.state for change in pin.states] for pin in pins]


def modes(agent: Agent) -> set[DoorMode]:
    return {door.state.mode for door in agent.doors.held.values()}


def unlocked_by_schedule(agent: Agent, pi: Pi, district: TestDistrict) -> None:
    doors = tuple(pi.settings(name, schedule="open") for name in pi.wirings)
    arrive(agent, pi.topic(TopicKind.CONFIG), district.config(pi, doors=doors, schedules=OPEN_ALL_WEEK))
    assert modes(agent) == {DoorMode.UNLOCKED}
    assert all(door.released for door in pi.doors.values())


async def test_a_declaration_altered_by_one_byte_at_any_position_changes_no_output(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        before, sets = outputs(pi), agent.store.declarations()
        signed = district.declare(DISTRICT, 1, lockdown())
        for position in range(len(signed)):
            for flip in (0x01, 0x20):
                altered = bytearray(signed)
                altered[position] ^= flip
                arrive(agent, DISTRICT, bytes(altered))
                assert modes(agent) == {DoorMode.UNLOCKED}, f"byte {position} altered, and it was acted upon"
        assert outputs(pi) == before
        assert agent.store.declarations() == sets == []
        assert sum(agent.refusals.counts.values()) == 2 * len(signed)
        arrive(agent, DISTRICT, signed)
        assert modes(agent) == {DoorMode.SECURED}, "the very same declaration, unaltered, does work"


async def test_a_replayed_duplicate_or_older_declaration_changes_no_output(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        old_lockdown = district.declare(DISTRICT, 4, lockdown())
        arrive(agent, DISTRICT, old_lockdown)
        arrive(agent, DISTRICT, district.declare(DISTRICT, 5))
        assert modes(agent) == {DoorMode.CONTROLLED}
        before, kept = outputs(pi), agent.store.declarations()
        arrive(agent, DISTRICT, old_lockdown)  # replayed
        arrive(agent, DISTRICT, old_lockdown, retained=True)  # a leftover of the broker's
        arrive(agent, DISTRICT, district.declare(DISTRICT, 5))  # the same again
        arrive(agent, DISTRICT, district.declare(DISTRICT, 5, lockdown("another")))  # another under the same number
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown("older")))
        assert modes(agent) == {DoorMode.CONTROLLED}
        assert outputs(pi) == before
        assert agent.store.declarations() == kept
        assert dict(agent.refusals.counts) == {"older_revision": 3, "duplicate": 2}


async def test_a_good_signature_moved_to_another_topic_or_by_another_key_changes_no_output(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        before = outputs(pi)
        arrive(agent, SITE, district.declare(DISTRICT, 1, lockdown()))
        arrive(agent, topics.site_declarations("roosevelt"), district.declare(SITE, 1, lockdown()))
        arrive(agent, DISTRICT, TestDistrict().declare(DISTRICT, 1, lockdown()))
        own = DeclarationSet(audience=DISTRICT, revision=1, declarations=(lockdown(),))
        arrive(agent, DISTRICT, pi.key.sign(own))  # an agent may not speak for the district
        assert modes(agent) == {DoorMode.CONTROLLED}
        assert outputs(pi) == before
        assert set(agent.refusals.counts) == {"wrong_target", "bad_signature", "not_allowed"}


async def test_a_declaration_is_on_the_disk_before_any_output_moves(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        on_disk: list[list[tuple[str, int]]] = []

        def look() -> None:
            database = sqlite3.connect(pi.folder / "data" / "state.db")
            on_disk.append(database.execute("SELECT topic, revision FROM declarations").fetchall())
            database.close()

        for door in pi.doors.values():
            door.on_move = look  # bolts are instant: called from within the write to the pin
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown()))
        assert on_disk == [[(DISTRICT, 1)]] * len(pi.doors)
        arrive(agent, DISTRICT, district.declare(DISTRICT, 2))
        assert on_disk[len(pi.doors) :] == [[(DISTRICT, 2)]] * len(pi.doors)


async def test_a_declaration_holds_after_a_restart_before_any_network(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown()))
    pi.factory.reset()
    pi.doors.clear()
    async with pi.running() as agent:
        assert not agent.link.mqtt.connected
        assert modes(agent) == {DoorMode.SECURED}
        assert not any(True in levels for levels in outputs(pi)), "a door was released on the way up"
        assert agent.declarations.book.applied == {DISTRICT: 1}
        await until(lambda: all(d.state.condition is Condition.SECURE for d in agent.doors.held.values()))
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1))
        assert modes(agent) == {DoorMode.SECURED}, "a restart must not forget which revision it holds"


async def test_a_declaration_tampered_with_on_the_disk_is_not_applied_and_said_so(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1))
    forged = TestDistrict().declare(DISTRICT, 2, lockdown())
    database = sqlite3.connect(pi.folder / "data" / "state.db")
    database.execute("UPDATE declarations SET signed = ?, revision = 2", (forged,))
    database.commit()
    database.close()
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.CONTROLLED}
        assert agent.refusals.counts["bad_signature"] == 1


async def test_a_stored_set_that_fails_verification_does_not_keep_a_valid_one_of_its_revision_out(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        arrive(agent, DISTRICT, district.declare(DISTRICT, 7))
    database = sqlite3.connect(pi.folder / "data" / "state.db")
    database.execute("UPDATE declarations SET signed = ?", (TestDistrict().declare(DISTRICT, 7),))
    database.commit()
    database.close()
    async with pi.running() as agent:
        arrive(agent, DISTRICT, district.declare(DISTRICT, 6, lockdown()))
        assert modes(agent) == {DoorMode.SECURED}
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}


async def test_a_stored_set_of_a_key_not_known_at_boot_waits_for_its_key(
    pi: Pi, district: TestDistrict, tmp_path: Path
) -> None:
    west = Pi(tmp_path / "west", district, agent="west")
    topic = west.topic(TopicKind.DECLARATIONS)
    site = Scope(kind=ScopeKind.SITE, site="lincoln-high")
    signed = west.key.sign(DeclarationSet(audience=topic, revision=9, declarations=(lockdown("panic-1", site),)))
    async with pi.running() as agent:
        agent.store.save_declarations(StoredSet(topic, 9, signed))
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.CONTROLLED}, "its key is not trusted yet"
        arrive(agent, pi.topic(TopicKind.CONFIG), district.config(pi, trusted_keys=(west.trusted_key,)))
        assert modes(agent) == {DoorMode.SECURED}


async def test_a_fault_at_one_set_does_not_keep_the_others_from_the_doors(
    pi: Pi, district: TestDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    async with pi.running() as agent:
        agent.store._db.execute("INSERT INTO declarations VALUES ('a', 1, 17, NULL)")  # no bytes; it is the first
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown()))
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}
        assert "the other sets go on" in caplog.text


async def test_the_panic_button_works_with_a_replaced_key_and_a_clock_that_is_behind(pi: Pi) -> None:
    own = pi.topic(TopicKind.DECLARATIONS)
    async with pi.running() as agent:
        agent.store.save_declarations(StoredSet(own, 10**12, b"signed by the key before"))
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        assert modes(agent) == {DoorMode.SECURED}
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}


async def test_the_panic_button_works_whatever_the_disk_does(pi: Pi, caplog: pytest.LogCaptureFixture) -> None:
    async with pi.running() as agent:
        agent.store.close()
        agent.declarations.declare_panic()
        assert modes(agent) == {DoorMode.SECURED}
        assert "cannot be kept" in caplog.text


async def test_ending_one_declaration_never_loosens_what_another_holds(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        here = Scope(kind=ScopeKind.DOOR, site="lincoln-high", door="door-0")
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown()))
        arrive(agent, SITE, district.declare(SITE, 1, lockdown("site-1", here)))
        arrive(agent, DISTRICT, district.declare(DISTRICT, 2))
        assert pi.doors["door-0"].holds
        assert not pi.doors["door-1"].holds
        arrive(agent, SITE, district.declare(SITE, 2))
        assert not pi.doors["door-0"].holds, "after the last, the door is back on its schedule"


async def test_a_full_disk_does_not_keep_a_lockdown_from_the_doors(
    pi: Pi, district: TestDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        agent.store._db.execute("PRAGMA query_only=ON")  # every write fails from now on
        arrive(agent, DISTRICT, district.declare(DISTRICT, 1, lockdown()))
        assert all(door.holds for door in pi.doors.values())
        assert "cannot be kept" in caplog.text


# --- the panic button ---------------------------------------------------------------------------------------


async def test_the_panic_button_locks_every_door_by_a_set_the_agent_signed_and_kept(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        unlocked_by_schedule(agent, pi, district)
        pi.panic_wire.drive(False)
        await until(lambda: all(door.holds for door in pi.doors.values()), "the lockdown")
        signed = agent.declarations.own_signed
        assert signed is not None
        own = pi.topic(TopicKind.DECLARATIONS)
        document = Keyring([pi.trusted_key]).open(DeclarationSet, own, signed)
        (declared,) = document.declarations
        assert (declared.action, declared.scope.kind, declared.drill) == ("lockdown", ScopeKind.SITE, False)
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}
        assert [one.id for one in agent.declarations.book.sets[own].declarations] == [declared.id], "pressed still"


async def test_a_panic_lockdown_ends_only_by_central_naming_it_and_can_be_declared_anew(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        own = pi.topic(TopicKind.DECLARATIONS)
        (declared,) = agent.declarations.book.sets[own].declarations
        first = agent.declarations.book.sets[own].revision
        arrive(agent, SITE, district.declare(SITE, 1, ended=("another",)))
        assert modes(agent) == {DoorMode.SECURED}
        arrive(agent, SITE, district.declare(SITE, 2, ended=(declared.id,)))
        assert modes(agent) == {DoorMode.CONTROLLED}
        assert agent.declarations.book.sets[own].declarations == ()
        assert agent.declarations.book.sets[own].revision > first
        agent.declarations.declare_panic()
        assert modes(agent) == {DoorMode.SECURED}
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}


async def test_a_neighbours_panic_locks_here_also_if_its_key_comes_only_later(
    pi: Pi, district: TestDistrict, tmp_path: Path
) -> None:
    west = Pi(tmp_path / "west", district, agent="west")
    site = Scope(kind=ScopeKind.SITE, site="lincoln-high")
    topic = west.topic(TopicKind.DECLARATIONS)
    signed = west.key.sign(DeclarationSet(audience=topic, revision=9, declarations=(lockdown("panic-1", site),)))
    async with pi.running() as agent:
        arrive(agent, topic, signed, retained=True)
        assert modes(agent) == {DoorMode.CONTROLLED}, "its key is not trusted yet"
        arrive(agent, pi.topic(TopicKind.CONFIG), district.config(pi, trusted_keys=(west.trusted_key,)))
        assert modes(agent) == {DoorMode.SECURED}
        looser = lockdown("evacuate-1", site, action="evacuate")
        arrive(agent, topic, west.key.sign(DeclarationSet(audience=topic, revision=10, declarations=(looser,))))
        assert modes(agent) == {DoorMode.SECURED}, "an agent may only lock"


async def test_an_agent_whose_disk_was_replaced_still_outnumbers_what_its_neighbours_remember(pi: Pi) -> None:
    own = pi.topic(TopicKind.DECLARATIONS)
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        before = agent.declarations.book.sets[own].revision
    for path in (pi.folder / "data").iterdir():
        path.unlink()
    pi.clock.ahead_ns = 10**9
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        assert agent.declarations.book.sets[own].revision > before


async def test_a_leftover_of_the_agents_own_topic_releases_no_panic_and_is_outnumbered(
    pi: Pi, district: TestDistrict
) -> None:
    own = pi.topic(TopicKind.DECLARATIONS)
    ahead = 10**10  # seconds: the clock was right once, and is behind now
    before = lockdown("panic-before", Scope(kind=ScopeKind.SITE, site="lincoln-high"))
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        (pressed,) = agent.declarations.book.sets[own].declarations
        arrive(agent, own, pi.key.sign(DeclarationSet(audience=own, revision=ahead)), retained=True)
        assert modes(agent) == {DoorMode.SECURED}
        assert agent.declarations.book.sets[own].declarations == (pressed,)
        assert agent.declarations.book.sets[own].revision == ahead + 1
        signed = agent.declarations.own_signed
        assert signed is not None
        arrive(agent, own, signed, retained=True)  # as the broker gives it back
        assert agent.refusals.counts == {"duplicate": 1}
        older = DeclarationSet(audience=own, revision=ahead + 9, declarations=(before,))
        arrive(agent, SITE, district.declare(SITE, 1, ended=(pressed.id,)))
        arrive(agent, own, pi.key.sign(older), retained=True)
        assert agent.declarations.book.sets[own].declarations == (before,), "what is ended stays ended"
    async with pi.running() as agent:
        assert modes(agent) == {DoorMode.SECURED}
        assert agent.declarations.book.sets[own].revision == ahead + 10
