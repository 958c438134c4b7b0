"""The other side of an agent's wiring: the virtual doors, switches and converters at its pins.

Shared by the site that a real agent runs in and the one that is walked. It moves nothing by itself.
"""

from __future__ import annotations

import random
from typing import Any

from drivers.timed_outputs import Timer
from edge_agent.agent_yaml.config_file import AgentFile
from edge_agent.agent_yaml.wiring import DoorWiring, InputWiring, SwitchWiring
from simulators.hardware.adc import VirtualAdc
from simulators.hardware.door import DoorPins, VirtualDoor
from simulators.hardware.pins import WirePin
from simulators.hardware.switch import SwitchWire, VirtualSwitch

COMPUTE_MODULE = "a020a0"  # its 46 pins are what agent.yaml may name
BOLT_TRAVEL_S = (0.15, 0.4)


class VirtualWiring:
    """What hangs at the pins of ``config``, everything at rest to begin with.

    ``rng`` shapes how fast each bolt travels. ValueError for a door without a REX switch: virtual people could not
    leave.
    """

    def __init__(
        self, config: AgentFile, *, pin_factory: Any, timer: Timer, rng: random.Random, bounce: bool = True
    ) -> None:
        self._factory = pin_factory
        self._timer = timer
        self.adcs = {one.adc: VirtualAdc(pin_factory, device=one.device, pins=one.pins) for one in config.adcs}
        self.doors = {
            wiring.door: VirtualDoor(
                self._door(wiring),
                pin_factory=pin_factory,
                timer=timer,
                bolt_travel_s=rng.uniform(*BOLT_TRAVEL_S),
                bounce=bounce,
            )
            for wiring in config.doors
        }
        power = config.power
        self.switches = {
            name: self._switch(wiring, closed=usual if wiring.normally_closed is None else wiring.normally_closed)
            for name, wiring, usual in (
                ("fire", config.fire, True),
                ("panic", config.panic, False),
                ("mains", power.mains if power else None, True),
                ("battery", power.battery if power else None, True),
            )
            if wiring is not None
        }
        """The agent's own inputs, by name, each at rest to begin with."""
        self._at_rest = {name: switch.closed for name, switch in self.switches.items()}

    def trip(self, name: str, on: bool) -> None:
        """Work one of the agent's own inputs: ``fire``, ``panic``, ``mains`` (on: it has failed), ``battery`` (on: it
        is low). ValueError if it is not wired."""
        if name not in self.switches:
            raise ValueError(f"this agent has no {name} input; it has: {', '.join(self.switches) or 'none'}")
        self.switches[name].move(closed=self._at_rest[name] is not on)

    def _door(self, wiring: DoorWiring) -> DoorPins:
        if wiring.rex is None:
            raise ValueError(f"door {wiring.door!r} has no rex; a virtual door needs one, add 'rex: {{pin: …}}'")
        return DoorPins(
            lock=wiring.lock.pin,
            contact=self._wire(wiring.contact),
            rex=self._wire(wiring.rex),
            bolt=self._wire(wiring.bolt) if wiring.bolt else None,
            tamper=self._wire(wiring.tamper) if wiring.tamper else None,
            kind=wiring.lock.kind,
            fail_mode=wiring.lock.fail_mode,
            lock_active_high=wiring.lock.active_high,
        )

    def _switch(self, wiring: InputWiring, *, closed: bool) -> VirtualSwitch:
        wire = self._wire(wiring)
        connected = self._factory.pin(wire, pin_class=WirePin) if isinstance(wire, int) else wire
        return VirtualSwitch(connected, self._timer, closed=closed, bounce=False)

    def _wire(self, wiring: InputWiring) -> int | SwitchWire:
        """Where a switch is connected: a pin's number, or a channel of a converter."""
        if isinstance(wiring, SwitchWiring):
            return wiring.pin
        return self.adcs[wiring.adc].wire(wiring.channel, wiring.end_of_line)
