"""Makes the driver of every input from its wiring, be it a switch on a pin or on a supervised line. Decides nothing.

What an input means (which way round its switch is, what it reads at rest, how long it must hold still) is the same
for both kinds, and is said here once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from drivers import sensors
from drivers.adc import Adc, open_adc
from drivers.sensors import Reading
from drivers.soft_spi import SoftSpi
from drivers.supervised_inputs import PACE_S, REX_SAMPLES, SAMPLES, Sampler, SupervisedInput
from drivers.supervised_line import LineState
from drivers.timed_outputs import Timer
from edge_agent.agent_yaml.wiring import AdcWiring, InputWiring, SupervisedWiring
from ground.loop_poster import Post

OnChange = Callable[[bool | None, float], None]

AFTER_REX_S = (REX_SAMPLES + 5) * PACE_S
"""How long a contact or bolt on a pin must hold still where REX is on a supervised line, which is read at a pace: a
person who leaves draws the bolt a moment after the bar's switch, and must be known by then, on a busy board too."""


class InputSensor(Protocol):
    """What every input can tell."""

    @property
    def value(self) -> bool | None:
        """Its debounced value; None without evidence."""

    @property
    def last(self) -> Reading:
        """The value, and when it was last borne out (monotonic seconds)."""

    def reread(self) -> bool:
        """Look again; whether the value changed. Never waits."""

    def confirm(self) -> None:
        """Have ``on_steady`` called once a reading from now on bears the value out, if ``reread`` cannot say so."""

    def close(self) -> None:
        """Stop watching and give up the pin."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    on_pin: Any
    normally_closed: bool
    at_rest: bool
    samples: int = SAMPLES


class Role(Enum):
    """What an input is for."""

    CONTACT = _Meaning(sensors.DoorContact, normally_closed=True, at_rest=True)  # a shut door is at rest
    BOLT = _Meaning(sensors.BoltMonitor, normally_closed=True, at_rest=True)
    REX = _Meaning(sensors.RequestToExit, normally_closed=False, at_rest=False, samples=REX_SAMPLES)
    TAMPER = _Meaning(sensors.TamperSwitch, normally_closed=True, at_rest=False)
    FIRE = _Meaning(sensors.FireInput, normally_closed=True, at_rest=False)
    PANIC = _Meaning(sensors.PanicButton, normally_closed=False, at_rest=False)
    POWER = _Meaning(sensors.PowerContact, normally_closed=True, at_rest=True)  # mains there, battery good


class InputMaker:
    """The inputs of one agent. Make them all, then ``start``. ``post`` brings callbacks to the loop."""

    def __init__(self, adcs: tuple[AdcWiring, ...], *, pin_factory: Any, timer: Timer, post: Post) -> None:
        self._options: dict[str, Any] = {"timer": timer, "post": post}
        self._factory = pin_factory
        self._sampler = Sampler(timer)
        soft = SoftSpi(pin_factory)
        self._adcs: dict[str, Adc] = {
            wiring.adc: open_adc(
                wiring.adc, pin_factory=pin_factory, soft=soft, device=wiring.device, pins=wiring.pins
            )
            for wiring in adcs
        }

    def supervised(self, wiring: InputWiring | None) -> bool:
        """Whether an input is on a supervised line."""
        return isinstance(wiring, SupervisedWiring)

    def make(
        self,
        role: Role,
        wiring: InputWiring | None,
        on_change: OnChange,
        *,
        on_steady: OnChange | None = None,
        after_rex: bool = False,
    ) -> Any:
        """An input's driver (an InputSensor), or None if it is not wired.

        ``after_rex``: the door's REX is on a supervised line, and this input must not be faster. ValueError for
        resistors that cannot work, a converter that is not wired, and a channel that is used twice.
        """
        if wiring is None:
            return None
        meaning: _Meaning = role.value
        usual = meaning.normally_closed if wiring.normally_closed is None else wiring.normally_closed
        options = {"on_change": on_change, "on_steady": on_steady, "normally_closed": usual, **self._options}
        if not isinstance(wiring, SupervisedWiring):
            slower = {"debounce_s": AFTER_REX_S} if after_rex else {}
            return meaning.on_pin(wiring.pin, pin_factory=self._factory, **options, **slower)
        if wiring.adc not in self._adcs:
            raise ValueError(f"{wiring.adc!r} is not among the converters: {', '.join(sorted(self._adcs)) or 'none'}")
        switch = SupervisedInput(wiring.end_of_line, at_rest=meaning.at_rest, samples=meaning.samples, **options)
        self._sampler.connect(self._adcs[wiring.adc], wiring.channel, switch)
        return switch

    def start(self) -> None:
        """Have every supervised input settle (some milliseconds), then read on."""
        self._sampler.start()

    def close(self) -> None:
        """Give up the converters. Close the inputs on pins by themselves."""
        self._sampler.close()
        for adc in self._adcs.values():
            adc.close()


def line_of(sensor: InputSensor | None) -> LineState | None:
    """What an input's line is like; None for one that is not on a supervised line."""
    return sensor.line if isinstance(sensor, SupervisedInput) else None
