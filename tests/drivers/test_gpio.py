"""Locks: what is energised when, and releases that end when they should."""

import asyncio
import math
import time
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from drivers.gpio import FailMode, LockKind, LockOutput
from drivers.timed_outputs import TimedOutputs
from simulators.hardware.pins import LoadPin
from simulators.hardware.timers import SteppedTimer
from tests.conftest import Until

PIN = 17


def make(pins: MockFactory, timer: SteppedTimer | TimedOutputs, **options: object) -> LockOutput:
    settings: dict[str, Any] = {"kind": LockKind.STRIKE, "fail_mode": FailMode.FAIL_SECURE, **options}
    return LockOutput(PIN, pin_factory=pins, timer=timer, **settings)


@pytest.mark.parametrize(
    ("kind", "fail_mode", "released", "energised"),
    [
        (LockKind.STRIKE, FailMode.FAIL_SECURE, False, False),
        (LockKind.STRIKE, FailMode.FAIL_SECURE, True, True),
        (LockKind.STRIKE, FailMode.FAIL_SAFE, False, True),
        (LockKind.STRIKE, FailMode.FAIL_SAFE, True, False),
        (LockKind.MAGLOCK, FailMode.FAIL_SAFE, False, True),
        (LockKind.MAGLOCK, FailMode.FAIL_SAFE, True, False),
    ],
)
@pytest.mark.parametrize("active_high", [True, False])
def test_current_flows_exactly_when_the_kind_of_lock_needs_it(
    pins: MockFactory,
    stepped: SteppedTimer,
    *,
    kind: Any,
    fail_mode: FailMode,
    released: bool,
    energised: bool,
    active_high: bool,
) -> None:
    lock = make(pins, stepped, kind=kind, fail_mode=fail_mode, active_high=active_high)
    lock.release() if released else lock.lock()
    assert (lock.released, lock.energised) == (released, energised)
    assert bool(pins.pin(PIN).state) == (energised if active_high else not energised)


def test_a_fail_secure_maglock_does_not_exist(pins: MockFactory, stepped: SteppedTimer) -> None:
    with pytest.raises(ValueError, match="cannot be fail-secure"):
        make(pins, stepped, kind=LockKind.MAGLOCK)


@pytest.mark.parametrize("fail_mode", list(FailMode))
@pytest.mark.parametrize("active_high", [True, False])
def test_a_lock_is_locked_from_its_first_instant(
    pins: MockFactory, stepped: SteppedTimer, fail_mode: FailMode, active_high: bool
) -> None:
    driven: list[bool | None] = []
    pin = pins.pin(PIN, pin_class=LoadPin)
    pin.watcher = lambda: driven.append(pin.driven)
    lock = make(pins, stepped, fail_mode=fail_mode, active_high=active_high)
    locked_level = (fail_mode is FailMode.FAIL_SAFE) == active_high
    assert not lock.released
    assert [level for level in driven if level is not None]
    assert {level for level in driven if level is not None} == {locked_level}


def test_a_timed_release_locks_again_at_its_time_and_says_so(pins: MockFactory, stepped: SteppedTimer) -> None:
    told: list[float] = []
    lock = make(pins, stepped, on_timed_relock=told.append)
    start = stepped.now()
    lock.release_for(5)
    stepped.advance(4.999)
    assert lock.released
    assert told == []
    stepped.advance(0.001)
    assert not lock.released
    assert told == [start + 5]
    assert lock.changed_at == start + 5


def test_locking_cancels_a_timed_release(pins: MockFactory, stepped: SteppedTimer) -> None:
    told: list[float] = []
    lock = make(pins, stepped, on_timed_relock=told.append)
    lock.release_for(5)
    lock.lock()
    assert not lock.released
    lock.release()
    stepped.advance(60)
    assert lock.released, "the cancelled relock must not end a later release"
    assert told == []


def test_after_locking_no_relock_is_told(pins: MockFactory, stepped: SteppedTimer) -> None:
    told: list[float] = []
    lock = make(pins, stepped, on_timed_relock=told.append)
    lock.release_for(5)
    lock.lock()
    stepped.advance(60)
    assert told == []


def test_a_relock_that_woke_up_too_late_to_be_cancelled_does_nothing(
    pins: MockFactory, stepped: SteppedTimer
) -> None:
    lock = make(pins, stepped)
    lock.release_for(5)
    (_, _, deadline) = stepped._heap[0]
    relock = deadline.action  # the timer's thread has taken it and is about to run it
    assert relock is not None
    lock.lock()
    lock.release()
    relock()
    assert lock.released


def test_a_shorter_release_never_shortens_a_longer_one(pins: MockFactory, stepped: SteppedTimer) -> None:
    lock = make(pins, stepped)
    lock.release_for(10)
    lock.release_for(2)
    stepped.advance(9.9)
    assert lock.released
    stepped.advance(0.1)
    assert not lock.released


