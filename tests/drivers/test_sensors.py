"""Sensors: what a switch, a cut wire and a broken pin read."""

import asyncio
import threading
import time
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPin
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.sensors import (
    BoltMonitor,
    DigitalSensor,
    DoorContact,
    FireInput,
    PanicButton,
    Pull,
    RequestToExit,
    TamperSwitch,
)
from drivers.timed_outputs import TimedOutputs
from simulators.hardware.pins import WirePin
from simulators.hardware.timers import SteppedTimer

PIN = 4
LOW, OPEN = False, None


class Wire:
    """A sensor's pin as the world sees it, with ways for the world to be unkind."""

    def __init__(self, pins: MockFactory) -> None:
        self.pin = pins.pin(PIN, pin_class=WirePin)

    def __call__(self, level: bool | None) -> None:
        self.pin.drive(level)

    def silently(self, level: bool) -> None:
        """The level changes and the kernel drops the edge."""
        self.pin._wire = level
        self.pin._change_state(level)


@pytest.fixture
def wire(pins: MockFactory) -> "Wire":
    return Wire(pins)


def contact(pins: MockFactory, timer: TimedOutputs, told: list[Any], **options: Any) -> DoorContact:
    return DoorContact(PIN, pin_factory=pins, timer=timer, on_change=lambda *change: told.append(change), **options)


@pytest.mark.parametrize(
    ("kind", "options", "closed_loop", "open_loop"),
    [
        (DoorContact, {}, True, False),
        (BoltMonitor, {}, True, False),
        (RequestToExit, {}, True, False),
        (RequestToExit, {"normally_closed": True}, False, True),
        (FireInput, {}, False, True),
        (FireInput, {"normally_closed": False}, True, False),
        (PanicButton, {}, True, False),
        (PanicButton, {"normally_closed": True}, False, True),
        (TamperSwitch, {}, False, True),
        (DigitalSensor, {"active_low": False, "pull": Pull.UP}, False, True),
    ],
)
def test_a_cut_wire_reads_as_the_safe_side(
    pins: MockFactory,
    stepped: SteppedTimer,
    wire: "Wire",
    *,
    kind: Any,
    options: Any,
    closed_loop: bool,
    open_loop: bool,
) -> None:
    sensor = kind(PIN, pin_factory=pins, timer=stepped, **options)
    for level, expected in ((LOW, closed_loop), (OPEN, open_loop)):
        wire(level)
        stepped.advance(0.1)
        assert sensor.value is expected


