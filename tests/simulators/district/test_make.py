"""A made district is one that agents and central accept, with every secret its owner's alone."""

import stat
from pathlib import Path

import pytest
import yaml

from edge_agent.agent_yaml import config_file
from protocol.credentials import token
from protocol.words import KeyRole
from simulators.district.make import MadeDistrict, make_district
from simulators.district.plan import MOST_DOORS, DistrictSize
from simulators.school.cards import load_cards, wiegand_26

SMALL = DistrictSize(sites=1, agents=2, doors=3, readers=1)


def made(folder: Path, size: DistrictSize | None = None) -> MadeDistrict:
    return make_district(folder / "d", broker_port=18830, size=size)


def test_the_usual_district_has_three_schools_two_agents_each_and_48_doors(tmp_path: Path) -> None:
    district = made(tmp_path)
    assert len({agent.site for agent in district.agents}) == 3
    assert len(district.agents) == 6
    assert len(set(district.doors)) == 48


@pytest.mark.parametrize("size", [SMALL, DistrictSize(), DistrictSize(3, 3, MOST_DOORS, 3), DistrictSize(9, 1, 1, 0)])
def test_every_agent_accepts_its_configuration(tmp_path: Path, size: DistrictSize) -> None:
    for agent in made(tmp_path, size).agents:
        config = config_file.load(agent.config)
        assert (config.site, config.agent) == (agent.site, agent.agent)
        assert tuple(door.door for door in config.doors) == agent.doors
        assert sum(len(line.readers) for line in config.reader_lines) == size.readers
        assert config.fire is not None
        assert config.panic is not None


def test_central_trusts_the_very_key_that_each_agent_signs_with(tmp_path: Path) -> None:
    district = made(tmp_path)
    listed = {
        f"{site['site']}/{agent['agent']}": agent["key"]
        for site in yaml.safe_load(district.file.read_text())["sites"]
        for agent in site["agents"]
    }
    for agent in district.agents:
        trusted = config_file.load(agent.config).signing_key.trusted(KeyRole.AGENT)
        assert listed[agent.key] == {"kid": trusted.kid, "x": trusted.x}


def test_all_keys_differ_between_two_districts_and_within_one(tmp_path: Path) -> None:
    secrets = [
        path.read_text()
        for name in ("one", "two")
        for path in make_district(tmp_path / name, broker_port=1, size=SMALL).folder.glob("agents/*/*.jwk")
    ]
    readers = [path.read_text() for path in tmp_path.glob("*/agents/*/*.key") if path.name != "credential.key"]
    assert len(set(secrets)) == len(secrets) == 4
    assert len(set(readers)) == len(readers) == 4


def test_every_secret_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    district = made(tmp_path, SMALL)
    secret = [district.cards, district.file, *district.folder.rglob("*.jwk"), *district.folder.rglob("*.key")]
    assert len(secret) == 2 + 3 + 4
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for folder in (district.folder, district.central, *(agent.folder for agent in district.agents)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder


def test_the_cards_to_swipe_are_the_credentials_central_knows_and_the_lost_ones_are_not(tmp_path: Path) -> None:
    district = made(tmp_path, SMALL)
    key = config_file.load(district.agents[0].config).credential_key
    known = {row["token"]: row for row in yaml.safe_load(district.file.read_text())["credentials"]}
    cards = load_cards(district.cards)
    for card in cards:
        row = known.get(token(key, card.bits, card.data))
        assert (row and row["cardholder"]) == card.cardholder
    assert any(card.override for card in cards)
    assert any(card.cardholder is None for card in cards)


def test_no_card_number_stands_in_what_central_is_given(tmp_path: Path) -> None:
    district = made(tmp_path, SMALL)
    text = district.file.read_text()
    assert not [card for card in load_cards(district.cards) if card.data.hex() in text]


def test_a_district_is_never_made_over_another(tmp_path: Path) -> None:
    made(tmp_path, SMALL)
    with pytest.raises(FileExistsError, match="name another folder"):
        made(tmp_path, SMALL)


def test_a_size_that_cannot_be_wired_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=f"pins are enough for 1 to {MOST_DOORS}"):
        DistrictSize(doors=MOST_DOORS + 1)
    with pytest.raises(ValueError, match="its 2 doors"):
        DistrictSize(doors=2, readers=3)


@pytest.mark.parametrize(("facility", "number"), [(0, 0), (255, 65535), (18, 4711), (1, 32768)])
def test_a_card_has_even_parity_before_and_odd_parity_after(facility: int, number: int) -> None:
    bits = int.from_bytes(wiegand_26(facility, number), "big") >> 6
    assert (bits >> 13).bit_count() % 2 == 0
    assert (bits & 0x1FFF).bit_count() % 2 == 1
    assert (bits >> 1) & 0xFFFFFF == facility << 16 | number
