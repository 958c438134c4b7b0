"""What the agent's tests share: a district that signs, a Pi with virtual doors, and a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.doors.doors import Doors
from edge_agent.doors.hardware import Hardware
from edge_agent.events.outbox import NewEvent, Outbox
from edge_agent.policy.rules import Rules
from protocol.messages import DeclarationSet
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


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[NewEvent]:
    """Every event that is put on the disk."""
    noted: list[NewEvent] = []
    append = Outbox.append

    def noting(outbox: Outbox, events: list[NewEvent]) -> None:
        append(outbox, events)
        noted.extend(events)

    monkeypatch.setattr(Outbox, "append", noting)
    return noted


@pytest.fixture
def fatal(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Versions of the configuration with which the agent dies as it comes up."""
    versions: set[int] = set()
    start = Doors.start

    def start_or_die(self: Doors, hardware: Hardware, rules: Rules, sets: tuple[DeclarationSet, ...]) -> None:
        start(self, hardware, rules, sets)
        if rules.version in versions:
            raise RuntimeError("this configuration is fatal")

    monkeypatch.setattr(Doors, "start", start_or_die)
    return versions
