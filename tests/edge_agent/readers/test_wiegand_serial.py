"""Whole agents with Wiegand and serial readers: a badge opens the strike, and what goes wrong is told."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from gpiozero import InputDevice
from gpiozero.pins.mock import MockFactory

from drivers.wiegand import FORMATS, PinEdges
from drivers.wiegand.formats import to_bytes
from edge_agent.agent import Agent
from edge_agent.agent_yaml.cards import card_format
from edge_agent.agent_yaml.wiring import WiegandFormatWiring
from protocol import credentials, topics
from protocol.words import EventKind
from simulators.hardware.serial_reader import VirtualSerialReader
from simulators.hardware.wiegand_reader import BitFault, VirtualWiegandReader
from tests.support.agents import Pi, TestDistrict, cardholder, lockdown
from tests.support.swipes import reader_alarms
from tests.support.waiting import until

H10301 = FORMATS["h10301"]
CARD = (26, to_bytes(H10301.encode(4567, 123), 26))
TAG = bytes.fromhex("4F00A1B2C3")
LED, BUZZER = 20, 21
WIEGAND = {"reader": "door-0-in", "door": "door-0", "data0": 14, "data1": 15, "led": LED, "buzzer": BUZZER}


def machine(folder: Path, district: TestDistrict, **readers: list[dict[str, Any]]) -> Pi:
    """A Pi with these readers in its agent.yaml."""
    pi = Pi(folder, district)
    pi.yaml_file.write_text(yaml.safe_dump(yaml.safe_load(pi.yaml_file.read_text()) | readers))
    return pi


def allow(agent: Agent, pi: Pi, district: TestDistrict, bits: int, data: bytes, **fields: Any) -> None:
    token = credentials.token(district.credential_key, bits, data)
    agent.configuration.receive(district.config(pi, **cardholder(token), **fields))


async def events(agent: Agent, kind: EventKind, count: int = 1) -> list[dict[str, Any]]:
    """What the outbox tells of a kind, once it tells so many."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 30
    while len(found) < count:
        assert time.monotonic() < end, f"{count} events {kind}, not {found}"
        await asyncio.sleep(0.02)
        batch = await agent.journal.on_outbox(agent.journal.outbox.next_batch, 0)
        found = [json.loads(bytes(event.data)) for event in batch.events if event.kind == kind] if batch else []
    return found


def lit(pi: Pi, pin: int) -> bool:
    return not pi.factory.pin(pin).state


async def test_a_badge_at_a_wiegand_reader_opens_its_door_and_shows_it(
    tmp_path: Path, district: TestDistrict
) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND])
    reader = VirtualWiegandReader(pi.factory, data0=14, data1=15)
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        allow(agent, pi, district, *CARD)
        reader.spoil_next(BitFault.FLIP)
        reader.swipe(*CARD)
        reader.swipe(*CARD)
        await until(lambda: pi.doors["door-0"].released, "the release")
        assert lit(pi, LED)
        await until(lambda: pi.doors["door-0"].holds, "the relock")
        (granted,) = await events(agent, EventKind.ACCESS_GRANTED)
        assert (granted["reader"], granted["cardholder"]) == ("door-0-in", "ch-0001")
        assert agent.readers.drivers.wired.wiegand["door-0-in"].refused.total() == 1
        reader.swipe(26, to_bytes(H10301.encode(1, 1), 26))
        (denied,) = await events(agent, EventKind.ACCESS_DENIED)
        assert denied["reader"] == "door-0-in"


def test_a_card_is_the_same_credential_on_a_wiegand_and_on_an_osdp_reader() -> None:
    frame = H10301.encode(4567, 123)
    assert (26, (frame << 6).to_bytes(4, "big")) == CARD, "as an OSDP reader sends it raw: parity too, left-aligned"


async def test_a_badge_at_a_serial_reader_opens_its_door(tmp_path: Path, district: TestDistrict) -> None:
    wired = {"reader": "door-1-in", "door": "door-1", "device": "/dev/ttyUSB1", "kind": "rdm6300"}
    pi = machine(tmp_path / "pi", district, serial_readers=[wired])
    with VirtualSerialReader(tmp_path, kind="rdm6300") as reader:
        async with pi.running(devices={"/dev/ttyUSB1": reader.path}) as agent:
            allow(agent, pi, district, 40, TAG)
            reader.spoil(TAG)
            reader.hold(TAG)
            await until(lambda: pi.doors["door-1"].released, "the release")
            await until(lambda: pi.doors["door-1"].holds, "the relock")
            assert len(await events(agent, EventKind.ACCESS_GRANTED)) == 1, "one badge held for long is one badge"


async def test_a_serial_port_that_vanishes_is_an_alarm_until_it_is_back(
    tmp_path: Path, district: TestDistrict
) -> None:
    wired = {"reader": "door-1-in", "door": "door-1", "device": "/dev/ttyUSB1", "kind": "id-12"}
    pi = machine(tmp_path / "pi", district, serial_readers=[wired])
    with VirtualSerialReader(tmp_path) as reader:
        async with pi.running(devices={"/dev/ttyUSB1": reader.path}) as agent:
            await until(lambda: agent.readers.drivers.wired.serial["door-1-in"].listening, "the port")
            reader.unplug()
            await until(lambda: ("door-1-in", "reader_offline") in reader_alarms(agent, "door-1"), "the alarm")
            assert await events(agent, EventKind.READER_OFFLINE) == [{"reader": "door-1-in", "reason": "port"}]
            reader.plug()
            await until(lambda: not reader_alarms(agent, "door-1"), "the end of the alarm")
            allow(agent, pi, district, 40, TAG)
            reader.swipe(40, TAG)
            await until(lambda: pi.doors["door-1"].released, "the release")


