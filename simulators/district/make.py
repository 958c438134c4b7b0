"""Makes a whole district in a folder: keys, agent.yaml for every Pi, district.yaml for central, cards to swipe.

What it makes is what people would make by hand with 'doorward agent keygen', 'doorward central keygen' and an
editor; nothing that reads it knows the difference. Every secret is new, random, and in a file of mode 0600.
"""

from __future__ import annotations

import os
import random
import secrets
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from protocol.credentials import KEY_BYTES, pin_token, token
from protocol.signing import SigningKey
from protocol.words import KeyRole
from simulators.district.plan import (
    GROUPS,
    LOST_CARDS,
    AgentPlan,
    CardholderGroup,
    DistrictSize,
    DoorPlan,
    SitePlan,
    plan,
    schedules,
)
from simulators.school.cards import Card, save_cards, wiegand_26

LINE_DEVICE = "/dev/ttyUSB0"
BAUD = 9600
OSDP_KEY_BYTES = 16
PIN_DIGITS = 4
PINS = 46
"""Of a Compute Module, on which the simulators' agents run. The largest have none left for the power supply."""
FACILITIES = range(1, 256)

DOOR_TIMES = {"unlock_ms": 5_000, "held_ms": 30_000, "bolt_ms": 2_000}


@dataclass(frozen=True, slots=True)
class AgentFolder:
    """Where one agent's files are."""

    site: str
    agent: str
    folder: Path
    doors: tuple[str, ...]
    control: Path

    @property
    def config(self) -> Path:
        return self.folder / "agent.yaml"

    @property
    def key(self) -> str:
        """The agent's name in the district: ``site/agent``."""
        return f"{self.site}/{self.agent}"


@dataclass(frozen=True, slots=True)
class MadeDistrict:
    """The folders and files that make_district wrote."""

    folder: Path
    agents: tuple[AgentFolder, ...]
    cards: Path

    @property
    def file(self) -> Path:
        """The path of district.yaml."""
        return self.folder / "district.yaml"

    @property
    def central(self) -> Path:
        """Central's data folder, with the district's key in it."""
        return self.folder / "central"

    @property
    def doors(self) -> tuple[tuple[str, str], ...]:
        """Every door, as (site, door)."""
        return tuple((agent.site, door) for agent in self.agents for door in agent.doors)


def make_district(
    folder: Path,
    *,
    broker_port: int,
    size: DistrictSize | None = None,
    timezone: str = "America/Chicago",
    round_the_clock: bool = False,
    seed: int = 0,
) -> MadeDistrict:
    """Write a district into an empty or new folder. ``seed`` shapes what is not secret: who holds which card number.

    FileExistsError where a district is already: keys are never overwritten.
    """
    size = size or DistrictSize()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / "district.yaml").exists():
        raise FileExistsError(f"{folder} holds a district already; name another folder, or remove this one first")
    run = _private(folder / "run")
    district_key = SigningKey.generate("district-1")
    district_key.save(_private(folder / "central") / "district.jwk")
    credential_key = secrets.token_bytes(KEY_BYTES)
    sites = plan(size)
    cards = _cards(random.Random(seed))
    agents: list[AgentFolder] = []
    for site in sites:
        for agent in site.agents:
            place = AgentFolder(
                site=site.site,
                agent=agent.agent,
                folder=_private(folder / "agents" / f"{site.site}-{agent.agent}"),
                doors=tuple(door.door for door in agent.doors),
                control=run / f"{site.site}-{agent.agent}.sock",
            )
            _write_agent(place, agent, district_key, credential_key, broker_port)
            agents.append(place)
    district = MadeDistrict(folder, tuple(agents), folder / "cards.json")
    save_cards(district.cards, cards)
    keys = {place.key: SigningKey.load(place.folder / "agent.jwk") for place in agents}
    content = {
        "district": {"name": "Hollowbrook Unified", "timezone": timezone},
        "schedules": schedules(round_the_clock=round_the_clock),
        "sites": [_site_yaml(site, keys) for site in sites],
        "credentials": [_credential(card, credential_key) for card in cards if card.cardholder is not None],
    }
    _write_private(district.file, yaml.safe_dump(content, sort_keys=False))
    return district


# --- an agent's files ---------------------------------------------------------------------------------------


def _write_agent(
    place: AgentFolder, agent: AgentPlan, district_key: SigningKey, credential_key: bytes, broker_port: int
) -> None:
    SigningKey.generate(f"{place.site}-{place.agent}").save(place.folder / "agent.jwk")
    _write_private(place.folder / "credential.key", credential_key.hex())
    for door in agent.with_reader:
        _write_private(place.folder / f"{door}.key", secrets.token_bytes(OSDP_KEY_BYTES).hex())
    _private(place.folder / "data")
    content = _agent_yaml(place, agent, district_key, broker_port)
    _write_private(place.folder / "agent.yaml", yaml.safe_dump(content, sort_keys=False))


