"""What the agent's tests share: a district that signs, a Pi with virtual doors, and a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import Pi, TestDistrict
from tests.support.brokers import RunningBroker, mosquitto


@pytest.fixture
def district() -> TestDistrict:
    return TestDistrict()


@pytest.fixture
def pi(tmp_path: Path, district: TestDistrict) -> Pi:
    """A machine with two doors and no broker to be found."""
    return Pi(tmp_path / "pi", district)


@pytest.fixture
def broker() -> Iterator[RunningBroker]:
    with mosquitto() as running:
        yield running
