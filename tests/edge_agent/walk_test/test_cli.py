"""The program as it is started on a Pi, on virtual pins: how it ends, and that it never gives up the pins."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edge_agent.storage.lock_file import Holding
from tests.support.agents import Pi, TestDistrict

PROGRAM = """
import atexit, sys
from pathlib import Path
from gpiozero.pins.mock import MockFactory
from doorward.main import main
from edge_agent.walk_test import cli
atexit.register(lambda: Path(sys.argv[1]).write_text("the pins were given up"))
cli._pi_pins = lambda: MockFactory(revision="a020a0")
sys.exit(main(["agent", "walk-test", *sys.argv[2:]]))
"""


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    made = Pi(tmp_path / "pi", TestDistrict(), doors=1)
    wired = yaml.safe_load(made.yaml_file.read_text())
    del wired["fire"], wired["panic"]  # nothing is on the virtual pins, and a cut fire loop is an alarm
    made.yaml_file.write_text(yaml.safe_dump(wired))
    return made


def start(pi: Pi, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(pi.folder / "exited"), str(pi.yaml_file), *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def read_until(program: subprocess.Popen[str], words: str) -> None:
    assert program.stdout is not None
    for line in program.stdout:
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}")


def test_it_stops_when_told_with_the_doors_locked_and_the_pins_held(pi: Pi) -> None:
    with start(pi) as program:
        read_until(program, "At rest.")
        program.send_signal(signal.SIGTERM)
        _, said = program.communicate(timeout=45)
    assert program.returncode == 1
    assert "stopped; the doors are locked" in said
    assert not (pi.folder / "exited").exists()


def test_a_terminal_that_goes_away_does_not_have_it_give_up_the_pins(pi: Pi) -> None:
    with start(pi) as program:
        read_until(program, "At rest.")
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        program.stderr.close()
        program.send_signal(signal.SIGHUP)
        assert program.wait(timeout=45) == 1
    assert not (pi.folder / "exited").exists()


def test_it_quits_by_a_key_and_writes_what_it_has(pi: Pi) -> None:
    reports = pi.folder / "reports"
    with start(pi, "--report", str(reports)) as program:
        said, errors = program.communicate("q\n", timeout=45)
    assert program.returncode == 1, errors
    assert "Go on with --resume" in said
    assert len(list(reports.iterdir())) == 3


def test_it_says_which_program_holds_the_doors(pi: Pi) -> None:
    agent = Holding(pi.config.data, "the agent")
    with start(pi) as program:
        _, said = program.communicate(timeout=45)
    agent.release()
    assert program.returncode == 1
    assert "held by the agent, process" in said
    assert "systemctl stop doorward-agent" in said


def test_no_agent_runs_beside_a_walk_test(pi: Pi) -> None:
    walking = Holding(pi.config.data, "a walk test")
    command = [sys.executable, "-m", "doorward.main", "agent", "run", str(pi.yaml_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    walking.release()
    assert done.returncode == 1
    assert "held by a walk test, process" in done.stderr
