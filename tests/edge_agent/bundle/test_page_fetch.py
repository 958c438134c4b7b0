"""Credentials in pages over a real broker: fetched as needed, taken up whole with the configuration naming them."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from edge_agent.agent import Agent
from edge_agent.storage.credential_page import CheckedPage
from edge_agent.storage.credential_store import CredentialStore
from protocol import topics
from protocol.messages import AccessRule, Credential
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm
from tests.support.agents import Pi, TestDistrict
from tests.support.brokers import RunningBroker, embedded, mosquitto
from tests.support.central import ListeningCentral, listening
from tests.support.people import digests, paged, people, token_of
from tests.support.trials import stay_well
from tests.support.waiting import until

PAGES = 8
EVERYBODY = people(1_600)
RULES = (AccessRule(group="staff", doors=("door-0", "door-1")),)


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[RunningBroker]:
    with getattr(request, "param", mosquitto)() as running:
        yield running


@pytest.fixture
def pi(tmp_path: Path, district: TestDistrict, broker: RunningBroker) -> Pi:
    return Pi(tmp_path / "pi", district, port=broker.port)


@pytest.fixture
async def central(broker: RunningBroker) -> AsyncIterator[ListeningCentral]:
    async with listening(broker.port) as central:
        yield central


class Publisher:
    """Publishes configurations with pages, as central does."""

    def __init__(self, central: ListeningCentral, pi: Pi, district: TestDistrict) -> None:
        self._central, self._pi, self._district = central, pi, district

    async def page(self, number: int, payload: bytes) -> None:
        await self._central.say(topics.credential_page(self._pi.site, self._pi.agent, number), payload)

    async def config(self, version: int, pages: list[bytes]) -> None:
        signed = self._district.config(self._pi, version, credential_pages=digests(pages), rules=RULES)
        await self._central.say(self._pi.topic(TopicKind.CONFIG), signed)

    async def everything(self, version: int, pages: list[bytes]) -> None:
        for number, payload in enumerate(pages):
            await self.page(number, payload)
        await self.config(version, pages)


@pytest.fixture
def publisher(central: ListeningCentral, pi: Pi, district: TestDistrict) -> Publisher:
    return Publisher(central, pi, district)


def found(agent: Agent, number: int) -> Credential | None:
    return agent.configuration.rules.credentials.find(token_of(number))


def version(agent: Agent) -> int:
    return agent.configuration.rules.version


def taken(agent: Agent) -> list[int]:
    """The numbers of the pages that reach the agent from now on."""
    numbers: list[int] = []
    receive = agent.inbox.receive

    def watch(message: Incoming) -> None:
        page = topics.parse(message.topic).page
        if page is not None:
            numbers.append(page)
        receive(message)

    agent.link.mqtt._on_message = watch
    return numbers


both_brokers = pytest.mark.parametrize("broker", [mosquitto, embedded], indirect=True)


@both_brokers
async def test_everybody_is_known_once_the_configuration_is_taken_up(
    pi: Pi, publisher: Publisher, central: ListeningCentral
) -> None:
    async with pi.running() as agent:
        await publisher.everything(1, paged(EVERYBODY, PAGES))
        await until(lambda: version(agent) == 1, "the configuration taken up")
        assert [found(agent, number) for number in range(len(EVERYBODY))] == EVERYBODY
        await until(lambda: central.of_kind("config_applied"), "the event")
        assert b'"credentials":1600' in bytes(central.of_kind("config_applied")[0].data)


async def test_the_configuration_in_use_stays_until_the_last_page_is_there(pi: Pi, publisher: Publisher) -> None:
    async with pi.running() as agent:
        before, after = paged(EVERYBODY, PAGES), paged(EVERYBODY[800:], PAGES)
        await publisher.everything(1, before)
        await until(lambda: version(agent) == 1, "the first configuration")
        await publisher.config(2, after)
        for number, page in enumerate(after[:-1]):
            await publisher.page(number, page)
        await until(lambda: list(agent.configuration.pages.wanted()) == [PAGES - 1], "all but one page held")
        assert version(agent) == 1
        assert all(found(agent, number) for number in range(len(EVERYBODY))), "both sets are never mixed"
        await publisher.page(PAGES - 1, after[-1])
        await until(lambda: version(agent) == 2, "the second configuration")
        assert not any(found(agent, number) for number in range(800))


async def test_a_page_that_did_not_change_is_not_transferred_again(pi: Pi, publisher: Publisher) -> None:
    async with pi.running() as agent:
        pages = paged(EVERYBODY, PAGES)
        await publisher.everything(1, pages)
        await until(lambda: version(agent) == 1, "the first configuration")
        numbers = taken(agent)
        gone = [msgspec.structs.replace(EVERYBODY[0], suspended=True), *EVERYBODY[1:]]
        await publisher.everything(2, paged(gone, PAGES))
        await until(lambda: version(agent) == 2, "the second configuration")
        assert numbers == [int(token_of(0)[0], 16) * PAGES // 16]
        suspended = found(agent, 0)
        assert suspended is not None
        assert suspended.suspended


async def test_after_a_restart_without_a_network_everybody_is_known(
    pi: Pi, publisher: Publisher, broker: RunningBroker
) -> None:
    async with pi.running() as agent:
        await publisher.everything(1, paged(EVERYBODY, PAGES))
        await until(lambda: version(agent) == 1, "the configuration")
    broker.kill()
    async with pi.running() as agent:
        assert found(agent, 7) == EVERYBODY[7]


async def test_pages_lost_with_their_file_are_fetched_again_while_doors_follow_the_configuration(
    pi: Pi, publisher: Publisher, central: ListeningCentral
) -> None:
    async with pi.running() as agent:
        await publisher.everything(1, paged(EVERYBODY, PAGES))
        await until(lambda: version(agent) == 1, "the configuration")
    for name in ("credentials.db", "credentials.db-wal", "credentials.db-shm"):
        with contextlib.suppress(FileNotFoundError):
            (pi.config.data / name).unlink()
    async with pi.running() as agent:
        assert version(agent) == 1, "its doors, schedules and rules hold all the same"
        assert Alarm.CREDENTIALS_MISSING in agent.snapshots.make().alarms
        await until(lambda: found(agent, 7) == EVERYBODY[7], "the pages fetched again")
        await until(lambda: not agent.snapshots.make().alarms, "every page")
        for kind in ("alarm_raised", "alarm_cleared"):
            await until(lambda kind=kind: central.of_kind(kind), f"the event {kind}")


async def test_where_pages_are_missing_the_last_good_configuration_that_is_whole_is_used(
    pi: Pi, publisher: Publisher, broker: RunningBroker
) -> None:
    before, after = paged(EVERYBODY, PAGES), paged(EVERYBODY[800:], PAGES)
    async with pi.running() as agent:
        await publisher.everything(1, before)
        await until(lambda: version(agent) == 1, "the first configuration")
        stay_well(agent)
        await publisher.everything(2, after)
        await until(lambda: version(agent) == 2, "the second configuration")
        await agent.credentials.keep_only(digests(before))
    broker.kill()
    async with pi.running() as agent:
        assert version(agent) == 1
        assert found(agent, 7) == EVERYBODY[7]
        broker.start()
        await publisher.everything(2, after)
        await until(lambda: version(agent) == 2, "the second configuration, whole again")


async def test_a_page_that_is_not_the_one_named_is_refused_and_the_right_one_taken(
    pi: Pi, publisher: Publisher
) -> None:
    pages = paged(EVERYBODY, PAGES)
    async with pi.running() as agent:
        await publisher.everything(1, [*pages[:-1], pages[-1]])
        await until(lambda: version(agent) == 1, "the first configuration")
        after = paged(EVERYBODY[800:], PAGES)
        await publisher.page(0, pages[1])
        await publisher.config(2, after)
        await until(lambda: agent.refusals.counts["wrong_digest"], "the refusal")
        assert version(agent) == 1
        for number, page in enumerate(after):
            await publisher.page(number, page)
        await until(lambda: version(agent) == 2, "the right pages")


@both_brokers
async def test_a_page_that_the_disk_would_not_keep_is_asked_for_again(
    pi: Pi, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.bundle.page_fetch.AGAIN_S", 0.2)
    insert, refused = CredentialStore._insert, []

    def insert_or_refuse(self: CredentialStore, page: CheckedPage, number: int) -> None:
        if len(refused) < PAGES:
            refused.append(number)
            raise sqlite3.OperationalError("database or disk is full")
        insert(self, page, number)

    monkeypatch.setattr(CredentialStore, "_insert", insert_or_refuse)
    async with pi.running() as agent:
        await publisher.everything(1, paged(EVERYBODY, PAGES))
        await until(lambda: version(agent) == 1, "the configuration")
        assert agent.refusals.counts["not_kept"] == PAGES


async def test_a_newer_configuration_takes_the_place_of_one_that_waits_for_its_pages(
    pi: Pi, publisher: Publisher
) -> None:
    first, second, third = (paged(EVERYBODY[start:], PAGES) for start in (0, 400, 800))
    async with pi.running() as agent:
        await publisher.everything(1, first)
        await until(lambda: version(agent) == 1, "the first configuration")
        for number, pages in ((2, second), (3, third)):
            await publisher.config(number, pages)
            await until(
                lambda pages=pages: digests(pages)[0] in agent.configuration.pages.wanted().values(), "wanted"
            )
        for page in (*enumerate(second), *enumerate(third)):
            await publisher.page(*page)
        await until(lambda: version(agent) == 3, "the third configuration")
        assert not agent.credentials.count(digests(second)), "nothing of the second was kept"


async def test_pages_that_nobody_asked_for_change_nothing(pi: Pi) -> None:
    async with pi.running() as agent:
        topic = topics.credential_page(pi.site, pi.agent, 0)
        agent.inbox.receive(Incoming(topic, paged(EVERYBODY, 1)[0], True))
        assert agent.refusals.counts["duplicate"] == 1
        assert agent.credentials.count(digests(paged(EVERYBODY, 1))) == 0


async def test_a_number_of_pages_that_is_no_power_of_two_is_refused(pi: Pi, district: TestDistrict) -> None:
    async with pi.running() as agent:
        names = digests(paged(EVERYBODY, 4))[:3]
        signed = district.config(pi, 1, credential_pages=names)
        agent.inbox.receive(Incoming(pi.topic(TopicKind.CONFIG), signed, True))
        assert (version(agent), agent.refusals.counts["malformed"]) == (0, 1)