@pytest.mark.parametrize("keypad", ["4-bit", "8-bit"])
async def test_a_card_and_its_pin_typed_at_a_wiegand_keypad_open_the_door(
    tmp_path: Path, district: TestDistrict, keypad: str
) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND | {"keypad": keypad}])
    reader = VirtualWiegandReader(pi.factory, data0=14, data1=15, keypad_bits=int(keypad[0]))
    key = district.credential_key
    token = credentials.token(key, *CARD)
    fields = cardholder(token)
    (holder,) = fields["credentials"]
    fields["credentials"] = (msgspec.structs.replace(holder, pin=credentials.pin_token(key, token, "4711")),)
    door = pi.settings("door-0", identification="card_and_pin")
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        agent.configuration.receive(district.config(pi, doors=(door, pi.settings("door-1")), **fields))
        reader.swipe(*CARD)
        reader.press("4712#")
        (denied,) = await events(agent, EventKind.ACCESS_DENIED)
        assert denied["reason"] == "wrong_pin"
        assert pi.doors["door-0"].holds
        reader.swipe(*CARD)
        await until(lambda: lit(pi, LED), "the asking for a PIN")
        reader.press("99*4711#")
        await until(lambda: pi.doors["door-0"].released, "the release")


async def test_a_read_that_waited_too_long_on_the_wires_opens_nothing(tmp_path: Path, district: TestDistrict) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND])
    long_ago = VirtualWiegandReader(pi.factory, data0=14, data1=15, clock=lambda: time.monotonic_ns() - 3_000_000_000)
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        allow(agent, pi, district, *CARD)
        long_ago.swipe(*CARD)
        (denied,) = await events(agent, EventKind.ACCESS_DENIED)
        assert denied["reason"] == "read_too_old"
        assert pi.doors["door-0"].holds


async def test_noise_on_a_readers_wires_is_told_with_its_reason(
    tmp_path: Path, district: TestDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND])
    reader = VirtualWiegandReader(pi.factory, data0=14, data1=15)
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        reader.spoil_next(BitFault.MISS)
        reader.swipe(*CARD)
        (refused,) = await events(agent, EventKind.CARD_READ_REFUSED)
        assert (refused["reader"], refused["reason"], refused["count"]) == ("door-0-in", "too_few_bits", 1)
        corporate = FORMATS["corporate-1000-35"]
        for number in range(3):
            reader.send(corporate.encode(number, 9), 35)
        await until(lambda: "a frame of 35 bits refused (too_many_bits)" in caplog.text, "the length of these cards")
        assert caplog.text.count("35 bits") == 1


async def test_a_wiegand_reader_blinks_while_its_door_is_secured(tmp_path: Path, district: TestDistrict) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND])
    VirtualWiegandReader(pi.factory, data0=14, data1=15)
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        allow(agent, pi, district, *CARD)
        assert not lit(pi, LED)
        topic = topics.district_declarations()
        agent.declarations.accept_set(topic, district.declare(topic, 1, lockdown()))
        for wanted in (True, False, True):
            await until(lambda wanted=wanted: lit(pi, LED) is wanted, "the blinking")
        agent.declarations.accept_set(topic, district.declare(topic, 2, ended=("lockdown-1",)))
        await asyncio.sleep(0)
        await until(lambda: not lit(pi, LED), "the end of it")


async def test_without_a_gpio_chip_the_doors_are_held_and_the_reader_is_said_to_be_offline(
    tmp_path: Path, district: TestDistrict, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_chip() -> None:
        raise OSError("Wiegand readers need a GPIO chip, and /dev has none")

    monkeypatch.setattr("edge_agent.readers.wiegand_serial.KernelEdges", no_chip)
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND])
    async with pi.running() as agent:
        assert all(door.holds for door in pi.doors.values())
        await until(lambda: reader_alarms(agent, "door-0"), "the alarm")
        assert "reader door-0-in cannot be used: Wiegand readers need a GPIO chip, and /dev has none" in caplog.text


async def test_one_reader_whose_pin_is_taken_costs_no_other(
    tmp_path: Path, district: TestDistrict, caplog: pytest.LogCaptureFixture
) -> None:
    other = WIEGAND | {"reader": "door-1-in", "door": "door-1", "data0": 16, "data1": 17, "led": None, "buzzer": None}
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND, other])
    taken = InputDevice(14, pin_factory=pi.factory)
    reader = VirtualWiegandReader(pi.factory, data0=16, data1=17)
    async with pi.running(edges=PinEdges(pi.factory)) as agent:
        allow(agent, pi, district, *CARD)
        reader.swipe(*CARD)
        await until(lambda: pi.doors["door-1"].released, "the release")
        assert reader_alarms(agent, "door-0") == {("door-0-in", "reader_offline")}
        assert "pin 14 cannot be watched for a Wiegand reader" in caplog.text
    taken.close()


def test_a_sites_own_format_is_the_wirings() -> None:
    wiring = WiegandFormatWiring(
        "district-40",
        40,
        (1, 12),
        (13, 38),
        even_parity=((0, tuple(range(1, 20))),),
        odd_parity=((39, tuple(range(20, 39))),),
    )
    own = card_format(wiring)
    frame = own.encode(5_000_000, 77)
    assert (own.holds(frame), own.holds(frame ^ 1), own.number(frame)) == (True, False, 5_000_000)
    assert own.unprotected == ()


async def test_an_agent_with_a_format_nobody_knows_says_which_there_are(
    tmp_path: Path, district: TestDistrict
) -> None:
    pi = machine(tmp_path, district, wiegand_readers=[WIEGAND | {"formats": ["h10399"]}])
    with pytest.raises(ValueError, match="h10399"):
        Agent(pi.config, pin_factory=MockFactory())
