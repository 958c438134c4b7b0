"""An agent's link over real brokers: what it says, what it takes, and that no event is lost or counted twice."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.agent import Agent
from edge_agent.link import event_sender
from protocol import proof, topics
from protocol.messages import EventAck
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Condition, DoorMode, EventKind
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.brokers import RunningBroker, embedded, mosquitto
from tests.support.central import ListeningCentral, listening
from tests.support.waiting import until

DISTRICT = topics.district_declarations()


@pytest.fixture(params=[mosquitto, embedded], ids=["mosquitto", "embedded"])
def either(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    """Each of the two brokers."""
    make: Callable[[], AbstractContextManager[RunningBroker]] = request.param
    with make() as running:
        yield running


def pi_at(broker: RunningBroker, tmp_path: Path, district: TestDistrict, **options: Any) -> Pi:
    return Pi(tmp_path / options.get("agent", "pi"), district, port=broker.port, **options)


def all_arrived(central: ListeningCentral, agent: Agent) -> bool:
    outbox = agent.journal.outbox
    heard = central.events.get(outbox.stream, {})
    return outbox.last_seq > 0 and outbox.depth == 0 and sorted(heard) == list(range(1, outbox.last_seq + 1))


async def test_a_lockdown_is_proven_in_a_snapshot_and_its_events_committed(
    either: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(either, tmp_path, district)
    async with listening(either.port) as central, pi.running() as agent:
        await central.say(DISTRICT, district.declare(DISTRICT, 3, lockdown()))

        def proven() -> bool:
            snapshot = central.snapshots.get("east")
            return snapshot is not None and all(
                door.mode is DoorMode.SECURED
                and door.declarations == ("lockdown-1",)
                and door.condition is Condition.SECURE
                and proof.proves_secure(door.evidence)
                for door in snapshot.doors
            )

        await until(proven, "the proof")
        assert central.snapshots["east"].applied == {DISTRICT: 3}
        await until(lambda: central.of_kind(EventKind.DECLARATIONS_APPLIED), "the event")
        await until(lambda: all_arrived(central, agent), "every event")
        (applied,) = central.of_kind(EventKind.DECLARATIONS_APPLIED)
        assert json.loads(bytes(applied.data))["revision"] == 3


async def test_an_agent_says_when_it_comes_and_goes_and_the_broker_says_when_it_dies(
    either: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(either, tmp_path, district)
    async with listening(either.port) as central:
        async with pi.running() as agent:
            await until(lambda: central.statuses, "the greeting")
            assert (central.statuses[0].online, central.statuses[0].session) == (True, agent.session)
        await until(lambda: len(central.statuses) > 1, "the goodbye")
        assert (central.statuses[-1].online, central.statuses[-1].reason) == (False, "stopped")
        async with pi.running() as second:
            await until(lambda: central.statuses[-1].online, "the greeting")
            assert second.link.mqtt._client is not None
            wire: Any = second.link.mqtt._client._client.socket()
            wire.shutdown(socket.SHUT_RDWR)  # without a word, as a cable that is pulled
            # It may be back before the death of its link is read.
            await until(lambda: "lost" in {status.reason for status in central.statuses}, "the will")
            (will,) = (status for status in central.statuses if status.reason == "lost")
            assert will.session == second.session
            await until(lambda: central.statuses[-1].online, "the return")


async def test_an_agent_told_to_stop_while_it_is_connecting_stops(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(broker, tmp_path, district)
    for n in range(60):
        async with asyncio.timeout(30), pi.running():
            await asyncio.sleep(n * 0.0004)  # not to wait for something: to hit every step of connecting


async def test_a_snapshot_comes_every_few_seconds_although_nothing_changes(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(broker, tmp_path, district)
    async with listening(broker.port) as central, pi.running():
        await until(lambda: "east" in central.snapshots)
        first = central.snapshots["east"].seq
        await until(lambda: central.snapshots["east"].seq >= first + 2, "two more", within=10)
        ages = [door.evidence.age_ms for door in central.snapshots["east"].doors]
        assert all(age is not None and age < proof.FRESH_MS for age in ages)


async def test_a_broker_killed_and_restarted_while_events_flow_costs_no_event_and_repeats_none(
    either: RunningBroker, tmp_path: Path, district: TestDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_sender, "PAUSE_S", 0.05)
    pi = pi_at(either, tmp_path, district)
    async with listening(either.port) as central, pi.running() as agent:
        agent.link._sender._ack_timeout_s = 0.5
        central.lose_acks = 0.2
        stop = asyncio.Event()

        async def keep_happening() -> int:
            count = 0
            while not stop.is_set():
                agent.journal.add(EventKind.CONDITION_CHANGED, {"n": count}, door="door-0")
                count += 1
                await asyncio.sleep(0.002)
            return count

        happening = asyncio.create_task(keep_happening())
        for _ in range(3):
            heard = len(central.numbers)
            await until(lambda heard=heard: len(central.numbers) > heard + 50, "events")  # type: ignore[misc]
            either.kill()
            before = agent.journal.outbox.last_seq
            await until(lambda before=before: agent.journal.outbox.last_seq > before + 50, "events in the outbox")  # type: ignore[misc]
            either.start()
            await until(lambda: agent.link.mqtt.connected, "the link again")
        stop.set()
        happened = await happening
        await until(lambda: all_arrived(central, agent), "every event", within=30)
        (stream,) = central.events.values()
        told = [json.loads(bytes(event.data)).get("n") for _, event in sorted(stream.items())]
        assert [n for n in told if n is not None] == list(range(happened))
        assert len(central.numbers) > len(stream), "nothing was sent again: the test has not tested much"


async def test_what_happened_while_there_was_no_broker_is_told_when_there_is_one_even_over_a_restart(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    broker.kill()
    pi = pi_at(broker, tmp_path, district)
    async with pi.running() as agent:
        stream = agent.journal.outbox.stream
        agent.declarations.declare_panic()
    broker.start()
    async with listening(broker.port) as central, pi.running() as agent:
        await until(lambda: central.of_kind(EventKind.PANIC_PRESSED), "the event")
        await until(lambda: all_arrived(central, agent), "every event")
        assert set(central.events) == {stream}


async def test_nothing_is_deleted_before_central_has_acknowledged_it(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(broker, tmp_path, district)
    async with listening(broker.port) as central:
        central.taking = False
        async with pi.running() as agent:
            outbox = agent.journal.outbox
            agent.link._sender._ack_timeout_s = 0.2
            await until(lambda: len(central.numbers) > 2 * outbox.last_seq > 0, "the same again")
            assert outbox.depth == outbox.last_seq, "an answer that says less must not delete more"
            central.acknowledging, central.taking = False, True
            heard = len(central.numbers)
            await until(lambda: len(central.numbers) > heard + 2 * outbox.last_seq, "the same again")
            assert outbox.depth == outbox.last_seq
            agent.link._sender.acknowledged(EventAck(stream="another", committed=outbox.last_seq))
            central.acknowledging = True
            await until(lambda: all_arrived(central, agent), "every event")


async def test_bad_input_is_counted_reported_once_a_minute_and_never_acted_upon(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(broker, tmp_path, district)
    async with listening(broker.port) as central, pi.running() as agent:
        await agent.link.mqtt.wait_connected()
        for payload in (b"", b"{}", b"\xff\xfe", b"a.b.c", b"x" * 300_000):
            for _ in range(4):
                await central.say(DISTRICT, payload, retain=False)
        await central.say(pi.topic(TopicKind.EVENTS_ACK), b'{"stream": 7}', retain=False)
        await until(lambda: sum(agent.refusals.counts.values()) == 21, "21 refusals")
        assert agent.refusals.counts == {"not_signed": 16, "oversized": 4, "malformed": 1}
        await until(lambda: len(central.of_kind(EventKind.MESSAGE_REFUSED)) == 3, "three reports")
        assert {door.state.mode for door in agent.doors.held.values()} == {DoorMode.CONTROLLED}


# --- commands -----------------------------------------------------------------------------------------------


def answers(central: ListeningCentral) -> list[tuple[str, str]]:
    found = []
    for event in [*central.of_kind(EventKind.COMMAND_DONE), *central.of_kind(EventKind.MESSAGE_REFUSED)]:
        data = json.loads(bytes(event.data))
        found.append((data.get("id", ""), data.get("reason", event.kind)))
    return found


async def test_a_grant_opens_once_and_its_replay_nothing(
    broker: RunningBroker, tmp_path: Path, district: TestDistrict
) -> None:
    pi = pi_at(broker, tmp_path, district)
    async with listening(broker.port) as central, pi.running() as agent:
        await central.say(pi.topic(TopicKind.CONFIG), district.config(pi))
        await until(lambda: agent.configuration.rules.version == 1)
        await agent.link.mqtt.wait_connected()  # subscribed to commands, too, which nothing retains
        grant = district.command(pi, "grant", "door-0", id="g1")
        await central.say(pi.topic(TopicKind.COMMAND), grant, retain=False)
        await until(lambda: pi.doors["door-0"].released, "the release")
        await until(lambda: pi.doors["door-0"].holds, "the relock")
        await central.say(pi.topic(TopicKind.COMMAND), grant, retain=False)
        await until(lambda: agent.refusals.counts["duplicate"] == 1, "the refusal")
        assert pi.doors["door-0"].holds
        await until(lambda: answers(central) == [("g1", "command_done"), ("g1", "duplicate")], "both answers")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"issued_ms": 1, "expires_ms": 2}, "expired"),
    "issued in the future": ({"issued_ms": 10**14, "expires_ms": 10**14 + 1}, "not_yet_valid"),
    "holding for an hour": ({"expires_ms": 10**14}, "malformed"),
    "of a kind not known": ({"kind": "dance"}, "unknown_kind"),
    "for a door elsewhere": ({"door": "door-9"}, "unknown_door"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
async def test_a_command_that_may_not_be_done_is_answered_with_the_reason(
    pi: Pi, district: TestDistrict, case: tuple[dict[str, Any], str]
) -> None:
    fields, reason = case
    async with pi.running() as agent:
        command = {"kind": "grant", "door": "door-0"} | fields
        signed = district.command(pi, command.pop("kind"), command.pop("door"), **command)
        agent.inbox.receive(Incoming(pi.topic(TopicKind.COMMAND), signed, False))
        assert agent.refusals.counts == {reason: 1}
        assert all(door.holds for door in pi.doors.values())


async def test_a_command_out_of_the_brokers_memory_or_without_a_trusted_clock_is_refused(
    pi: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        topic = pi.topic(TopicKind.COMMAND)
        agent.inbox.receive(Incoming(topic, district.command(pi, "grant", "door-0"), True))
        pi.clock.trust = False
        agent.inbox.receive(Incoming(topic, district.command(pi, "grant", "door-0"), False))
        assert agent.refusals.counts == {"retained": 1, "clock_untrusted": 1}
        assert pi.doors["door-0"].holds


async def test_a_grant_does_not_pass_a_declaration_but_a_lock_test_works(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        topic = pi.topic(TopicKind.COMMAND)
        agent.inbox.receive(Incoming(DISTRICT, district.declare(DISTRICT, 1, lockdown()), True))
        agent.inbox.receive(Incoming(topic, district.command(pi, "grant", "door-0"), False))
        assert pi.doors["door-0"].holds
        assert agent.refusals.counts == {"door_secured": 1}
        agent.inbox.receive(Incoming(topic, district.command(pi, "test_lock", "door-0"), False))
        assert agent.refusals.counts == {"door_secured": 1}
        assert agent.doors.held["door-0"].state.condition is Condition.SECURE
