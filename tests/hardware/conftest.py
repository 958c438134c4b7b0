"""Hardware in the loop: the kernel these tests boot, and the guests that run their suites, each booted once."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.hardware import machine
from tests.hardware.machine import Outcome
from tests.hardware.outside import reader_outside

GUEST_S = 90
"""No suite takes a quarter of it; a guest that hangs is ended then."""

BUILD_S = 900
"""A test may have to wait for the kernel's build, on a slow machine."""


class Guests:
    """Runs suites, each in a guest of its own, when the first of its tests asks; keeps how they ended."""

    def __init__(self, linux: Path) -> None:
        self._linux = linux
        self._ended: dict[str, Mapping[str, Outcome] | machine.GuestFailed] = {}
        self._how: dict[str, Callable[[], Mapping[str, Outcome]]] = {"osdp.py": self._with_a_reader_outside}

    def outcome(self, suite: str, test: str) -> Outcome:
        """How one test of a suite ended. Raises GuestFailed for every one of a guest that failed."""
        if suite not in self._ended:
            run = self._how.get(suite, lambda: self._run(suite))
            try:
                self._ended[suite] = run()
            except machine.GuestFailed as failed:
                self._ended[suite] = failed
        ended = self._ended[suite]
        if isinstance(ended, machine.GuestFailed):
            raise ended
        return ended.get(test) or Outcome(passed=False, story=f"{suite} did not run it", seconds=0)

    def _run(self, suite: str) -> Mapping[str, Outcome]:
        return machine.run_suite(self._linux, machine.GUEST / suite, within=GUEST_S)

    def _with_a_reader_outside(self) -> Mapping[str, Outcome]:
        with reader_outside() as reader:
            return machine.run_suite(
                self._linux,
                machine.GUEST / "osdp.py",
                within=GUEST_S,
                serial=reader.serial,
                fds=reader.fds,
                files={"line.json": reader.about},
            )


@pytest.fixture(scope="session")
def guests() -> Guests:
    """The guests of this session, on a kernel that is built first where no cache has it."""
    return Guests(machine.kernel())
