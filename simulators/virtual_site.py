"""One agent's share of a school, virtual but for the agent: its doors, reader lines, fire loop and panic button.

The agent is the real one, on the same drivers as on a Pi; only the pin factory and the serial device are ours.
Decides nothing: simulators.people moves the people, simulators.site_orders carries out orders.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from typing import Self

from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from edge_agent.agent import Agent
from edge_agent.config_file import AgentFile
from edge_agent.wiring import DoorWiring
from protocol.words import DoorMode
from simulators import virtual_door
from simulators.virtual_door import VirtualDoor
from simulators.virtual_line import VirtualLine
from simulators.virtual_pins import WirePin
from simulators.virtual_reader import Buzzer, Led, VirtualOsdpReader

COMPUTE_MODULE = "a020a0"  # its 46 pins are what agent.yaml may name
BOLT_TRAVEL_S = (0.15, 0.4)
PANIC_PRESS_S = 0.5


class VirtualSite:
    """An agent and the world around it. A context manager; make it on the loop that is to run it.

    ``seed`` shapes how fast each bolt travels. Raises what :class:`Agent` raises if its files cannot be opened,
    and ValueError for a door without a REX switch, through which virtual people could not leave.
    """

    def __init__(self, config: AgentFile, *, seed: int | str = 0, bounce: bool = True) -> None:
        self.site, self.agent_name = config.site, config.agent
        rng = random.Random(f"{seed}/{config.site}/{config.agent}")
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._factory = MockFactory(revision=COMPUTE_MODULE)
        # The world has a thread of its own: its doors do not wait for an agent's loop that is busy.
        self._world = TimedOutputs()
        self.doors = {
            wiring.door: VirtualDoor(
                _door_wiring(wiring),
                pin_factory=self._factory,
                timer=self._world,
                bolt_travel_s=rng.uniform(*BOLT_TRAVEL_S),
                bounce=bounce,
            )
            for wiring in config.doors
        }
        self._fire = self._wire(config.fire.pin, closed=True) if config.fire else None
        self._panic = self._wire(config.panic.pin, closed=False) if config.panic else None
        self.on_green: Callable[[str], None] = lambda _door: None
        """Called on the loop with a door whose reader shows green."""
        self.lines: dict[str, VirtualLine] = {}
        self.readers: dict[str, VirtualOsdpReader] = {}
        self.reader_of: dict[str, str] = {}
        """Door -> the name of its reader."""
        try:
            self._string_lines(config)
            devices = {device: line.path for device, line in self.lines.items()}
            self.agent = Agent(config.with_devices(devices), pin_factory=self._factory)
        except BaseException:
            self._end_world()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.agent.close()
        self._end_world()

    async def run(self) -> None:
        """Run the agent until cancelled."""
        await self.agent.run()

    def mode(self, door: str) -> DoorMode | None:
        """What the agent holds a door to; None before it has begun. People hear it from the loudspeakers."""
        held = self.agent.controller.doors.get(door)
        return None if held is None else held.state.mode

    def fire(self, on: bool) -> None:
        """The fire alarm panel opens its relay, or closes it again. ValueError if no fire loop is wired."""
        if self._fire is None:
            raise ValueError("this agent has no fire input")
        self._fire.drive(None if on else False)

    def panic(self) -> None:
        """Somebody presses the panic button. ValueError if none is wired."""
        if self._panic is None:
            raise ValueError("this agent has no panic button")
        self._panic.drive(False)
        self._loop.call_later(PANIC_PRESS_S, self._panic.drive, None)

    def _wire(self, pin: int, *, closed: bool) -> WirePin:
        wire: WirePin = self._factory.pin(pin, pin_class=WirePin)
        wire.drive(False if closed else None)
        return wire

    def _string_lines(self, config: AgentFile) -> None:
        for wired in config.reader_lines:
            line = self.lines[wired.device] = VirtualLine(baud=wired.baud)
            for reader in wired.readers:
                self.reader_of[reader.door] = reader.reader
                self.readers[reader.reader] = VirtualOsdpReader(
                    line,
                    address=reader.address,
                    key=reader.key,
                    name=reader.reader,
                    on_shown=partial(self._shown, reader.door),
                )

    def _shown(self, door: str, shown: Led | Buzzer) -> None:
        """On the line's thread."""
        if isinstance(shown, Led) and shown.colour == "green" and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self.on_green(door))

    def _end_world(self) -> None:
        for line in self.lines.values():
            line.close()
        self._world.close()
        self._factory.reset()


def _door_wiring(wiring: DoorWiring) -> virtual_door.DoorWiring:
    if wiring.rex is None:
        raise ValueError(f"door {wiring.door!r} has no rex; a virtual door needs one, add 'rex: {{pin: …}}'")
    return virtual_door.DoorWiring(
        lock=wiring.lock.pin,
        contact=wiring.contact.pin,
        rex=wiring.rex.pin,
        bolt=wiring.bolt.pin if wiring.bolt else None,
        tamper=wiring.tamper.pin if wiring.tamper else None,
        kind=wiring.lock.kind,
        fail_mode=wiring.lock.fail_mode,
        lock_active_high=wiring.lock.active_high,
    )
