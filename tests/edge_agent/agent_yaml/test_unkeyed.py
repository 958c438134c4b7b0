"""A reader whose key cannot be used is offline and an alarm; the doors are held, and the other readers read."""

import argparse
import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile, ConfigError, examine, load, load_to_serve
from protocol import credentials
from protocol.words import Alarm, EventKind
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader
from tests.support.agents import Pi, TestDistrict, cardholder
from tests.support.waiting import until

CARD = (26, bytes.fromhex("12345640"))
DEVICE = "/dev/ttyUSB0"

SPOIL: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "open to others": lambda path: path.chmod(0o644),
    "cut short": lambda path: path.write_text("00f1"),
    "the maker's": lambda path: path.write_text(bytes(range(0x30, 0x40)).hex()),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "another reader's": lambda path: path.write_text((path.parent / "good.key").read_text()),
}


def pi_with_two_readers(folder: Path, district: TestDistrict) -> tuple[Pi, bytes]:
    for name in ("good.key", "spoilt.key"):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secrets.token_bytes(16).hex())
    readers = [
        {"reader": "door-0-in", "address": 3, "door": "door-0", "key_file": "good.key"},
        {"reader": "door-1-in", "address": 4, "door": "door-1", "key_file": "spoilt.key"},
    ]
    pi = Pi(folder, district, reader_lines=[{"device": DEVICE, "baud": 115200, "readers": readers}])
    return pi, bytes.fromhex((folder / "good.key").read_text())


async def told_offline(agent: Agent, door: str, **data: str) -> None:
    """Wait for the event."""
    async with asyncio.timeout(30):  # a commit on a thread has no condition to look at
        while True:
            batch = await agent.journal.on_outbox(agent.journal.outbox.next_batch, 0)
            for event in batch.events if batch else ():
                if (event.kind, event.door) == (EventKind.READER_OFFLINE, door):
                    assert json.loads(bytes(event.data)) == data
                    return
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("spoilt", SPOIL)
async def test_the_agent_holds_its_doors_without_a_reader_whose_key_is(
    tmp_path: Path, district: TestDistrict, spoilt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi, key = pi_with_two_readers(tmp_path, district)
    SPOIL[spoilt](tmp_path / "spoilt.key")
    monkeypatch.setattr("tests.support.agents.load", load_to_serve)
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=3, key=key)
        async with pi.running(devices={DEVICE: line.path}) as agent:
            assert len(agent.doors.held) == 2
            alarms = {door.door: door.alarms for door in agent.snapshots.make().doors}
            assert Alarm.READER_OFFLINE in alarms["door-1"]
            await told_offline(agent, "door-1", reader="door-1-in", reason="key_file")
            token = credentials.token(district.credential_key, *CARD)
            agent.configuration.receive(district.config(pi, **cardholder(token)))
            await until(lambda: agent.readers.buses["door-0-in"].online("door-0-in"), "the secure channel")
            reader.swipe(*CARD)
            await until(lambda: pi.doors["door-0"].released, "the release")


def test_the_agent_that_is_run_goes_on_without_it(
    tmp_path: Path, district: TestDistrict, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi, _ = pi_with_two_readers(tmp_path, district)
    (tmp_path / "spoilt.key").unlink()
    served: list[AgentFile] = []
    monkeypatch.setattr(cli, "_run", lambda config, **_: served.append(config))
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    cli.run(parser.parse_args(["run", str(pi.yaml_file)]))
    assert [each.reader for config in served for each in config.unkeyed] == ["door-1-in"]


def test_the_check_and_all_else_still_refuse_it(tmp_path: Path, district: TestDistrict) -> None:
    pi, _ = pi_with_two_readers(tmp_path, district)
    (tmp_path / "spoilt.key").unlink()
    with pytest.raises(ConfigError, match="provision-reader"):
        load(pi.yaml_file)
    [problem] = [each for each in examine(pi.yaml_file) if not each.warning]
    [left_out] = load_to_serve(pi.yaml_file).unkeyed
    assert (left_out.reader, left_out.problem) == ("door-1-in", str(problem))


def test_whatever_else_is_wrong_still_stops_the_agent(tmp_path: Path, district: TestDistrict) -> None:
    pi, _ = pi_with_two_readers(tmp_path, district)
    good = load(pi.yaml_file)
    assert replace(load_to_serve(pi.yaml_file), signing_key=good.signing_key) == good
    (tmp_path / "spoilt.key").unlink()
    (tmp_path / "credential.key").unlink()
    with pytest.raises(ConfigError) as refused:
        load_to_serve(pi.yaml_file)
    assert {each.field for each in refused.value.problems} == {
        "credential_key_file",
        "reader_lines[0].readers[1].key_file",
    }