def test_a_longer_release_extends_a_shorter_one(pins: MockFactory, stepped: SteppedTimer) -> None:
    lock = make(pins, stepped)
    lock.release_for(2)
    lock.release_for(10)
    stepped.advance(9.9)
    assert lock.released
    stepped.advance(0.1)
    assert not lock.released


def test_a_timed_release_does_not_end_an_open_ended_one(pins: MockFactory, stepped: SteppedTimer) -> None:
    lock = make(pins, stepped)
    lock.release()
    lock.release_for(1)
    stepped.advance(100)
    assert lock.released
    assert lock.released_until == math.inf


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
def test_a_timed_release_needs_a_real_duration(pins: MockFactory, stepped: SteppedTimer, seconds: float) -> None:
    lock = make(pins, stepped)
    with pytest.raises(ValueError, match="timed release"):
        lock.release_for(seconds)
    assert not lock.released


async def test_a_release_of_half_a_second_is_that_while_the_loop_is_blocked(
    pins: MockFactory, timer: TimedOutputs
) -> None:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[float] = asyncio.Queue()
    lock = make(pins, timer, on_timed_relock=told.put_nowait, post=loop.call_soon_threadsafe)
    pins.pin(PIN).clear_states()
    lock.release_for(0.5)
    time.sleep(1.5)  # noqa: ASYNC251 - the loop is blocked on purpose
    times = [state.timestamp for state in pins.pin(PIN).states]
    assert [state.state for state in pins.pin(PIN).states] == [False, True, False]
    assert 0.5 <= times[2] < 1.4, "before the loop was back"
    async with asyncio.timeout(30):
        await told.get()


@pytest.mark.slow
async def test_a_release_of_five_seconds_is_five_seconds_though_the_loop_is_blocked_for_three(
    pins: MockFactory, timer: TimedOutputs, until: Until
) -> None:
    lock = make(pins, timer)
    start = time.monotonic()
    lock.release_for(5)
    await asyncio.sleep(2.5)
    time.sleep(3)  # noqa: ASYNC251 - the loop is blocked on purpose, over the deadline
    assert not lock.released
    assert 5 <= lock.changed_at - start < 5.45, "before the loop was back"


def test_a_relock_that_fails_is_tried_until_it_takes(
    pins: MockFactory, stepped: SteppedTimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = make(pins, stepped)
    lock.release_for(1)
    healthy = MockPin._set_state
    broken = True

    def write(pin: MockPin, value: object) -> None:
        if broken:
            raise OSError("the expander is gone")
        healthy(pin, value)

    monkeypatch.setattr(MockPin, "state", property(MockPin._get_state, write))
    stepped.advance(1.5)
    assert lock.released, "it says what is so, not what it wished"
    broken = False
    stepped.advance(0.2)
    assert not lock.released
    assert not pins.pin(PIN).state


def test_closing_locks_first_and_twice_is_fine(pins: MockFactory, stepped: SteppedTimer) -> None:
    driven: list[bool | None] = []
    pin = pins.pin(PIN, pin_class=LoadPin)
    lock = make(pins, stepped)
    lock.release_for(5)
    pin.watcher = lambda: driven.append(pin.driven)
    lock.close()
    lock.close()
    stepped.advance(10)
    assert driven[0] is False
    assert driven[-1] is None
    with pytest.raises(RuntimeError, match="closed"):
        lock.release()


def test_many_threads_cannot_leave_a_lock_released(pins: MockFactory, timer: TimedOutputs) -> None:
    import threading

    lock = make(pins, timer)

    def play() -> None:
        for _ in range(200):
            lock.release_for(0.001)
            lock.lock()

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deadline = time.monotonic() + 30
    while lock.released and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not lock.released
    assert not pins.pin(PIN).state


class TestTimedOutputs:
    def test_actions_run_in_the_order_of_their_times(self, timer: TimedOutputs) -> None:
        import threading

        done = threading.Event()
        ran: list[str] = []
        now = timer.now()
        timer.at(now + 0.06, done.set)
        timer.at(now + 0.04, lambda: ran.append("second"))
        timer.at(now + 0.02, lambda: ran.append("first"))
        timer.at(now + 0.03, lambda: ran.append("never")).cancel()
        assert done.wait(2)
        assert ran == ["first", "second"]

    def test_one_broken_action_stops_no_other(self, timer: TimedOutputs) -> None:
        import threading

        done = threading.Event()
        timer.at(0, lambda: 1 / 0)
        timer.at(0, done.set)
        assert done.wait(2)

    def test_a_closed_timer_refuses_rather_than_forget(self) -> None:
        timer = TimedOutputs()
        timer.close()
        with pytest.raises(RuntimeError, match="closed"):
            timer.at(0, lambda: None)
