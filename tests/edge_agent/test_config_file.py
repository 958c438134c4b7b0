"""agent.yaml: what it accepts, and that every mistake is answered with file, line, field and a cure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.gpio import FailMode, LockKind
from edge_agent.config_file import ConfigError, load
from tests.support.agents import Pi, TestDistrict

GOOD = """\
site: lincoln-high
agent: east
data: data
key_file: agent.jwk
credential_key_file: credential.key
broker: {host: broker.example, port: 8883, username: east}
trust: [{kid: district-1, x: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}]
clock: {require_sync: false}
doors:
  - door: main-entrance
    lock: {pin: 17, kind: strike, fail_mode: fail_secure}
    contact: {pin: 4}
    bolt: {pin: 5}
    rex: {pin: 6, normally_closed: true}
  - door: gym
    lock: {pin: 18, kind: maglock, fail_mode: fail_safe}
    contact: {pin: 12}
reader_lines:
  - device: /dev/ttyUSB0
    readers:
      - {reader: main-in, address: 1, door: main-entrance, key_file: reader1.key}
fire: {pin: 22}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Pi(tmp_path, TestDistrict())  # makes agent.jwk and credential.key
    reader = tmp_path / "reader1.key"
    reader.touch(mode=0o600)
    reader.write_text("00f1c4a5b6978812fe03d94c7a215b6e\n")
    return tmp_path


def written(folder: Path, text: str) -> Path:
    path = folder / "agent.yaml"
    path.write_text(text)
    return path


def test_a_whole_configuration_is_read_with_its_keys(folder: Path) -> None:
    config = load(written(folder, GOOD))
    assert (config.site, config.agent) == ("lincoln-high", "east")
    assert config.data == folder / "data"
    assert (config.broker.host, config.broker.port, config.broker.username) == ("broker.example", 8883, "east")
    assert not config.require_sync
    entrance, gym = config.doors
    assert entrance.rex is not None
    assert (entrance.lock.pin, entrance.rex.normally_closed) == (17, True)
    assert (gym.lock.kind, gym.lock.fail_mode, gym.bolt) == (LockKind.MAGLOCK, FailMode.FAIL_SAFE, None)
    assert config.reader_lines[0].baud == 9600
    assert config.reader_lines[0].readers[0].key.hex() == "00f1c4a5b6978812fe03d94c7a215b6e"


def test_no_key_is_shown_when_a_configuration_is_printed(folder: Path) -> None:
    shown = repr(load(written(folder, GOOD)))
    assert "00f1c4" not in shown
    assert (folder / "credential.key").read_text() not in shown


def test_serial_devices_and_broker_can_be_replaced_for_a_simulator(folder: Path) -> None:
    config = load(written(folder, GOOD)).with_devices({"/dev/ttyUSB0": "/dev/pts/7"}).with_broker("127.0.0.1", 18831)
    assert config.reader_lines[0].device == "/dev/pts/7"
    assert (config.broker.host, config.broker.port) == ("127.0.0.1", 18831)


MISTAKES = {
    "unknown field": ("agent: east", "agnt: east", 2, "agnt", "did you mean 'agent'"),
    "unknown field inside": ("contact: {pin: 4}", "contact: {pn: 4}", 12, "doors[0].contact", "did you mean"),
    "missing field": ("    contact: {pin: 12}\n", "", 15, "doors[1].contact", "nothing proves the door shut"),
    "pin used twice": ("bolt: {pin: 5}", "bolt: {pin: 4}", 13, "doors[0].bolt.pin", "contact of main-entrance"),
    "pin no board has": ("{pin: 22}", "{pin: 99}", 22, "fire.pin", "from 0 to 45"),
    "pin not a number": ("{pin: 22}", "{pin: GPIO22}", 22, "fire.pin", "whole number"),
    "unknown word": ("kind: strike", "kind: strikes", 11, "doors[0].lock.kind", "did you mean 'strike'"),
    "impossible lock": ("maglock, fail_mode: fail_safe", "maglock, fail_mode: fail_secure", 16, "lock", "fail_safe"),
    "two doors of a name": ("door: gym", "door: main-entrance", 15, "doors[1].door", "two doors"),
    "a bad name": ("site: lincoln-high", "site: Lincoln High", 1, "site", "a-z, 0-9"),
    "a number for a name": ("door: gym", "door: 12", 15, "doors[1].door", "put it in quotes"),
    "a reader of no door": ("door: main-entrance, key", "door: gim, key", 21, "readers[0].door", "gym, main"),
    "a public key cut short": ("x: AAAA", "x: A", 7, "trust[0].x", "43 base64url"),
    "a key file that is not there": ("key_file: reader1.key", "key_file: reader2.key", 21, "key_file", "no file"),
    "a field twice": ("agent: east", "agent: east\nagent: west", 3, "agent", "twice"),
    "not a list": ("trust: [{", "trust: {a: {", 7, "trust", ""),
    "broken YAML": ("doors:", "doors: [", 10, "", "not YAML"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_answered_with_file_line_field_and_cure(
    folder: Path, mistake: tuple[str, str, int, str, str]
) -> None:
    before, after, line, field, cure = mistake
    assert GOOD.count(before) == 1
    text = GOOD.replace(before, after)
    if before == "trust: [{":
        text = text.replace("AAA}]", "AAA}}")
    with pytest.raises(ConfigError) as found:
        load(written(folder, text))
    message = str(found.value)
    assert re.match(rf"{re.escape(str(folder))}/agent\.yaml:{line}\b", message), message
    assert field in message
    assert cure in message


def test_a_key_file_that_others_may_read_is_refused(folder: Path) -> None:
    (folder / "credential.key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load(written(folder, GOOD))


def test_a_key_of_the_wrong_length_is_refused_without_showing_it(folder: Path) -> None:
    (folder / "reader1.key").write_text("abcdef")
    with pytest.raises(ConfigError, match="expected 16 bytes") as found:
        load(written(folder, GOOD))
    assert "abcdef" not in str(found.value)


def test_the_default_osdp_key_is_refused(folder: Path) -> None:
    (folder / "reader1.key").write_text(bytes(range(0x30, 0x40)).hex())
    with pytest.raises(ConfigError, match="SCBK-D"):
        load(written(folder, GOOD))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml:1: the file: cannot be read"):
        load(tmp_path / "nowhere.yaml")


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "doorward.main", "agent", *arguments], capture_output=True, text=True, check=False
    )


def test_the_command_checks_a_configuration_and_says_what_is_wrong(folder: Path) -> None:
    good = command("check", str(written(folder, GOOD)))
    assert (good.returncode, good.stdout.split(":")[0]) == (0, "agent lincoln-high/east")
    bad = command("check", str(written(folder, GOOD.replace("pin: 22", "pin: 17"))))
    assert bad.returncode == 2
    assert "agent.yaml:22: fire.pin: pin 17 is used twice" in bad.stderr


def test_the_command_makes_a_key_once_and_prints_only_its_public_half(tmp_path: Path) -> None:
    made = command("keygen", str(tmp_path), "--kid", "lincoln-high-east")
    assert made.returncode == 0
    assert re.fullmatch(r"key: \{kid: lincoln-high-east, x: [\w-]{43}\}\n", made.stdout)
    path = tmp_path / "agent.jwk"
    assert path.stat().st_mode & 0o777 == 0o600
    secret = path.read_bytes()
    assert command("keygen", str(tmp_path)).returncode == 1
    assert path.read_bytes() == secret
