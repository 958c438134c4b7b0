"""A lockdown that was accepted holds after a restart, whatever has become of the configuration that named its key."""

from pathlib import Path
from zoneinfo import ZoneInfoNotFoundError

import pytest

from edge_agent.agent import Agent
from edge_agent.bundle import trial as config_trial
from edge_agent.policy import rules
from edge_agent.storage.state_db import StoredSet
from protocol import topics
from protocol.messages import DeclarationSet, Period, Scope
from protocol.signing import SigningKey
from protocol.topics import TopicKind
from protocol.words import DoorMode, KeyRole, ScopeKind
from tests.support.agents import Pi, TestDistrict, lockdown
from tests.support.people import digests, paged, people
from tests.support.trials import die, stay_well
from tests.support.waiting import until

ALWAYS = {"always": (Period(days=tuple(range(7)), start="00:00", end="24:00"),)}
SITE = Scope(kind=ScopeKind.SITE, site="lincoln-high")


@pytest.fixture
def west(tmp_path: Path, district: TestDistrict) -> Pi:
    """The neighbour, whose panic button is pressed."""
    return Pi(tmp_path / "west", district, agent="west")


def panic(west: Pi, key: SigningKey | None = None, revision: int = 5) -> tuple[str, bytes]:
    """What the neighbour publishes then."""
    topic = west.topic(TopicKind.DECLARATIONS)
    document = DeclarationSet(audience=topic, revision=revision, declarations=(lockdown("panic-1", SITE),))
    return topic, (key or west.key).sign(document)


def unlocking(district: TestDistrict, pi: Pi, version: int, *trusted: Pi, **fields: object) -> bytes:
    """A configuration under which door-0 is unlocked at all times."""
    return district.config(
        pi,
        version,
        doors=(pi.settings("door-0", schedule="always"),),
        schedules=ALWAYS,
        trusted_keys=tuple(other.trusted_key for other in trusted),
        **fields,
    )


def mode(agent: Agent) -> DoorMode:
    return agent.doors.held["door-0"].state.mode


async def test_it_holds_though_the_configuration_that_named_the_neighbour_is_rolled_back(
    pi: Pi, west: Pi, district: TestDistrict, fatal: set[int]
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1))
        stay_well(agent)
        agent.configuration.receive(unlocking(district, pi, 2, west))
        agent.declarations.accept_set(*panic(west))
        assert mode(agent) is DoorMode.SECURED
        agent.store._db.execute("UPDATE declarations SET key = NULL")  # as an older version kept it
    fatal.add(2)
    for _ in range(2):
        await die(pi)
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (1, DoorMode.SECURED)


async def test_the_neighbour_can_still_lock_after_the_configuration_that_named_it_was_rolled_back(
    pi: Pi, west: Pi, district: TestDistrict, fatal: set[int]
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1))
        stay_well(agent)
        agent.configuration.receive(unlocking(district, pi, 2, west))
        agent.configuration._step(config_trial.Failed("for the test"))
        assert agent.configuration.rules.version == 1
        agent.declarations.accept_set(*panic(west))
        assert mode(agent) is DoorMode.SECURED
    async with pi.running() as agent:
        agent.declarations.accept_set(*panic(west, revision=6))
        assert agent.configuration.rules.version == 1


async def test_it_holds_though_the_pages_of_the_configuration_on_trial_are_lost(
    pi: Pi, west: Pi, district: TestDistrict
) -> None:
    pages = paged(people(1_600), 8)
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1))
        stay_well(agent)
        agent.configuration.receive(unlocking(district, pi, 2, west, credential_pages=digests(pages)))
        for number, page in enumerate(pages):
            await until(lambda n=number: n in agent.configuration.pages.wanted(), "the page being wanted")
            agent.configuration.receive_page(number, page)
        await until(lambda: agent.configuration.rules.version == 2, "the configuration with its pages")
        agent.declarations.accept_set(*panic(west))
        data = agent.config.data
    for file in data.glob("credentials.db*"):
        file.unlink()
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (1, DoorMode.SECURED)


async def test_it_holds_though_the_confirmed_configuration_can_be_used_no_longer(
    pi: Pi, west: Pi, district: TestDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1, west))
        stay_well(agent)
        agent.declarations.accept_set(*panic(west))
        agent.store._db.execute("UPDATE declarations SET key = NULL")

    def gone(name: str) -> None:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr(rules, "ZoneInfo", gone)
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (0, DoorMode.SECURED)
        assert west.trusted_key in agent.configuration.trusted_keys, "its next word is taken, too"


