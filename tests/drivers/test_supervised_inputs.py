"""Supervised inputs, read by the real driver from a virtual MCP3008, bit by bit over mock pins."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.adc import Adc, NoAnswerError, open_adc
from drivers.sensors import CHATTER_S
from drivers.soft_spi import SoftSpi
from drivers.supervised_inputs import PACE_S, SAMPLES, STALE_S, Sampler, SupervisedInput
from drivers.supervised_line import EndOfLine, LineState
from drivers.timed_outputs import TimedOutputs
from simulators.hardware.adc import SupervisedWire, VirtualAdc
from simulators.hardware.switch import WireFault
from simulators.hardware.timers import SteppedTimer
from tests.support.waiting import until

CONTACT, FIRE = 2, 7
CLOSED, OPEN = False, None


class Bench:
    """A chip with a door contact and a fire loop, and a sampler that is swept by hand."""

    def __init__(self, pins: MockFactory, timer: SteppedTimer) -> None:
        self.timer = timer
        self.chip = VirtualAdc(pins)
        self.wires = {channel: self.chip.wire(channel, EndOfLine()) for channel in (CONTACT, FIRE)}
        for wire in self.wires.values():
            wire.drive(CLOSED)
        self.told: list[Any] = []
        self.steady: list[Any] = []
        self.adc = open_adc("adc0", pin_factory=pins, soft=SoftSpi(pins))
        self.contact = SupervisedInput(
            EndOfLine(),
            timer=timer,
            normally_closed=True,
            at_rest=True,
            on_change=lambda *change: self.told.append(change),
            on_steady=lambda *change: self.steady.append(change),
        )
        self.fire = SupervisedInput(EndOfLine(), timer=timer, normally_closed=True, at_rest=False)
        self.sampler = Sampler(timer)
        self.sampler.connect(self.adc, CONTACT, self.contact)
        self.sampler.connect(self.adc, FIRE, self.fire)
        for _ in range(SAMPLES):
            self.sampler.sweep()
        self.contact.report()

    @property
    def wire(self) -> SupervisedWire:
        return self.wires[CONTACT]

    def shows(self) -> tuple[bool | None, LineState]:
        """The contact."""
        return self.contact.value, self.contact.line

    def sweep(self, times: int = SAMPLES) -> None:
        for _ in range(times):
            self.timer.advance(PACE_S)
            self.sampler.sweep()

    def close(self) -> None:
        self.sampler.close()
        self.adc.close()


@pytest.fixture
def bench(pins: MockFactory, stepped: SteppedTimer) -> Iterator[Bench]:
    made = Bench(pins, stepped)
    yield made
    made.close()


def test_a_door_that_opens_and_shuts_is_read_through_its_line(bench: Bench) -> None:
    assert bench.shows() == (True, LineState.NORMAL)
    bench.wire.drive(OPEN)
    bench.sweep()
    assert bench.shows() == (False, LineState.ACTIVE)
    bench.wire.drive(CLOSED)
    bench.sweep()
    assert [value for value, _ in bench.told] == [False, True]
    assert bench.fire.value is False, "the channel beside it saw nothing of it"


@pytest.mark.parametrize(
    ("fault", "line"), [(WireFault.CUT, LineState.CUT), (WireFault.SHORT, LineState.SHORT)], ids=["cut", "short"]
)
@pytest.mark.parametrize("level", [CLOSED, OPEN], ids=["door shut", "door open"])
def test_a_line_that_is_cut_or_shorted_gives_no_reading_and_says_which(
    bench: Bench, fault: WireFault, line: LineState, level: bool | None
) -> None:
    bench.wire.drive(level)
    bench.sweep()
    bench.wire.break_line(fault)
    bench.sweep()
    assert bench.shows() == (None, line)
    bench.wire.break_line(WireFault.NONE)
    bench.sweep()
    assert bench.contact.value is (level is CLOSED)


def test_a_cut_that_becomes_a_short_is_told_though_the_value_is_none_all_along(bench: Bench) -> None:
    bench.wire.break_line(WireFault.CUT)
    bench.sweep()
    bench.wire.break_line(WireFault.SHORT)
    bench.sweep()
    assert [value for value, _ in bench.told] == [None, None]


def test_a_wrong_resistor_or_a_corroded_splice_is_no_reading(bench: Bench) -> None:
    bench.wire.refit(EndOfLine(series=470))
    bench.sweep()
    assert bench.shows() == (None, LineState.UNKNOWN)
    bench.wire.refit(EndOfLine())
    bench.sweep()
    assert bench.contact.value is True
    bench.wire.splice(400)
    bench.sweep()
    assert bench.shows() == (None, LineState.UNKNOWN)


def test_one_odd_reading_changes_nothing_and_renews_nothing(bench: Bench) -> None:
    at = bench.contact.last.at
    bench.chip.noise = 300
    bench.sweep(1)
    bench.chip.noise = 0
    bench.sweep(SAMPLES - 1)
    assert bench.contact.last == (True, at)
    bench.sweep(1)
    assert bench.contact.last == (True, bench.timer.now())
    assert bench.told == []


def test_a_contact_that_never_holds_still_is_no_evidence(bench: Bench) -> None:
    for _ in range(int(CHATTER_S / PACE_S) + 2):
        bench.wire.drive(OPEN if bench.wire._closed else CLOSED)
        bench.sweep(1)
    assert bench.contact.value is None


def test_a_change_carries_the_time_at_which_it_began(bench: Bench) -> None:
    began = bench.timer.now() + PACE_S
    bench.wire.drive(OPEN)
    bench.sweep()
    assert bench.told == [(False, pytest.approx(began))]


def test_a_converter_without_power_gives_no_reading_and_is_logged_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "drivers"):
        bench.chip.powered = False
        bench.sweep(10)
        assert (bench.contact.value, bench.fire.value) == (None, None)
        assert (bench.contact.line, bench.fire.line) == (LineState.UNKNOWN, LineState.UNKNOWN)
        with pytest.raises(NoAnswerError):
            bench.adc.read(CONTACT)
        bench.chip.powered = True
        bench.sweep()
    assert bench.contact.value is True
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]


def test_a_bus_that_is_held_low_is_a_dead_converter_and_not_a_short_of_every_line(bench: Bench) -> None:
    bench.chip.noise = -1023
    bench.sweep()
    assert bench.shows() == (None, LineState.UNKNOWN)
    bench.chip.noise = 0
    bench.wire.break_line(WireFault.SHORT)
    bench.sweep()
    assert bench.shows() == (None, LineState.SHORT)


def test_a_bus_that_fails_gives_no_reading_and_the_others_go_on(
    pins: MockFactory, stepped: SteppedTimer, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def transfer(self, data: list[int]) -> list[int]:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            pass

    bench = Bench(pins, stepped)
    other = SupervisedInput(EndOfLine(), timer=stepped, normally_closed=True, at_rest=True)
    bench.sampler.connect(Adc("adc1", Broken()), 0, other)
    bench.sweep(5)
    assert (other.value, bench.contact.value) == (None, True)
    assert len([record for record in caplog.records if record.exc_info]) == 1
    bench.close()


def test_a_sampler_that_has_died_leaves_no_stale_value(bench: Bench) -> None:
    bench.timer.advance(STALE_S)
    bench.contact.reread()
    assert bench.contact.value is True
    bench.timer.advance(0.1)
    assert bench.contact.reread() is True
    assert bench.contact.value is None
    bench.sweep()
    assert bench.contact.value is True


def test_what_was_asked_to_be_confirmed_is_told_once_and_read_afterwards(bench: Bench) -> None:
    bench.contact.confirm()
    asked = bench.timer.now()
    bench.sampler.sweep()
    assert bench.steady == [], "a reading of the same instant proves nothing of what came before it"
    bench.sweep(3)
    ((value, at),) = bench.steady
    assert value is True
    assert at > asked


def test_a_channel_is_for_one_input(bench: Bench) -> None:
    with pytest.raises(ValueError, match="channel 2 of adc0 is used for two inputs"):
        bench.sampler.connect(bench.adc, CONTACT, bench.fire)


def test_two_converters_share_a_bus_but_for_their_select_lines(pins: MockFactory) -> None:
    chips = [VirtualAdc(pins, device=device) for device in (0, 1)]
    chips[0].wire(0, EndOfLine()).drive(CLOSED)
    chips[1].wire(0, EndOfLine()).break_line(WireFault.SHORT)
    soft = SoftSpi(pins)
    first, second = (open_adc(f"adc{device}", pin_factory=pins, soft=soft, device=device) for device in (0, 1))
    assert (first.read(0), second.read(0), first.read(1)) == (320, 0, 1023)
    first.close()
    assert second.read(0) == 0
    second.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(["open", "close", "cut", "short", "mend", "noise", "power"]), max_size=12))
def test_through_any_history_a_value_is_what_a_sound_line_shows_and_else_none(acts: list[str]) -> None:
    pins = MockFactory()
    bench = Bench(pins, SteppedTimer())
    closed, fault = True, WireFault.NONE
    for act in acts:
        match act:
            case "open" | "close":
                closed = act == "close"
                bench.wire.drive(CLOSED if closed else OPEN)
            case "cut" | "short" | "mend":
                fault = {"cut": WireFault.CUT, "short": WireFault.SHORT, "mend": WireFault.NONE}[act]
                bench.wire.break_line(fault)
            case "noise":
                bench.chip.noise = 5 if bench.chip.noise == 0 else 0
            case "power":
                bench.chip.powered = not bench.chip.powered
        bench.sweep()
        sound = fault is WireFault.NONE and bench.chip.powered
        assert bench.contact.value is (closed if sound else None)
    bench.close()
    pins.reset()


async def test_on_its_thread_the_sampler_reads_by_itself_and_is_silent_until_started(
    pins: MockFactory, timer: TimedOutputs
) -> None:
    chip = VirtualAdc(pins)
    wire = chip.wire(0, EndOfLine())
    told: list[bool | None] = []
    switch = SupervisedInput(
        EndOfLine(), timer=timer, normally_closed=True, at_rest=True, on_change=lambda value, _at: told.append(value)
    )
    sampler = Sampler(timer)
    sampler.connect(open_adc("adc0", pin_factory=pins, soft=SoftSpi(pins)), 0, switch)
    wire.drive(CLOSED)
    sampler.start()
    assert (switch.value, told) == (True, [])
    wire.drive(OPEN)
    await until(lambda: told == [False], "the open door")
    sampler.close()
