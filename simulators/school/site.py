"""One agent's share of a school, virtual but for the agent: its doors, reader lines, fire loop and panic button.

The agent is the real one, on the same drivers as on a Pi; only the pin factory and the serial device are ours.
Decides nothing: simulators.school.people moves the people, simulators.orders.site carries out orders.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Self

from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from drivers.wiegand.edges import PinEdges
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile
from protocol.words import DoorMode
from simulators.hardware.clock import VirtualClock
from simulators.hardware.readers import VirtualReaders
from simulators.hardware.wiring import COMPUTE_MODULE, VirtualWiring

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
        wiring = VirtualWiring(config, pin_factory=self._factory, timer=self._world, rng=rng, bounce=bounce)
        self.adcs = wiring.adcs
        self.doors = wiring.doors
        self.switches = wiring.switches
        self.trip = wiring.trip
        self.clock = VirtualClock(require_sync=config.require_sync)
        self.on_amber: Callable[[str], None] = lambda _door: None
        """Called on the loop with a door whose reader asks for a PIN."""
        self.on_green: Callable[[str], None] = lambda _door: None
        """Called on the loop with a door whose reader shows green."""
        self._readers = VirtualReaders(config, pin_factory=self._factory, on_colour=self._colour)
        self.lines, self.taps, self.readers = self._readers.lines, self._readers.taps, self._readers.by_name
        self.door_of = self._readers.door_of
        """Reader -> its door."""
        self.reader_of: dict[str, str] = {}
        """Door -> the name of its first reader."""
        for reader, door in self.door_of.items():
            self.reader_of.setdefault(door, reader)
        try:
            self.agent = Agent(
                config.with_devices(self._readers.devices),
                pin_factory=self._factory,
                clock=self.clock,
                edges=PinEdges(self._factory),
            )
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
        held = self.agent.doors.held.get(door)
        return None if held is None else held.state.mode

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Have something happen on the loop, if the site is still there by then."""
        self._loop.call_later(seconds, act)

    def fitted(self) -> dict[str, frozenset[str]]:
        """Every door -> which of contact, bolt, rex, tamper and reader it has."""
        return {
            name: frozenset(
                part
                for part, there in (
                    ("contact", True),
                    ("rex", True),
                    ("bolt", door.wiring.bolt is not None),
                    ("tamper", door.wiring.tamper is not None),
                    ("reader", name in self.reader_of),
                )
                if there
            )
            for name, door in self.doors.items()
        }

    def panic(self) -> None:
        """Somebody presses the panic button and lets go. ValueError if none is wired."""
        self.trip("panic", True)
        self._loop.call_later(PANIC_PRESS_S, self.trip, "panic", False)

    def _colour(self, door: str, colour: str) -> None:
        """Pass a reader's colour to the loop, from any thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: (self.on_green if colour == "green" else self.on_amber)(door))

    def _end_world(self) -> None:
        self._readers.close()
        self._world.close()
        self._factory.reset()
