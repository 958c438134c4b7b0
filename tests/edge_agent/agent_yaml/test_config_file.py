"""agent.yaml: what it accepts, and that every mistake is answered with file, line, field and a cure."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.gpio import FailMode, LockKind
from edge_agent.agent_yaml.config_file import ConfigError, examine, load
from tests.support.agents import Pi, TestDistrict

GOOD = """\
site: lincoln-high
agent: east
data: data
key_file: agent.jwk
credential_key_file: credential.key
broker: {host: broker.example, port: 8883, username: east}
trust: [{kid: district-1, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]
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
    rex: {pin: 13}
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


@pytest.mark.parametrize(
    ("says", "fitted"),
    [
        ("clock: {require_sync: false}", False),
        ("hats: [ds3231-rtc]", True),
        ("hats: [ds3231-rtc]\nclock: {rtc: false}", False),
        ("clock: {rtc: true}", True),
    ],
)
def test_a_battery_clock_is_fitted_if_a_hat_has_one_or_the_file_says_so(
    folder: Path, says: str, fitted: bool
) -> None:
    assert load(written(folder, GOOD.replace("clock: {require_sync: false}", says))).rtc == fitted


def test_no_key_is_shown_when_a_configuration_is_printed(folder: Path) -> None:
    shown = repr(load(written(folder, GOOD)))
    assert "00f1c4" not in shown
    assert (folder / "credential.key").read_text() not in shown


def test_serial_devices_can_be_replaced_for_a_simulator(folder: Path) -> None:
    config = load(written(folder, GOOD)).with_devices({"/dev/ttyUSB0": "/dev/pts/7"})
    assert config.reader_lines[0].device == "/dev/pts/7"


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


def test_the_command_tells_what_is_wrong_and_what_is_dubious(folder: Path) -> None:
    path = written(folder, GOOD)
    good = command("check", str(path))
    assert (good.returncode, good.stdout.split(":")[0]) == (0, "agent lincoln-high/east")
    assert "broker.host: warning: " in good.stderr
    assert command("check", str(path), "--strict").returncode == 2
    bad = command("check", str(written(folder, GOOD.replace("pin: 22", "pin: 17"))))
    assert bad.returncode == 2
    assert "agent.yaml:23: fire.pin: pin 17 is used twice" in bad.stderr


def test_the_command_tells_a_program_in_json_and_checks_against_another_board(folder: Path) -> None:
    path = written(folder, GOOD.replace("pin: 22", "pin: 40"))
    answer = command("check", str(path), "--json", "--board", "pi-zero-2w")
    told = json.loads(answer.stdout)
    assert (answer.returncode, told["good"]) == (2, False)
    [error] = [problem for problem in told["problems"] if problem["severity"] == "error"]
    assert (error["line"], error["field"]) == (23, "fire.pin")
    assert error["problem"] == "a Raspberry Pi Zero 2 W has no pin 40"


def test_the_command_makes_a_key_once_and_prints_only_its_public_half(tmp_path: Path) -> None:
    made = command("keygen", str(tmp_path), "--kid", "lincoln-high-east")
    assert made.returncode == 0
    assert re.fullmatch(r"key: \{kid: lincoln-high-east, x: [\w-]{43}\}\n", made.stdout)
    path = tmp_path / "agent.jwk"
    assert path.stat().st_mode & 0o777 == 0o600
    secret = path.read_bytes()
    assert command("keygen", str(tmp_path)).returncode == 1
    assert path.read_bytes() == secret


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{{ fire }}: 3", "expected the name of a field, not a mapping"),
        ("? {a: 1}", "expected the name of a field, not a mapping"),
        ("[a]: 3", "expected the name of a field, not a list"),
        ("doors: " + "[" * 2000 + "]" * 2000, "more than 50 brackets"),
        ("- " * 2000, "more than 50 brackets"),
    ],
)
def test_yaml_that_is_no_configuration_is_told_with_its_line_and_a_cure(folder: Path, line: str, says: str) -> None:
    text = GOOD + line + "\n" if line.startswith(("{", "?", "[")) else "\n" * GOOD.count("\n") + line + "\n"
    path = written(folder, text)
    [problem] = [each for each in examine(path) if not each.warning]
    assert says in problem.problem
    assert problem.line == GOOD.count("\n") + 1
    assert problem.cure


@pytest.mark.parametrize("line", ["{{ fire }}: 3", "x: " + "[" * 2000 + "]" * 2000])
def test_a_program_is_told_in_json_of_yaml_that_is_no_configuration(folder: Path, line: str) -> None:
    path = written(folder, GOOD + line + "\n")
    answer = command("check", str(path), "--json")
    told = json.loads(answer.stdout)
    assert (answer.returncode, told["good"]) == (2, False)
    assert [each["line"] for each in told["problems"] if each["severity"] == "error"] == [GOOD.count("\n") + 1]
    started = command("run", str(path))
    assert (started.returncode, "Traceback" in started.stderr) == (2, False)


@pytest.mark.parametrize(
    "value", ["port: " + "9" * 5000, 'port: 1, ca_file: "\\0"', "port: 1, ca_file: " + "a" * 300]
)
def test_a_value_beyond_all_measure_is_told_with_its_line_and_a_cure(folder: Path, value: str) -> None:
    problems = examine(written(folder, GOOD.replace("port: 8883", value)))
    [problem] = [each for each in problems if not each.warning]
    assert (problem.line, problem.field.split(".")[0]) == (6, "broker")
    assert problem.cure


@pytest.mark.parametrize(
    "host",
    [
        "mqtt://127.0.0.1:1883",
        "broker.example:8883",
        "\u201cbroker.example\u201d",
        "broker example",
        "-broker.example",
        "broker..example",
        "10.0.0.300",
        "10.0.0",
        "[::1]",
        "a" * 64,
        ".".join(["abcdefgh"] * 30),
    ],
)
def test_a_host_that_is_more_than_a_name_is_refused(folder: Path, host: str) -> None:
    path = written(folder, GOOD.replace("host: broker.example", f"host: '{host}'"))
    [problem] = [each for each in examine(path) if not each.warning]
    assert (problem.line, problem.field) == (6, "broker.host")
    assert problem.cure == "write the name alone, without mqtt:// and port"


@pytest.mark.parametrize(
    "host", ["broker", "broker.example.", "3com.example", "localhost", "10.0.0.3", "::1", "fe80::1%eth0"]
)
def test_a_host_by_name_or_address_is_taken(folder: Path, host: str) -> None:
    path = written(folder, GOOD.replace("host: broker.example", f"host: '{host}'"))
    assert load(path).broker.host == host