@pytest.mark.parametrize("new_key", [None, "lincoln-high-west"])
async def test_it_holds_though_the_neighbour_was_taken_out_or_has_another_key_by_now(
    pi: Pi, west: Pi, district: TestDistrict, new_key: str | None
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1, west))
        stay_well(agent)
        agent.declarations.accept_set(*panic(west))
        if new_key is not None:
            west.key = SigningKey.generate(new_key)  # of the same name
        agent.configuration.receive(unlocking(district, pi, 2, *([west] if new_key else [])))
        stay_well(agent)
    for _ in range(2):
        async with pi.running() as agent:
            assert mode(agent) is DoorMode.SECURED
    if new_key is not None:
        async with pi.running() as agent:
            topic, _ = panic(west)
            agent.declarations.accept_set(topic, west.key.sign(DeclarationSet(audience=topic, revision=6)))
            assert mode(agent) is DoorMode.UNLOCKED, "the neighbour takes its word back by its new key"


async def test_only_an_agents_key_is_believed_on_the_word_of_the_disk(pi: Pi, district: TestDistrict) -> None:
    other = TestDistrict()
    other.key = SigningKey.generate("another-district")
    signed = other.declare("doorward/v1/declarations", 9, lockdown())
    key = '{"kid":"another-district","x":"%s","role":"%s"}' % (other.trust.x, KeyRole.DISTRICT)  # noqa: UP031
    async with pi.running() as agent:
        agent.store.save_declarations(StoredSet("doorward/v1/declarations", 9, signed, key))
        agent.store.save_declarations(StoredSet("doorward/v1/lincoln-high/declarations", 9, signed, "no key"))
    async with pi.running() as agent:
        assert (mode(agent), agent.declarations.book.applied) == (DoorMode.CONTROLLED, {})


async def test_an_agents_own_panic_is_signed_anew_once_its_key_was_replaced(pi: Pi) -> None:
    own = pi.topic(TopicKind.DECLARATIONS)
    async with pi.running() as agent:
        agent.declarations.declare_panic()
        before = agent.declarations.book.sets[own]
    pi.key = SigningKey.generate(pi.key.kid)
    (pi.folder / "agent.jwk").unlink()
    pi.key.save(pi.folder / "agent.jwk")
    async with pi.running() as agent:
        assert mode(agent) is DoorMode.SECURED
        now = agent.declarations.book.sets[own]
        assert (now.declarations, now.revision > before.revision) == (before.declarations, True)
        signed = agent.declarations.own_signed
        assert signed is not None
        assert agent.declarations.keyring.open(DeclarationSet, own, signed) == now


async def test_it_holds_by_the_key_of_the_last_good_configuration_while_a_newer_one_is_on_trial(
    pi: Pi, west: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1, west))
        stay_well(agent)
        agent.declarations.accept_set(*panic(west))
        agent.store._db.execute("UPDATE declarations SET key = NULL")  # as an older version kept it
        agent.configuration.receive(unlocking(district, pi, 2))
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (2, DoorMode.SECURED)


async def test_two_people_can_end_what_a_neighbour_declared_that_is_there_no_longer(
    pi: Pi, west: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1, west))
        agent.declarations.accept_set(*panic(west))
        agent.configuration.receive(unlocking(district, pi, 2))
        stay_well(agent)
    async with pi.running() as agent:
        assert mode(agent) is DoorMode.SECURED
        site = topics.site_declarations("lincoln-high")
        agent.declarations.accept_set(site, district.declare(site, 1, ended=("panic-1",)))
        assert mode(agent) is DoorMode.UNLOCKED
    async with pi.running() as agent:
        assert mode(agent) is DoorMode.UNLOCKED


async def test_a_neighbour_can_lock_while_the_configuration_that_names_it_waits_for_its_pages(
    pi: Pi, west: Pi, district: TestDistrict
) -> None:
    async with pi.running() as agent:
        agent.configuration.receive(unlocking(district, pi, 1))
        stay_well(agent)
        pages = digests(paged(people(1_600), 8))
        agent.configuration.receive(unlocking(district, pi, 2, west, credential_pages=pages))
        agent.declarations.accept_set(*panic(west))
        assert (agent.configuration.rules.version, mode(agent)) == (1, DoorMode.SECURED)
    async with pi.running() as agent:
        assert (agent.configuration.rules.version, mode(agent)) == (1, DoorMode.SECURED)
