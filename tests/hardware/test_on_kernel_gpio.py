"""The agent on real kernel GPIO and a real serial port: every test of every suite in `tests/hardware/guest`.

Each runs inside a guest, see `tests.hardware.machine`; here it passes or fails with what it said there.
"""

import pytest

from tests.hardware import machine
from tests.hardware.conftest import BUILD_S, Guests

pytestmark = [pytest.mark.hardware, pytest.mark.slow, pytest.mark.timeout(BUILD_S)]

SUITES = ("wiegand.py", "stops.py", "doors.py", "serial_lines.py")  # the longest first
CASES = [pytest.param(suite, test, id=f"{suite}:{test}") for suite in SUITES for test in machine.tests_of(suite)]


@pytest.mark.parametrize(("suite", "test"), CASES)
def test_in_the_guest(guests: Guests, suite: str, test: str) -> None:
    outcome = guests.outcome(suite, test)
    assert outcome.passed, outcome.story
