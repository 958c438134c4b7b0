"""What tests of hardware, real and virtual, share: mock pins, and conditions waited for with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from simulators.hardware.timers import SteppedTimer

Until = Callable[..., Awaitable[None]]


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
    """Wait until a condition holds; fail once `within` seconds have passed."""

    async def wait(condition: Callable[[], object], *, within: float = 5.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, "the condition never came true"
            await asyncio.sleep(0.005)

    return wait
