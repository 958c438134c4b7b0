"""An agent's OSDP readers: what they report is told at their doors, what they show, and the keys they are given."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.readers import Show
from edge_agent.agent import Agent
from protocol import credentials
from protocol.mqtt import Incoming
from protocol.topics import TopicKind
from protocol.words import Alarm, CommandKind, Denial, EventKind
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import Buzzer, VirtualOsdpReader
from tests.drivers.osdp.attacker import Middle
from tests.support.agents import Pi, TestDistrict, cardholder
from tests.support.swipes import reader_alarms
from tests.support.waiting import until

CARD = (26, bytes.fromhex("12345640"))
READER, DOOR, DEVICE = "door-0-in", "door-0", "/dev/ttyUSB0"


@dataclass
class School:
    """One door with an OSDP reader, and the machine that serves it."""

    district: TestDistrict
    pi: Pi
    line: VirtualLine
    reader: VirtualOsdpReader
    first: bytes

    @contextlib.asynccontextmanager
    async def running(self, path: str | None = None) -> AsyncIterator[Agent]:
        async with self.pi.running(devices={DEVICE: path or self.line.path}) as agent:
            token = credentials.token(self.district.credential_key, *CARD)
            if not agent.configuration.rules.version:
                agent.configuration.receive(self.district.config(self.pi, **cardholder(token)))
            await until(lambda: agent.readers.buses[READER].online(READER), "the secure channel")
            yield agent

    def order_new_key(self, agent: Agent, **fields: Any) -> None:
        fields = {"door": DOOR, "data": {"reader": READER}} | fields
        signed = self.district.command(self.pi, CommandKind.ROTATE_READER_KEY, **fields)
        agent.inbox.receive(Incoming(self.pi.topic(TopicKind.COMMAND), signed, retained=False))

    async def opens(self) -> None:
        """A badge opens the door, once it has closed again."""
        await until(lambda: self.pi.doors[DOOR].holds, "the lock")
        self.reader.swipe(*CARD)
        await until(lambda: self.pi.doors[DOOR].released, "the release")


@pytest.fixture
def school(tmp_path: Path, district: TestDistrict) -> Any:
    first = secrets.token_bytes(16)
    folder = tmp_path / "pi"
    folder.mkdir()
    (folder / "reader.key").touch(mode=0o600)
    (folder / "reader.key").write_text(first.hex())
    wired = {"reader": READER, "address": 3, "door": DOOR, "key_file": "reader.key"}
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=3, key=first)
        pi = Pi(folder, district, reader_lines=[{"device": DEVICE, "baud": 115200, "readers": [wired]}])
        yield School(district, pi, line, reader, first)


async def events(agent: Agent, kind: EventKind) -> list[dict[str, Any]]:
    """What is on the disk by now of a kind."""
    batch = await agent.journal.on_outbox(agent.journal.outbox.next_batch, 0)
    return [json.loads(bytes(event.data)) for event in batch.events if event.kind == kind] if batch else []


async def told(agent: Agent, what: EventKind, /, **data: Any) -> None:
    """Wait for an event."""
    async with asyncio.timeout(30):  # a commit on a thread has no condition to look at
        while not any(data.items() <= event.items() for event in await events(agent, what)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_the_cover_and_the_power_of_a_reader_are_alarms_of_its_door(school: School) -> None:
    async with school.running() as agent:
        alarms = partial(reader_alarms, agent, DOOR)
        school.reader.tamper(True)
        school.reader.power_fault(True)
        await until(lambda: alarms() == {(READER, Alarm.TAMPER), (READER, Alarm.READER_POWER)}, "both alarms")
        school.reader.power_fault(False)
        await until(lambda: alarms() == {(READER, Alarm.TAMPER)}, "the power's return")


async def test_a_cut_line_is_told_and_a_card_shown_meanwhile_opens_nothing_when_it_is_mended(school: School) -> None:
    async with school.running() as agent:
        alarms = partial(reader_alarms, agent, DOOR)
        school.line.cut()
        silent = {(READER, Alarm.LINE_SILENT), (READER, Alarm.READER_OFFLINE)}
        await until(lambda: alarms() == silent, "both alarms", within=3)
        school.reader.swipe(*CARD)
        school.line.mend()
        await told(agent, EventKind.ACCESS_DENIED, reader=READER, reason=Denial.READ_TOO_OLD)
        await until(lambda: not alarms(), "the end of the alarms")
        assert not school.pi.doors[DOOR].released


async def test_a_reader_shows_what_it_is_asked_to_and_returns_to_what_lasts(school: School) -> None:
    async with school.running() as agent:
        shown = school.reader.shown
        await until(lambda: school.reader.leds == ["red"], "what lasts")
        for what, colour, beeps in [
            (Show.GRANTED, "green", 1),
            (Show.DENIED, "red", 3),
            (Show.ENTER_PIN, "amber", 0),
            (Show.SECOND_PERSON, "green", 2),
            (Show.WARNING, "red", 5),
        ]:
            shown.clear()
            agent.readers.show(READER, what)
            await until(lambda beeps=beeps: len(shown) == (2 if beeps else 1), what)
            assert school.reader.leds == [colour]
            assert all(led.temporary for led in shown if not isinstance(led, Buzzer)), "the reader itself ends it"
            assert sum(sound.times for sound in shown if isinstance(sound, Buzzer)) == beeps
        agent.readers.show("a reader of another kind", Show.GRANTED)


async def test_keys_pressed_at_a_reader_reach_its_door(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[tuple[Any, ...]] = []
    async with school.running() as agent:
        monkeypatch.setattr(
            agent.desk,
            "press",
            lambda key: pressed.append((key.reader, agent.desk.places[key.reader].door, key.keys)),
        )
        school.reader.press("1*#")
        await until(lambda: pressed, "the keys")
        assert pressed == [(READER, DOOR, "1*#")]


async def test_a_forged_reply_is_counted_and_told_at_the_door(school: School) -> None:
    with Middle(school.line.path) as middle:
        async with school.running(middle.path) as agent:
            middle.to_panel(middle.replies[-1].raw)
            await told(agent, EventKind.CARD_READ_REFUSED, reader=READER)
            assert not school.pi.doors[DOOR].released


async def test_a_reader_is_given_a_new_key_on_command_and_keeps_it_over_a_restart_of_the_agent(
    school: School,
) -> None:
    async with school.running() as agent:
        school.order_new_key(agent)
        await told(agent, EventKind.READER_KEY_SET, reader=READER)
        await told(agent, EventKind.COMMAND_DONE, kind="rotate_reader_key", reader=READER)
        assert school.reader.key != school.first
        await school.opens()
        assert not reader_alarms(agent, DOOR)
    school.reader.restart()
    async with school.running():
        await school.opens()
    assert school.reader.keys_taken == 1


async def test_a_reader_that_refuses_its_new_key_is_told_of_and_works_on(school: School) -> None:
    school.reader.refuse_keys = True
    async with school.running() as agent:
        school.order_new_key(agent)
        await told(agent, EventKind.READER_KEY_KEPT, reader=READER)
        await school.opens()
        assert school.reader.key == school.first


@pytest.mark.parametrize("heard", [False, True])
async def test_the_power_cut_in_a_rotation_leaves_a_reader_that_works(school: School, heard: bool) -> None:
    """The key is on the disk, and the agent dies before or after the reader takes it."""
    async with school.running() as agent:
        new = agent.readers.drivers.osdp._keys.propose(READER)
    if heard:
        school.reader._key = new
        school.reader.restart()
    async with school.running() as agent:
        await told(agent, EventKind.READER_KEY_SET if heard else EventKind.READER_KEY_KEPT, reader=READER)
        await school.opens()
    kept = (school.pi.folder / "data" / "reader-keys" / f"{READER}.json").read_text()
    assert (new.hex() in kept) is heard


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": {"reader": "nobody"}}, "it has: door-0-in"),
        ({"data": {}}, "it has: door-0-in"),
        ({"door": "door-1"}, "it has: none"),
    ],
)
async def test_a_new_key_for_a_reader_that_is_not_there_is_refused(
    school: School, fields: dict[str, Any], said: str
) -> None:
    async with school.running() as agent:
        school.order_new_key(agent, **fields)
        await told(agent, EventKind.MESSAGE_REFUSED, reason="not_possible")
        refused = await events(agent, EventKind.MESSAGE_REFUSED)
        assert said in refused[0]["detail"]
        assert school.reader.keys_taken == 0


async def test_no_key_is_sent_that_the_disk_does_not_hold(school: School) -> None:
    async with school.running() as agent:
        (school.pi.folder / "data" / "reader-keys").write_text("in the way")
        school.order_new_key(agent)
        await told(agent, EventKind.MESSAGE_REFUSED, reason="not_possible")
        await school.opens()
        assert school.reader.keys_taken == 0


async def test_a_reader_put_back_into_install_mode_is_not_spoken_to(school: School) -> None:
    """As after a reset at the wall: it would take any key, and the agent offers none and believes no card of it."""
    async with school.running() as agent:
        school.reader._key = None
        school.reader.restart()
        school.reader.swipe(*CARD)
        alarm = (READER, Alarm.READER_OFFLINE)
        await until(lambda: alarm in reader_alarms(agent, DOOR), "the alarm")
        assert school.reader.keys_taken == 0
        assert not school.reader.secure
        assert not school.pi.doors[DOOR].released