def _agent_yaml(place: AgentFolder, agent: AgentPlan, district_key: SigningKey, broker_port: int) -> dict[str, Any]:
    pins = count()
    readers = [
        {"reader": f"{door}-in", "address": address, "door": door, "key_file": f"{door}.key"}
        for address, door in enumerate(agent.with_reader, start=1)
    ]
    content: dict[str, Any] = {
        "site": place.site,
        "agent": place.agent,
        "data": "data",
        "key_file": "agent.jwk",
        "credential_key_file": "credential.key",
        "broker": {"host": "127.0.0.1", "port": broker_port},
        "trust": [{"kid": district_key.kid, "x": district_key.trusted(KeyRole.DISTRICT).x}],
        "clock": {"require_sync": False},
        "doors": [_wiring(door, pins) for door in agent.doors],
        "reader_lines": [{"device": LINE_DEVICE, "baud": BAUD, "readers": readers}] if readers else [],
        "fire": {"pin": next(pins)},
        "panic": {"pin": next(pins)},
    }
    mains, battery = next(pins), next(pins)
    return content | ({"power": {"mains": {"pin": mains}, "battery": {"pin": battery}}} if battery < PINS else {})


def _wiring(door: DoorPlan, pins: count[int]) -> dict[str, Any]:
    wiring: dict[str, Any] = {
        "door": door.door,
        "lock": {"pin": next(pins), "kind": str(door.kind), "fail_mode": str(door.fail_mode)},
        "contact": {"pin": next(pins)},
        "bolt": {"pin": next(pins)},
        "rex": {"pin": next(pins)},
    }
    return wiring | ({"tamper": {"pin": next(pins)}} if door.tamper else {})


# --- central's file -----------------------------------------------------------------------------------------


def _site_yaml(site: SitePlan, keys: dict[str, SigningKey]) -> dict[str, Any]:
    doors = {door.door for agent in site.agents for door in agent.doors}
    return {
        "site": site.site,
        "name": site.name,
        "agents": [
            {
                "agent": agent.agent,
                "key": _public(keys[f"{site.site}/{agent.agent}"]),
                "doors": [_door_yaml(door) for door in agent.doors],
            }
            for agent in site.agents
        ],
        "rules": [
            {"group": group.group, "doors": allowed} | ({"schedule": group.schedule} if group.schedule else {})
            for group in GROUPS
            if (allowed := [door for door in group.doors if door == "*" or door in doors])
        ],
    }


def _door_yaml(door: DoorPlan) -> dict[str, Any]:
    return {
        "door": door.door,
        "name": door.name,
        "zones": list(door.zones),
        "perimeter": door.perimeter,
        **({"schedule": door.schedule} if door.schedule else {}),
        **DOOR_TIMES,
        "fire_release": door.maglock,
        **({"identification": "card_and_pin"} if door.pin else {}),
    }


def _public(key: SigningKey) -> dict[str, str]:
    trusted = key.trusted(KeyRole.AGENT)
    return {"kid": trusted.kid, "x": trusted.x}


def _credential(card: Card, key: bytes) -> dict[str, Any]:
    token_ = token(key, card.bits, card.data)
    return {
        "token": token_,
        "cardholder": card.cardholder,
        "groups": list(card.groups),
        "override": card.override,
        **({"pin": pin_token(key, token_, card.pin)} if card.pin else {}),
        **({"duress_pin": pin_token(key, token_, card.duress_pin)} if card.duress_pin else {}),
    }


# --- cards --------------------------------------------------------------------------------------------------


def _cards(rng: random.Random) -> tuple[Card, ...]:
    """One card a cardholder, and a few lost ones. All of one facility, as a district buys them."""
    facility = rng.choice(FACILITIES)
    holders = [group for group in GROUPS for _ in range(group.members)]
    numbers = rng.sample(range(1, 65536), len(holders) + LOST_CARDS)
    known = [
        Card(f"ch-{place:04d}", (group.group,), group.override, 26, wiegand_26(facility, number), *_pins(rng, group))
        for place, (group, number) in enumerate(zip(holders, numbers, strict=False), start=1)
    ]
    lost = [Card(None, (), False, 26, wiegand_26(facility, number)) for number in numbers[len(holders) :]]
    return (*known, *lost)


def _pins(rng: random.Random, group: CardholderGroup) -> tuple[str, str] | tuple[()]:
    """A PIN and the one for duress: the same, but for its last digit, which is one more."""
    if not group.pins:
        return ()
    digits = [rng.randrange(10) for _ in range(PIN_DIGITS)]
    pin = "".join(map(str, digits))
    return pin, pin[:-1] + str((digits[-1] + 1) % 10)


# --- files --------------------------------------------------------------------------------------------------


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _write_private(path: Path, content: str) -> None:
    """A new file that its owner alone can read, from its first byte."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
