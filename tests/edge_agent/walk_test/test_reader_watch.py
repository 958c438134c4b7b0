"""Every kind of reader and line in a walk test: OSDP, Wiegand with a keypad, serial, and supervised inputs."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.timed_outputs import TimedOutputs
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import (
    AdcWiring,
    KeypadKind,
    PowerWiring,
    SerialReaderKind,
    SerialReaderWiring,
    SupervisedWiring,
    SwitchWiring,
    WiegandWiring,
)
from edge_agent.walk_test import runner
from edge_agent.walk_test.judge import judge
from edge_agent.walk_test.prompts import READER_INTERRUPTED
from edge_agent.walk_test.rig import Rig
from edge_agent.walk_test.runner import Ending
from edge_agent.walk_test.words import DoorFacts, Step, StepKind, Verdict
from protocol.messages import DoorSettings
from simulators.hardware.door import DoorInput
from simulators.hardware.osdp_reader import VirtualOsdpReader
from simulators.hardware.switch import WireFault
from simulators.hardware.wiegand_reader import VirtualWiegandReader
from simulators.school.walked_site import WalkedSite
from simulators.school.walker import Walker
from tests.support.waiting import until
from tests.support.walks import School, found, walk

DOOR, OTHER = "door-0", "door-1"


def with_wired_readers(folder: Path) -> AgentFile:
    """Two doors: one with a Wiegand reader and keypad, one with a serial reader."""
    config = School(folder, doors=2, readers=0).config
    wiegand = WiegandWiring("wiegand-in", DOOR, 20, 21, ("h10301",), KeypadKind.FOUR_BIT)
    serial = SerialReaderWiring("serial-in", OTHER, "/dev/doorward/serial-0", SerialReaderKind.ID12)
    return replace(config, wiegand_readers=(wiegand,), serial_readers=(serial,))


async def test_wiegand_readers_keypads_and_serial_readers_are_walked(tmp_path: Path) -> None:
    with WalkedSite(with_wired_readers(tmp_path)) as site:
        walker = Walker(site)
        outcome = await walk(site, walker)
        assert outcome.report.verdict is Verdict.PASSED
        keys = {step.key for step, _ in walker.results}
        assert {"badge:wiegand-in", "keypad:wiegand-in", "badge:serial-in"} <= keys


async def test_a_wiegand_reader_that_is_cut_reads_nothing_and_one_with_noise_is_garbled(tmp_path: Path) -> None:
    with WalkedSite(with_wired_readers(tmp_path)) as site:
        site.readers["wiegand-in"].unplug()
        assert found(await walk(site, Walker(site))) == {(DOOR, "badge_not_read"), (DOOR, "keypad_silent")}
    with WalkedSite(with_wired_readers(tmp_path)) as site:
        reader = site.readers["wiegand-in"]
        assert isinstance(reader, VirtualWiegandReader)
        reader.swipe = lambda bits, data: reader.noise(3)  # type: ignore[method-assign]
        assert found(await walk(site, Walker(site))) == {(DOOR, "badge_garbled")}


async def test_a_serial_reader_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with WalkedSite(with_wired_readers(tmp_path)) as site:
        site.readers["serial-in"].unplug()
        assert found(await walk(site, Walker(site))) == {(OTHER, "reader_port")}


async def test_an_osdp_reader_with_another_key_and_two_that_are_crossed_are_named(tmp_path: Path) -> None:
    config = School(tmp_path, doors=3, readers=3).config
    line = config.reader_lines[0]
    first, second, third = line.readers
    wrong = replace(third, key=secrets.token_bytes(16))
    believed = (replace(first, door=OTHER), replace(second, door=DOOR), wrong)
    with WalkedSite(config) as site:
        walker = Walker(site)
        path = site.config.reader_lines[0].device
        site.config = replace(site.config, reader_lines=(replace(line, device=path, readers=believed),))
        site.expect_silent(third.reader)
        walker.at_door = {first.reader: second.reader, second.reader: first.reader}
        assert found(await walk(site, walker)) == {
            (DOOR, "reader_crossed"),
            (OTHER, "reader_crossed"),
            ("door-2", "reader_key"),
        }


async def test_a_reader_whose_key_is_right_and_whose_line_is_bad_is_called_unsteady_and_not_a_wrong_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "READER_SLOW_MS", 2_000)
    config = School(tmp_path, doors=1, readers=1).config
    slow = replace(config.reader_lines[0], baud=2400)  # its cryptogram comes after libosdp's time-out
    with WalkedSite(replace(config, reader_lines=(slow,))) as site:
        site.expect_silent(slow.readers[0].reader)
        assert found(await walk(site, Walker(site))) == {(DOOR, "reader_unsteady")}


async def test_a_badge_held_to_a_reader_that_loses_its_channel_is_asked_for_once_more(tmp_path: Path) -> None:
    with WalkedSite(School(tmp_path, doors=1, readers=1).config) as site:
        walker = Walker(site)
        reader = site.readers[f"{DOOR}-in"]
        assert isinstance(reader, VirtualOsdpReader)
        asked: list[Step] = []

        def loses_power_the_first_time(step: Step) -> None:
            if step.kind is StepKind.BADGE:
                asked.append(step)
                if len(asked) == 1:
                    reader.swipe = lambda _bits, _data: reader.restart()  # type: ignore[method-assign]
                else:
                    del reader.swipe

        walker.on_step = loses_power_the_first_time
        assert found(await walk(site, walker)) == set()
        assert len(asked) == 2
        assert READER_INTERRUPTED in walker.heard


async def test_a_supervised_line_that_is_cut_or_shorted_is_told_from_an_open_door(tmp_path: Path) -> None:
    config = School(tmp_path, doors=1, readers=0).config
    line = SupervisedWiring("adc0", 3)
    doors = (replace(config.doors[0], contact=line, lock=replace(config.doors[0].lock, pin=20)),)
    config = replace(config, adcs=(AdcWiring("adc0", pins=(30, 31, 32, 33)),), doors=doors)
    with WalkedSite(config, real_time=True) as site:
        assert isinstance(site.timer, TimedOutputs)
        rig = Rig(
            config,
            pin_factory=site.factory,
            timer=site.timer,
            post=lambda callback, *arguments: callback(*arguments),
            settings=lambda door: DoorSettings(door=door, name=door),
            reader_states=dict,
            on_panic=lambda: None,
        )
        step = Step(StepKind.REST, DOOR, person=True)

        def kinds() -> set[str]:
            rig.tick()
            return {finding.kind for finding in judge(step, rig.begin(), DoorFacts()).findings}

        try:
            await until(lambda: kinds() == set(), "a healthy line")
            for fault, kind in ((WireFault.CUT, "line_cut"), (WireFault.SHORT, "line_short")):
                site.doors[DOOR].break_wire(DoorInput.CONTACT, fault)
                await until(lambda kind=kind: kinds() == {kind}, kind)  # type: ignore[misc]
                site.doors[DOOR].break_wire(DoorInput.CONTACT, WireFault.NONE)
                await until(lambda: kinds() == set(), "a mended line")
        finally:
            rig.close()


async def test_the_boards_own_inputs_are_looked_at(tmp_path: Path) -> None:
    config = School(tmp_path, doors=1, readers=0).config
    config = replace(config, power=PowerWiring(mains=SwitchWiring(20), battery=SwitchWiring(21)))
    with WalkedSite(config) as site:
        assert found(await walk(site, Walker(site))) == set()
        for name in ("mains", "battery", "fire"):
            site.trip(name, True)
        assert found(await walk(site, Walker(site))) == {
            ("", "mains_failed"),
            ("", "battery_low"),
            ("", "fire_active"),
        }
        for name in ("mains", "battery", "fire"):
            site.trip(name, False)
        site.trip("panic", True)
        outcome = await walk(site, Walker(site))
        assert found(outcome) == {("", "panic_pressed")}
        assert outcome.ending is Ending.FINISHED
