"""``kill -9`` of an agent, of central and of the broker: doors stay held, no event is lost, none counted twice."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.events.journal import Journal
from edge_agent.events.outbox import Outbox
from edge_agent.host.clock import PiClock
from edge_agent.link.event_sender import EventSender
from protocol import codec, topics
from protocol.messages import EventAck
from protocol.mqtt import BrokerAddress, Incoming, MqttLink, Subscription
from protocol.topics import TopicKind
from protocol.words import EventKind
from simulators.district.plan import DistrictSize
from tests.support.brokers import HOST, embedded, mosquitto
from tests.support.running_district import RunningDistrict, running_district, wait_for

ONE_AGENT = DistrictSize(sites=1, agents=1, doors=6, readers=0)
EVENTS_A_SECOND = 200
CUTS = 5
VIEW_RIGHT_WITHIN_S = 5
"""Met by one cut at least: a machine that is busy with other work may be late at the others."""

BROKER_OF = {"central": mosquitto, "broker": embedded}
"""Which is killed, and on which broker: both are in it, and the embedded one is the one that forgets."""


def test_an_agent_killed_in_mid_lockdown_holds_its_doors_before_it_has_a_network_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with running_district(tmp_path / "d", ONE_AGENT, round_the_clock=True) as district:
        ((key, agent),) = district.agents.items()
        api = district.api()
        declaration = api.declare({"kind": "district"})
        # In mid-lockdown: the declaration is out, and not every door has proven itself yet.
        wait_for(lambda: "secured" in str(district.hardware(key)), "the agent has begun", every_s=0.005)
        agent.kill()
        district.broker.kill()
        agent.start()
        held = wait_for(lambda: _held(district, key), "the doors held without a network", 30)
        assert all(door["mode"] == "secured" and not door["released"] and door["holds"] for door in held.values())
        district.broker.start()
        total = len(district.district.doors)
        wait_for(lambda: api.closure(declaration)["proven"] == total, "every door proven", 30)
        wait_for(lambda: _outbox_empty(district), "the outbox empty")
        assert district.assert_every_event_once() > 0
        started = district.events("SELECT COUNT(*) FROM events WHERE kind = 'agent_started'")
        assert started == [(2,)]


def _held(district: RunningDistrict, key: str) -> dict[str, dict[str, object]]:
    with contextlib.suppress(OSError):
        doors = district.hardware(key)
        if all(door["mode"] == "secured" and door["bolt_thrown"] for door in doors.values()):
            return doors
    return {}


def _outbox_empty(district: RunningDistrict) -> bool:
    sites = {agent.site for agent in district.district.agents}
    views = [agent for site in sites for agent in district.api().get(f"/sites/{site}")["agents"]]
    return all(view["outbox"] is not None and view["outbox"]["depth"] == 0 for view in views)


class LoadedOutbox(threading.Thread):
    """The real outbox, sender and link of an agent, made to write 200 events a second."""

    def __init__(self, folder: Path, port: int, site: str, agent: str) -> None:
        super().__init__(daemon=True)
        self.written = 0
        self.stream = ""
        self._folder, self._port, self._site, self._agent = folder, port, site, agent
        self._enough = threading.Event()
        self.depth = 1
        self._sender: EventSender

    def run(self) -> None:
        asyncio.run(self._run())

    def _received(self, message: Incoming) -> None:
        self._sender.acknowledged(codec.decode(EventAck, message.payload))

    def stop_writing(self) -> None:
        """Write no more; what is written is still sent."""
        self._enough.set()

    async def _run(self) -> None:
        outbox = Outbox(self._folder / "outbox.db")
        self.stream = outbox.stream
        journal = Journal(outbox, PiClock(require_sync=False))
        topic = topics.of_agent(TopicKind.EVENTS, self._site, self._agent)
        ack_topic = topics.of_agent(TopicKind.EVENTS_ACK, self._site, self._agent)

        sender = self._sender = EventSender(journal)

        async def send() -> None:
            await sender.run(lambda payload: link.publish(topic, payload))

        link = MqttLink(
            BrokerAddress(HOST, self._port),
            f"loaded-{self._site}-{self._agent}",
            subscriptions=lambda: [Subscription(ack_topic)],
            on_message=self._received,
            on_connected=send,
        )
        running = asyncio.create_task(link.run())
        began = time.monotonic()
        while not (self._enough.is_set() and outbox.depth == 0 and outbox.state().last_seq >= self.written):
            due = 0 if self._enough.is_set() else int((time.monotonic() - began) * EVENTS_A_SECOND) - self.written
            for _ in range(due):
                journal.add(EventKind.REQUEST_TO_EXIT, {"n": self.written})
                self.written += 1
            self.depth = outbox.depth
            await asyncio.sleep(0.01)
        self.depth = 0
        running.cancel()
        await asyncio.wait([running])
        await journal.close()


@pytest.fixture
def loaded(victim: str, tmp_path: Path) -> Iterator[tuple[RunningDistrict, LoadedOutbox]]:
    """A school of two agents; the second's place is taken by an outbox under load."""
    size = DistrictSize(sites=1, agents=2, doors=4, readers=0)
    with running_district(tmp_path / "d", size, broker=BROKER_OF[victim], start_agents=False) as district:
        first, second = district.district.agents
        district.agents[first.key].start()
        load = LoadedOutbox(tmp_path, district.broker.port, second.site, second.agent)
        load.start()
        yield district, load


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("victim", BROKER_OF)
def test_kill_minus_nine_under_load_loses_no_event_and_counts_none_twice(
    loaded: tuple[RunningDistrict, LoadedOutbox], victim: str
) -> None:
    district, load = loaded
    rng = random.Random(victim)
    wait_for(lambda: _view_right(district), "the live view right", 30)
    took_s = []
    for cut in range(1, CUTS + 1):
        before = load.written
        time.sleep(rng.uniform(2, 5))  # how long it may work between two cuts
        assert load.written > before + EVENTS_A_SECOND, "it is not under load"
        _cut(district, victim, rng.uniform(0.2, 2.0))
        answered = time.monotonic()
        wait_for(lambda: _view_right(district), f"the live view right after cut {cut} of {victim}")
        took_s.append(time.monotonic() - answered)
    assert min(took_s) < VIEW_RIGHT_WITHIN_S, took_s
    load.stop_writing()
    load.join(60)
    assert not load.is_alive(), f"{load.depth} events still not acknowledged"
    wait_for(lambda: _outbox_empty_of(district, load), "the other agent's outbox empty")
    district.assert_every_event_once()
    stored = district.events("SELECT COUNT(*) FROM events WHERE stream = ?", load.stream)
    assert stored == [(load.written,)]


def _cut(district: RunningDistrict, victim: str, away_s: float) -> None:
    """``kill -9``, a while without, and back; returns as soon as it answers again."""
    if victim == "central":
        district.central.kill()
        time.sleep(away_s)
        district.start_central()
    else:
        district.broker.kill()
        time.sleep(away_s)
        district.broker.start()


def _quietly(ask: Callable[[], bool]) -> bool:
    with contextlib.suppress(Exception):
        return ask()
    return False


def _view_right(district: RunningDistrict) -> bool:
    """Every door of the agent that lives is shown on fresh evidence."""
    first = district.district.agents[0]

    def ask() -> bool:
        view = district.api().get(f"/sites/{first.site}")
        shown = {door["door"]: door["condition"] for door in view["doors"] if door["agent"] == first.agent}
        return len(shown) == len(first.doors) and "unknown" not in shown.values()

    return _quietly(ask)


def _outbox_empty_of(district: RunningDistrict, load: LoadedOutbox) -> bool:
    first = district.district.agents[0]
    views = district.api().get(f"/sites/{first.site}")["agents"]
    return any(view["agent"] == first.agent and view["outbox"] and view["outbox"]["depth"] == 0 for view in views)
