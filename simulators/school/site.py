"""One agent's share of a school, virtual but for the agent: its doors, reader lines, fire loop and panic button.

The agent is the real one, on the same drivers as on a Pi; only the pin factory and the serial device are ours.
Decides nothing: simulators.school.people moves the people, simulators.orders.site carries out orders.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Protocol, Self

from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from drivers.wiegand.edges import PinEdges
from edge_agent.agent import Agent
from edge_agent.agent_yaml.config_file import AgentFile
from protocol.words import DoorMode
from simulators.hardware.clock import VirtualClock
from simulators.hardware.line import VirtualLine
from simulators.hardware.line_tap import LineTap
from simulators.hardware.osdp_reader import Buzzer, Led, VirtualOsdpReader
from simulators.hardware.readers_at_doors import SerialAtDoor, WiegandAtDoor, serial_readers
from simulators.hardware.wiring import COMPUTE_MODULE, VirtualWiring

PANIC_PRESS_S = 0.5


class VirtualReader(Protocol):
    """What any virtual reader can be made to do."""

    @property
    def leds(self) -> list[str]:
        """The colours it was told to show, oldest first."""

    @property
    def granted(self) -> bool:
        """Whether it was ever told to show green."""

    def swipe(self, bits: int, data: bytes) -> None:
        """Present a card."""

    def press(self, keys: str) -> None:
        """Press keys of its keypad: 0-9, ``*`` and ``#``."""

    def unplug(self) -> None:
        """Pull its data wires."""

    def plug(self) -> None:
        """Put them back."""

    def noise(self, seed: int) -> None:
        """Noise on its data wires, always the same for a seed."""


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
        self._stack = ExitStack()
        self._factory = MockFactory(revision=COMPUTE_MODULE)
        # The world has a thread of its own: its doors do not wait for an agent's loop that is busy.
        self._world = TimedOutputs()
        wiring = VirtualWiring(config, pin_factory=self._factory, timer=self._world, rng=rng, bounce=bounce)
        self.adcs = wiring.adcs
        self.doors = wiring.doors
        self.switches = wiring.switches
        """The agent's own inputs, by name, each at rest to begin with."""
        self._at_rest = {name: switch.closed for name, switch in self.switches.items()}
        self.clock = VirtualClock(require_sync=config.require_sync)
        self.on_amber: Callable[[str], None] = lambda _door: None
        """Called on the loop with a door whose reader asks for a PIN."""
        self.on_green: Callable[[str], None] = lambda _door: None
        """Called on the loop with a door whose reader shows green."""
        self.lines: dict[str, VirtualLine] = {}
        self.taps: dict[str, LineTap] = {}
        self.readers: dict[str, VirtualReader] = {}
        self._serial_devices: dict[str, str] = {}
        self.reader_of: dict[str, str] = {}
        """Door -> the name of its first reader."""
        self.door_of: dict[str, str] = {}
        """Reader -> its door."""
        try:
            self._string_lines(config)
            devices = {device: line.path for device, line in self.lines.items()} | self._serial_devices
            self.agent = Agent(
                config.with_devices(devices),
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

    def trip(self, name: str, on: bool) -> None:
        """Work one of the agent's own inputs: ``fire``, ``panic``, ``mains`` (on: it has failed), ``battery`` (on: it
        is low). ValueError if it is not wired."""
        if name not in self.switches:
            raise ValueError(f"this agent has no {name} input; it has: {', '.join(self.switches) or 'none'}")
        self.switches[name].move(closed=self._at_rest[name] is not on)

    def panic(self) -> None:
        """Somebody presses the panic button and lets go. ValueError if none is wired."""
        self.trip("panic", True)
        self._loop.call_later(PANIC_PRESS_S, self.trip, "panic", False)

    def _string_lines(self, config: AgentFile) -> None:
        for wired in config.reader_lines:
            tap = self.taps[wired.device] = LineTap()
            line = self.lines[wired.device] = VirtualLine(baud=wired.baud, on_reader_bytes=tap.hear)
            for reader in wired.readers:
                self._place(reader.reader, reader.door)
                self.readers[reader.reader] = VirtualOsdpReader(
                    line,
                    address=reader.address,
                    key=reader.key,
                    name=reader.reader,
                    on_shown=partial(self._shown, reader.door),
                )

        for wiegand in config.wiegand_readers:
            self._place(wiegand.reader, wiegand.door)
            self.readers[wiegand.reader] = WiegandAtDoor(
                self._factory, wiegand, on_green=partial(self._green, wiegand.door)
            )
        modules = serial_readers(config.serial_readers, self._stack)
        for serial in config.serial_readers:
            self._place(serial.reader, serial.door)
            module = modules[serial.reader]
            self.readers[serial.reader] = SerialAtDoor(module)
            self._serial_devices[serial.device] = module.path

    def _place(self, reader: str, door: str) -> None:
        self.reader_of.setdefault(door, reader)
        self.door_of[reader] = door

    def _shown(self, door: str, shown: Led | Buzzer) -> None:
        """On the line's thread."""
        if isinstance(shown, Led) and shown.colour == "green" and not shown.blinking:
            self._green(door)
        if isinstance(shown, Led) and shown.colour == "amber" and shown.blinking:
            self._tell(lambda: self.on_amber(door))

    def _green(self, door: str) -> None:
        """On any thread."""
        self._tell(lambda: self.on_green(door))

    def _tell(self, call: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    def _end_world(self) -> None:
        for line in self.lines.values():
            line.close()
        self._stack.close()
        self._world.close()
        self._factory.reset()
