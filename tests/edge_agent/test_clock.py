import pytest

from edge_agent import clock as clock_module
from edge_agent.clock import ASK_EVERY_MS, HOLD_OVER_MS, SET_BY_MS, SystemClock


class HeldClock(SystemClock):
    """The machine's clock with its hands held."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms, self.offset_ms = 1_000_000, 1_790_000_000_000

    def mono_ms(self) -> int:
        return self.now_ms

    def utc_ns(self) -> int:
        return (self.now_ms + self.offset_ms) * 1_000_000


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    says = {"synchronised": False}
    monkeypatch.setattr(clock_module, "kernel_synchronised", lambda: says["synchronised"])
    return says


def later(clock: HeldClock, ms: int) -> bool:
    clock.now_ms += max(ms, ASK_EVERY_MS)
    return clock.trusted()


def test_a_clock_that_was_never_synchronised_is_not_trusted(kernel: dict[str, bool]) -> None:
    assert not HeldClock().trusted()


def test_a_school_without_time_servers_keeps_its_clock_for_a_week_and_no_longer(kernel: dict[str, bool]) -> None:
    clock = HeldClock()
    kernel["synchronised"] = True
    assert clock.trusted()
    kernel["synchronised"] = False
    assert later(clock, 12 * 3_600_000)
    assert later(clock, HOLD_OVER_MS - 13 * 3_600_000)
    assert not later(clock, 2 * 3_600_000)
    kernel["synchronised"] = True
    assert later(clock, 0)


@pytest.mark.parametrize("by_ms", [SET_BY_MS + 1, -SET_BY_MS - 1])
def test_a_clock_that_somebody_set_meanwhile_is_not_trusted(kernel: dict[str, bool], by_ms: int) -> None:
    clock = HeldClock()
    kernel["synchronised"] = True
    assert clock.trusted()
    kernel["synchronised"] = False
    clock.offset_ms += by_ms
    assert not later(clock, 0)
