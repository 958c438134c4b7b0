"""Agents' configurations: what they hold, and that their version rises only when that changes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine

from central.agents.bundles import BundleError, bundles, publish_again
from central.agents.credential_pages import MOST_CREDENTIALS
from central.district.directory import load_directory
from central.district.inventory import Inventory
from central.people.audit import AuditLog
from central.records.engine import open_records
from protocol import codec, topics
from protocol.messages import AgentConfig, Credential, CredentialPage
from protocol.signing import SigningKey
from tests.central.centrals import Town
from tests.central.databases import sqlite_url

NOW_MS = 1_790_000_000_123
NOW_S = 1_790_000_000
EAST, MAIN = ("lincoln", "east"), ("oak", "main")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_records(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


def people(count: int) -> tuple[Credential, ...]:
    """Cardholders whose tokens are spread as real ones are."""
    tokens = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]
    return tuple(Credential(token=one, cardholder=f"ch-{n}", groups=("staff",)) for n, one in enumerate(tokens))


def with_people(whole: Inventory, credentials: tuple[Credential, ...]) -> Inventory:
    return Inventory(whole.name, tuple(whole.sites.values()), schedules=whole.schedules, credentials=credentials)


def made(town: Town, engine: Engine) -> dict[tuple[str, str], AgentConfig]:
    """The configurations as their agents read them, of the town's file as it is now."""
    town.write()
    found = bundles(engine, load_directory(town.file), town.key, NOW_MS)
    return {name: town.keyring.open(AgentConfig, bundle.topic, bundle.jws) for name, bundle in found.items()}


def test_an_agent_learns_its_own_doors_and_its_sites_keys_rules_and_credentials(town: Town, engine: Engine) -> None:
    found = made(town, engine)
    east, main = found[EAST], found[MAIN]
    assert [door.door for door in east.doors] == ["front", "gym"]
    assert [rule.doors for rule in east.rules] == [("front", "gym")]
    assert {key.kid for key in east.trusted_keys} == {"district-1", "lincoln-east", "lincoln-west"}
    assert [credential.cardholder for credential in east.credentials] == ["ch-0001"]
    assert main.credentials == (), "no rule of oak's gives these people a door there"
    assert {key.kid for key in main.trusted_keys} == {"district-1", "oak-main"}


def test_a_version_rises_only_for_the_agents_whose_content_changed(town: Town, engine: Engine) -> None:
    first = bundles(engine, load_directory(town.file), town.key, NOW_MS)
    again = bundles(engine, load_directory(town.file), town.key, NOW_MS)
    assert again == first, "the very same bytes"

    town.content["sites"][0]["agents"][0]["doors"][1]["unlock_ms"] = 9_000
    town.content["district"]["name"] = "Riverside Unified"
    changed = made(town, engine)
    assert {name: config.version for name, config in changed.items()} == {
        EAST: NOW_S + 1,
        ("lincoln", "west"): NOW_S,
        MAIN: NOW_S,
    }
    assert {name: config.version for name, config in made(town, engine).items()} == {
        EAST: NOW_S + 1,
        ("lincoln", "west"): NOW_S,
        MAIN: NOW_S,
    }


def test_the_same_content_gets_a_newer_version_once_where_that_is_asked_for(town: Town, engine: Engine) -> None:
    before = made(town, engine)
    assert publish_again(engine, NOW_MS, "root", ("lincoln", "nobody")) == 0
    assert publish_again(engine, NOW_MS, "root", EAST) == 1
    for _ in range(2):
        after = made(town, engine)
        assert {name: after[name].version - before[name].version for name in after} == {
            EAST: 1,
            ("lincoln", "west"): 0,
            MAIN: 0,
        }
    assert msgspec.structs.replace(after[EAST], version=NOW_S) == before[EAST]
    assert publish_again(engine, NOW_MS, "root") == len(before)
    assert {name: config.version for name, config in made(town, engine).items()} == {
        EAST: NOW_S + 2,
        ("lincoln", "west"): NOW_S + 1,
        MAIN: NOW_S + 1,
    }
    (last, first) = AuditLog(engine).latest(5)
    assert (last.subject, first.subject) == ("all agents", "lincoln/east")
    assert (last.who, last.action) == ("root", "configuration_published_again")


