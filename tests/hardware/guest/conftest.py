"""What every suite in the guest has: the header's lines, and a Pi with three doors on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hardware.guest import school
from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.pi import Pi


@pytest.fixture(scope="session")
def header() -> Iterator[HeaderLines]:
    """The one header this machine has."""
    lines = HeaderLines()
    yield lines
    lines.close()


@pytest.fixture
def lines(header: HeaderLines) -> HeaderLines:
    """The header with the school at rest on it: doors shut, nobody about."""
    school.at_rest(header)
    return header


@pytest.fixture
def pi(tmp_path: Path, lines: HeaderLines) -> Pi:
    """A Pi with its configuration on the disk and no agent on it yet."""
    return _pi(tmp_path / "pi")


@pytest.fixture(scope="module")
def running_pi(tmp_path_factory: pytest.TempPathFactory, header: HeaderLines) -> Iterator[Pi]:
    """A Pi whose agent runs for the whole suite, its gym held by a lockdown."""
    school.at_rest(header)
    pi = _pi(tmp_path_factory.mktemp("suite") / "pi")
    pi.lock_down("gym")
    with pi.running():
        yield pi


@pytest.fixture
def agent(running_pi: Pi, lines: HeaderLines) -> Pi:
    """The suite's agent with the school at rest and every door proven; only what comes from now on is shown."""
    running_pi.look_from_now(secure=school.DOORS)
    return running_pi


def _pi(folder: Path) -> Pi:
    pi = Pi(folder, school.wiring(), school.SETTINGS)
    pi.configure()
    return pi
