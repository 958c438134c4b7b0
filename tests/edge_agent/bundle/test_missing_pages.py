"""Pages of credentials that never come: they keep out none that are there, and people are told of what waits."""

from pathlib import Path

import pytest

from edge_agent.agent import Agent
from edge_agent.bundle.missing_pages import LATE_MS
from edge_agent.bundle.page_fetch import AGAIN_S, PageFetch
from edge_agent.events.outbox import NewEvent
from edge_agent.events.refusals import Refusals
from edge_agent.storage.credential_store import CredentialStore
from protocol import topics
from protocol.messages import AccessRule
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm, EventKind
from tests.support.agents import Pi, SettableClock, TestDistrict
from tests.support.brokers import RunningBroker
from tests.support.central import listening
from tests.support.people import digests, paged, people
from tests.support.trials import HurriedClock, told
from tests.support.waiting import until

PAGES = 8
BEFORE = paged(people(1_600), PAGES)
AFTER = paged(people(1_500), PAGES)
RULES = (AccessRule(group="staff", doors=("door-0", "door-1")),)


def page_topic(pi: Pi, number: int) -> str:
    return topics.credential_page(pi.site, pi.agent, number)


@pytest.mark.parametrize("instead", [None, b"{}"], ids=["never come", "come wrong"])
async def test_pages_that_never_come_keep_out_none_that_are_there(
    tmp_path: Path,
    district: TestDistrict,
    broker: RunningBroker,
    monkeypatch: pytest.MonkeyPatch,
    instead: bytes | None,
) -> None:
    monkeypatch.setattr("edge_agent.bundle.page_fetch.AGAIN_S", 0.1)
    pi = Pi(tmp_path / "pi", district, port=broker.port)
    async with listening(broker.port) as central, pi.running() as agent:
        for number, page in enumerate(BEFORE):
            payload = instead if number < PAGES // 2 else page
            if payload is not None:
                await central.say(page_topic(pi, number), payload)
        config = district.config(pi, 1, credential_pages=digests(BEFORE), rules=RULES)
        await central.say(pi.topic(TopicKind.CONFIG), config)
        there = digests(BEFORE)[PAGES // 2 :]
        await until(lambda: all(agent.credentials.holds(one) for one in there), "the pages that are there")
        assert agent.configuration.rules.version == 0
        for number, page in enumerate(BEFORE[: PAGES // 2]):
            await central.say(page_topic(pi, number), page)
        await until(lambda: agent.configuration.rules.version == 1, "the others, too, once they come")


def test_the_wait_grows_only_once_every_page_has_had_its_turn(tmp_path: Path) -> None:
    clock = SettableClock()
    store = CredentialStore(tmp_path / "credentials.db")
    fetch = PageFetch(store, topic=str, refusals=Refusals(clock, None))
    fetch.want(digests(BEFORE))
    turns = []
    for _ in range(4):
        turns.append((list(fetch.wanted()), fetch.again_s))
        fetch.ask_again()
    store.close()
    first, second = [0, 1, 2, 3], [4, 5, 6, 7]
    assert turns == [(first, AGAIN_S), (second, AGAIN_S), (first, 2 * AGAIN_S), (second, 2 * AGAIN_S)]


def held_clock(agent: Agent) -> HurriedClock:
    clock = agent.configuration._missing._clock = HurriedClock(require_sync=False)
    return clock


def missing(agent: Agent) -> bool:
    agent.configuration.watch_pages()
    return Alarm.CREDENTIALS_MISSING in agent.snapshots.make().alarms


async def bring(agent: Agent, pi: Pi, number: int) -> None:
    """A page arrives, and is on the disk."""
    agent.inbox.receive(Incoming(page_topic(pi, number), AFTER[number], True))
    await until(lambda: agent.credentials.holds(digests(AFTER)[number]), "the page kept")


async def test_a_configuration_that_waits_a_minute_for_a_page_is_an_alarm_until_it_is_taken_up(
    pi: Pi, district: TestDistrict, noted: list[NewEvent]
) -> None:
    async with pi.running() as agent:
        clock = held_clock(agent)
        agent.configuration.receive(district.config(pi, 1, rules=RULES))
        agent.configuration.receive(district.config(pi, 2, rules=RULES, credential_pages=digests(AFTER)))
        for number in range(PAGES - 1):
            clock.ahead_ms += LATE_MS - 5_000
            assert not missing(agent), "pages are coming"
            await bring(agent, pi, number)
        assert not missing(agent)
        clock.ahead_ms += LATE_MS
        assert missing(agent)
        agent.configuration.receive(district.config(pi, 3, rules=RULES, credential_pages=digests(AFTER)))
        assert missing(agent), "it lacks that page, too"
        assert agent.configuration.rules.version == 1
        await bring(agent, pi, PAGES - 1)
        await until(lambda: agent.configuration.rules.version == 3, "the configuration taken up")
        assert not missing(agent)
    of_it = {"alarm": Alarm.CREDENTIALS_MISSING}
    raised, cleared = (
        [one for one in told(noted, kind) if of_it.items() <= one.items()]
        for kind in (EventKind.ALARM_RAISED, EventKind.ALARM_CLEARED)
    )
    assert (raised, cleared) == ([of_it | {"pages": 1}], [of_it | {"pages": 0}])


async def test_an_agent_that_nobody_asks_tells_of_late_pages_by_itself(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        clock = held_clock(agent)
        agent.configuration.receive(district.config(pi, 1, rules=RULES, credential_pages=digests(AFTER)))
        assert not agent.snapshots.make().alarms
        clock.ahead_ms += LATE_MS
        await until(lambda: Alarm.CREDENTIALS_MISSING in agent.snapshots.make().alarms, "the alarm")
