"""A reader is given its first key: alone on its line, on the disk first, and taken up again wherever it was cut."""

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorward.main import main
from drivers.osdp import open_serial
from drivers.osdp import provisioning as driver
from drivers.osdp.config import DEFAULT_KEY
from edge_agent.readers.provisioning import CannotProvision, Done, Outcome, Provisioning, find_target
from simulators.hardware.line import VirtualLine
from simulators.hardware.osdp_reader import VirtualOsdpReader
from tests.drivers.osdp.attacker import Middle, PlainReader

ROOT = Path(__file__).parents[3]
ADDRESS = 3
ADDRESSES = (ADDRESS, 5)


@pytest.fixture
def yaml_file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    readers = [
        {"reader": "front-in", "address": ADDRESS, "door": "front", "key_file": "front-in.key"},
        {"reader": "back-in", "address": 4, "door": "back", "key_file": "back-in.key"},
    ]
    path.write_text(yaml.safe_dump({"reader_lines": [{"device": "/dev/line", "baud": 115200, "readers": readers}]}))
    return path


def provision(path: Path, device: str, **options: Any) -> Provisioning:
    said = options.pop("said", [])
    return Provisioning(
        find_target(path, "front-in"), device=device, baud=115200, say=said.append, window_s=0.25,
        addresses=ADDRESSES, **options,
    )  # fmt: skip


async def refused(provisioning: Provisioning) -> CannotProvision:
    with pytest.raises(CannotProvision) as caught:
        await provisioning.run()
    return caught.value


def key_in(path: Path) -> bytes:
    assert path.stat().st_mode & 0o777 == 0o600
    return bytes.fromhex(path.read_text().strip())


async def test_a_reader_from_the_factory_is_given_a_key_of_its_own_and_answers_to_nothing_else(
    yaml_file: Path,
) -> None:
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=None)
        said: list[str] = []
        done = await provision(yaml_file, line.path, said=said).run()
        assert isinstance(done, Done)
        assert (done.outcome, done.reader.address, done.reader.vendor) == (Outcome.KEY_SET, ADDRESS, "00cafe")
        key = key_in(yaml_file.parent / "front-in.key")
        assert reader.key == key != DEFAULT_KEY
        assert not any(key.hex() in step for step in said)
        assert sorted(file.name for file in yaml_file.parent.iterdir()) == ["agent.yaml", "front-in.key"]
        reader.restart()
        again = await provision(yaml_file, line.path).run()
        assert (again.outcome, reader.keys_taken) == (Outcome.ALREADY, 1)
        port = open_serial(line.path)
        assert await driver.give_key(port, ADDRESS, secrets.token_bytes(16)) is driver.Given.NOT_IN_INSTALL_MODE
        port.close()


async def test_two_readers_on_the_line_and_no_key_is_sent(yaml_file: Path) -> None:
    with VirtualLine() as line:
        readers = [VirtualOsdpReader(line, address=address, key=None) for address in (ADDRESS, 5)]
        error = await refused(provision(yaml_file, line.path))
        assert error.code == "several"
        assert "addresses 3, 5" in str(error)
        assert [reader.keys_taken for reader in readers] == [0, 0]
        assert not (yaml_file.parent / "front-in.key.new").exists()


async def test_two_readers_at_one_address_are_noticed(yaml_file: Path) -> None:
    with VirtualLine() as line, VirtualLine() as other:
        VirtualOsdpReader(line, address=ADDRESS, key=None)
        PlainReader(other, ADDRESS)
        with Middle(line.path, other.path) as middle:
            assert (await refused(provision(yaml_file, middle.path))).code == "line_disturbed"


@pytest.mark.parametrize(
    ("code", "address", "plain"), [("other_address", 5, False), ("no_secure_channel", ADDRESS, True)]
)
async def test_a_reader_that_does_not_fit_is_refused(yaml_file: Path, code: str, address: int, plain: bool) -> None:
    with VirtualLine() as line:
        _ = PlainReader(line, address) if plain else VirtualOsdpReader(line, address=address, key=None)
        assert (await refused(provision(yaml_file, line.path))).code == code


async def test_a_reader_with_another_key_is_refused_and_says_how_to_reset_it(yaml_file: Path) -> None:
    with VirtualLine() as line:
        VirtualOsdpReader(line, address=ADDRESS, key=secrets.token_bytes(16))
        error = await refused(provision(yaml_file, line.path))
        assert error.code == "not_in_install_mode"
        assert "Reset it to install mode" in str(error)
        assert not (yaml_file.parent / "front-in.key").exists()


