"""A virtual MCP3008, bit by bit on mock pins, with a resistor network at each channel.

A driver that clocks bits into it (drivers.soft_spi) reads the voltage that the network makes. A supervised line is
one pull-up, two end-of-line resistors and a switch; its wire can be cut, shorted, damp, or have a wrong resistor.
"""

from __future__ import annotations

import math
from typing import Any

from gpiozero.pins.mock import MockPin

from drivers.adc import BOARD_PINS, CHANNELS
from drivers.supervised_line import FULL_SCALE, EndOfLine
from simulators.hardware.switch import WireFault

CONFIG_BITS = 4  # single-ended, and three of the channel
ANSWER_BITS = 12  # one to sample, the null bit, ten of the answer


class AdcPin(MockPin):  # type: ignore[misc]
    """An output that passes every level on to its chips."""

    def __init__(self, factory: Any, info: Any) -> None:
        self.chips: list[VirtualAdc] = []
        super().__init__(factory, info)

    def _change_state(self, value: bool) -> bool:
        changed = bool(super()._change_state(value))
        if changed:
            for chip in self.chips:
                chip.edge(self)
        self.states.clear()  # this history, which nothing reads, would grow for as long as the converter is read
        return changed


class SupervisedWire:
    """The wire of one channel, for simulators.hardware.switch: a switch between two end-of-line resistors."""

    def __init__(self, adc: VirtualAdc, channel: int, line: EndOfLine) -> None:
        self.line = line
        self.extra_ohms = 0.0  # of the wire itself, or of a bad splice
        self._adc = adc
        self._channel = channel
        self._closed = False
        self._fault = WireFault.NONE
        self._show()

    def drive(self, level: bool | None) -> None:
        """False: the switch is closed. None (or True): it is open."""
        self._closed = level is False
        self._show()

    def break_line(self, fault: WireFault) -> None:
        """CUT or SHORT the wires, or NONE to mend them."""
        self._fault = fault
        self._show()

    def splice(self, extra_ohms: float) -> None:
        """Put a resistance into the wire: of length, of corrosion."""
        self.extra_ohms = extra_ohms
        self._show()

    def refit(self, line: EndOfLine) -> None:
        """Solder other end-of-line resistors in. The pull-up is the board's and stays what it is in ``line``."""
        self.line = line
        self._show()

    def _show(self) -> None:
        ohms = self.line.series + (0 if self._closed else self.line.parallel) + self.extra_ohms
        if self._fault is WireFault.CUT:
            ohms = math.inf
        elif self._fault is WireFault.SHORT:
            ohms = 0
        self._adc.set_ohms(self._channel, ohms, pull_up=self.line.pull_up)


class VirtualAdc:
    """One chip. Make it before the driver claims the pins. Not for several threads but as one word is written.

    ``device`` or ``pins`` as of the wiring (edge_agent.agent_yaml.wiring.AdcWiring).
    """

    def __init__(self, pin_factory: Any, *, device: int = 0, pins: tuple[int, int, int, int] | None = None) -> None:
        clock, mosi, miso, select = BOARD_PINS[device] if pins is None else pins
        self._clock = pin_factory.pin(clock, pin_class=AdcPin)
        self._select = pin_factory.pin(select, pin_class=AdcPin)
        self._mosi: Any = pin_factory.pin(mosi, pin_class=AdcPin)
        self._miso: Any = pin_factory.pin(miso, pin_class=AdcPin)
        self._voltages = [FULL_SCALE] * CHANNELS  # nothing connected but the pull-up
        self._bits: list[bool] = []
        self._answer: list[int] = []
        self._selected = False
        self.powered = True
        """Without power it drives nothing: the pull-up at MISO is all that is read."""
        self.noise = 0
        """Added to every reading; a test may change it as it likes."""
        for pin in (self._clock, self._select):
            pin.chips.append(self)

    def wire(self, channel: int, line: EndOfLine) -> SupervisedWire:
        """Connect a supervised line with its switch open; a :class:`simulators.hardware.switch.Wire`."""
        return SupervisedWire(self, channel, line)

    def set_ohms(self, channel: int, ohms: float, *, pull_up: float) -> None:
        """The resistance from the channel to ground; infinity for none."""
        self._voltages[channel] = FULL_SCALE if math.isinf(ohms) else round(FULL_SCALE * ohms / (ohms + pull_up))

    def edge(self, pin: AdcPin) -> None:
        """The clock or the select line moved."""
        if pin is self._select:
            self._selected = not pin.state
            self._bits, self._answer = [], []
            self._drive(None)
        elif self._selected and self._clock.state:
            self._clock_in()

    def _clock_in(self) -> None:
        if self._answer:
            self._drive(bool(self._answer.pop(0)))
            return
        bit = bool(self._mosi.state)
        if self._bits or bit:  # zeros before the start bit are nothing
            self._bits.append(bit)
        self._drive(None)
        if len(self._bits) == 1 + CONFIG_BITS:
            _, single, *channel = self._bits
            self._convert(sum(bit << place for place, bit in zip((2, 1, 0), channel, strict=True)), single=single)
            self._bits = []

    def _convert(self, channel: int, *, single: bool) -> None:
        value = self._voltages[channel]
        if not single:  # against its neighbour, as the data sheet pairs them; never below nothing
            value = max(0, value - self._voltages[channel ^ 1])
        value = min(FULL_SCALE, max(0, value + self.noise))
        digits = [value >> place & 1 for place in range(9, -1, -1)]
        self._answer = [1, 0, *digits]
        assert len(self._answer) == ANSWER_BITS

    def _drive(self, level: bool | None) -> None:
        """On MISO. None: nothing, and the pull-up decides."""
        if self._miso.function != "input":
            return
        if level is None or not self.powered or level:
            self._miso.drive_high()
        else:
            self._miso.drive_low()
