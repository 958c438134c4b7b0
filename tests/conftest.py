"""What tests of hardware, real and virtual, share: mock pins, and conditions waited for with a deadline."""

import ast
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from simulators.hardware.timers import SteppedTimer
from tests.support import waiting
from tests.support.sources import tree_of

Until = Callable[..., Awaitable[None]]

SERVED = {
    "subprocess", "playwright", "simulators.demo", "simulators.district.children", "tests.central.centrals",
    "tests.central.databases", "tests.central.time_series", "tests.hardware", "tests.hardware.outside",
    "tests.support.brokers", "tests.support.console_browser", "tests.support.demo_runs", "tests.support.overlay",
    "tests.support.running_district", "tests.support.small_disks", "tests.support.virtual_schools",
}  # fmt: skip
"""What starts a broker, a database, a browser or another process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark `served` what needs more than this process, so that nobody has to remember it."""
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()) or SERVED & _imported(item.path):
            item.add_marker(pytest.mark.served)


@cache
def _imported(file: Path) -> frozenset[str]:
    modules: set[str] = set()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return frozenset(modules)


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


@pytest.fixture
def stepped() -> SteppedTimer:
    return SteppedTimer()


@pytest.fixture
def timer() -> Iterator[TimedOutputs]:
    outputs = TimedOutputs()
    yield outputs
    outputs.close()


@pytest.fixture
def until() -> Until:
    """`tests.support.waiting.until`, as a fixture."""
    return waiting.until
