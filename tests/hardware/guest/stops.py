"""In the guest: what the lock lines do when the agent stops, dies and comes again; and a panic that outlives it."""

import time

import pytest

from tests.hardware.guest.lines import HeaderLines
from tests.hardware.guest.pi import Pi, until
from tests.hardware.guest.school import ENTRANCE, GYM, PANIC, SHED, UNLOCK_MS


@pytest.fixture
def raspberry_pi_os(lines: HeaderLines) -> None:
    """Outputs stay as driven when their process is gone: the default of Raspberry Pi OS."""
    lines.keep_freed_outputs(True)


@pytest.fixture
def upstream_kernel(lines: HeaderLines) -> None:
    """Outputs of a process that is gone become inputs again, and the board's resistors decide."""
    lines.keep_freed_outputs(False)


@pytest.mark.usefixtures("raspberry_pi_os")
def test_an_agent_told_to_stop_lets_out_who_is_leaving_and_leaves_every_lock_locked(
    pi: Pi, lines: HeaderLines
) -> None:
    pi.start()
    lines.ground(GYM.rex)
    until(lambda: not lines.high(GYM.lock), "the maglock's release")
    lines.let_go(GYM.rex)
    told = time.monotonic()
    assert pi.stop() == 0
    assert time.monotonic() - told > UNLOCK_MS / 1000 / 3, "it did not cut the release short"
    assert (lines.high(ENTRANCE.lock), lines.high(GYM.lock), lines.high(SHED.lock)) == (False, True, False)


@pytest.mark.usefixtures("raspberry_pi_os")
def test_a_killed_agent_leaves_the_pins_as_they_were_and_the_next_one_locks(pi: Pi, lines: HeaderLines) -> None:
    pi.start()
    lines.ground(GYM.rex)
    until(lambda: not lines.high(GYM.lock), "the maglock's release")
    pi.kill()
    lines.let_go(GYM.rex)
    assert not lines.high(GYM.lock), "nobody is left to end the release"
    assert not lines.high(ENTRANCE.lock)
    with pi.running():
        until(lambda: lines.high(GYM.lock), "the lock by the agent that came next")
        assert not lines.high(ENTRANCE.lock)


@pytest.mark.usefixtures("upstream_kernel")
def test_without_persistent_pins_a_killed_agents_locks_fail_as_without_power(pi: Pi, lines: HeaderLines) -> None:
    lines.ground(ENTRANCE.lock, GYM.lock)  # a relay board at rest pulls its inputs down
    pi.start()
    assert lines.high(GYM.lock)
    pi.kill()
    assert not lines.high(GYM.lock), "fail-safe: it lets go"
    assert not lines.high(ENTRANCE.lock), "fail-secure: it stays locked"


def test_a_panic_secures_every_door_with_no_network_and_outlives_a_kill(pi: Pi, lines: HeaderLines) -> None:
    pi.start()
    lines.ground(PANIC)
    for door in ("entrance", "gym", "shed"):
        pi.wait_for("mode_changed", door, to="secured")
    assert pi.events("panic_pressed")
    lines.let_go(PANIC)
    pi.kill()
    with pi.running():
        for door in ("entrance", "gym", "shed"):
            pi.wait_for("mode_changed", door, to="secured")
        assert (lines.high(ENTRANCE.lock), lines.high(GYM.lock), lines.high(SHED.lock)) == (False, True, False)
