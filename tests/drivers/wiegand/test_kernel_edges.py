"""Edges of real kernel GPIO, in a guest: every test of `tests/drivers/wiegand/guest/kernel_edges.py`."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.hardware import machine
from tests.hardware.conftest import BUILD_S, GUEST_S
from tests.hardware.machine import Outcome

pytestmark = [pytest.mark.hardware, pytest.mark.slow, pytest.mark.timeout(BUILD_S)]

SUITE = Path(__file__).parent / "guest" / "kernel_edges.py"


@pytest.fixture(scope="module")
def outcomes() -> Mapping[str, Outcome]:
    """How they ended. Waiting costs no time there."""
    return machine.run_suite(machine.kernel(), SUITE, within=GUEST_S, options="time-travel=inf-cpu")


@pytest.mark.parametrize("test", machine.tests_of(str(SUITE)))
def test_in_the_guest(outcomes: Mapping[str, Outcome], test: str) -> None:
    assert outcomes[test].passed, outcomes[test].story
