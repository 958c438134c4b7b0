"""What a person sees and hears at a Wiegand reader, on mock pins and stepped time."""

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.readers import Show
from drivers.wiegand.signals import SIGNALS, ReaderSignals
from simulators.hardware.timers import SteppedTimer

LED, BUZZER = 23, 24


class Rig:
    """A reader's two wires and time to step."""

    def __init__(self, *, active_high: bool = False) -> None:
        self.factory = MockFactory()
        self.timer = SteppedTimer()
        self.signals = ReaderSignals(LED, BUZZER, pin_factory=self.factory, timer=self.timer, active_high=active_high)
        self.active_high = active_high

    def on(self, pin: int) -> bool:
        return bool(self.factory.pin(pin).state) is self.active_high

    def seen(self, pin: int, tenths: int) -> str:
        """What the wire does, a mark for each tenth of a second."""
        marks = ""
        self.timer.advance(0.05)
        for _ in range(tenths):
            marks += "#" if self.on(pin) else "."
            self.timer.advance(0.1)
        return marks


@pytest.mark.parametrize("active_high", [False, True])
def test_dark_and_silent_until_something_is_shown(active_high: bool) -> None:
    rig = Rig(active_high=active_high)
    assert not rig.on(LED)
    assert not rig.on(BUZZER)


def test_a_grant_is_green_for_three_seconds_and_one_short_beep() -> None:
    rig = Rig()
    rig.signals.show(Show.GRANTED)
    assert rig.seen(LED, 35) == "#" * 30 + "." * 5
    rig.signals.show(Show.GRANTED)
    assert rig.seen(BUZZER, 10) == "##........"


def test_a_denial_is_three_beeps_and_never_green() -> None:
    rig = Rig()
    rig.signals.show(Show.DENIED)
    assert rig.seen(BUZZER, 8) == "#.#.#..."
    rig.signals.show(Show.DENIED)
    assert rig.seen(LED, 30) == "." * 30


def test_a_denial_ends_the_green_of_a_grant() -> None:
    rig = Rig()
    rig.signals.show(Show.GRANTED)
    rig.signals.show(Show.DENIED)
    assert "#" not in rig.seen(LED, 35)


def test_lockdown_blinks_until_it_is_over_and_comes_back_after_what_passes() -> None:
    rig = Rig()
    rig.signals.show(Show.LOCKDOWN)
    assert rig.seen(LED, 8) == "##..##.."
    rig.signals.show(Show.GRANTED)
    assert rig.seen(LED, 34) == "#" * 30 + "##.."
    rig.signals.show(Show.IDLE)
    assert rig.seen(LED, 8) == "." * 8


def test_what_stays_leaves_what_passes_to_its_end() -> None:
    rig = Rig()
    rig.signals.show(Show.GRANTED)
    rig.timer.advance(1)
    rig.signals.show(Show.LOCKDOWN)
    assert rig.seen(LED, 24) == "#" * 20 + "##.."


def test_showing_again_what_stays_does_not_disturb_its_rhythm() -> None:
    rig = Rig()
    rig.signals.show(Show.LOCKDOWN)
    rig.timer.advance(0.2)
    rig.signals.show(Show.LOCKDOWN)
    assert rig.seen(LED, 4) == "..##"


def test_a_pin_is_asked_for_ten_seconds_without_a_sound() -> None:
    rig = Rig()
    rig.signals.show(Show.ENTER_PIN)
    marks = rig.seen(LED, 120)
    assert marks.startswith("###...###...")
    assert marks.rindex("#") < 102
    assert not rig.on(BUZZER)


def test_a_warning_sounds_for_five_seconds_and_leaves_the_lamp_alone() -> None:
    rig = Rig()
    rig.signals.show(Show.WARNING)
    assert rig.seen(BUZZER, 60) == "#####....." * 5 + "." * 10
    rig.signals.show(Show.WARNING)
    assert "#" not in rig.seen(LED, 10)


def test_a_lamp_without_a_buzzer_and_neither_are_fine() -> None:
    factory, timer = MockFactory(), SteppedTimer()
    ReaderSignals(LED, None, pin_factory=factory, timer=timer).show(Show.DENIED)
    for signal in Show:
        ReaderSignals(None, None, pin_factory=factory, timer=timer).show(signal)
    assert set(SIGNALS) == set(Show)


def test_closed_it_is_dark_and_nothing_wakes_it() -> None:
    rig = Rig()
    rig.signals.show(Show.LOCKDOWN)
    rig.signals.close()
    rig.timer.advance(5)
    rig.signals.show(Show.GRANTED)
    factory_pin = rig.factory.pin(LED)
    assert factory_pin.function == "input"