def test_the_first_read_is_at_construction_and_without_a_callback(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    assert sensor.last == (True, stepped.now())
    stepped.advance(1)
    assert told == []


def test_a_bouncing_contact_is_told_once_at_the_time_it_came_to_rest(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told, debounce_s=0.03)
    for _ in range(4):
        wire(OPEN)
        stepped.advance(0.002)
        wire(LOW)
        stepped.advance(0.002)
    wire(OPEN)
    rest = stepped.now()
    stepped.advance(0.0299)
    assert told == []
    stepped.advance(0.0002)
    assert told == [(False, rest)]
    assert sensor.value is False


def test_a_glitch_shorter_than_the_debounce_time_is_nothing(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    wire(OPEN)
    stepped.advance(0.005)
    wire(LOW)
    stepped.advance(1)
    assert told == []
    assert sensor.value is True


def test_a_lost_edge_is_healed_by_rereading(pins: MockFactory, stepped: SteppedTimer, wire: "Wire") -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    wire.silently(True)
    stepped.advance(0.5)
    assert sensor.value is True, "nobody has told it yet"
    assert sensor.reread() is True
    assert sensor.value is False
    assert told == [(False, stepped.now())]
    assert sensor.reread() is False


def test_an_edge_lost_within_the_debounce_time_is_healed_by_the_read_after_it(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    wire(OPEN)
    stepped.advance(0.01)
    wire.silently(False)
    stepped.advance(0.1)
    assert sensor.value is True
    assert told == []


def test_rereading_does_not_jump_the_debounce_time(pins: MockFactory, stepped: SteppedTimer, wire: "Wire") -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    wire(OPEN)
    stepped.advance(0.005)
    assert sensor.reread() is False
    assert told == []


def test_rereading_renews_the_evidence(pins: MockFactory, stepped: SteppedTimer, wire: "Wire") -> None:
    sensor = contact(pins, stepped, [])
    stepped.advance(10)
    assert stepped.now() - sensor.last.at == 10
    sensor.reread()
    assert sensor.last.at == stepped.now()


def test_a_pin_that_cannot_be_read_is_no_evidence_and_heals(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire", monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    healthy = MockPin._get_state

    def broken(_pin: object) -> None:
        raise OSError("GPIO gone")

    with monkeypatch.context() as patch:
        patch.setattr(MockPin, "state", property(broken))
        assert sensor.read().value is None
        assert sensor.value is True, "read() looks, it does not judge"
        sensor.reread()
        assert sensor.value is None
        assert told == [(None, stepped.now())]
    assert healthy(wire.pin) is False
    assert sensor.reread() is True
    assert sensor.value is True


def test_a_contact_that_never_holds_still_is_no_evidence_until_it_does(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told = []
    sensor = contact(pins, stepped, told)
    for _ in range(150):
        wire(OPEN)
        stepped.advance(0.005)
        wire(LOW)
        stepped.advance(0.005)
        sensor.reread()
    assert sensor.value is None
    stepped.advance(0.1)
    assert sensor.value is True
    assert [value for value, _ in told] == [None, True]


def test_after_closing_nothing_is_told(pins: MockFactory, stepped: SteppedTimer, wire: "Wire") -> None:
    told = []
    sensor = contact(pins, stepped, told)
    wire(LOW)
    sensor.close()
    stepped.advance(1)
    assert told == []
    assert sensor.reread() is False


async def test_with_post_the_change_arrives_on_the_loop(pins: MockFactory, timer: TimedOutputs, wire: "Wire") -> None:
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[tuple[int, bool | None]] = asyncio.Queue()
    sensor = RequestToExit(
        PIN,
        pin_factory=pins,
        timer=timer,
        on_change=lambda value, _at: arrived.put_nowait((threading.get_ident(), value)),
        post=loop.call_soon_threadsafe,
    )
    await asyncio.to_thread(wire, LOW)
    async with asyncio.timeout(30):
        assert await arrived.get() == (threading.get_ident(), True)
    sensor.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.booleans(), st.booleans(), st.floats(min_value=0, max_value=0.1)), min_size=1, max_size=30
    )
)
def test_whatever_edges_are_lost_the_value_is_the_level_half_a_second_later(
    moves: list[tuple[bool, bool, float]],
) -> None:
    pins, stepped = MockFactory(), SteppedTimer()
    wire = Wire(pins)
    sensor = contact(pins, stepped, [])
    for level, lost, pause in moves:
        (wire.silently if lost else wire)(level)
        stepped.advance(pause)
    stepped.advance(0.5)
    sensor.reread()
    assert sensor.value is (not moves[-1][0])
    sensor.close()
    pins.reset()


def test_rereading_thirty_two_inputs_twice_a_second_costs_well_under_one_percent(
    pins: MockFactory, stepped: SteppedTimer
) -> None:
    sensors = [DoorContact(number % 26 + 2, pin_factory=pins, timer=stepped) for number in range(26)]
    began = time.process_time()
    for _ in range(100):
        for sensor in sensors:
            sensor.reread()
    a_read = (time.process_time() - began) / 2600
    assert a_read * 32 * 2 < 0.005
    for sensor in sensors:
        sensor.close()


def test_bouncing_that_ends_where_it_began_is_told_as_steady_and_not_as_a_change(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    wire(LOW)
    told: list[Any] = []
    steady: list[Any] = []
    sensor = contact(pins, stepped, told, debounce_s=0.03, on_steady=lambda *reading: steady.append(reading))
    wire(OPEN)
    wire(LOW)
    sensor.reread()
    assert sensor.last.at == stepped.now(), "the time stands still in this test until advanced"
    stepped.advance(0.02)
    sensor.reread()
    assert sensor.last.at < stepped.now(), "evidence is not renewed while the contact bounces"
    assert steady == []
    stepped.advance(0.02)
    assert (told, [value for value, _ in steady]) == ([], [True])
    assert sensor.last.at > 0.02


def test_a_bolt_is_believed_sooner_than_a_slammed_leaf(
    pins: MockFactory, stepped: SteppedTimer, wire: "Wire"
) -> None:
    bolt = BoltMonitor(PIN, pin_factory=pins, timer=stepped)
    wire(LOW)
    stepped.advance(0.011)
    assert bolt.value