async def test_a_reader_that_refuses_the_key_leaves_no_key_file(yaml_file: Path) -> None:
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=None)
        reader.refuse_keys = True
        assert (await refused(provision(yaml_file, line.path))).code == "refused"
        assert not (yaml_file.parent / "front-in.key").exists()


async def test_an_empty_line_says_what_to_check(yaml_file: Path) -> None:
    with VirtualLine() as line:
        error = await refused(provision(yaml_file, line.path))
        assert error.code == "nobody"
        assert "--baud" in str(error)


@pytest.mark.parametrize("cut", ["before the key was sent", "after the reader took it"])
async def test_a_power_cut_in_the_middle_is_taken_up_by_doing_it_again(yaml_file: Path, cut: str) -> None:
    candidate = secrets.token_bytes(16)
    file = yaml_file.parent / "front-in.key.new"
    file.touch(mode=0o600)
    file.write_text(candidate.hex())
    with VirtualLine() as line:
        taken = cut.startswith("after")
        reader = VirtualOsdpReader(line, address=ADDRESS, key=candidate if taken else None)
        done = await provision(yaml_file, line.path).run()
        assert done.outcome is (Outcome.RECOVERED if taken else Outcome.KEY_SET)
        assert key_in(yaml_file.parent / "front-in.key") == reader.key == candidate
        assert not file.exists()


@pytest.mark.parametrize("moment", ["write_whole", "give_key", "holds", "move"])
async def test_cut_at_any_step_the_reader_can_still_be_used(
    yaml_file: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes just after each step that changes anything."""

    class PowerCut(Exception):  # noqa: N818 - says what it is
        pass

    from edge_agent.readers import provisioning

    really = getattr(provisioning, moment)

    def cut(*args: Any, **kwargs: Any) -> Any:
        result = really(*args, **kwargs)
        if not asyncio.iscoroutine(result):
            raise PowerCut

        async def finish() -> None:
            await result
            raise PowerCut

        return finish()

    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=None)
        with monkeypatch.context() as patched:
            patched.setattr(provisioning, moment, cut)
            with pytest.raises(PowerCut):
                await provision(yaml_file, line.path).run()
        reader.restart()
        await provision(yaml_file, line.path).run()
        assert key_in(yaml_file.parent / "front-in.key") == reader.key
        assert reader.keys_taken == 1


async def test_a_key_file_of_a_reader_that_is_gone_is_replaced_only_when_asked(yaml_file: Path) -> None:
    file = yaml_file.parent / "front-in.key"
    file.touch(mode=0o600)
    file.write_text(secrets.token_bytes(16).hex())
    before = file.read_text()
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=ADDRESS, key=None)
        error = await refused(provision(yaml_file, line.path))
        assert (error.code, file.read_text()) == ("key_file_exists", before)
        assert (await provision(yaml_file, line.path, replace=True).run()).outcome is Outcome.KEY_SET
        assert key_in(file) == reader.key


async def test_a_reader_is_given_its_address_once_it_has_its_key(yaml_file: Path) -> None:
    with VirtualLine() as line:
        reader = VirtualOsdpReader(line, address=5, key=None)
        done = await provision(yaml_file, line.path, change_address=True).run()
        assert (done.outcome, reader.address) == (Outcome.KEY_SET, ADDRESS)
        assert (await provision(yaml_file, line.path).run()).outcome is Outcome.ALREADY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reader_lines: 3", "cannot be made out"),
        ("{", "cannot be read as YAML"),
        ("reader_lines: []", "known: none"),
        ("reader_lines: [{device: x, readers: [{reader: front-in, address: 300, key_file: k}]}]", "address 300"),
    ],
)
def test_a_configuration_that_does_not_name_the_reader_says_why(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "agent.yaml").write_text(text)
    with pytest.raises(CannotProvision, match=said) as caught:
        find_target(tmp_path / "agent.yaml", "front-in")
    assert caught.value.code == "config"


def test_from_the_command_line_errors_have_a_code(yaml_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["agent", "provision-reader", str(yaml_file)]
    assert main([*command, "front-in", "--device", "/dev/there-is-none", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"] == "port_or_disk"
    assert main([*command, "side-in"]) == 2
    assert "known: front-in, back-in" in capsys.readouterr().err


def test_nothing_that_runs_in_service_can_speak_the_default_key() -> None:
    """The agent's program does not even load the modules that can."""
    program = (
        "import argparse, sys; from edge_agent import cli; cli.add_arguments(argparse.ArgumentParser()); "
        "print([name for name in sys.modules "
        "if name in ('drivers.osdp.provisioning', 'drivers.osdp.probe', 'edge_agent.readers.provisioning')])"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
