"""Agents' configurations: what they hold, and that their version rises only when that changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from central.bundles import BundleError, bundles
from central.directory import load_directory
from central.inventory import Inventory
from central.records.engine import open_records
from protocol.messages import AgentConfig, Credential
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


def test_a_new_district_key_is_told_to_every_agent(town: Town, engine: Engine) -> None:
    made(town, engine)
    town.key = SigningKey.generate("district-2")
    assert {config.version for config in made(town, engine).values()} == {NOW_S + 1}


def test_an_agents_key_may_not_have_the_districts_name(town: Town, engine: Engine) -> None:
    with pytest.raises(BundleError, match="lincoln-east"):
        bundles(engine, load_directory(town.file), SigningKey.generate("lincoln-east"), NOW_MS)


def test_more_credentials_than_a_bundle_holds_are_told_and_nothing_is_stored(town: Town, engine: Engine) -> None:
    whole = load_directory(town.file)
    many = tuple(
        Credential(token=f"{number:064x}", cardholder=f"ch-{number:0150}", groups=("staff",))
        for number in range(24_000)
    )
    with pytest.raises(BundleError, match="lincoln/east"):
        bundles(engine, Inventory(whole.name, tuple(whole.sites.values()), credentials=many), town.key, NOW_MS)
    assert {bundle.version for bundle in bundles(engine, whole, town.key, NOW_MS).values()} == {NOW_S}


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
