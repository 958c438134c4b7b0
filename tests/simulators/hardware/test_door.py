"""The virtual door behaves like a door, seen through the very drivers the agent uses."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.gpio import FailMode, LockKind, LockOutput
from drivers.sensors import BoltMonitor, DoorContact, RequestToExit, TamperSwitch
from simulators.hardware.door import DoorInput, DoorPins, VirtualDoor
from simulators.hardware.switch import WireFault
from simulators.hardware.timers import LoopTimer, SteppedTimer

WIRING = DoorPins(lock=17, contact=4, rex=5, bolt=6, tamper=7)
SETTLE_S = 0.4  # bolt travel and debouncing


class Opening:
    """A door, its drivers, and time that is stepped by hand."""

    def __init__(
        self, *, kind: LockKind = LockKind.STRIKE, fail_mode: FailMode = FailMode.FAIL_SECURE, **door: Any
    ) -> None:
        self.pins = MockFactory()
        self.time = SteppedTimer()
        self.wiring = DoorPins(lock=17, contact=4, rex=5, bolt=6, tamper=7, kind=kind, fail_mode=fail_mode)
        self.door = VirtualDoor(self.wiring, pin_factory=self.pins, timer=self.time, **door)
        self.told: list[tuple[str, bool | None]] = []
        self.lock = self.claim_lock()
        self.contact = DoorContact(4, on_change=lambda v, _at: self.told.append(("closed", v)), **self._board)
        self.bolt = BoltMonitor(6, on_change=lambda v, _at: self.told.append(("thrown", v)), **self._board)
        self.rex = RequestToExit(5, on_change=lambda v, _at: self.told.append(("rex", v)), **self._board)
        self.tamper = TamperSwitch(7, on_change=lambda v, _at: self.told.append(("tampered", v)), **self._board)
        self.time.advance(SETTLE_S)
        self.told.clear()

    @property
    def _board(self) -> dict[str, Any]:
        return {"pin_factory": self.pins, "timer": self.time}

    def claim_lock(self) -> LockOutput:
        return LockOutput(17, kind=self.wiring.kind, fail_mode=self.wiring.fail_mode, **self._board)

    @property
    def reads(self) -> tuple[bool | None, bool | None]:
        """Closed and thrown, as the drivers have it once everything has come to rest."""
        self.time.advance(SETTLE_S)
        return self.contact.value, self.bolt.value


@pytest.fixture
def opening() -> Iterator[Opening]:
    made = Opening()
    yield made
    made.pins.reset()


ALL_LOCKS = [
    (LockKind.STRIKE, FailMode.FAIL_SECURE),
    (LockKind.STRIKE, FailMode.FAIL_SAFE),
    (LockKind.MAGLOCK, FailMode.FAIL_SAFE),
]


@pytest.mark.parametrize(("kind", "fail_mode"), ALL_LOCKS)
def test_a_locked_door_is_closed_and_thrown_and_holds(kind: LockKind, fail_mode: FailMode) -> None:
    opening = Opening(kind=kind, fail_mode=fail_mode)
    assert opening.reads == (True, True)
    assert not opening.door.person_opens()
    assert opening.door.leaf_closed


@pytest.mark.parametrize(("kind", "fail_mode"), ALL_LOCKS)
def test_a_released_door_reads_not_thrown_and_opens(kind: LockKind, fail_mode: FailMode) -> None:
    opening = Opening(kind=kind, fail_mode=fail_mode)
    opening.lock.release()
    assert opening.reads == (True, False)
    assert opening.door.person_opens()
    assert opening.reads[0] is False


@pytest.mark.parametrize(("kind", "fail_mode"), ALL_LOCKS)
@pytest.mark.parametrize("jammed", [True, False])
@pytest.mark.parametrize("released", [True, False])
def test_from_inside_the_door_opens_in_every_state(
    kind: LockKind, fail_mode: FailMode, jammed: bool, released: bool
) -> None:
    opening = Opening(kind=kind, fail_mode=fail_mode)
    opening.door.jam(jammed)
    if released:
        opening.lock.release()
    assert opening.door.person_opens(1, from_inside=True)
    assert not opening.door.leaf_closed
    opening.time.advance(0.1)
    assert opening.rex.value is True
    opening.time.advance(2)
    assert opening.rex.value is False


def test_the_bolt_takes_its_time(opening: Opening) -> None:
    opening.lock.release()
    opening.time.advance(0.29)
    assert opening.door.bolt_thrown
    opening.time.advance(0.02)
    assert not opening.door.bolt_thrown


def test_a_relock_while_the_bolt_draws_back_leaves_it_thrown(opening: Opening) -> None:
    opening.lock.release()
    opening.time.advance(0.05)
    assert not opening.bolt.value, "the monitor knows the fully thrown bolt only"
    assert opening.door.bolt_thrown
    opening.lock.lock()
    opening.time.advance(0.1)
    assert opening.reads == (True, True)
    assert opening.door.bolt_thrown


def test_an_instant_bolt_is_instant() -> None:
    opening = Opening(bolt_travel_s=0)
    opening.lock.release()
    assert not opening.door.bolt_thrown


def test_a_person_lets_the_door_fall_shut_and_the_bolt_throws_again(opening: Opening) -> None:
    opening.lock.release_for(2)
    opening.time.advance(1)
    assert opening.door.person_opens(hold_s=3)
    opening.time.advance(2.9)
    assert opening.contact.value is False
    opening.time.advance(0.1)
    assert opening.reads == (True, True)


def test_bouncing_contacts_are_told_once(opening: Opening) -> None:
    opening.door.force_open()
    opening.time.advance(1)
    opening.door.close()
    opening.time.advance(1)
    assert opening.told == [("closed", False), ("closed", True)]


def test_contacts_really_bounce(opening: Opening) -> None:
    pin = opening.pins.pin(4)
    pin.clear_states()
    opening.door.force_open()
    opening.time.advance(1)
    assert [state.state for state in pin.states] == [False, True, False, True, False, True]


def test_a_forced_door_opens_with_its_bolt_thrown(opening: Opening) -> None:
    opening.door.force_open()
    assert opening.reads == (False, True)


def test_a_propped_door_stays_open_until_the_prop_is_taken_away(opening: Opening) -> None:
    opening.lock.release()
    opening.time.advance(1)
    opening.door.person_opens(hold_s=1)
    opening.door.prop()
    opening.lock.lock()
    opening.time.advance(60)
    assert opening.reads[0] is False
    opening.door.prop(False)
    assert opening.reads == (True, True)


def test_a_jammed_bolt_cannot_throw_and_the_door_does_not_hold(opening: Opening) -> None:
    opening.door.jam()
    assert opening.reads == (True, False)
    assert opening.door.person_opens()
    assert opening.reads[0] is False


def test_a_jam_does_not_matter_while_the_door_is_open(opening: Opening) -> None:
    opening.door.force_open()
    opening.door.jam()
    assert opening.reads == (False, True)
    opening.door.close()
    assert opening.reads == (True, False)
    opening.door.jam(False)
    assert opening.reads == (True, True)


def test_a_weak_latch_does_not_catch_until_the_door_is_shut_firmly(opening: Opening) -> None:
    opening.door.weaken_latch()
    opening.door.force_open()
    opening.door.close()
    assert opening.reads == (True, False)
    opening.door.force_open()
    opening.door.close(firmly=True)
    assert opening.reads == (True, True)


def test_a_disconnected_contact_reads_open_while_the_door_is_shut(opening: Opening) -> None:
    opening.door.break_wire(DoorInput.CONTACT, WireFault.CUT)
    assert opening.reads[0] is False
    assert opening.door.leaf_closed
    opening.door.break_wire(DoorInput.CONTACT, WireFault.NONE)
    assert opening.reads[0] is True


def test_a_pulled_cover_is_tampering(opening: Opening) -> None:
    opening.door.pull_tamper()
    opening.time.advance(0.1)
    assert opening.tamper.value is True
    opening.door.pull_tamper(False)
    opening.time.advance(0.1)
    assert opening.tamper.value is False


@pytest.mark.parametrize(
    ("kind", "fail_mode", "holds"),
    [
        (LockKind.STRIKE, FailMode.FAIL_SECURE, True),
        (LockKind.STRIKE, FailMode.FAIL_SAFE, False),
        (LockKind.MAGLOCK, FailMode.FAIL_SAFE, False),
    ],
)
def test_without_power_fail_secure_holds_and_fail_safe_lets_go(
    kind: LockKind, fail_mode: FailMode, holds: bool
) -> None:
    opening = Opening(kind=kind, fail_mode=fail_mode)
    opening.door.lock_power(False)
    opening.time.advance(1)
    assert opening.door.holds is holds
    opening.door.lock_power(True)
    opening.time.advance(1)
    assert opening.door.holds is True


@pytest.mark.parametrize(("kind", "fail_mode"), ALL_LOCKS)
def test_when_the_program_ends_the_lock_loses_its_current_and_the_next_one_finds_it(
    kind: LockKind, fail_mode: FailMode
) -> None:
    opening = Opening(kind=kind, fail_mode=fail_mode)
    opening.lock.close()
    opening.time.advance(1)
    assert opening.door.released is (fail_mode is FailMode.FAIL_SAFE)
    opening.lock = opening.claim_lock()
    opening.time.advance(1)
    assert opening.door.holds


def test_a_door_without_bolt_or_tamper_switch_is_a_door() -> None:
    pins, stepped = MockFactory(), SteppedTimer()
    door = VirtualDoor(DoorPins(lock=17, contact=4, rex=5), pin_factory=pins, timer=stepped)
    assert door.holds
    with pytest.raises(ValueError, match="no tamper"):
        door.pull_tamper()


def test_two_things_cannot_share_a_pin() -> None:
    with pytest.raises(ValueError, match="one pin"):
        DoorPins(lock=17, contact=4, rex=4)


async def test_a_door_also_lives_on_the_loops_time() -> None:
    pins, loop_time = MockFactory(), LoopTimer(asyncio.get_running_loop())
    door = VirtualDoor(WIRING, pin_factory=pins, timer=loop_time, bolt_travel_s=0.02)
    lock = LockOutput(17, kind=WIRING.kind, fail_mode=WIRING.fail_mode, pin_factory=pins, timer=loop_time)
    moved = asyncio.Event()
    door.on_move = moved.set
    await asyncio.to_thread(lock.release)
    async with asyncio.timeout(30):
        await moved.wait()
    assert not door.bolt_thrown
    lock.close()
    pins.reset()


def test_stepped_time_runs_actions_in_order_and_each_at_its_moment() -> None:
    stepped = SteppedTimer(0)
    seen: list[tuple[str, float]] = []
    stepped.at(2, lambda: seen.append(("second", stepped.now())))
    stepped.at(1, lambda: stepped.at(1.5, lambda: seen.append(("nested", stepped.now()))) and None)
    stepped.at(1, lambda: seen.append(("never", 0))).cancel()
    stepped.advance(3)
    assert seen == [("nested", 1.5), ("second", 2)]
    assert stepped.now() == 3
    with pytest.raises(ValueError, match="back"):
        stepped.advance(-1)
