"""Hardware in the loop: the kernel these tests boot, and the guests that run their suites, each booted once."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.hardware import machine
from tests.hardware.machine import Outcome
from tests.hardware.outside import reader_outside

GUEST_S = 300
"""No suite takes a tenth of it on an idle machine; a guest that hangs is ended then."""

BUILD_S = 900
"""A test may have to wait for the kernel's build, on a slow machine."""

GUESTS_AT_ONCE = 2


class Guests:
    """Runs suites, each in a guest of its own, two at a time; keeps how their tests ended."""

    def __init__(self, linux: Path, suites: Iterable[str]) -> None:
        self._pool = ThreadPoolExecutor(GUESTS_AT_ONCE)
        run = partial(machine.run_suite, linux, within=GUEST_S)
        self._ended: dict[str, Future[Mapping[str, Outcome]]] = {
            suite: self._pool.submit(HOW.get(suite, _in_no_time), run, machine.GUEST / suite) for suite in suites
        }

    def outcome(self, suite: str, test: str) -> Outcome:
        """How one test of a suite ended, waited for. Raises GuestFailed for every one of a guest that failed."""
        ended = self._ended[suite].result()
        return ended.get(test) or Outcome(passed=False, story=f"{suite} did not run it", seconds=0)

    def close(self) -> None:
        """Wait for what still runs; begin no other."""
        self._pool.shutdown(cancel_futures=True)


def _in_no_time(run: Callable[..., Mapping[str, Outcome]], suite: Path) -> Mapping[str, Outcome]:
    """The guest's time stands still while anybody computes and leaps when all of them wait.

    Minutes of waiting pass in seconds, and no deadline in there depends on how busy this machine is.
    """
    return run(suite, options="time-travel=inf-cpu")


def _with_readers_outside(run: Callable[..., Mapping[str, Outcome]], suite: Path) -> Mapping[str, Outcome]:
    """In real time, as whoever is outside lives in it."""
    with reader_outside() as reader:
        return run(suite, serial=reader.serial, fds=reader.fds, files={"line.json": reader.about})


HOW = {"serial_lines.py": _with_readers_outside}
"""Suites that need more than a guest."""


@pytest.fixture(scope="session")
def guests(request: pytest.FixtureRequest) -> Iterator[Guests]:
    """The guests this session needs, on a kernel that is built first where no cache has it."""
    params = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    suites = dict.fromkeys(given["suite"] for given in params if "suite" in given and "test" in given)
    guests = Guests(machine.kernel(), suites)
    yield guests
    guests.close()
