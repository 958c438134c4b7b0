"""The machine's clocks: one goes forward alone, the other is UTC, and their units agree."""

import time

from ground.clock import SystemClock


def test_the_monotonic_clock_never_goes_back_and_is_the_kernels() -> None:
    clock = SystemClock()
    before = time.monotonic_ns() // 1_000_000
    moments = [clock.mono_ms() for _ in range(1_000)]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= time.monotonic_ns() // 1_000_000


def test_utc_in_milliseconds_is_utc_in_nanoseconds() -> None:
    clock = SystemClock()
    before_ms, ns, after_ms = clock.utc_ms(), clock.utc_ns(), clock.utc_ms()
    assert before_ms <= ns // 1_000_000 <= after_ms
