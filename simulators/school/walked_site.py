"""A virtual school to be walked: doors and readers at an agent's wires, and no agent.

For training and for tests. Time is made to go faster unless real time is asked for, so that an hour's walk takes
seconds; serial lines and supervised lines keep real time. What is wrong with a door is done to it by the caller.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any, Self

from gpiozero.pins.mock import MockFactory

from drivers.timed_outputs import TimedOutputs
from drivers.wiegand.edges import PinEdges
from edge_agent.agent_yaml.config_file import AgentFile
from simulators.hardware.osdp_reader import VirtualOsdpReader
from simulators.hardware.readers import VirtualReaders
from simulators.hardware.timers import SteppedTimer
from simulators.hardware.wiring import COMPUTE_MODULE, VirtualWiring

READING_PACE = 0.05
"""Real seconds a second of a fast walk takes while a reader is tested: its line must be able to keep up."""

AWAITING_PACE = 1.0
"""The same while a reader is waited for that does not answer: its handshakes and their rests take real time."""

LOOK_S = 0.001

READERS_UP_S = 20.0


class WalkedSite:
    """The doors and readers of an agent's file. A context manager; make it on the loop that is to run it.

    Pass ``config`` (whose serial devices are virtual ones) and ``options`` to a `Walk`. ``dead_readers`` (OSDP) never
    answer. ``seed`` shapes how fast each bolt travels. ValueError for a door without REX.
    """

    def __init__(
        self,
        config: AgentFile,
        *,
        seed: int | str = 0,
        dead_readers: frozenset[str] = frozenset(),
        real_time: bool = False,
        least_pace: float = 0.0,
    ) -> None:
        rng = random.Random(f"walk/{seed}/{config.site}/{config.agent}")
        self.factory = MockFactory(revision=COMPUTE_MODULE)
        self._steps = None if real_time else SteppedTimer()
        self.timer: SteppedTimer | TimedOutputs = self._steps or TimedOutputs()
        wiring = VirtualWiring(config, pin_factory=self.factory, timer=self.timer, rng=rng)
        self.adcs = wiring.adcs
        self.doors = wiring.doors
        self.switches = wiring.switches
        self.trip = wiring.trip
        self._readers = VirtualReaders(config, pin_factory=self.factory)
        self.readers = self._readers.by_name
        osdp = [one for one in self.readers.values() if isinstance(one, VirtualOsdpReader)]
        for one in osdp:
            if one.name in dead_readers:
                one.freeze()
        self._living = [one for one in osdp if one.name not in dead_readers]
        self.pace = 0.0
        """How many real seconds a second of a fast walk takes now; never less than ``least_pace``."""
        # A supervised line is read at its own pace on a thread: its readings must not look old.
        self._least_pace = max(least_pace, 1.0) if config.adcs else least_pace
        self.config = config.with_devices(self._readers.devices)

    @property
    def options(self) -> Mapping[str, Any]:
        """What a `Walk` of this site needs."""
        own_time = {} if self._steps is None else {"timer": self._steps, "pause": self.pause}
        return {"pin_factory": self.factory, "edges": PinEdges(self.factory), **own_time}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._readers.close()
        if isinstance(self.timer, TimedOutputs):
            self.timer.close()
        self.factory.reset()

    async def pause(self, seconds: float) -> None:
        """Let fast time pass at the doors. The first time, wait for the readers that live."""
        assert self._steps is not None
        async with asyncio.timeout(READERS_UP_S):
            while not all(reader.secure for reader in self._living):  # noqa: ASYNC110 - libosdp has no event for it
                await asyncio.sleep(LOOK_S)
        self._living.clear()
        self._steps.advance(seconds)
        await asyncio.sleep(seconds * max(self.pace, self._least_pace))

    def expect_silent(self, reader: str) -> None:
        """Do not wait for this reader's secure channel: it will not come up."""
        self._living = [one for one in self._living if one.name != reader]
