"""A virtual school to be walked: doors and readers at an agent's wires, no agent, and a person who does as told.

For training and for tests. Time is the caller's, so that an hour's walk takes seconds; what is wrong with a door is
done to its virtual door by the caller. Serial lines keep real time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Self

from gpiozero.pins.mock import MockFactory

from edge_agent.config_file import AgentFile
from edge_agent.walk_test.judge import KEYS
from edge_agent.walk_test.prompts import OPEN_FIRST, SHUT_FIRST, Answer
from edge_agent.walk_test.words import Step, StepKind, StepResult, Verdict
from edge_agent.wiring import DoorWiring, InputWiring, SwitchWiring
from simulators import virtual_door
from simulators.virtual_door import VirtualDoor
from simulators.virtual_line import VirtualLine
from simulators.virtual_pins import WirePin
from simulators.virtual_reader import VirtualOsdpReader
from simulators.virtual_time import SteppedTimer

COMPUTE_MODULE = "a020a0"  # its 46 pins are what agent.yaml may name
BOLT_TRAVEL_S = (0.15, 0.4)

REAL_TICK_S = 0.001
"""What a tick of the walk really takes while a reader is tested: serial lines must be able to keep up."""

READERS_UP_S = 20.0
FOREVER_S = 1e9
_SAID_DONE = frozenset({StepKind.REST, StepKind.PULL})


class WalkedSite:
    """The doors and readers of an agent's file. A context manager; make it on the loop that is to run it.

    Pass ``factory``, ``timer``, ``pause`` and ``config`` (whose serial devices are virtual ones) to a `Walk`.
    ``dead_readers`` never answer. ``seed`` shapes how fast each bolt travels. ValueError for a door without REX.
    """

    def __init__(self, config: AgentFile, *, seed: int | str = 0, dead_readers: frozenset[str] = frozenset()) -> None:
        rng = random.Random(f"walk/{seed}/{config.site}/{config.agent}")
        self.factory = MockFactory(revision=COMPUTE_MODULE)
        self.timer = SteppedTimer()
        self.doors = {
            wiring.door: VirtualDoor(
                _door_wiring(wiring),
                pin_factory=self.factory,
                timer=self.timer,
                bolt_travel_s=rng.uniform(*BOLT_TRAVEL_S),
            )
            for wiring in config.doors
        }
        self.fire_wire = self._at_rest(config.fire, closed=True)
        self.panic_wire = self._at_rest(config.panic, closed=False)
        self.readers: dict[str, VirtualOsdpReader] = {}
        self._dead = dead_readers
        self._lines: dict[str, VirtualLine] = {}
        self._up = False
        self.reading = False
        """Whether a reader is being tested."""
        for wired in config.reader_lines:
            line = self._lines[wired.device] = VirtualLine(baud=wired.baud)
            for reader in wired.readers:
                self.readers[reader.reader] = VirtualOsdpReader(
                    line, address=reader.address, key=reader.key, name=reader.reader
                )
        for name in dead_readers:
            self.readers[name].freeze()
        self.config = config.with_devices({device: line.path for device, line in self._lines.items()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        for line in self._lines.values():
            line.close()
        self.factory.reset()

    async def pause(self, seconds: float) -> None:
        """Let time pass at the doors. The first time, wait for the readers that live."""
        if not self._up:
            self._up = True
            async with asyncio.timeout(READERS_UP_S):
                while not all(one.secure for name, one in self.readers.items() if name not in self._dead):  # noqa: ASYNC110
                    await asyncio.sleep(REAL_TICK_S)
        self.timer.advance(seconds)
        await asyncio.sleep(REAL_TICK_S if self.reading else 0)

    def _at_rest(self, wiring: InputWiring | None, *, closed: bool) -> WirePin | None:
        if wiring is None:
            return None
        rests_closed = closed if wiring.normally_closed is None else wiring.normally_closed
        wire: WirePin = self.factory.pin(_pin(wiring), pin_class=WirePin)
        wire.drive(False if rests_closed else None)
        return wire


class Walker:
    """A person who does what the walk test asks, a second later: its `Prompts`.

    ``on_step`` is called before each step is acted upon. After a failure they go on.
    """

    def __init__(self, site: WalkedSite, *, seed: int | str = 0) -> None:
        self.heard: list[str] = []
        """Everything they were told, oldest first."""
        self.results: list[tuple[Step, StepResult]] = []
        self.on_step: Callable[[Step], None] = lambda _step: None
        self.next_answer: Answer | None = None
        """What to say before anything else."""
        self._site = site
        self._rng = random.Random(f"walker/{seed}")
        self._done_at: float | None = None

    def door(self, door: str, number: int, of: int) -> None:
        """They walk to it."""
        self.heard.append(f"door {number} of {of}: {door}")

    def instruct(self, step: Step, text: str) -> None:
        """They do it, and say so a while after."""
        self.heard.append(text)
        self.on_step(step)
        self._site.reading = step.reader is not None
        self._done_at = None
        act = self._act(step, text)
        if act is None:
            return
        now = self._site.timer.now()
        after_s = self._rng.uniform(0.5, 2.0)
        self._site.timer.at(now + after_s, act)
        self._done_at = now + after_s + (1.5 if step.kind in _SAID_DONE else 4.0)

    def time_left(self, step: Step, seconds: int) -> None:
        """They know."""

    def result(self, step: Step, result: StepResult) -> None:
        """They note it."""
        self.results.append((step, result))
        self._done_at = self._site.timer.now() if result.verdict is Verdict.FAILED else None

    def say(self, text: str) -> None:
        """They hear it."""
        self.heard.append(text)

    def answer(self) -> Answer | None:
        """Enter, when they are through."""
        if self.next_answer is not None:
            answer, self.next_answer = self.next_answer, None
            return answer
        if self._done_at is None or self._site.timer.now() < self._done_at:
            return None
        self._done_at = None
        return Answer.DONE

    def _act(self, step: Step, text: str) -> Callable[[], None] | None:
        door = self._site.doors.get(step.door)
        if door is None:
            return None
        if text in {OPEN_FIRST, SHUT_FIRST}:
            return door.close if text == SHUT_FIRST else lambda: _open(door)
        if not step.person:
            return None
        acts: dict[StepKind, Callable[[], object]] = {
            StepKind.PULL: lambda: door.person_opens(1.0),
            StepKind.OPEN: lambda: _open(door),
            StepKind.CLOSE: door.close,
            StepKind.BADGE: lambda: self._swipe(step.reader or ""),
            StepKind.KEYPAD: lambda: self._site.readers[step.reader or ""].press(KEYS),
            StepKind.REX: door.press_rex,
            StepKind.TAMPER: lambda: self._trip_tamper(door),
        }
        return lambda: _do(acts.get(step.kind))

    def _swipe(self, reader: str) -> None:
        card = self._rng.getrandbits(26) << 6
        self._site.readers[reader].swipe(26, card.to_bytes(4, "big"))

    def _trip_tamper(self, door: VirtualDoor) -> None:
        door.pull_tamper()
        self._site.timer.at(self._site.timer.now() + 1.0, lambda: door.pull_tamper(False))


def _do(act: Callable[[], object] | None) -> None:
    if act is not None:
        act()


def _open(door: VirtualDoor) -> None:
    if not door.person_opens(FOREVER_S):
        door.person_opens(FOREVER_S, from_inside=True)


def _door_wiring(wiring: DoorWiring) -> virtual_door.DoorWiring:
    if wiring.rex is None:
        raise ValueError(f"door {wiring.door!r} has no rex; a virtual door needs one, add 'rex: {{pin: …}}'")
    return virtual_door.DoorWiring(
        lock=wiring.lock.pin,
        contact=_pin(wiring.contact),
        rex=_pin(wiring.rex),
        bolt=_pin(wiring.bolt) if wiring.bolt else None,
        tamper=_pin(wiring.tamper) if wiring.tamper else None,
        kind=wiring.lock.kind,
        fail_mode=wiring.lock.fail_mode,
        lock_active_high=wiring.lock.active_high,
    )


def _pin(wiring: InputWiring) -> int:
    if not isinstance(wiring, SwitchWiring):
        raise ValueError(f"channel {wiring.channel} of {wiring.adc}: supervised lines cannot be walked here")  # noqa: TRY004
    return wiring.pin
