"""A person who does what a walk test asks, by script: they open, badge and press at virtual doors."""

from __future__ import annotations

import random
from collections.abc import Callable

from drivers.serial.ascii_reader import CARD_BITS
from drivers.wiegand.formats import CardFormat, to_bytes
from edge_agent.readers.wiegand_serial import known_formats
from edge_agent.walk_test.judge import KEYS
from edge_agent.walk_test.prompts import OPEN_FIRST, READER_AWAITED, SHUT_FIRST, Answer
from edge_agent.walk_test.words import Step, StepKind, StepResult, Verdict
from simulators.hardware.door import VirtualDoor
from simulators.hardware.osdp_reader import VirtualOsdpReader
from simulators.hardware.serial_reader import VirtualSerialReader
from simulators.school.walked_site import AWAITING_PACE, READING_PACE, WalkedSite

OSDP_PATIENCE_S = 40.0
"""What passes on a serial line takes real time, of which a fast walk has little."""

HOLDS_AGAIN_S = 0.5

FOREVER_S = 1e9
_SAID_DONE = frozenset({StepKind.REST, StepKind.PULL})


class Walker:
    """A person who does what the walk test asks, a second later: its `Prompts`.

    ``on_step`` is called before each step is acted upon. After a failure they go on.
    """

    def __init__(self, site: WalkedSite, *, seed: int | str = 0) -> None:
        self.heard: list[str] = []
        """Everything the walk test said, oldest first."""
        self.results: list[tuple[Step, StepResult]] = []
        self.on_step: Callable[[Step], None] = lambda _step: None
        self.next_answer: Answer | None = None
        """What to say before anything else."""
        self.at_door: dict[str, str] = {}
        """Reader of the agent's file -> the one that really hangs there, where two are crossed."""
        self._site = site
        self._rng = random.Random(f"walker/{seed}")
        self._done_at: float | None = None
        self._step: Step | None = None

    def door(self, door: str, number: int, of: int) -> None:
        """Walk to the door."""
        self.heard.append(f"door {number} of {of}: {door}")

    def instruct(self, step: Step, text: str) -> None:
        """Do it, and confirm it a while after."""
        self.heard.append(text)
        self._step = step
        self.on_step(step)
        self._site.pace = 0.0 if step.reader is None else READING_PACE
        self._done_at = None
        act = self._act(step, text)
        if act is None:
            return
        now = self._site.timer.now()
        after_s = self._rng.uniform(0.5, 2.0)
        self._site.timer.at(now + after_s, act)
        patience_s = 1.5 if step.kind in _SAID_DONE else 4.0
        if isinstance(self._site.readers.get(step.reader or ""), VirtualOsdpReader):
            patience_s = OSDP_PATIENCE_S
        self._done_at = now + after_s + patience_s

    def time_left(self, step: Step, seconds: int) -> None:
        """Ignore it: a script does not hurry."""

    def result(self, step: Step, result: StepResult) -> None:
        """Note the result, and go on after a failure."""
        self.results.append((step, result))
        self._step = None
        self._done_at = self._site.timer.now() if result.verdict is Verdict.FAILED else None

    def say(self, text: str) -> None:
        """Hear it. While the test waits for a reader, time passes more slowly."""
        self.heard.append(text)
        if text == READER_AWAITED:
            self._site.pace = AWAITING_PACE

    def answer(self) -> Answer | None:
        """Enter, once the step is done."""
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
        reader = self.at_door.get(step.reader or "", step.reader or "")
        acts: dict[StepKind, Callable[[], object]] = {
            StepKind.PULL: lambda: door.person_opens(1.0),
            StepKind.OPEN: lambda: _open(door),
            StepKind.CLOSE: door.close,
            StepKind.BADGE: lambda: self._swipe(reader, step),
            StepKind.KEYPAD: lambda: self._site.readers[reader].press(KEYS),
            StepKind.REX: door.press_rex,
            StepKind.TAMPER: lambda: self._trip_tamper(door),
        }
        return lambda: _do(acts.get(step.kind))

    def _swipe(self, reader: str, step: Step) -> None:
        """Hold a badge to a reader, if need be until its secure channel is up, as a person would."""
        held = self._site.readers[reader]
        if self._step is not step:
            return
        if isinstance(held, VirtualOsdpReader):
            now = self._site.timer.now()
            self._done_at = now + OSDP_PATIENCE_S
            if not held.secure:
                self._site.timer.at(now + HOLDS_AGAIN_S, lambda: self._swipe(reader, step))
                return
        bits, data = CARD_BITS, self._rng.randbytes(CARD_BITS // 8)
        if not isinstance(held, VirtualSerialReader):
            card = self._format_of(reader)
            bits, data = card.bits, to_bytes(card.encode(self._rng.randrange(1 << 16)), card.bits)
        held.swipe(bits, data)

    def _format_of(self, reader: str) -> CardFormat:
        """A card that the reader knows: of the first format it accepts, or the usual one of 26 bits."""
        named = [one.formats[0] for one in self._site.config.wiegand_readers if one.reader == reader]
        return known_formats(self._site.config.wiegand_formats)[named[0] if named else "h10301"]

    def _trip_tamper(self, door: VirtualDoor) -> None:
        door.pull_tamper()
        self._site.timer.at(self._site.timer.now() + 1.0, lambda: door.pull_tamper(False))


def _do(act: Callable[[], object] | None) -> None:
    if act is not None:
        act()


def _open(door: VirtualDoor) -> None:
    if not door.person_opens(FOREVER_S):
        door.person_opens(FOREVER_S, from_inside=True)