def test_a_new_district_key_is_told_to_every_agent(town: Town, engine: Engine) -> None:
    made(town, engine)
    town.key = SigningKey.generate("district-2")
    assert {config.version for config in made(town, engine).values()} == {NOW_S + 1}


def test_an_agents_key_may_not_have_the_districts_name(town: Town, engine: Engine) -> None:
    with pytest.raises(BundleError, match="lincoln-east"):
        bundles(engine, load_directory(town.file), SigningKey.generate("lincoln-east"), NOW_MS)


def test_more_credentials_than_a_bundle_holds_are_told_and_nothing_is_stored(town: Town, engine: Engine) -> None:
    whole = load_directory(town.file)
    many = people(1) * (MOST_CREDENTIALS + 1)
    with pytest.raises(BundleError, match="lincoln/east: 250001 credentials; an agent holds 250000"):
        bundles(engine, with_people(whole, many), town.key, NOW_MS)
    assert {bundle.version for bundle in bundles(engine, whole, town.key, NOW_MS).values()} == {NOW_S}


def test_many_credentials_come_in_pages_that_are_published_before_the_configuration_that_names_them(
    town: Town, engine: Engine
) -> None:
    many = people(5_000)
    found = bundles(engine, with_people(load_directory(town.file), many), town.key, NOW_MS)
    *pages, (topic, jws) = found[EAST].documents()
    config = town.keyring.open(AgentConfig, topic, jws)
    assert (config.credentials, len(config.credential_pages)) == ((), 8)
    assert [topic for topic, _ in pages] == [topics.credential_page(*EAST, number) for number in range(8)]
    assert [hashlib.sha256(payload).hexdigest() for _, payload in pages] == list(config.credential_pages)
    taken = [codec.decode(CredentialPage, payload) for _, payload in pages]
    assert [codec.encode(page) for page in taken] == [payload for _, payload in pages], "the usual encoding"
    assert sorted(many, key=lambda one: one.token) == [one for page in taken for one in page.credentials]
    assert all(int(one.token[:1], 16) // 2 == page.page for page in taken for one in page.credentials)
    assert max(len(page.credentials) for page in taken) <= 1_000


def test_one_changed_cardholder_changes_one_page_and_siblings_have_the_same_pages(town: Town, engine: Engine) -> None:
    whole, (first, *others) = load_directory(town.file), people(5_000)
    before = bundles(engine, with_people(whole, (first, *others)), town.key, NOW_MS)
    suspended = msgspec.structs.replace(first, suspended=True)
    after = bundles(engine, with_people(whole, (suspended, *others)), town.key, NOW_MS)
    changed = [new.number for old, new in zip(before[EAST].pages, after[EAST].pages, strict=True) if old != new]
    assert changed == [int(first.token[:1], 16) // 2]
    assert after[EAST].version == before[EAST].version + 1
    assert after[EAST].pages is after["lincoln", "west"].pages, "made once"


def test_pages_no_longer_used_are_taken_back_from_the_broker_also_after_a_restart(town: Town, engine: Engine) -> None:
    whole = load_directory(town.file)
    bundles(engine, with_people(whole, people(5_000)), town.key, NOW_MS)
    for _ in range(2):
        documents = list(bundles(engine, with_people(whole, people(3_000)), town.key, NOW_MS)[EAST].documents())
        assert [payload == b"" for _, payload in documents] == [False] * 4 + [True] * 4 + [False]


def test_large_credentials_are_spread_over_more_pages(town: Town, engine: Engine) -> None:
    large = tuple(msgspec.structs.replace(one, groups=("staff",) * 400) for one in people(2_001))
    (bundle, *_) = bundles(engine, with_people(load_directory(town.file), large), town.key, NOW_MS).values()
    assert len(bundle.pages) == 8
    assert all(len(page.payload) <= codec.LIMITS[CredentialPage] for page in bundle.pages)


def test_a_lost_database_gives_newer_versions_than_the_ones_agents_hold(town: Town, tmp_path: Path) -> None:
    held: dict[tuple[str, str], int] = {}
    for day in range(2):
        (tmp_path / str(day)).mkdir()
        engine = open_records(sqlite_url(tmp_path / str(day)))
        now_ms = NOW_MS + day * 86_400_000
        made_now = bundles(engine, load_directory(town.file), town.key, now_ms)
        engine.dispose()
        assert all(bundle.version > held.get(name, 0) for name, bundle in made_now.items())
        held = {name: bundle.version for name, bundle in made_now.items()}
