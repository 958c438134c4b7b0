"""The whole agent: how it comes up, what it does with its neighbours, with real readers, and how it goes."""

import asyncio
import contextlib
import logging
import secrets
from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.host.health import resident_mib
from protocol import credentials, topics
from protocol.messages import AgentConfig, TrustedKey
from protocol.mqtt import Incoming
from protocol.refusal import Refused
from protocol.signing import Keyring
from protocol.topics import TopicKind
from protocol.words import Condition, DoorMode, EventKind, KeyRole
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader
from tests.support.agents import Pi, TestDistrict, cardholder, lockdown
from tests.support.brokers import RunningBroker
from tests.support.central import listening
from tests.support.swipes import reader_alarms
from tests.support.waiting import until

DISTRICT = topics.district_declarations()
SITE = topics.site_declarations("lincoln-high")
CARD = (26, bytes.fromhex("12345640"))


def mode(agent: Agent) -> DoorMode:
    (found,) = {door.state.mode for door in agent.doors.held.values()}
    return found


async def test_panic_at_one_agent_locks_its_neighbours_and_central_ends_it_at_both(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    east = Pi(tmp_path / "east", district, agent="east", port=broker.port)
    west = Pi(tmp_path / "west", district, agent="west", port=broker.port)
    keys = (east.trusted_key, west.trusted_key)
    async with listening(broker.port) as central, east.running() as one, west.running() as other:
        for pi in (east, west):
            await central.say(pi.topic(TopicKind.CONFIG), district.config(pi, trusted_keys=keys))
        await until(
            lambda: one.configuration.rules.version == other.configuration.rules.version == 1, "both configured"
        )
        west.panic_wire.drive(False)
        await until(lambda: mode(one) is mode(other) is DoorMode.SECURED, "the lockdown at both")
        await until(
            lambda: (
                {"east", "west"} <= central.snapshots.keys()
                and all(
                    door.condition is Condition.SECURE and door.mode is DoorMode.SECURED
                    for snapshot in central.snapshots.values()
                    for door in snapshot.doors
                )
            ),
            "the proof of every door",
        )
        west.panic_wire.drive(True)
        (declared,) = other.declarations.book.sets[other.declarations.own_topic].declarations
        await central.say(SITE, district.declare(SITE, 1, ended=(declared.id,)))
        await until(lambda: mode(one) is mode(other) is DoorMode.CONTROLLED, "the end at both")
        await until(
            lambda: one.declarations.book.applied == other.declarations.book.applied and not
            one.declarations.book.sets[other.declarations.own_topic].declarations,
            "the emptied set of the one who pressed",
        )  # fmt: skip


async def test_a_neighbour_that_was_away_locks_down_when_it_returns(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    east = Pi(tmp_path / "east", district, agent="east", port=broker.port)
    west = Pi(tmp_path / "west", district, agent="west", port=broker.port)
    async with listening(broker.port) as central:
        await central.say(east.topic(TopicKind.CONFIG), district.config(east, trusted_keys=(west.trusted_key,)))
        async with west.running() as other:
            broker.kill()
            other.declarations.declare_panic()
            assert all(door.holds for door in west.doors.values()), "without a broker, its own doors"
            broker.start()
            await central.say(east.topic(TopicKind.CONFIG), district.config(east, trusted_keys=(west.trusted_key,)))
            await other.link.mqtt.wait_connected()
        async with east.running() as one:
            await until(lambda: mode(one) is DoorMode.SECURED, "the lockdown of the neighbour")


async def test_doors_are_held_and_said_to_be_before_readers_and_network_are_touched(
    pi: Pi, district: TestDistrict, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pi.running() as agent:
        agent.declarations.accept_set(DISTRICT, district.declare(DISTRICT, 1, lockdown()))
    caplog.set_level(logging.INFO)
    order: list[str] = []
    agent = Agent(pi.config, pin_factory=pi.factory, clock=pi.clock)

    def note(what: str) -> None:
        held = all(door.state.mode is DoorMode.SECURED for door in agent.doors.held.values())
        order.append(f"{what}, {'ready' if agent.ready.is_set() else 'not ready'}, {'held' if held else 'not held'}")
        assert "doors held: 2" in caplog.text

    async def no_link() -> None:
        note("link")

    monkeypatch.setattr(agent.readers, "start", lambda _timer: note("readers"))
    monkeypatch.setattr(agent.link, "run", no_link)
    await agent.run()
    agent.close()
    assert order == ["readers, ready, held", "link, ready, held"]


async def test_a_badge_at_a_real_reader_opens_its_door_and_shows_it(tmp_path: Path, district: TestDistrict) -> None:
    key = secrets.token_bytes(16)
    folder = tmp_path / "pi"
    folder.mkdir()
    (folder / "reader.key").touch(mode=0o600)
    (folder / "reader.key").write_text(key.hex())
    wired = {"reader": "door-0-in", "address": 3, "door": "door-0", "key_file": "reader.key"}
    with VirtualLine(baud=115200) as line:
        reader = VirtualOsdpReader(line, address=3, key=key)
        pi = Pi(folder, district, reader_lines=[{"device": "/dev/ttyUSB0", "readers": [wired]}])
        async with pi.running(devices={"/dev/ttyUSB0": line.path}) as agent:
            token = credentials.token(district.credential_key, *CARD)
            agent.configuration.receive(district.config(pi, **cardholder(token)))
            door = agent.doors.held["door-0"]
            await until(lambda: agent.readers.buses["door-0-in"].online("door-0-in"), "the secure channel")
            reader.swipe(*CARD)
            await until(lambda: pi.doors["door-0"].released, "the release")
            await until(lambda: "green" in reader.leds, "the green light")
            await until(lambda: pi.doors["door-0"].holds, "the relock")
            agent.declarations.accept_set(DISTRICT, district.declare(DISTRICT, 1, lockdown()))
            reader.swipe(*CARD)
            await until(lambda: reader.leds[-1] == "red", "the red light")
            assert pi.doors["door-0"].holds
            line.cut()
            await until(
                lambda: ("door-0-in", "line_silent") in reader_alarms(agent, "door-0"), "the alarm of a cut line"
            )
            assert "line_silent" in agent.doors.report(door).alarms
            line.mend()
            await until(lambda: not reader_alarms(agent, "door-0"), "the end of the alarm")


async def test_a_clean_stop_leaves_the_locks_locked_and_driven_until_the_pins_are_given_up(
    tmp_path: Path, district: TestDistrict
) -> None:
    pi = Pi(tmp_path / "pi", district, maglocks=True)
    pi.build()
    agent = Agent(pi.config, pin_factory=pi.factory, clock=pi.clock)
    task = asyncio.create_task(agent.run())
    await until(agent.ready.is_set)
    agent.doors.grant("door-0", {})
    assert pi.doors["door-0"].released
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert all(door.holds for door in pi.doors.values()), "a maglock holds while its output is driven"
    agent.close()


async def test_what_happened_just_before_a_stop_is_in_the_outbox(pi: Pi) -> None:
    async with pi.running() as agent:
        stream = agent.journal.outbox.stream
        agent.journal.add(EventKind.PANIC_PRESSED, {"n": 1})
    async with pi.running() as again:
        assert again.journal.outbox.stream == stream
        batch = await again.journal.on_outbox(again.journal.outbox.next_batch, 0)
        assert batch is not None
        assert [event.kind for event in batch.events][-1] == EventKind.PANIC_PRESSED


async def test_an_outbox_the_disk_refuses_keeps_events_in_memory_until_it_takes_them(pi: Pi) -> None:
    async with pi.running() as agent:
        outbox = agent.journal.outbox
        await until(lambda: outbox.last_seq > 0)
        await agent.journal.on_outbox(outbox._db.execute, "PRAGMA query_only=ON")
        before = outbox.last_seq
        agent.journal.add(EventKind.PANIC_PRESSED)
        await until(lambda: agent.journal._waiting, "the event back in memory")
        await agent.journal.on_outbox(outbox._db.execute, "PRAGMA query_only=OFF")
        await until(lambda: outbox.last_seq > before and not agent.journal._waiting, "the event on the disk")


async def test_the_agent_reports_its_own_health(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.link.health_report.EVERY_MS", 10)
    async with pi.running() as agent:
        await until(lambda: agent.journal.outbox.last_seq > 0)

        def reported() -> bool:
            rows = agent.journal.outbox._db.execute("SELECT body FROM events").fetchall()
            return any(b'"agent_health"' in bytes(body) for (body,) in rows)

        agent.health._due_ms = 0
        await until(reported, "the health report")
    assert resident_mib() > 1


NO_KEY = TrustedKey(kid="odd", x="A" * 42 + "B", role=KeyRole.AGENT, site="lincoln-high", agent="west")


async def test_a_bundle_with_a_key_that_is_none_is_refused_before_it_is_kept(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        topic = pi.topic(TopicKind.CONFIG)
        agent.inbox.receive(Incoming(topic, district.config(pi, trusted_keys=(NO_KEY,)), True))
        assert agent.refusals.counts == {"malformed": 1}
        assert agent.store.config() is None


async def test_a_bundle_that_cannot_be_used_is_refused_and_one_kept_is_not_used(
    pi: Pi, district: TestDistrict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    signed = district.config(pi)
    opened = AgentConfig(audience="", version=1, timezone="UTC", doors=(), trusted_keys=(NO_KEY,))
    async with pi.running() as agent:
        agent.store.confirm_trial(1, signed)
    # As a program kept it that had a weaker pattern for keys.
    monkeypatch.setattr(Keyring, "open", lambda *_: opened)
    async with pi.running() as agent:
        assert "the kept configuration is not used" in caplog.text
        assert len(agent.doors.held) == 2
        with pytest.raises(Refused, match="cannot be used"):
            agent.configuration.receive(signed)
